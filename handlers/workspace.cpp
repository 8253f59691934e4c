#include "handlers/workspace.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "core/hex.h"
#include "core/ids.h"
#include "core/limits.h"
#include "core/printable.h"
#include "platform/digest.h"
#include "platform/process.h"

namespace hark {
namespace {

namespace fs = std::filesystem;
using Kind = WorkspaceOptions::Kind;

constexpr const char* kKept = ".kept";
constexpr const char* kGone = ".gone";
constexpr const char* kGitDir = ".git-dir";

fs::path place(const fs::path& workspaces, const std::string& run_id, std::string_view what) {
  return workspaces / (run_id + std::string(what));
}

Status trouble(const std::string& what, const fs::path& path, const std::error_code& error) {
  return Error{"cannot " + what + " " + path.string() + ": " + error.message(), "see who may write there, and whether there is room"};
}

// A tree that its owner made unwritable (a module cache, say) is deleted all the same.
Status remove_tree(const fs::path& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (!error) return {};
  std::error_code ignored;
  fs::permissions(folder, fs::perms::owner_all, fs::perm_options::add, ignored);
  for (fs::recursive_directory_iterator entry(folder, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    if (!entry->is_symlink(ignored) && entry->is_directory(ignored)) fs::permissions(entry->path(), fs::perms::owner_all, fs::perm_options::add, ignored);
  }
  fs::remove_all(folder, error);
  return error ? trouble("remove", folder, error) : Status();
}

// Empty: it is no file. Commands may have put anything there.
std::string content_of(const fs::path& file) {
  std::error_code error;
  if (!fs::is_regular_file(fs::symlink_status(file, error))) return {};
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// What the repository remembers of a worktree (gitrepository-layout(5), worktrees/<id>): gone when it points back to this one, as
// `git worktree prune` would have it.
Status forget_worktree(const fs::path& workspaces, const std::string& run_id) {
  constexpr std::string_view kPointer = "gitdir: ";
  fs::path admin = content_of(place(workspaces, run_id, kGitDir));
  if (admin.empty()) {  // cut off while it was made
    const auto pointer = content_of(place(workspaces, run_id, "") / ".git");
    if (pointer.starts_with(kPointer)) admin = pointer.substr(kPointer.size(), pointer.find('\n') - kPointer.size());
  }
  if (admin.parent_path().filename() != "worktrees" || content_of(admin / "gitdir") != (place(workspaces, run_id, "") / ".git").string() + "\n") return {};
  return remove_tree(admin);
}

std::string last_words(const std::string& text) {
  const auto end = text.find_last_not_of("\r\n ");
  const auto line = end == text.npos ? std::string() : text.substr(0, end + 1);
  return printable(line.substr(line.find_last_of('\n') + 1), limits::kStepError);
}

// What an entry of a folder is, as one that reads it would notice.
void describe(const fs::directory_entry& entry, const fs::path& root, Sha256& digest, std::error_code& error) {
  const auto status = entry.symlink_status(error);
  digest.add(entry.path().lexically_relative(root).native());
  digest.add(std::string("\0", 1) + std::to_string(int(status.type())) + "." + std::to_string(int(status.permissions())) + ".");
  if (fs::is_symlink(status)) digest.add(fs::read_symlink(entry.path(), error).native());
  if (fs::is_regular_file(status)) {
    std::ifstream file(entry.path(), std::ios::binary);
    std::string block(64 * 1024, '\0');
    digest.add(std::to_string(entry.file_size(error)) + ".");
    while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount() > 0) {
      digest.add(std::string_view(block).substr(0, static_cast<std::size_t>(file.gcount())));
    }
  }
}

Result<std::string> digest_of(const fs::path& root) {
  std::error_code error;
  std::vector<fs::directory_entry> entries;
  for (fs::recursive_directory_iterator entry(root, error), end; !error && entry != end; entry.increment(error)) entries.push_back(*entry);
  std::sort(entries.begin(), entries.end());
  Sha256 digest;
  for (const auto& entry : entries) {
    if (!error) describe(entry, root, digest, error);
  }
  if (error) return trouble("look through", root, error).error();
  return to_hex(digest.finish());
}

Status empty_folder(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (auto removed = remove_tree(entry->path()); !removed) return removed;
  }
  return error ? trouble("empty", folder, error) : Status();
}

}  // namespace

Result<Workspace> Workspace::acquire(WorkspaceWish wish, bool again, ProcessSpawner& processes, std::stop_token stop) {
  auto folder = wish.kind == Kind::path ? wish.path : place(wish.workspaces, wish.run_id, "");
  Workspace workspace(std::move(wish), folder.lexically_normal().string(), processes, std::move(stop));
  std::error_code error;
  if (again) {
    if (fs::is_directory(workspace.folder_, error)) return workspace;
    return Error{"its workspace " + workspace.folder_ + " has gone", "retry the run: it begins again, with a fresh one"};
  }
  auto made = remove_workspace(workspace.wish_.workspaces, workspace.wish_.run_id);
  if (made) made = workspace.make();
  if (!made) {
    (void)remove_workspace(workspace.wish_.workspaces, workspace.wish_.run_id);  // what there is of it; the error is told
    return made.error();
  }
  return workspace;
}

Status Workspace::make() const {
  std::error_code error;
  const fs::path outer = wish_.kind == Kind::path ? fs::path(folder_) : wish_.workspaces;
  fs::create_directories(outer, error);
  if (error) return trouble("make the folder", outer, error);
  if (wish_.kind == Kind::git_worktree) return add_worktree();
  if (wish_.kind == Kind::temporary) {
    fs::create_directory(folder_, error);
    if (!error) fs::permissions(folder_, fs::perms::owner_all, error);
    if (error) return trouble("make the folder", folder_, error);
  }
  return {};
}

// Detached: a branch can be in one worktree only, and which one a handler commits to is its own affair.
Status Workspace::add_worktree() const {
  if (wish_.ref.find_first_not_of(" \t\r\n") == wish_.ref.npos) return Error{"`ref` of the workspace is empty with its values put in", "see what the event holds: `hark explain` shows its data"};
  auto commit = call({"git", "-C", wish_.repository, "rev-parse", "--verify", "--quiet", "--end-of-options", wish_.ref + "^{commit}"});
  if (!commit) {
    const auto repository = call({"git", "-C", wish_.repository, "rev-parse", "--git-dir"});
    if (!repository) return Error{"no workspace of " + wish_.repository + ": " + repository.error().message, "name a repository of git"};
    return Error{"'" + printable(wish_.ref, limits::kShownValue) + "' names no commit in " + wish_.repository, "mend `ref`, or fetch it before"};
  }
  const auto added = call({"git", "-C", wish_.repository, "worktree", "add", "--quiet", "--detach", "--", folder_, *commit});
  if (!added) return added.error();
  const auto admin = call({"git", "-C", folder_, "rev-parse", "--absolute-git-dir"});
  if (!admin) return admin.error();
  std::ofstream file(beside(kGitDir), std::ios::binary);
  if (!(file << *admin << std::flush)) return Error{"cannot write " + beside(kGitDir).string(), "see whether there is room"};
  return {};
}

Result<std::string> Workspace::state() const { return wish_.kind == Kind::git_worktree ? tree() : digest_of(folder_); }

// The id of a tree with everything that git would add. The index is a copy: what the handler's own commands have staged stays as it is.
Result<std::string> Workspace::tree() const {
  const auto index = beside(".index");
  std::error_code error;
  const auto own = git({"rev-parse", "--path-format=absolute", "--git-path", "index"});
  if (!own) return own;
  fs::copy_file(*own, index, fs::copy_options::overwrite_existing, error);  // so that git need not read every file again; without it does
  const std::vector<std::pair<std::string, std::string>> with_index = {{"GIT_INDEX_FILE", index.string()}};
  if (auto added = git({"add", "--all"}, with_index); !added) return added;
  return git({"write-tree"}, with_index);
}

Status Workspace::keep_snapshot(const std::string& name) const {
  if (wish_.kind == Kind::git_worktree) {
    const auto ref = "refs/worktree/hark-" + name;  // of this worktree alone, and gone with it
    if (git({"rev-parse", "--verify", "--quiet", ref})) return {};
    const auto content = tree();
    if (!content) return content.error();
    const auto commit = git({"commit-tree", "-p", "HEAD", "-m", "snapshot " + name, *content},
                            {{"GIT_AUTHOR_NAME", "hark"}, {"GIT_AUTHOR_EMAIL", "hark@localhost"}, {"GIT_COMMITTER_NAME", "hark"}, {"GIT_COMMITTER_EMAIL", "hark@localhost"}});
    if (!commit) return commit.error();
    const auto kept = git({"update-ref", ref, *commit});
    return kept ? Status() : Status(kept.error());
  }
  const auto folder = beside(".snapshots") / name;
  std::error_code error;
  if (fs::exists(folder, error)) return {};
  const auto unfinished = beside(".snapshots") / (name + ".tmp");
  fs::create_directories(unfinished.parent_path(), error);
  if (error) return trouble("make the folder", unfinished.parent_path(), error);
  if (auto removed = remove_tree(unfinished); !removed) return removed;
  if (auto copied = call({"cp", "-a", "--reflink=auto", "-T", "--", folder_, unfinished.string()}); !copied) return copied.error();
  fs::rename(unfinished, folder, error);
  return error ? trouble("rename", unfinished, error) : Status();
}

Status Workspace::restore(const std::string& name) const {
  if (wish_.kind == Kind::git_worktree) {
    if (auto led = lead_back(); !led) return led;
    const auto ref = "refs/worktree/hark-" + name;
    // What is not in the snapshot goes, but what git ignores; then its content, with the commit it stood on as HEAD and nothing staged.
    for (const auto& step : std::vector<std::vector<std::string>>{{"checkout", "--quiet", "--force", "--detach", ref + "^"},
                                                                  {"clean", "--quiet", "-ffd"},
                                                                  {"read-tree", "--reset", "-u", ref},
                                                                  {"read-tree", ref + "^"}}) {
      if (auto done = git(step); !done) return done.error();
    }
    return {};
  }
  const auto folder = beside(".snapshots") / name;
  if (auto emptied = empty_folder(folder_); !emptied) return emptied;
  const auto copied = call({"cp", "-a", "--reflink=auto", "-T", "--", folder.string(), folder_});
  return copied ? Status() : Status(copied.error());
}

// `.git` is no part of what git brings back.
Status Workspace::lead_back() const {
  const auto pointer = fs::path(folder_) / ".git";
  const auto wanted = "gitdir: " + content_of(beside(kGitDir)) + "\n";
  if (content_of(pointer) == wanted) return {};
  if (auto removed = remove_tree(pointer); !removed) return removed;
  std::ofstream file(pointer, std::ios::binary);
  if (!(file << wanted << std::flush)) return Error{"cannot write " + pointer.string(), "see who may write there, and whether there is room"};
  return {};
}

Status Workspace::release(bool keep) const {
  if (!keep) return remove_workspace(wish_.workspaces, wish_.run_id);
  std::error_code error;
  fs::remove(beside(".index"), error);
  if (wish_.kind == Kind::path) return remove_tree(beside(".snapshots"));
  if (std::ofstream mark(beside(kKept)); !mark) return Error{"cannot write " + beside(kKept).string(), "the workspace goes at the next start"};
  return remove_tree(beside(".snapshots"));
}

fs::path Workspace::beside(std::string_view what) const { return place(wish_.workspaces, wish_.run_id, what); }

// Which repository it is was written down before the first command ran in it: the worktree's own `.git` may lead to one that a command made
// there, with a configuration that has hark's git run programs, out of the command's sandbox.
Result<std::string> Workspace::git(std::vector<std::string> arguments, std::vector<std::pair<std::string, std::string>> environment) const {
  const auto admin = content_of(beside(kGitDir));
  if (admin.empty()) return Error{"cannot read " + beside(kGitDir).string() + ", which says whose worktree it is", "retry the run: it begins again, with a fresh one"};
  arguments.insert(arguments.begin(), {"git", "-C", folder_, "--git-dir=" + admin, "--work-tree=" + folder_});
  return call(std::move(arguments), std::move(environment));
}

// Standard output without its last line end.
Result<std::string> Workspace::call(std::vector<std::string> argv, std::vector<std::pair<std::string, std::string>> environment) const {
  Command command;
  command.argv = std::move(argv);
  command.environment = std::move(environment);
  command.environment.emplace_back("GIT_TERMINAL_PROMPT", "0");
  command.containment.environment.inherit = true;  // hark's own doing: git's configuration, identity and agents are meant for it
  command.run_id = wish_.run_id;
  command.output_stem = beside(".call").string();
  auto ended = processes_->run(command, std::nullopt, stop_);
  if (!ended) return ended.error();
  const auto& program = command.argv.front();
  if (ended->end == ProcessResult::End::cancelled) return Error{program + " was cancelled", ""};
  if (ended->code != 0) {
    const auto words = last_words(ended->error_output.head);
    return Error{program + " ended with " + std::to_string(ended->code) + (words.empty() ? "" : ": " + words), ""};
  }
  auto output = std::move(ended->output.head);
  while (output.ends_with('\n')) output.pop_back();
  return output;
}

Status remove_workspace(const fs::path& workspaces, const std::string& run_id) {
  if (auto forgotten = forget_worktree(workspaces, run_id); !forgotten) return forgotten;
  for (const char* what : {"", kGitDir, ".snapshots", ".index", ".index.lock", ".call.out", ".call.err", kKept}) {
    if (auto removed = remove_tree(place(workspaces, run_id, what)); !removed) return removed;
  }
  return {};
}

Status retire_workspaces(const fs::path& workspaces, const std::function<Result<bool>(const std::string& run_id, bool kept)>& stray) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator entry(workspaces, error), end; !error && entry != end; entry.increment(error)) entries.push_back(entry->path());
  if (error && error != std::errc::no_such_file_or_directory) return trouble("look into", workspaces, error);
  for (const auto& entry : entries) {
    const auto name = entry.filename().string();
    const auto run_id = name.substr(0, name.find('.'));
    if (!is_id(run_id) || name.ends_with(kGone)) continue;
    const auto is_stray = stray(run_id, fs::exists(place(workspaces, run_id, kKept), error));
    if (!is_stray) return is_stray.error();
    if (!*is_stray) continue;
    if (auto forgotten = forget_worktree(workspaces, run_id); !forgotten) return forgotten;
    fs::rename(entry, entry.string() + kGone, error);
    if (error) return trouble("rename", entry, error);
  }
  return {};
}

Status remove_retired_workspaces(const fs::path& workspaces) {
  std::error_code error;
  for (fs::directory_iterator entry(workspaces, error), end; !error && entry != end; entry.increment(error)) {
    if (!entry->path().filename().string().ends_with(kGone)) continue;
    if (auto removed = remove_tree(entry->path()); !removed) return removed;
  }
  return error && error != std::errc::no_such_file_or_directory ? trouble("look into", workspaces, error) : Status();
}

}  // namespace hark
