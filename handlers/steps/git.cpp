#include "handlers/steps/git.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/payload.h"
#include "core/printable.h"
#include "handlers/steps/command.h"
#include "handlers/steps/run.h"
#include "platform/confined_folder.h"

namespace hark {
namespace {

using GitAction = GitStepOptions::Action;
using Words = std::vector<std::string>;

// The options with their values put in. Names of commits become ids before they go to git.
struct GitWish {
  std::optional<std::string> since, until, from, to, ref, author, branch;
  std::optional<Words> paths;
  std::string message, remote, path;
};

std::string in_quotes(const std::string& text) { return "'" + printable(text, limits::kShownValue) + "'"; }

Status check_value(std::string_view key, const std::string& value) {
  const auto what = "`" + std::string(key) + "`";
  if (value.find_first_not_of(" \t\r\n") == value.npos) return Error{what + " is empty with its values put in", ""};
  if (value.find('\0') != value.npos) return Error{what + " holds a NUL with its values put in", ""};
  return {};
}

// git searches the history for an author that is not of this form (git-commit(1), --author).
Status check_author(const std::string& author) {
  const auto open = author.find(" <");
  const bool one_line = author.find_first_of("\r\n") == author.npos;
  const bool fine = one_line && open != author.npos && open > 0 && author.ends_with('>') && author.find_first_of("<>", open + 2) == author.size() - 1;
  return fine ? Status() : Status(Error{"the author " + in_quotes(author) + " is not of the form 'Name <mail>'", "mend `author`"});
}

// A name that a command line could take for something else, or for the branch before ("-"), is none.
Status check_branch(const std::string& branch) {
  if (branch.starts_with('-') || branch == "@" || branch == "HEAD") return Error{in_quotes(branch) + " is no name of a branch", "mend `branch`"};
  if (branch.starts_with("refs/")) return Error{in_quotes(branch) + " is the whole name of a reference", "name the branch alone: of a push {payload.branch} does"};
  return {};
}

Result<GitWish> render_wish(const GitStepOptions& options, Scope& scope) {
  const auto lookup = [&](std::string_view name) { return scope.value(name); };
  GitWish wish;
  Status wrong;
  const auto take = [&](std::string_view key, const std::optional<Template>& text, std::optional<std::string>& value) {
    if (!text) return;
    value = text->render(lookup);
    if (auto fine = check_value(key, *value); !fine && wrong) wrong = fine;
  };
  take("since", options.since, wish.since);
  take("until", options.until, wish.until);
  take("from", options.from, wish.from);
  take("to", options.to, wish.to);
  take("ref", options.ref, wish.ref);
  take("author", options.author, wish.author);
  take("branch", options.branch, wish.branch);
  std::optional<std::string> message, remote, place;
  if (options.action == GitAction::worktree) take("path", options.path, place);
  if (options.action == GitAction::commit) take("message", options.message, message);
  if (options.action == GitAction::push) take("remote", options.remote, remote);
  if (options.paths) {
    wish.paths.emplace();
    for (const auto& path : *options.paths) {
      for (auto& each : path.render_arguments(lookup)) wish.paths->push_back(std::move(each));
    }
    for (const auto& path : *wish.paths) {
      if (auto fine = check_value("paths", path); !fine && wrong) wrong = fine;
    }
  }
  if (auto trouble = scope.take_trouble()) return *trouble;
  if (wrong && wish.author) wrong = check_author(*wish.author);
  if (wrong && wish.branch) wrong = check_branch(*wish.branch);
  if (wrong && place) wrong = check_confined_path(*place);
  if (!wrong) return wrong.error();
  wish.message = message.value_or("");
  wish.remote = remote.value_or("");
  wish.path = place.value_or("");
  return wish;
}

// gitglossary(7), "pathspec". Not GIT_LITERAL_PATHSPECS: the repository's hooks would inherit it.
void add_paths(const std::optional<Words>& paths, Words& words) {
  words.push_back("--");
  if (!paths) return;
  for (const auto& path : *paths) words.push_back(":(literal)" + path);
}

// The words of the command that matters; the others ask, or prepare.
Words log_words(const GitStepOptions& options, const GitWish& wish) {
  Words words = {"log", "--no-color", "--no-show-signature", "--encoding=UTF-8", "--max-count=" + std::to_string(options.most)};
  if (wish.since) words.push_back("--since=" + *wish.since);
  if (wish.until) words.push_back("--until=" + *wish.until);
  // The date is that of the commit, which --since looks at.
  if (options.json)
    words.insert(words.end(), {"-z", "--format=tformat:%H%x00%cI%x00%an%x00%ae%x00%s%x00%b"});
  else
    words.push_back("--format=tformat:%h %cs %an: %s");
  words.push_back(wish.to.value_or("HEAD"));
  if (wish.from) words.push_back("^" + *wish.from);
  add_paths(wish.paths, words);
  return words;
}

Words diff_words(const GitStepOptions& options, const GitWish& wish) {
  Words words = {"diff", "--no-color", "--no-ext-diff", options.stat ? "--stat=200" : "--patch"};
  if (options.merge_base) words.push_back("--merge-base");
  words.push_back(wish.from.value_or("HEAD"));
  if (wish.to) words.push_back(*wish.to);
  add_paths(wish.paths, words);
  return words;
}

Words show_words(const GitStepOptions& options, const GitWish& wish) {
  return {"show", "--no-color", "--no-show-signature", "--no-ext-diff", "--encoding=UTF-8", "--format=medium", options.stat ? "--stat=200" : "--patch", wish.ref.value_or("HEAD"), "--"};
}

Words commit_words(const GitStepOptions& options, const GitWish& wish) {
  Words words = {"commit", "--quiet", "--cleanup=whitespace", "--file=-"};
  if (wish.author) words.push_back("--author=" + *wish.author);
  if (options.allow_empty) words.push_back("--allow-empty");
  if (wish.paths) add_paths(wish.paths, words);
  return words;
}

Words branch_words(const GitStepOptions& options, const GitWish& wish) {
  return {"switch", "--quiet", "--no-track", options.force ? "--force-create" : "--create", *wish.branch, wish.from.value_or("HEAD")};
}

Words push_words(const GitStepOptions& options, const GitWish& wish) {
  const auto reference = "refs/heads/" + wish.branch.value_or("{the branch that HEAD is on}");
  Words words = {"push", "--quiet"};
  if (options.force) words.push_back("--force-with-lease=" + reference);
  words.insert(words.end(), {"--", wish.remote, "HEAD:" + reference});
  return words;
}

Words worktree_words(const GitStepOptions& options, const GitWish& wish) {
  if (options.remove) return {"worktree", "remove", "--force", "--", wish.path};
  return {"worktree", "add", "--quiet", "--force", "--detach", "--", wish.path, wish.ref.value_or("HEAD")};
}

Words main_words(const GitStepOptions& options, const GitWish& wish) {
  switch (options.action) {
    case GitAction::log: return log_words(options, wish);
    case GitAction::diff: return diff_words(options, wish);
    case GitAction::show: return show_words(options, wish);
    case GitAction::commit: return commit_words(options, wish);
    case GitAction::branch: return branch_words(options, wish);
    case GitAction::push: return push_words(options, wish);
    case GitAction::worktree: return worktree_words(options, wish);
  }
  return {};
}

StepResult fail(const Error& error) { return failed_for_good(error); }

bool failed(const StepResult& result) { return result.state != StepState::succeeded; }

std::string first_line(const StepResult& result) { return result.output.substr(0, result.output.find('\n')); }

// One attempt: each action returns its result, or that of the first command which failed.
class GitAttempt {
 public:
  GitAttempt(const GitStepOptions& options, GitWish wish, const StepCall& call)
      : options_(options), wish_(std::move(wish)), call_(call), folder_(options.repository.empty() ? call.folder : options.repository) {}

