#include "handlers/scope.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "core/base64.h"
#include "core/event_field.h"
#include "core/event_json.h"
#include "core/limits.h"
#include "handlers/names.h"
#include "handlers/values.h"
#include "platform/clock.h"
#include "platform/output_file.h"

namespace hark {
namespace {

using Json = nlohmann::json;

// Characters that mean nothing to a path, so that no name can lead out of the folder or hide in it.
std::string safe_name(std::string_view name) {
  constexpr std::size_t kMost = 100;
  std::string safe(name.substr(0, kMost));
  for (char& c : safe) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (!plain) c = '_';
  }
  if (safe.empty() || safe.front() == '.') safe.insert(0, 1, '_');
  return safe;
}

std::string without_last_newlines(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return std::string(text);
}

// A list of changed things as the sources have it (paths) or as a forge may (objects that name one).
std::optional<Json> as_paths(const Json* list) {
  if (list == nullptr || !list->is_array()) return std::nullopt;
  Json paths = Json::array();
  for (const Json& item : *list) {
    if (item.is_string()) paths.push_back(item);
    for (const char* key : {"path", "filename"}) {
      if (!item.is_object() || !item.contains(key) || !item[key].is_string()) continue;
      paths.push_back(item[key]);
      break;
    }
  }
  return paths;
}

// As `key` of a watched tree's event has it, in the bytes that are on the disk.
std::string exact_name(const Json& of, const std::string& key) {
  const auto text = [&of](const std::string& name) {
    return of.is_object() && of.contains(name) && of[name].is_string() ? of[name].get<std::string>() : std::string();
  };
  const auto encoded = text(key + "_base64");
  return encoded.empty() ? text(key) : from_base64(encoded).value_or(text(key));
}

// Paths that are no UTF-8 stand in `files` as what a person can read. The change at the same place has the bytes; they are taken if
// they read the same, so that a filter and a command never see two different files.
void make_exact(Json& files, const Json& data) {
  const Json* changes = json_at(data, "changes");
  if (changes == nullptr || !changes->is_array() || changes->size() != files.size()) return;
  const std::string root = exact_name(data, "root");
  for (std::size_t i = 0; i < files.size(); ++i) {
    const Json& change = (*changes)[i];
    const bool written_twice = data.contains("root_base64") || (change.is_object() && change.contains("path_base64"));
    if (!written_twice) continue;
    Json exact = root + (root.ends_with('/') ? "" : "/") + exact_name(change, "path");
    if (write_json(exact) == write_json(files[i])) files[i] = std::move(exact);
  }
}

}  // namespace

Scope::Scope(const RunContext& context, const std::vector<StepResult>& done, std::filesystem::path run_folder, const PipelineTools* tools)
    : context_(context), done_(done), run_folder_(std::move(run_folder) / safe_name(context.run.id)), tools_(tools), dry_(tools == nullptr) {}

const Json* Scope::value(std::string_view name) {
  if (const auto kept = kept_.find(name); kept != kept_.end()) return &kept->second;
  const auto [root, rest] = split_name(name);
  if (root == "event" || root == "payload") return event_value(name);
  if (root == "files" || root == "changed_files") return rest.empty() ? &files() : json_at(files(), rest);
  if (dry_ && (root == "item" || root == "params")) return &kept_.insert_or_assign(std::string(name), "{" + std::string(name) + "}").first->second;
  if (root == "item") return !frame_.item ? nullptr : rest.empty() ? &*frame_.item : json_at(*frame_.item, rest);
  if (root == "vars" && !dry_) return json_at(frame_.variables, rest);
  if (root == "params") return frame_.parameters ? json_at(*frame_.parameters, rest) : nullptr;
  const bool later = root == "steps" || root == "vars" || root == "index" || root == "workspace" || root == "env" || root == "payload_file" || root == "files_file" || root == "files_content" || root == "git_log";
  if (dry_ && later) return &kept_.emplace(name, "{" + std::string(name) + "}").first->second;
  if (root == "steps") {
    const auto [step, what] = split_name(rest);
    if (what == "json" || what.starts_with("json.")) return step_json(rest);
  }
  auto made = make(name);
  return made ? &kept_.emplace(name, std::move(*made)).first->second : nullptr;
}

