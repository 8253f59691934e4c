#include "sources/git_repository.h"

#include <fcntl.h>
#include <git2.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <optional>
#include <set>

#include "core/glob.h"
#include "core/limits.h"
#include "sources/commit_text.h"
#include "sources/libgit2.h"
#include "sources/repository_owner.h"

namespace hark {
namespace {

namespace fs = std::filesystem;

using Commit = Owned<git_commit, git_commit_free>;
using Object = Owned<git_object, git_object_free>;
using Tree = Owned<git_tree, git_tree_free>;
using Diff = Owned<git_diff, git_diff_free>;
using Walk = Owned<git_revwalk, git_revwalk_free>;
using Reference = Owned<git_reference, git_reference_free>;
using ReferenceIterator = Owned<git_reference_iterator, git_reference_iterator_free>;
using Config = Owned<git_config, git_config_free>;
using ConfigIterator = Owned<git_config_iterator, git_config_iterator_free>;

std::string hex(const git_oid& id) {
  std::string text(GIT_OID_HEXSZ, '0');
  git_oid_fmt(text.data(), &id);
  return text;
}

std::optional<git_oid> parse_id(std::string_view text) {
  git_oid id;
  if (text.size() != GIT_OID_HEXSZ || text == kNoCommit || git_oid_fromstrn(&id, text.data(), text.size()) != 0)
    return std::nullopt;
  return id;
}

struct ById {
  bool operator()(const git_oid& a, const git_oid& b) const { return git_oid_cmp(&a, &b) < 0; }
};
using Ids = std::set<git_oid, ById>;

// The commit, also where the id is that of a tag of it.
Commit find_commit(git_repository* repository, const git_oid& id) {
  Commit commit;
  if (git_commit_lookup(commit.out(), repository, &id) == 0) return commit;
  Object object, peeled;
  if (git_object_lookup(object.out(), repository, &id, GIT_OBJECT_TAG) != 0 || git_object_peel(peeled.out(), object.get(), GIT_OBJECT_COMMIT) != 0) return {};
  if (git_commit_lookup(commit.out(), repository, git_object_id(peeled.get())) != 0) return {};
  return commit;
}

// The tips that are there: one that was pruned since it was read (its branch forced away) tells nothing any more.
Ids existing_tips(git_repository* repository, const RefTips& known) {
  Ids ids;
  for (const auto& [ref, tip] : known) {
    const auto id = parse_id(tip);
    if (const Commit commit = id && !ids.contains(*id) ? find_commit(repository, *id) : Commit()) ids.insert(*git_commit_id(commit.get()));
  }
  return ids;
}

// ---- commits

WallTime commit_time(git_commit* commit) {
  constexpr git_time_t kYear9999 = 253'402'300'799;  // RFC 3339 ends there, and so would our arithmetic not long after
  return WallTime(std::chrono::seconds(std::clamp<git_time_t>(git_commit_time(commit), 0, kYear9999)));
}

GitCommit read_commit(git_commit* commit, std::size_t message_limit) {
  const char* encoding = git_commit_message_encoding(commit);
  const git_signature* author = git_commit_author(commit);
  GitCommit read;
  read.id = hex(*git_commit_id(commit));
  read.message =
      commit_text(git_commit_message(commit), encoding, std::min(message_limit, limits::kGitMessage), &read.message_truncated);
  while (read.message.ends_with('\n')) read.message.pop_back();  // as forges tell it
  if (author != nullptr) {
    read.author_name = commit_text(author->name, encoding, limits::kGitName);
    read.author_email = commit_text(author->email, encoding, limits::kGitName);
  }
  read.time = commit_time(commit);
  return read;
}

// Takes commits newest first; false: enough.
class CommitList {
 public:
  CommitList(git_repository* repository, GitRange& range) : repository_(repository), range_(range) {}

  bool add(const git_oid& id) {
    if (range_.commits.size() == limits::kGitCommits) {
      range_.commits_truncated = true;
      return false;
    }
    if (const Commit commit = find_commit(repository_, id)) {
      range_.commits.push_back(read_commit(commit.get(), limits::kGitMessageBytes - message_bytes_));
      message_bytes_ += range_.commits.back().message.size();
    }
    return true;
  }