  StepResult act() {
    if (wish_.paths && wish_.paths->empty()) return nothing("no paths: there is nothing to do");
    for (auto* name : {&wish_.from, &wish_.to, &wish_.ref}) {
      if (auto failure = resolve(*name)) return *failure;
    }
    switch (options_.action) {
      case GitAction::log: return log();
      case GitAction::diff:
      case GitAction::show: return git(main_words(options_, wish_));
      case GitAction::commit: return commit();
      case GitAction::branch: return branch();
      case GitAction::push: return push();
      case GitAction::worktree: return worktree();
    }
    return {};
  }

 private:
  using Failure = std::optional<StepResult>;

  StepResult git(Words words, std::string input = {}) const {
    auto command = command_of(call_, {{"GIT_TERMINAL_PROMPT", "0"}});
    if (!command) return fail(command.error());
    const auto verb = words.front();
    words.insert(words.begin(), {"git", "-c", "core.quotePath=false"});
    command->argv = std::move(words);
    command->working_directory = folder_;
    command->input = std::move(input);
    auto result = run_command(*command, call_);
    if (result.state == StepState::failed) result.error = "git " + verb + ": " + result.error;
    return result;
  }

  // A success that has nothing to hand on, and says why.
  StepResult nothing(const std::string& why) const {
    StepResult result;
    if (options_.json) result.output = "[]";
    result.output_bytes = result.output.size();
    result.error_output = why + "\n";
    result.error_bytes = result.error_output.size();
    return result;
  }