void Scope::begin_iteration(int number, std::string feedback) {
  iteration_ = number;
  feedback_ = std::move(feedback);
  forget_steps();
}

void Scope::begin_step() {
  for (const char* name : {"files_content", "git_log"}) {
    if (const auto kept = kept_.find(name); kept != kept_.end()) kept_.erase(kept);
  }
}

void Scope::enter(Frame frame) {
  frame_ = std::move(frame);
  forget_steps();
}

void Scope::set_variables(const Json& values) { frame_.variables.update(values); }

// What is not the same throughout a run.
void Scope::forget_steps() {
  std::erase_if(kept_, [](const auto& entry) {
    const auto root = split_name(entry.first).first;
    return root == "steps" || root == "index" || root == "iteration" || root == "feedback";
  });
}

const Json* Scope::field(std::string_view name) {
  const auto root = split_name(name).first;
  const Json* found = is_scope_root(root) ? value(name) : nullptr;
  trouble_.reset();  // a filter asks what there is: something missing is an answer
  return found != nullptr || root == "steps" ? found : event_value(name);
}

std::optional<Error> Scope::take_trouble() { return std::exchange(trouble_, std::nullopt); }

const std::string& Scope::event_text() {
  if (event_text_.empty()) event_text_ = to_json_text(*context_.event);
  return event_text_;
}

// Each attempt and iteration in a place of its own: what the earlier ones left is still shown.
std::string Scope::output_stem(std::string_view step) const {
  const auto attempt = context_.run.attempt;
  auto folder = attempt > 1 ? run_folder_ / ("attempt-" + std::to_string(attempt)) : run_folder_;
  if (iteration_ > 1) folder /= "iteration-" + std::to_string(iteration_);
  return (folder / safe_name(step)).string();
}

bool Scope::is_placeholder(std::string_view name, const Json* value) const {
  return dry_ && value != nullptr && value->is_string() && value->get_ref<const std::string&>() == "{" + std::string(name) + "}";
}

// Names without a life of their own in the data: made, and kept for as long as the scope lives.
std::optional<Json> Scope::make(std::string_view name) {
  const auto [root, rest] = split_name(name);
  if (root == "run") return run_value(rest);
  if (root == "steps") return step_value(rest);
  if (root == "env") {
    const std::string variable(rest);
    if (context_.environment) {
      const auto found = context_.environment(variable);
      return found ? std::optional<Json>(*found) : std::nullopt;
    }
    const char* found = std::getenv(variable.c_str());
    return found != nullptr ? std::optional<Json>(found) : std::nullopt;
  }
  if (!rest.empty()) return std::nullopt;
  if (root == "last_run") return to_rfc3339(context_.last_run.value_or(WallTime{}));
  if (root == "handler") return context_.run.handler;
  if (root == "source") return context_.event->source;
  if (root == "feedback") return feedback_;
  if (root == "iteration") return iteration_;
  if (root == "workspace") return workspace_;
  if (root == "index") return frame_.index;
  if (root == "repo") return repository_name(context_.event->data.json(), origin_.empty() ? workspace_ : origin_);
  if (root == "files_content") {
    std::vector<std::string> paths;
    for (const Json& path : files()) paths.push_back(path.get<std::string>());
    return gathered(hark::files_content(paths, workspace_, origin_));
  }
  if (root == "git_log") {
    return gathered(git_log(workspace_, context_.last_run, containment_, tools_->processes, context_.run.id, tools_->clock.now().steady + limits::kGitLogTime, context_.stop));
  }
  if (root == "payload_file") return write_file((run_folder_ / "payload.json").string(), context_.event->data.text());
  if (root == "files_file") {
    std::string text;
    for (const Json& path : files()) text.append(path.get_ref<const std::string&>()).append(1, '\0');
    return write_file((run_folder_ / "files").string(), text);
  }
  return std::nullopt;
}