 private:
  git_repository* repository_;
  GitRange& range_;
  std::size_t message_bytes_ = 0;
};

// Lists what is reachable from `after` and from none of `hidden`. Sorted by topology too: commits of one second would come in any
// order.
void list_commits(git_repository* repository, const git_oid& after, const Ids& hidden, GitRange& range) {
  Walk walk;
  git_oid id;
  CommitList list(repository, range);
  int error = git_revwalk_new(walk.out(), repository);
  if (error == 0) error = git_revwalk_sorting(walk.get(), GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME);
  if (error == 0) error = git_revwalk_push(walk.get(), &after);
  for (const git_oid& tip : hidden) {
    if (error == 0) error = git_revwalk_hide(walk.get(), &tip);
  }
  while (error == 0 && (error = git_revwalk_next(&id, walk.get())) == 0) {
    if (!list.add(id)) return;
  }
  if (error != GIT_ITEROVER) range.incomplete = "commits: " + libgit2_error();
}

// The same in a shallow clone, whose oldest commits name parents that are not there: breadth first, leaving out what is missing.
// Answers whether it met `before`.
bool list_shallow_commits(git_repository* repository, const git_oid& after, const Ids& hidden,
                          const std::optional<git_oid>& before, GitRange& range) {
  CommitList list(repository, range);
  std::deque<git_oid> waiting{after};
  Ids seen{after};
  bool met = false;
  for (std::size_t steps = 0; !waiting.empty() && steps < limits::kGitShallowWalk; ++steps) {
    const git_oid id = waiting.front();
    waiting.pop_front();
    if (before && git_oid_equal(&id, &*before)) met = true;
    const Commit commit = find_commit(repository, id);
    if (!commit || hidden.contains(id)) continue;
    list.add(id);
    for (unsigned parent = 0; parent < git_commit_parentcount(commit.get()); ++parent) {
      const git_oid* next = git_commit_parent_id(commit.get(), parent);
      if (seen.insert(*next).second) waiting.push_back(*next);
    }
  }
  return met;
}

// ---- files

Tree tree_of(git_repository* repository, const git_oid& commit_id) {
  const Commit commit = find_commit(repository, commit_id);
  Tree tree;
  if (!commit || git_commit_tree(tree.out(), commit.get()) != 0) return {};
  return tree;
}

struct Delta {
  Change change;
  git_oid before, after;  // of the content
};

struct DeltaList {
  GitRange& range;
  std::vector<Delta> deltas{};
  std::size_t bytes = 0;
};

// libgit2 tells each difference as it finds it, sorted by path; a negative answer ends the comparison.
int collect_delta(const git_diff*, const git_diff_delta* delta, const char*, void* payload) {
  auto& list = *static_cast<DeltaList*>(payload);
  const std::string_view path = delta->new_file.path != nullptr ? delta->new_file.path : delta->old_file.path;
  if (list.deltas.size() == limits::kGitFiles || list.bytes + path.size() > limits::kGitFileBytes) {
    list.range.files_truncated = true;
    return GIT_EUSER;
  }
  list.bytes += path.size();
  const auto kind = delta->status == GIT_DELTA_ADDED     ? Change::Kind::create
                    : delta->status == GIT_DELTA_DELETED ? Change::Kind::remove
                                                         : Change::Kind::modify;
  list.deltas.push_back({{std::string(path), kind, {}, false}, delta->old_file.id, delta->new_file.id});
  return 1;  // and libgit2 need not keep it
}

// A file that is new and holds what one that is gone held was moved. (Two of one content are matched in the order of their names.) One
// that was changed besides is a delete and a create: to know better, contents would have to be read, which may be of any size.
std::vector<Change> with_renames(const std::vector<Delta>& deltas) {
  std::map<git_oid, std::vector<const Delta*>, ById> gone;
  for (const auto& delta : deltas) {
    if (delta.change.kind == Change::Kind::remove) gone[delta.before].push_back(&delta);
  }
  std::vector<Change> changes;
  std::set<std::string_view> moved;
  for (const auto& delta : deltas) {
    changes.push_back(delta.change);
    const auto from = delta.change.kind == Change::Kind::create ? gone.find(delta.after) : gone.end();
    if (from == gone.end() || from->second.empty()) continue;
    changes.back().kind = Change::Kind::rename;
    changes.back().from = from->second.front()->change.path;
    moved.insert(from->second.front()->change.path);
    from->second.erase(from->second.begin());
  }
  std::erase_if(changes, [&](const Change& change) { return change.kind == Change::Kind::remove && moved.contains(change.path); });
  return changes;
}

void list_files(git_repository* repository, const std::optional<git_oid>& from, const git_oid& to, GitRange& range) {
  const Tree old_tree = from ? tree_of(repository, *from) : Tree();
  const Tree new_tree = tree_of(repository, to);
  DeltaList list{range};
  git_diff_options options = GIT_DIFF_OPTIONS_INIT;
  options.flags |= GIT_DIFF_INCLUDE_TYPECHANGE;  // a file that became a link is one modify
  options.notify_cb = collect_delta;
  options.payload = &list;
  Diff diff;
  const bool readable = new_tree && (!from || old_tree);
  const int error =
      readable ? git_diff_tree_to_tree(diff.out(), repository, old_tree.get(), new_tree.get(), &options) : GIT_ERROR;
  if (error != 0 && !range.files_truncated) range.incomplete = "files: " + libgit2_error();
  range.changes = with_renames(list.deltas);
}

// Where a new branch left the others; nullopt: nowhere, its history is its own.
std::optional<git_oid> fork_point(git_repository* repository, const git_oid& after, const Ids& others) {
  if (others.empty()) return std::nullopt;
  std::vector<git_oid> ids{after};
  ids.insert(ids.end(), others.begin(), others.end());
  git_oid base;
  if (git_merge_base_many(&base, repository, ids.size(), ids.data()) != 0) return std::nullopt;
  return base;
}

// ---- opening

std::vector<std::string> safe_directories() {
  std::vector<std::string> listed;
  Config config;
  ConfigIterator iterator;
  if (git_config_open_default(config.out()) != 0) return listed;
  if (git_config_multivar_iterator_new(iterator.out(), config.get(), "safe.directory", nullptr) != 0) return listed;
  git_config_entry* entry = nullptr;
  while (git_config_next(&entry, iterator.get()) == 0) {
    const std::string value = entry->value != nullptr ? entry->value : "";
    if (value.empty()) {
      listed.clear();  // git: an empty value forgets the ones before it
    } else {
      listed.push_back(value);
    }
  }
  return listed;
}

std::optional<fs::path> discover(const fs::path& path, const char* ceiling) {
  git_buf found = GIT_BUF_INIT;
  std::optional<fs::path> folder;
  if (git_repository_discover(&found, path.c_str(), 1, ceiling) == 0) folder = fs::path(found.ptr).parent_path();
  git_buf_dispose(&found);
  return folder;
}

Error not_found(const fs::path& path) {
  const std::string name = "repository " + path.string();
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) {
    if (errno == EACCES)
      return {name + " cannot be reached: permission denied", "let the user that hark runs as enter its folders"};
    return {name + " is not there", "correct `repository`, or make one there: git clone URL " + path.string()};
  }
  if (S_ISDIR(found.st_mode) && faccessat(AT_FDCWD, path.c_str(), R_OK | X_OK, AT_EACCESS) != 0) {
    return {name + " cannot be read: permission denied", "let the user that hark runs as read it"};
  }
  const auto around = discover(path, nullptr);
  return {name + " is no git repository", around ? "name the repository it lies in: " + around->parent_path().string()
                                                 : "correct `repository`, or make it one: git init " + path.string()};
}

// What git asks of everybody who opens a repository: to refuse an extension of the format that he does not know.
Status format_status(const fs::path& path, const fs::path& common) {
  const std::string name = "repository " + path.string();
  Config config;
  ConfigIterator iterator;
  if (git_config_open_ondisk(config.out(), (common / "config").c_str()) != 0 ||
      git_config_iterator_new(iterator.out(), config.get()) != 0) {
    return Error{name + " cannot be opened: " + libgit2_error(), "mend " + (common / "config").string()};
  }
  std::int32_t version = 0;
  git_config_get_int32(&version, config.get(), "core.repositoryformatversion");
  git_config_entry* entry = nullptr;
  while (version > 0 && git_config_next(&entry, iterator.get()) == 0) {
    const std::string_view key = entry->name;
    const std::string value = entry->value != nullptr ? entry->value : "";
    if (!key.starts_with("extensions.")) continue;
    if (key == "extensions.objectformat") {
      if (strcasecmp(value.c_str(), "sha1") == 0) continue;
      return Error{name + " names its objects by " + value + ", which libgit2 " LIBGIT2_VERSION " cannot read",
                   "watch a SHA-1 clone of it, or send its pushes to a webhook from a post-receive hook"};
    }
    // These change nothing about branches and commits, and git switches some of them on by itself (sparse checkouts, partial
    // clones).
    static constexpr std::string_view kHarmless[] = {
        "extensions.noop",         "extensions.noop-v1",         "extensions.worktreeconfig",
        "extensions.partialclone", "extensions.preciousobjects", "extensions.relativeworktrees"};
    if (std::find(std::begin(kHarmless), std::end(kHarmless), key) != std::end(kHarmless)) continue;
    if (key == "extensions.refstorage" && value == "files") continue;
    return Error{name + " uses git's " + std::string(key) + " = " + value + ", which hark cannot read",
                 "watch a clone of it that does without, or send its pushes to a webhook from a post-receive hook"};
  }
  return {};
}

}  // namespace