  StepResult saying(const std::string& output) const {
    StepResult result;
    result.exit_code = 0;
    keep_output(output + "\n", call_, result);
    return result;
  }

  // What was asked with --quiet: `error`, where git has nothing else to say.
  static StepResult refused(StepResult result, const Error& error) {
    return result.state == StepState::failed && result.exit_code && result.error_bytes == 0 ? fail(error) : result;
  }

  Failure resolve(std::optional<std::string>& name) const {
    if (!name) return std::nullopt;
    auto asked = git({"rev-parse", "--verify", "--quiet", "--end-of-options", *name + "^{commit}"});
    const Error none{in_quotes(*name) + " names no commit in " + folder_, "mend it, or fetch it before"};
    if (failed(asked)) return refused(std::move(asked), none);
    if (name->find("^{/") != name->npos) return fail(none);  // gitrevisions(7): the newest commit whose message matches
    if (asked.output.starts_with('^')) return fail(none);  // "^main": all that it does not have
    name = first_line(asked);
    return std::nullopt;
  }

  StepResult log() const {
    auto result = git(main_words(options_, wish_));
    if (failed(result) || !options_.json) return result;
    const auto text = whole_output(result);
    if (!text) return fail(text.error());
    constexpr std::array kFields = {"id", "time", "author", "email", "subject", "body"};
    auto list = nlohmann::json::array();
    for (std::size_t at = 0; at < text->size();) {
      auto entry = nlohmann::json::object();
      for (const char* field : kFields) {
        const auto end = std::min(text->find('\0', at), text->size());
        entry[field] = text->substr(at, end - at);
        at = end + 1;
      }
      list.push_back(std::move(entry));
    }
    result.output_file.clear();
    keep_output(write_json(list), call_, result);
    return result;
  }

  Failure check_identity() const {
    Words names = {"GIT_COMMITTER_IDENT"};
    if (!wish_.author) names.push_back("GIT_AUTHOR_IDENT");
    for (const auto& name : names) {
      auto asked = git({"var", name});
      if (asked.state == StepState::failed && asked.exit_code) {
        return fail({"git does not know who commits", "set user.name and user.email by `git config`, or GIT_AUTHOR_NAME, GIT_AUTHOR_EMAIL, GIT_COMMITTER_NAME and GIT_COMMITTER_EMAIL in the handler's `environment`"});
      }
      if (failed(asked)) return asked;
    }
    return std::nullopt;
  }

  StepResult commit() const {
    Words add = {"add", "--all"}, staged = {"diff", "--cached", "--quiet"};
    if (wish_.paths) {
      add_paths(wish_.paths, add);
      add_paths(wish_.paths, staged);
    }
    if (auto added = git(add); failed(added)) return added;
    if (!options_.allow_empty) {
      auto looked = git(staged);
      if (!failed(looked)) return nothing("nothing to commit");
      if (looked.state != StepState::failed || looked.exit_code != 1) return looked;
    }
    if (auto failure = check_identity()) return *failure;
    if (auto committed = git(main_words(options_, wish_), wish_.message); failed(committed)) return committed;
    return git({"rev-parse", "--verify", "HEAD"});
  }

