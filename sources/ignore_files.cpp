#include "sources/ignore_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "core/limits.h"
#include "platform/descriptor.h"
#include "sources/git_repository.h"
#include "sources/libgit2.h"
#include "sources/tree_snapshot.h"

namespace hark {
namespace fs = std::filesystem;
namespace {

// What cannot be read holds no rules, as for git, which also follows no link in a work tree.
IgnoreRules read_file(const char* path) {
  const Descriptor file(open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return {};
  std::string text(limits::kIgnoreFile, '\0');
  std::size_t length = 0;
  for (;;) {
    const auto more = ::read(file.get(), text.data() + length, text.size() - length);
    if (more <= 0) break;
    length += static_cast<std::size_t>(more);
  }
  text.resize(length);
  return IgnoreRules::parse(text);
}

std::optional<ExcludeFiles> exclude_files(const std::string& repository) {
  prepare_libgit2();
  const auto opened = GitRepository::open(repository);
  if (!opened) return std::nullopt;
  return opened->exclude_files();
}

IgnoreRules read_linked(const fs::path& path) {
  std::error_code none;
  const auto real = fs::canonical(path, none);  // outside a work tree git does follow links
  return none ? IgnoreRules() : read_file(real.c_str());
}

}  // namespace

IgnoreFiles IgnoreFiles::above(const std::string& root) {
  IgnoreFiles files;
  std::error_code error;
  const auto real = fs::canonical(root, error);
  if (error || fs::exists(real / kRepository, error)) return files;
  auto top = real.parent_path();
  while (!fs::exists(top / kRepository, error)) {
    if (top == top.parent_path()) return files;
    top = top.parent_path();
  }
  const auto prefix = [&](const fs::path& folder) { return real.lexically_relative(folder).string() + "/"; };
  files.top_ = prefix(top);
  const auto add = [&](const fs::path& folder, IgnoreRules rules) {
    if (!rules.empty()) files.above_.push_back({prefix(folder), std::move(rules)});
  };
  for (auto folder = real.parent_path();; folder = folder.parent_path()) {
    add(folder, read_file((folder / kName).c_str()));
    if (folder == top) break;
  }
  if (const auto excludes = exclude_files(top.string())) {
    add(top, read_linked(excludes->repository));
    files.users_ = read_linked(excludes->user);
  }
  files.any_ = !files.above_.empty() || (files.users_ && !files.users_->empty());
  return files;
}

std::unique_ptr<FolderRules> IgnoreFiles::read(const std::string& path, bool has_rules, bool has_repository) {
  if (!has_rules && !has_repository) return nullptr;
  auto rules = std::make_unique<FolderRules>();
  if (has_rules) rules->own = read_file((fs::path(path) / kName).c_str());
  if (has_repository) {
    const auto excludes = exclude_files(path);
    rules->repository = excludes.has_value();  // git, too, takes a folder for one only if its .git is one
    if (excludes) rules->exclude = read_linked(excludes->repository);
    if (excludes && !users_) users_ = read_linked(excludes->user);
  }
  any_ |= !rules->own.empty() || rules->repository;
  return rules;
}

bool IgnoreFiles::ignores(const Folder& folder, std::string_view path, bool is_folder) const {
  return any_ && ignores(folder, path, is_folder, {});
}

bool IgnoreFiles::ignores(const Folder& folder, std::string_view path, bool is_folder, Instead instead) const {
  using Verdict = IgnoreRules::Verdict;
  std::size_t start = path.rfind('/') + 1;  // of what is seen from the folder that speaks; npos + 1 is 0
  bool inside = false;  // of a repository in the tree
  for (const Folder* at = &folder; at != nullptr && !inside; at = at->parent) {
    const FolderRules* rules = at == instead.at ? instead.rules : at->rules.get();
    if (rules != nullptr) {
      const auto seen = path.substr(start);
      if (const auto verdict = rules->own.verdict(seen, is_folder); verdict != Verdict::none) return verdict == Verdict::ignored;
      if (const auto verdict = rules->exclude.verdict(seen, is_folder); verdict != Verdict::none) return verdict == Verdict::ignored;
      inside = rules->repository;
    }
    if (at->parent != nullptr && !inside) start -= at->name.size() + 1;
  }
  if (inside) return users_ && users_->verdict(path.substr(start), is_folder) == Verdict::ignored;
  for (const auto& above : above_) {
    const auto verdict = above.rules.verdict(above.prefix + std::string(path), is_folder);
    if (verdict != Verdict::none) return verdict == Verdict::ignored;
  }
  return top_ && users_ && users_->verdict(*top_ + std::string(path), is_folder) == Verdict::ignored;
}

}  // namespace hark