void prepare_libgit2() { git_libgit2_init(); }

std::string libgit2_error() {
  const git_error* error = git_error_last();  // thread-local
  return error != nullptr && error->message != nullptr ? error->message : "libgit2 gave no reason";
}

void GitRepository::Free::operator()(git_repository* repository) const { git_repository_free(repository); }

// libgit2's plain opening is not used. Its check of ownership knows no `*` in safe.directory, does not let root in, and calls a
// refusal a missing configuration; its check of the format loses 20 KiB at each opening for each line of the configuration (as
// of 1.5.1). Both checks are made here, and the folder is then opened by name, which makes neither.
Result<GitRepository> GitRepository::open(const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  const auto git = error ? std::nullopt : discover(real, real.parent_path().c_str());
  if (!git) return not_found(path);
  git_repository* handle = nullptr;
  if (git_repository_open_bare(&handle, git->c_str()) != 0) {
    return Error{"repository " + path.string() + " cannot be opened: " + libgit2_error(),
                 "git -C " + path.string() + " status says more"};
  }
  GitRepository repository(handle);
  const GitFolders folders = repository.folders();
  for (const auto& folder : {folders.git, folders.common}) {
    struct stat found {};
    if (stat(folder.c_str(), &found) != 0) return not_found(folder);
    if (found.st_uid == geteuid()) continue;
    if (auto status = owner_status(path, found.st_uid, geteuid(), safe_directories()); !status) return status.error();
  }
  if (auto status = format_status(path, folders.common); !status) return status.error();
  return repository;
}