std::optional<Json> Scope::run_value(std::string_view rest) const {
  if (rest == "id") return context_.run.id;
  if (rest == "handler") return context_.run.handler;
  if (rest == "attempt") return context_.run.attempt;
  if (rest == "correlation_id") return context_.run.correlation_id;
  return std::nullopt;
}

std::optional<Json> Scope::step_value(std::string_view name) {
  const auto [step_name, what] = split_name(name);
  const StepResult* step = find_step(step_name);
  if (step == nullptr) return std::nullopt;
  if (what == "output") return without_last_newlines(step->output);
  if (what == "error_output") return without_last_newlines(step->error_output);
  if (what == "exit_code") return step->exit_code ? std::optional<Json>(*step->exit_code) : std::nullopt;
  if (what == "state") return std::string(to_string(step->state));
  if (what == "output_file") return step_file(*step, false);
  if (what == "error_file") return step_file(*step, true);
  return std::nullopt;
}

std::optional<Json> Scope::step_file(const StepResult& step, bool error_output) {
  const std::string& file = error_output ? step.error_file : step.output_file;
  if (!file.empty()) return file;
  return write_file(output_stem(step.name) + (error_output ? ".err" : ".out"), error_output ? step.error_output : step.output);
}

// `name`: "STEP.json" or "STEP.json.a.b". The parsed output is kept as a whole, under "steps.STEP.json".
const Json* Scope::step_json(std::string_view name) {
  const auto [step_name, what] = split_name(name);
  const auto path = split_name(what).second;
  const std::string whole_name = "steps." + std::string(step_name) + ".json";
  auto whole = kept_.find(whole_name);
  if (whole == kept_.end()) {
    const StepResult* step = find_step(step_name);
    if (step == nullptr) return nullptr;
    std::string text = step->output;
    if (!step->output_file.empty()) {
      if (step->output_bytes > limits::kStepJson) {
        trouble_ = Error{"the output of step '" + step->name + "' is too large to be read as JSON",
                         "hand it on as {steps." + step->name + ".output_file}"};
        return nullptr;
      }
      std::ifstream file(step->output_file, std::ios::binary);
      text.assign(std::istreambuf_iterator<char>(file), {});
    }
    auto parsed = parse_json(text, "the output of step '" + step->name + "'");
    if (!parsed) {
      trouble_ = parsed.error();
      return nullptr;
    }
    whole = kept_.emplace(whole_name, std::move(*parsed)).first;
  }
  return path.empty() ? &whole->second : json_at(whole->second, path);
}

const Json* Scope::event_value(std::string_view name) {
  Json scratch;
  const Json* found = event_field(*context_.event, name, scratch);
  if (found != &scratch) return found;  // stands in the data, which lives as long as the event
  return &kept_.insert_or_assign(std::string(name), std::move(scratch)).first->second;
}

const Json& Scope::files() {
  if (const auto kept = kept_.find("files"); kept != kept_.end()) return kept->second;
  const Json& data = context_.event->data.json();
  auto paths = as_paths(json_at(data, "files"));
  if (paths) make_exact(*paths, data);
  if (!paths) paths = as_paths(json_at(data, "changed_files"));
  return kept_.emplace("files", paths ? std::move(*paths) : Json::array()).first->second;
}

std::optional<Json> Scope::gathered(Result<std::string> value) {
  if (value) return without_last_newlines(*value);
  trouble_ = value.error();
  return std::nullopt;
}

std::optional<Json> Scope::write_file(const std::string& path, std::string_view content) {
  auto file = OutputFile::create(path);
  const Status written = file ? file->write(content) : Status(file.error());
  if (written) return path;
  trouble_ = written.error();
  return std::nullopt;
}

// The latest of that name: an earlier iteration may have left one, too.
const StepResult* Scope::find_step(std::string_view name) const {
  const auto found = std::find_if(done_.rbegin(), done_.rend(), [&](const StepResult& step) {
    return step.name.size() == frame_.prefix.size() + name.size() && step.name.starts_with(frame_.prefix) && step.name.ends_with(name);
  });
  return found == done_.rend() ? nullptr : &*found;
}

}  // namespace hark
