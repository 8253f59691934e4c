#include "platform/zoneinfo.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/limits.h"

namespace hark {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLongestName = 255;

// Names of the database: parts of letters, digits and "_-+." between slashes; no part leads up or is empty.
bool is_zone_name(std::string_view name) {
  if (name.empty() || name.size() > kLongestName) return false;
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-+./").find(c) != std::string_view::npos;
  };
  if (!std::all_of(name.begin(), name.end(), allowed)) return false;
  for (std::size_t begin = 0; begin <= name.size();) {
    const auto end = std::min(name.find('/', begin), name.size());
    if (end == begin || name[begin] == '.') return false;
    begin = end + 1;
  }
  return true;
}

// What cannot be a name is not repeated in an error: it may be long, and hold anything.
std::string shown(std::string_view name) { return is_zone_name(name) ? '"' + std::string(name) + '"' : "the given name"; }

// A regular file only: a pipe named by TZ would hold the daemon up for ever.
Result<std::string> read_file(const fs::path& path) {
  std::error_code failure;
  if (!fs::is_regular_file(path, failure)) return Error{"no file " + path.string(), {}};
  std::ifstream file(path, std::ios::binary);
  std::string content(limits::kZoneFile + 1, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (!file.is_open() || file.bad()) return Error{"cannot read " + path.string(), "check its permissions"};
  content.resize(static_cast<std::size_t>(file.gcount()));
  if (content.size() > limits::kZoneFile) return Error{path.string() + " is too large to be a zone file", {}};
  return content;
}

Result<TimeZone> read_zone(const fs::path& path, std::string name) {
  const auto content = read_file(path);
  if (!content) return content.error();
  return TimeZone::parse(std::move(name), *content);
}

// "/usr/share/zoneinfo/Europe/Berlin" -> "Europe/Berlin".
std::string name_from_path(const fs::path& path) {
  const std::string text = path.string();
  constexpr std::string_view kFolder = "/zoneinfo/";
  const auto at = text.rfind(kFolder);
  const auto name = at == std::string::npos ? std::string() : text.substr(at + kFolder.size());
  return is_zone_name(name) ? name : "local";
}

Result<TimeZone> zone_of_variable(std::string_view tz, const ZonePlaces& places) {
  if (tz.starts_with(':')) tz.remove_prefix(1);
  if (tz.empty()) return TimeZone::utc();
  const std::string text(tz.substr(0, 4096));
  if (text.front() == '/') {
    auto zone = read_zone(text, name_from_path(text));
    return zone ? zone
                : Error{"TZ names a zone file that cannot be used: " + zone.error().text(),
                        "set TZ to a name such as Europe/Berlin"};
  }
  std::error_code failure;
  if (is_zone_name(text) && fs::is_regular_file(places.folder / text, failure)) return find_zone(text, places);
  if (auto zone = TimeZone::from_rule(text.size() <= kLongestName ? text : "local", text)) return zone;
  if (auto zone = find_zone(text, places)) return zone;  // UTC without zoneinfo
  return Error{"TZ is " + shown(text) + ", which is neither a zone in " + places.folder.string() + " nor a POSIX rule",
               "set TZ to a name such as Europe/Berlin, and install the package tzdata if it is missing"};
}

}  // namespace

ZonePlaces ZonePlaces::of_process() {
  ZonePlaces places;
  if (const char* folder = std::getenv("TZDIR"); folder != nullptr && *folder != '\0') places.folder = folder;
  if (const char* tz = std::getenv("TZ"); tz != nullptr) places.tz = tz;
  return places;
}

Result<TimeZone> find_zone(const std::string& name, const ZonePlaces& places) {
  if (!is_zone_name(name)) {
    return Error{"the name of a time zone must be one of the IANA database", "names look like Europe/Berlin or UTC"};
  }
  std::error_code failure;
  if (fs::is_regular_file(places.folder / name, failure)) return read_zone(places.folder / name, name);
  if (name == "UTC" || name == "Etc/UTC") return TimeZone::utc();
  const bool has_database = fs::is_directory(places.folder, failure);
  return Error{"there is no time zone " + shown(name) + " in " + places.folder.string(),
               has_database ? "names look like Europe/Berlin, with capitals; older names are in the package tzdata-legacy"
                            : "install the package tzdata"};
}

Result<TimeZone> local_zone(const ZonePlaces& places) {
  if (places.tz) return zone_of_variable(*places.tz, places);
  std::error_code failure;
  if (!fs::exists(places.localtime, failure)) return TimeZone::utc();
  const auto target = fs::canonical(places.localtime, failure);
  return read_zone(places.localtime, name_from_path(target));
}

}  // namespace hark