GitFolders GitRepository::folders() const {
  // libgit2 ends both with a slash.
  return {fs::path(git_repository_path(handle_.get())).parent_path(),
          fs::path(git_repository_commondir(handle_.get())).parent_path()};
}

ExcludeFiles GitRepository::exclude_files() const {
  ExcludeFiles files{folders().common / "info/exclude", {}};
  Config config;
  git_buf value = GIT_BUF_INIT;
  if (git_repository_config_snapshot(config.out(), handle_.get()) == 0 &&
      git_config_get_path(&value, config.get(), "core.excludesfile") == 0) {
    files.user = value.ptr;
  } else if (const char* place = std::getenv("XDG_CONFIG_HOME"); place != nullptr && *place != '\0') {
    files.user = fs::path(place) / "git/ignore";
  } else if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    files.user = fs::path(home) / ".config/git/ignore";
  }
  git_buf_dispose(&value);
  return files;
}

Status GitRepository::list(const char* pattern, RefTips& tips) const {
  ReferenceIterator iterator;
  int error = git_reference_iterator_glob_new(iterator.out(), handle_.get(), pattern);
  while (error == 0) {
    Reference reference, resolved;
    error = git_reference_next(reference.out(), iterator.get());
    if (error != 0 || git_reference_resolve(resolved.out(), reference.get()) != 0) continue;  // an alias of nothing is none
    tips[git_reference_name(reference.get())] = hex(*git_reference_target(resolved.get()));
    if (tips.size() > limits::kGitReferences) {
      return Error{
          "repository " + folders().common.string() + " has more than " + std::to_string(limits::kGitReferences) + " branches and tags",
          "watch a clone that fetches only those that matter"};
    }
  }
  if (error == GIT_ITEROVER) return {};
  return Error{"the references of " + folders().common.string() + " cannot be read: " + libgit2_error(), "git fsck there says more"};
}