  Failure check_name() const {
    auto asked = git({"check-ref-format", "refs/heads/" + *wish_.branch});
    if (failed(asked)) return refused(std::move(asked), {in_quotes(*wish_.branch) + " is no name of a branch", "git-check-ref-format(1) says what one may hold"});
    return std::nullopt;
  }

  StepResult branch() const {
    if (auto failure = check_name()) return *failure;
    bool there = false;
    if (!options_.force) {
      auto asked = git({"show-ref", "--verify", "--quiet", "refs/heads/" + *wish_.branch});
      there = !failed(asked);
      if (!there && asked.exit_code != 1) return asked;
    }
    auto switched = git(there ? Words{"switch", "--quiet", "--no-guess", *wish_.branch} : main_words(options_, wish_));
    return failed(switched) ? switched : saying(*wish_.branch);
  }

  // A remote is one that the repository has: an address out of an event would choose who is given its content.
  Failure check_remote() const {
    auto asked = git({"remote"});
    if (failed(asked)) return asked;
    if (("\n" + asked.output).find("\n" + wish_.remote + "\n") != std::string::npos && wish_.remote.find('\n') == std::string::npos) return std::nullopt;
    return fail({in_quotes(wish_.remote) + " is no remote of " + folder_, "add it with `git remote add`, or mend `remote`"});
  }

  StepResult push() {
    if (!wish_.branch) {
      auto asked = git({"symbolic-ref", "--quiet", "--short", "HEAD"});
      if (failed(asked)) return refused(std::move(asked), {"HEAD of " + folder_ + " is on no branch", "say `branch`, to which it is pushed"});
      wish_.branch = first_line(asked);
    }
    if (auto failure = check_name()) return *failure;
    if (auto failure = check_remote()) return *failure;
    if (auto pushed = git(main_words(options_, wish_)); failed(pushed)) return pushed;
    return git({"rev-parse", "--verify", "HEAD"});
  }

  // What an attempt before left half done, or a run before, makes way; anything else that is there does not.
  StepResult worktree() {
    const auto folder = ConfinedFolder::open(call_.folder);
    if (!folder) return fail(folder.error());
    auto place = folder->place_of(wish_.path);
    if (!place) return fail(place.error());
    wish_.path = std::move(*place);
    auto listed = git({"worktree", "list", "--porcelain", "-z"});
    if (failed(listed)) return listed;
    const auto known = whole_output(listed);
    if (!known) return fail(known.error());
    const bool there = (std::string(1, '\0') + *known).find(std::string(1, '\0') + "worktree " + wish_.path + '\0') != std::string::npos;
    if (options_.remove && !there) return nothing("no worktree is there: there is nothing to take away");
    if (there) {
      auto removed = git({"worktree", "remove", "--force", "--", wish_.path});
      if (failed(removed) || options_.remove) return removed;
    }
    auto made = git(main_words(options_, wish_));
    return failed(made) ? made : saying(wish_.path);
  }

  const GitStepOptions& options_;
  GitWish wish_;
  const StepCall& call_;
  const std::string& folder_;
};

}  // namespace

void render(const GitStepOptions& options, Scope& scope, RenderedStep& shown) {
  shown.kind = "git";
  const auto wish = render_wish(options, scope);
  if (!wish) {
    shown.error = wish.error().text();
    return;
  }
  auto words = main_words(options, *wish);
  words.insert(words.begin(), "git");
  shown.text = shown_argv(words);
  if (!options.repository.empty()) shown.text += "\nin " + options.repository;
  if (!wish->message.empty()) shown.text += "\n\n" + wish->message;
}

StepResult attempt(const GitStepOptions& options, const StepCall& call) {
  auto wish = render_wish(options, call.scope);
  if (!wish) return failed_for_good(wish.error());
  return GitAttempt(options, std::move(*wish), call).act();
}

}  // namespace hark
