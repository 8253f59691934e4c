#include "handlers/steps/file.h"

#include <string>
#include <utility>

#include "core/glob.h"
#include "core/limits.h"
#include "core/payload.h"
#include "handlers/steps/folder_files.h"

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

Result<std::string> find(const std::string& folder, const std::string& pattern) {
  const auto glob = Glob::parse(pattern);
  if (!glob) return glob.error();
  const auto opened = ConfinedFolder::open(folder);
  if (!opened) return opened.error();
  const auto found = opened->find(*glob, limits::kFilesFound);
  if (!found) return found.error();
  return write_json(*found);
}

Result<std::string> act(Action action, const std::string& folder, const Rendered& file) {
  if (action == Action::read) return read_whole(folder, file.path);
  if (action == Action::glob) return find(folder, file.path);
  const auto how = action == Action::append ? ConfinedFolder::How::append : ConfinedFolder::How::replace;
  if (auto written = write_file(folder, file.path, file.content, how); !written) return written.error();
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
  auto output = act(options.action, call.folder, *file);
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
