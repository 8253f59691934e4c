// The values that templates and filters of one run can see.
//
//   event.*  payload.*               the event; its data is parsed only when somebody asks for it
//   files, changed_files             the list of paths in the data's `files` or `changed_files`; empty when there is none. A watched
//                                    file whose name is no UTF-8 stands there in its exact bytes
//   last_run                         start of the handler's last success, RFC 3339; 1970-01-01T00:00:00.000Z when there is none
//   run.id|handler|attempt|correlation_id    handler    source
//   iteration                        its number, from 1    feedback: what the gates said that the one before did not pass; empty in the first
//   workspace                        the folder that steps work in
//   vars.NAME                        what the last `set` before it that names it has said
//   item, item.*, index              the element of `foreach`, and its number from 0
//   params.NAME                      of the recipe that it stands in
//   steps.NAME.output|error_output   what an earlier step printed: its first limits::kOutputInMemory bytes, without the newlines
//   at
//                                    the end (as a shell's $( ) has it)
//   steps.NAME.exit_code|state       200 and "succeeded", say
//   steps.NAME.json[.*]              its whole output, read as JSON
//   steps.NAME.output_file|error_file  a file with the whole of it
//   files_content, git_log, repo     handlers/values.h
//   env.NAME                         the daemon's environment
//   payload_file                     a file with the data, as JSON
//   files_file                       a file with the paths, a NUL behind each (xargs -0, git --pathspec-from-file
//   --pathspec-file-nul)
//
// Files are written when first asked for, 0600, into the run's output folder. One thread: the run's.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/result.h"
#include "handlers/pipeline.h"

namespace hark {

class Scope {
 public:
  // `done`: the steps that are through, in order; the scope looks into it and must not outlive it. Dry: see render_pipeline().
  // `tools`: for what has to be gathered; nullptr in a dry run alone.
  Scope(const RunContext& context, const std::vector<StepResult>& done, std::filesystem::path run_folder, const PipelineTools* tools);

  // By a template's name; nullptr: there is none. Good until the next iteration begins.
  const nlohmann::json* value(std::string_view name);
  void begin_iteration(int number, std::string feedback);
  void begin_step();  // what the one before may have changed is gathered again

  // What a recipe and an element of a list give to the steps within.
  struct Frame {
    std::string prefix;                             // of the names of steps: "recipe."
    std::optional<nlohmann::json> parameters;       // of the recipe: an object
    nlohmann::json variables = nlohmann::json::object();
    std::optional<nlohmann::json> item;
    std::size_t index = 0;                          // of the item
  };
  const Frame& frame() const { return frame_; }
  void set_variables(const nlohmann::json& values);
  void enter(Frame frame);                          // pointers that were handed out are good no longer
  // Where the steps work, and how what is asked of programs there is contained.
  void set_workspace(std::string folder, Containment containment) {
    workspace_ = std::move(folder);
    containment_ = std::move(containment);
  }
  void set_origin(std::string repository) { origin_ = std::move(repository); }  // that the workspace is a worktree of; empty: it is none
  // By a filter's field: the names above, else the event's envelope, else its data.
  const nlohmann::json* field(std::string_view name);

  // Why a value that a template asked for is not what it should be (an output that is no JSON, a file that could not be written);
  // the step that asked must not go on with a hole in its command. Taking it clears it.
  std::optional<Error> take_trouble();

  // The whole event as JSON, for standard input; made once.
  const std::string& event_text();
  // "<folder>/<run id>/<step>" of a first attempt, "<folder>/<run id>/attempt-2/<step>", in characters that are safe for a path.
  std::string output_stem(std::string_view step) const;
  bool is_placeholder(std::string_view name, const nlohmann::json* value) const;  // of a dry run: not the value itself

 private:
  std::optional<nlohmann::json> make(std::string_view name);
  std::optional<nlohmann::json> run_value(std::string_view rest) const;
  std::optional<nlohmann::json> step_value(std::string_view name);
  void forget_steps();
  std::optional<nlohmann::json> step_file(const StepResult& step, bool error_output);
  const nlohmann::json* step_json(std::string_view name);
  const nlohmann::json* event_value(std::string_view name);
  const nlohmann::json& files();
  std::optional<nlohmann::json> gathered(Result<std::string> value);
  std::optional<nlohmann::json> write_file(const std::string& path, std::string_view content);
  const StepResult* find_step(std::string_view name) const;

  const RunContext& context_;
  const std::vector<StepResult>& done_;
  std::filesystem::path run_folder_;
  const PipelineTools* tools_;
  bool dry_;
  std::map<std::string, nlohmann::json, std::less<>> kept_;  // nodes stay where they are: pointers to them are handed out
  std::optional<Error> trouble_;
  std::string event_text_;
  int iteration_ = 1;
  std::string feedback_;
  std::string workspace_;
  Containment containment_;
  std::string origin_;
  Frame frame_;
};

}  // namespace hark
