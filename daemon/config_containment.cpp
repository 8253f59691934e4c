#include <algorithm>
#include <array>
#include <charconv>

#include "core/byte_size.h"
#include "core/limits.h"
#include "daemon/config_mapping.h"
#include "daemon/config_show.h"
#include "platform/launch_plan.h"
#include "platform/run_cgroup.h"
#include "platform/user_account.h"

namespace hark {
namespace {

constexpr auto kSizeForm = "a size such as \"512M\" or \"2G\"";

// A string, or a number of bytes.
std::optional<std::uint64_t> read_size(TableReader& reader, std::string_view key, std::uint64_t least) {
  const ConfigNode* node = reader.any(key);
  if (node == nullptr || node->failed) return std::nullopt;
  std::optional<std::uint64_t> size;
  if (node->is(ConfigNode::Kind::string)) size = parse_byte_size(node->text);
  if (node->is(ConfigNode::Kind::integer) && node->integer >= 0) size = static_cast<std::uint64_t>(node->integer);
  if (!size) {
    reader.fail(*node, key, std::string("expected ") + kSizeForm + ", found " + shown(*node));
    return std::nullopt;
  }
  if (*size < least) {
    reader.fail(*node, key, "expected a size of at least " + byte_size_text(least) + ", found " + shown(*node));
    return std::nullopt;
  }
  reader.show(key, masked_toml(*node, key), node);
  return size;
}

std::optional<std::uint64_t> read_count(TableReader& reader, std::string_view key, std::int64_t least, std::int64_t most) {
  const auto count = reader.integer(key, least, most);
  if (!count) return std::nullopt;
  reader.show(key, std::to_string(*count), reader.any(key));
  return static_cast<std::uint64_t>(*count);
}

void read_environment_choice(TableReader& reader, EnvironmentChoice& choice) {
  const auto patterns = reader.texts("pass_environment");
  if (patterns.size() > limits::kConfigTable) {
    return reader.fail(*reader.any("pass_environment"), "pass_environment", "more than " + std::to_string(limits::kConfigTable) + " names");
  }
  for (const ConfigNode* pattern : patterns) {
    const auto& text = pattern->text;
    const bool is_name = !text.empty() && text.find_first_of("= \t\n") == std::string::npos;
    if (!is_name) reader.fail(*pattern, "pass_environment", "expected the name of a variable, or a pattern such as \"AWS_*\", found " + shown(*pattern));
    choice.pass.push_back(text);
  }
  if (const ConfigNode* list = reader.any("pass_environment"); list != nullptr && !patterns.empty()) reader.show_texts("pass_environment", patterns, list);
  choice.inherit = reader.boolean("inherit_environment", false);
  reader.warn_if_idle("pass_environment", choice.inherit, "inherit_environment = true passes all of it");
}

std::optional<mode_t> read_umask(TableReader& reader) {
  const ConfigNode* node = reader.text("umask");
  if (node == nullptr) return std::nullopt;
  unsigned mask = 0;
  const char* const last = node->text.data() + node->text.size();
  const auto [end, failure] = std::from_chars(node->text.data(), last, mask, 8);
  if (failure != std::errc{} || end != last || mask > 0777) {
    reader.fail(*node, "umask", "expected a mask in octal, \"000\" to \"777\", found " + shown(*node));
    return std::nullopt;
  }
  reader.show_text("umask", *node);
  return mask;
}

// The user or group of that name, if this process may become it.
template <class Account>
std::optional<Account> read_account(TableReader& reader, std::string_view key, Result<Account> (*find)(const std::string&)) {
  const ConfigNode* node = reader.text(key);
  if (node == nullptr) return std::nullopt;
  reader.show_text(key, *node);
  auto found = find(node->text);
  if (!found) {
    reader.fail(*node, key, found.error().text());
    return std::nullopt;
  }
  if (const Status allowed = may_become(*found); !allowed) reader.fail(*node, key, allowed.error().text());
  return std::move(*found);
}

void read_limits(TableReader& outer, ResourceLimits& limits) {
  const ConfigNode* table = outer.table("limits");
  if (table == nullptr) return;
  TableReader reader = outer.within(*table, "limits");
  limits.cpu = reader.duration("cpu", std::chrono::seconds(1));
  if (limits.cpu) reader.show_text("cpu", *reader.any("cpu"));
  limits.memory = read_size(reader, "memory", limits::kLeastMemory);
  limits.open_files = read_count(reader, "open_files", limits::kLeastOpenFiles, limits::kMostOpenFiles);
  limits.processes = read_count(reader, "processes", 1, limits::kMostProcesses);
  limits.file_size = read_size(reader, "file_size", 0);
  limits.core = read_size(reader, "core", 0);
  reader.finish();
}

std::optional<int> read_cpu_max(TableReader& reader) {
  const ConfigNode* node = reader.text("cpu_max");
  if (node == nullptr) return std::nullopt;
  int percent = 0;
  const char* const last = node->text.data() + node->text.size();
  const auto [end, failure] = std::from_chars(node->text.data(), last, percent);
  if (failure != std::errc{} || std::string_view(end, last) != "%" || percent < 1 || percent > limits::kMostCpu) {
    reader.fail(*node, "cpu_max", "expected a share of one CPU such as \"50%\", or \"150%\" for one and a half, found " + shown(*node));
    return std::nullopt;
  }
  reader.show_text("cpu_max", *node);
  return percent;
}

void read_cgroup(TableReader& reader, Containment& containment) {
  auto& cgroup = containment.cgroup;
  cgroup.memory_max = read_size(reader, "memory_max", limits::kLeastMemory);
  cgroup.cpu_max = read_cpu_max(reader);
  cgroup.pids_max = read_count(reader, "pids_max", 1, limits::kMostProcesses);
  if (!cgroup.any()) return;
  for (const auto& clause : shortfalls(containment, machine_controllers())) {
    const auto key = clause.substr(0, clause.find(' '));
    reader.hint(reader.any(key)->place, key, "this machine has no cgroup v2 for it: " + clause);
  }
}

// Files and folders that a sandbox lets commands write to, or read.
std::vector<std::string> read_places(TableReader& reader, const char* key) {
  std::vector<std::string> places;
  const auto paths = reader.texts(key);
  if (const ConfigNode* list = reader.any(key); list != nullptr && !paths.empty()) reader.show_texts(key, paths, list);
  for (const ConfigNode* path : paths) {
    const auto resolved = reader.resolve(*path, key);
    if (!resolved) continue;
    if (*resolved == "/") reader.fail(*path, key, "is the whole file system; expected a folder or file within");
    std::error_code failure;
    if (!std::filesystem::exists(*resolved, failure)) reader.warn(path->place, key, resolved->string() + " is not there yet; without it no sandbox is made");
    places.push_back(resolved->string());
  }
  return places;
}

// `sandbox = "bubblewrap"`, or a table that says more.
void read_sandbox(TableReader& outer, const std::string& working_directory, std::optional<Sandbox>& sandbox) {
  const ConfigNode* node = outer.any("sandbox");
  if (node == nullptr) return;
  Sandbox made;
  if (node->is(ConfigNode::Kind::table)) {
    TableReader reader = outer.within(*node, "sandbox");
    reader.choice("kind", {"bubblewrap"}, "bubblewrap");
    made.network = reader.boolean("network", false);
    made.writable = read_places(reader, "writable");
    made.readable = read_places(reader, "readable");
    reader.finish();
  } else {
    outer.choice("sandbox", {"bubblewrap"}, "");
  }
  if (working_directory == "/") outer.fail(*node, "sandbox", "would let the command write everywhere: the handler's working_directory is /; expected another one");
  if (find_bubblewrap().empty()) outer.fail(*node, "sandbox", "there is no bwrap in PATH (apt install bubblewrap)");
  sandbox = std::move(made);
}

}  // namespace

void read_containment(TableReader& reader, const std::string& working_directory, Containment& containment) {
  read_environment_choice(reader, containment.environment);
  containment.umask = read_umask(reader);
  if (const auto nice = reader.integer("nice", -20, 19)) {
    containment.nice = static_cast<int>(*nice);
    reader.show("nice", std::to_string(*nice), reader.any("nice"));
  }
  containment.user = read_account<UserAccount>(reader, "user", find_user);
  containment.group = read_account<UserGroup>(reader, "group", find_group);
  read_limits(reader, containment.limits);
  read_cgroup(reader, containment);
  read_sandbox(reader, working_directory, containment.sandbox);
}

}  // namespace hark
