#include "handlers/names.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/event_field.h"
#include "core/nearest.h"

namespace hark {
namespace {

using Names = std::vector<std::string>;

constexpr std::array<std::string_view, 22> kRoots = {"event",    "payload",   "files",        "changed_files", "last_run",
                                                     "run",      "steps",     "env",          "handler",       "source",
                                                     "feedback", "iteration", "workspace",    "payload_file", "files_file",
                                                     "vars",     "params",    "item",         "index",         "files_content",
                                                     "git_log",  "repo"};
constexpr std::array<std::string_view, 4> kRunFields = {"id", "handler", "attempt", "correlation_id"};
constexpr std::array<std::string_view, 7> kStepFields = {"output", "error_output", "exit_code", "state",
                                                         "json",   "output_file",  "error_file"};

template <std::size_t N>
Names list(const std::array<std::string_view, N>& names) {
  return {names.begin(), names.end()};
}

std::string joined(const Names& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

// The cure for a `wrong` word of a name whose words before it are `before`.
std::string cure(std::string_view before, std::string_view wrong, const Names& known) {
  const std::string near = nearest(wrong, known);
  if (!near.empty()) return "did you mean {" + std::string(before) + near + "}?";
  return "known here: " + joined(known);
}

Error unknown(std::string_view name, std::string cure) { return {"unknown name {" + std::string(name) + "}", std::move(cure)}; }

Status check_step(std::string_view name, std::string_view rest, const Names& earlier) {
  const auto [step, what] = split_name(rest);
  if (std::find(earlier.begin(), earlier.end(), step) == earlier.end()) {
    const std::string whose = "no step before this one is called '" + std::string(step) + "'";
    const std::string near = nearest(step, earlier);
    if (!near.empty()) return Error{whose, "did you mean {steps." + near + (what.empty() ? "" : "." + std::string(what)) + "}?"};
    return Error{whose, earlier.empty() ? "this is the first step" : "steps before it: " + joined(earlier)};
  }
  const auto [field, inside] = split_name(what);
  const std::string before = "steps." + std::string(step) + ".";
  if (std::find(kStepFields.begin(), kStepFields.end(), field) == kStepFields.end())
    return unknown(name, cure(before, field, list(kStepFields)));
  if (!inside.empty() && field != "json")
    return unknown(name, before + std::string(field) + " is one value, there is nothing inside it");
  return {};
}

Status check_given(std::string_view name, std::string_view rest, const Names& given, const std::string& lacking) {
  const auto wanted = split_name(rest).first;
  if (std::find(given.begin(), given.end(), wanted) != given.end()) return {};
  const auto root = std::string(split_name(name).first);
  return Error{lacking + std::string(wanted) + "'", given.empty() ? "there is none" : cure(root + ".", wanted, given)};
}

}  // namespace

std::pair<std::string_view, std::string_view> split_name(std::string_view name) {
  const auto dot = name.find('.');
  if (dot == name.npos) return {name, {}};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

bool is_scope_root(std::string_view root) { return std::find(kRoots.begin(), kRoots.end(), root) != kRoots.end(); }

Status check_name(std::string_view name, const KnownNames& known) {
  const auto [root, rest] = split_name(name);
  if (!is_scope_root(root)) {
    const std::string near = nearest(root, list(kRoots));
    return unknown(name, near.empty() ? "names begin with " + joined(list(kRoots)) + "; for braces themselves write {{" + std::string(name) + "}}" : "did you mean {" + near + "}?");
  }
  if (root == "event") return check_event_field(name);
  if (root == "payload" || root == "files" || root == "changed_files") return {};
  if (root == "steps") return check_step(name, rest, known.steps);
  if (root == "vars") return check_given(name, rest, known.vars, "no step before this one sets '");
  if (root == "params") {
    if (!known.parameters) return unknown(name, "only the steps of a recipe have parameters");
    return check_given(name, rest, *known.parameters, "this recipe has no parameter '");
  }
  if (root == "item" || root == "index") {
    if (!known.item) return unknown(name, "only a step with `foreach` has it");
    if (root == "item") return {};
  }
  if (root == "env") return rest.empty() ? Status(unknown(name, "say which variable: {env.NAME}")) : Status();
  if (root == "run") {
    if (std::find(kRunFields.begin(), kRunFields.end(), rest) != kRunFields.end()) return {};
    return unknown(name, cure("run.", rest, list(kRunFields)));
  }
  if (!rest.empty()) return unknown(name, "{" + std::string(root) + "} is one value, there is nothing inside it");
  return {};
}

}  // namespace hark
