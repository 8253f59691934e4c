#include "handlers/steps/file.h"

#include <string>
#include <utility>

#include "core/glob.h"
#include "core/limits.h"
#include "core/payload.h"
#include "core/printable.h"
#include "platform/confined_folder.h"

namespace hark {
namespace {

using Action = FileStepOptions::Action;

std::string_view to_string(Action action) {
  switch (action) {
    case Action::read: return "read";
    case Action::write: return "write";
    case Action::append: return "append";
    case Action::glob: return "glob";
  }
  return "";
}

struct Rendered {
  std::string path, content;
};

Result<Rendered> render_file(const FileStepOptions& options, Scope& scope) {
  const auto lookup = [&](std::string_view name) { return scope.value(name); };
  Rendered rendered{options.path.render(lookup), options.content.render(lookup)};
  if (auto trouble = scope.take_trouble()) return *trouble;
  return rendered;
}

Result<std::string> read(const ConfinedFolder& folder, const std::string& path) {
  auto content = folder.read(path, limits::kFileStep);
  if (!content) return content.error();
  const auto shown = "'" + printable(path, limits::kShownValue) + "'";
  if (!content->has_value()) return Error{"there is no file " + shown, {}};
  if ((*content)->bytes > limits::kFileStep) return Error{shown + " has more than " + std::to_string(limits::kFileStep) + " bytes", "hand it on by its path"};
  return std::move((*content)->head);
}

Result<std::string> find(const ConfinedFolder& folder, const std::string& pattern) {
  const auto glob = Glob::parse(pattern);
  if (!glob) return glob.error();
  const auto found = folder.find(*glob, limits::kFilesFound);
  if (!found) return found.error();
  return write_json(*found);
}

Result<std::string> act(Action action, const ConfinedFolder& folder, const Rendered& file) {
  switch (action) {
    case Action::read: return read(folder, file.path);
    case Action::glob: return find(folder, file.path);
    case Action::write:
    case Action::append: break;
  }
  const auto written = folder.write(file.path, file.content, action == Action::append ? ConfinedFolder::How::append : ConfinedFolder::How::replace);
  if (!written) return written.error();
  return std::string();
}

}  // namespace

void render(const FileStepOptions& options, Scope& scope, RenderedStep& shown) {
  shown.kind = "file";
  const auto file = render_file(options, scope);
  if (!file) {
    shown.error = file.error().text();
    return;
  }
  shown.text = std::string(to_string(options.action)) + " " + file->path;
  if (!file->content.empty()) shown.text += "\n\n" + file->content;
}

StepResult attempt(const FileStepOptions& options, const StepCall& call) {
  const auto file = render_file(options, call.scope);
  if (!file) return failed_for_good(file.error());
  const auto folder = ConfinedFolder::open(call.handler.working_directory);
  auto output = folder ? act(options.action, *folder, *file) : Result<std::string>(folder.error());
  StepResult result;
  if (output) {
    keep_output(std::move(*output), call, result);
  } else {
    result.state = StepState::failed;
    result.error = output.error().text();
  }
  return result;
}

}  // namespace hark
