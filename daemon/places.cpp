#include "daemon/places.h"

#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "platform/file_system.h"

namespace hark {

namespace {

std::filesystem::path last_resort() { return std::filesystem::temp_directory_path() / ("hark-" + std::to_string(geteuid())); }

std::filesystem::path runtime_folder() {
  for (const auto* name : {"RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"}) {
    const auto* value = std::getenv(name);
    if (value != nullptr && value[0] == '/') return std::string(value).substr(0, std::string(value).find(':'));
  }
  if (geteuid() == 0) return "/run";
  return last_resort();
}

// FNV-1a: a short name that is the same in every process.
std::string short_name(const std::string& text) {
  std::uint64_t hash = 14695981039346656037ull;
  for (const unsigned char byte : text) hash = (hash ^ byte) * 1099511628211ull;
  char name[32];
  std::snprintf(name, sizeof name, "hark-%016llx.sock", static_cast<unsigned long long>(hash));
  return name;
}

}  // namespace

std::filesystem::path socket_path(const std::filesystem::path& journal_file) {
  auto beside = journal_file.parent_path() / "hark.sock";
  if (beside.string().size() < sizeof(sockaddr_un::sun_path)) return beside;
  return runtime_folder() / short_name(journal_file.string());
}

Status prepare_socket_folder(const std::filesystem::path& socket) {
  if (socket.parent_path() != last_resort()) return {};
  auto made = make_folder_in_public(socket.parent_path());
  if (made) return made;
  auto cure = made.error().cure;
  if (!cure.empty()) cure += "; ";
  return Error{"no place for the control socket: " + made.error().message, cure + "or set XDG_RUNTIME_DIR, or a shorter journal_file"};
}

Status prepare_state_folder(const Settings& settings) {
  const auto folder = settings.journal_file.parent_path();
  std::error_code error;
  const bool is_new = !std::filesystem::exists(folder, error);
  if (auto made = make_private_folder(folder); !made) return made;
  if (!is_new || !folder.filename().string().starts_with('.')) return {};
  return RealFileSystem().replace(folder / ".gitignore", "*\n");
}

std::filesystem::path lock_path(const Settings& settings) { return settings.journal_file.string() + ".lock"; }
std::filesystem::path output_folder(const Settings& settings) { return settings.journal_file.parent_path() / "runs"; }

std::filesystem::path workspaces_folder(const Settings& settings) { return settings.journal_file.parent_path() / "workspaces"; }

std::filesystem::path remotes_folder(const Settings& settings) { return settings.journal_file.parent_path() / "remotes"; }

std::vector<OwnFiles> own_files(const Settings& settings) {
  OwnFiles journal{"journal_file", {}};
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) journal.files.push_back(settings.journal_file.string() + suffix);
  journal.files.insert(journal.files.end(), {lock_path(settings), socket_path(settings.journal_file), output_folder(settings), workspaces_folder(settings), remotes_folder(settings)});
  std::vector<OwnFiles> all = {{"", {settings.file}}, {"state_file", {settings.state_file}}, std::move(journal)};
  if (!settings.log_file.empty()) all.push_back({"log_file", {settings.log_file}});
  return all;
}

std::vector<std::filesystem::path> redirected_output() {
  std::vector<std::filesystem::path> files;
  for (const char* descriptor : {"/proc/self/fd/1", "/proc/self/fd/2"}) {
    std::error_code failure;
    if (auto file = std::filesystem::read_symlink(descriptor, failure); !failure && std::filesystem::is_regular_file(file, failure)) files.push_back(std::move(file));
  }
  return files;
}

bool in_each_others_way(const std::filesystem::path& a, const std::filesystem::path& b) {
  if (a.empty() || b.empty()) return false;
  const auto [at, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (at == a.end() || other == b.end()) return true;
  std::error_code failure;  // links
  return std::filesystem::equivalent(a, b, failure);
}

std::string owner_of(const Settings& settings, const std::filesystem::path& file) {
  for (const auto& own : own_files(settings)) {
    for (const auto& each : own.files) {
      if (in_each_others_way(each, file)) return own.name();
    }
  }
  return {};
}

std::string open_folder_warning(const Settings& settings) {
  using std::filesystem::perms;
  const auto folder = settings.journal_file.parent_path();
  std::error_code failure;
  const auto mode = std::filesystem::status(folder, failure).permissions();
  if (failure) return {};
  constexpr auto kWrite = perms::group_write | perms::others_write;
  // .hark is hark's alone. Another folder may be meant for others to look into (the files are the owner's), but not to change.
  const auto unwanted = folder.filename() == ".hark" ? perms::group_all | perms::others_all : kWrite;
  if ((mode & unwanted) == perms::none) return {};
  const bool write = (mode & kWrite) != perms::none;
  return "other users may " + std::string(write ? "write in" : "look into") + " the journal's folder " + folder.string() + " (chmod go-" +
         (write && unwanted == kWrite ? "w " : "rwx ") + folder.string() + ")";
}

}  // namespace hark
