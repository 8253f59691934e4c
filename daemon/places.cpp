#include "daemon/places.h"

#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace hark {

namespace {

std::filesystem::path runtime_folder() {
  for (const auto* name : {"RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"}) {
    const auto* value = std::getenv(name);
    if (value != nullptr && value[0] == '/') return std::string(value).substr(0, std::string(value).find(':'));
  }
  if (geteuid() == 0) return "/run";
  return std::filesystem::temp_directory_path() / ("hark-" + std::to_string(geteuid()));
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

std::filesystem::path socket_path(const Settings& settings) {
  auto beside = settings.journal_file.parent_path() / "hark.sock";
  if (beside.string().size() < sizeof(sockaddr_un::sun_path)) return beside;
  return runtime_folder() / short_name(settings.journal_file.string());
}

std::filesystem::path lock_path(const Settings& settings) { return settings.journal_file.string() + ".lock"; }
std::filesystem::path output_folder(const Settings& settings) { return settings.journal_file.parent_path() / "runs"; }

}  // namespace hark