Result<RefsRead> GitRepository::references(const WantedRefs& wanted, const RefTips& known) const {
  RefsRead read;
  for (const auto& [is_wanted, pattern] : {std::pair(wanted.branches.has_value(), "refs/heads/*"), std::pair(wanted.tags.has_value(), "refs/tags/*")}) {
    if (auto status = is_wanted ? list(pattern, read.tips) : Status(); !status) return status.error();
  }
  for (const auto& [ref, tip] : known) {
    if (read.tips.contains(ref)) continue;
    git_oid id;
    const int found = git_reference_name_to_id(&id, handle_.get(), ref.c_str());
    if (found == 0) {
      read.tips[ref] = hex(id);
    } else if (found != GIT_ENOTFOUND) {
      read.tips[ref] = tip;
      read.unreadable.push_back(ref + ": " + libgit2_error());
    }
  }
  return read;
}

bool GitRepository::has_commit(std::string_view text) const {
  const auto id = parse_id(text);
  return id && find_commit(handle_.get(), *id);
}

fs::path GitRepository::hooks_folder() const {
  Config config;
  git_buf value = GIT_BUF_INIT;
  auto folder = folders().common / "hooks";
  if (git_repository_config_snapshot(config.out(), handle_.get()) == 0 && git_config_get_path(&value, config.get(), "core.hookspath") == 0) {
    folder = folders().git / value.ptr;  // an absolute one replaces
  }
  git_buf_dispose(&value);
  return folder;
}

bool WantedRefs::fits(std::string_view ref) const {
  const auto fit = [&](const auto& patterns, std::string_view kind) {
    if (!patterns || !ref.starts_with(kind)) return false;
    const auto name = ref.substr(kind.size());
    return patterns->empty() || std::any_of(patterns->begin(), patterns->end(), [&](const auto& pattern) { return wildcard_match(pattern, name); });
  };
  return fit(branches, kBranchRefs) || fit(tags, kTagRefs);
}

GitRange GitRepository::describe(std::string_view before, std::string_view after, const RefTips& known) const {
  GitRange range;
  git_repository* repository = handle_.get();
  const auto end = parse_id(after);
  if (!end) return range;
  const Commit tip = find_commit(repository, *end);
  if (!tip) {
    range.incomplete = "commit " + std::string(after) + ": " + libgit2_error();
    return range;
  }
  range.tip = read_commit(tip.get(), limits::kGitMessage);
  const auto to = std::optional(*git_commit_id(tip.get()));

  auto from = parse_id(before);
  const bool had_before = from.has_value();
  const Commit start = from ? find_commit(repository, *from) : Commit();
  from.reset();
  if (start) from = *git_commit_id(start.get());  // else forced away and pruned already
  const Ids hidden = from ? Ids{*from} : existing_tips(repository, known);
  std::error_code none;
  if (fs::file_size(folders().common / "shallow", none) > 0 && !none) {
    range.forced = !list_shallow_commits(repository, *to, hidden, from, range) && had_before;
  } else {
    list_commits(repository, *to, hidden, range);
    const int descends = from ? git_graph_descendant_of(repository, &*to, &*from) : 0;
    if (descends < 0) range.incomplete = "ancestry: " + libgit2_error();
    range.forced = had_before && descends != 1;
  }
  list_files(repository, from ? from : fork_point(repository, *to, hidden), *to, range);
  return range;
}

}  // namespace hark
