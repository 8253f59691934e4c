#include "platform/zoneinfo.h"

#include <sys/stat.h>

#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <random>
#include <string>

#include "core/cron.h"
#include "tests/support/temporary_folder.h"

using namespace hark;
using namespace std::chrono;
namespace fs = std::filesystem;

namespace {

WallTime utc(const char* text) { return *from_rfc3339(text); }

ZonePlaces system_zones(std::optional<std::string> tz = std::nullopt) {
  ZonePlaces places;
  places.tz = std::move(tz);
  places.localtime = "/nowhere/localtime";
  return places;
}

void copy_zone(const char* name, const fs::path& to) { fs::copy_file(fs::path("/usr/share/zoneinfo") / name, to); }

// The variable TZ of this process, for the comparison with the C library; put back at the end.
class TzVariable {
 public:
  TzVariable() {
    if (const char* value = std::getenv("TZ")) before_ = value;
  }
  ~TzVariable() {
    before_ ? setenv("TZ", before_->c_str(), 1) : unsetenv("TZ");
    tzset();
  }
  TzVariable(const TzVariable&) = delete;
  TzVariable& operator=(const TzVariable&) = delete;
  void set(const std::string& value) {
    setenv("TZ", value.c_str(), 1);
    tzset();
  }

 private:
  std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("zoneinfo: a zone is found by its name, and follows its rule beyond the table") {
  const auto berlin = find_zone("Europe/Berlin", system_zones());
  REQUIRE_MESSAGE(berlin.ok(), berlin.error().text());
  CHECK(berlin->name() == "Europe/Berlin");
  CHECK(berlin->offset(utc("2026-07-01T00:00:00Z")) == 2h);
  CHECK(berlin->offset(utc("2060-07-01T00:00:00Z")) == 2h);
  CHECK(berlin->offset(utc("2060-01-01T00:00:00Z")) == 1h);
  CHECK(find_zone("America/Argentina/Buenos_Aires", system_zones()).ok());
  CHECK(find_zone("Etc/GMT+5", system_zones())->offset({}) == -5h);
}

TEST_CASE("zoneinfo: UTC needs no files") {
  auto places = system_zones();
  places.folder = "/nowhere";
  CHECK(find_zone("UTC", places).ok());
  CHECK(find_zone("Etc/UTC", places).ok());
  const auto berlin = find_zone("Europe/Berlin", places);
  REQUIRE_FALSE(berlin.ok());
  CHECK(berlin.error().message.find("/nowhere") != std::string::npos);
  CHECK(berlin.error().cure.find("tzdata") != std::string::npos);
}

TEST_CASE("zoneinfo: a name that is none, or leads out of the folder, is refused") {
  const test::TemporaryFolder folder;
  fs::create_directory(folder / "zones");
  copy_zone("Europe/Berlin", folder / "secret");
  auto places = system_zones();
  places.folder = folder / "zones";
  for (const std::string name :
       {"../secret", "a/../../secret", "./Europe", "Europe//Berlin", "/etc/localtime", "Europe/", "", ".", "..",
        "Europe/Berlin\n", "Europe Berlin", ".hidden", "Europe/.hidden", "C:\\zone", "%2e%2e"}) {
    INFO(name);
    CHECK_FALSE(find_zone(name, places).ok());
  }
  CHECK_FALSE(find_zone(std::string("UTC\0x", 5), places).ok());
  CHECK_FALSE(find_zone(std::string(100'000, 'a'), places).ok());
  CHECK(find_zone((folder / "secret").string(), places).error().message.find("secret") == std::string::npos);
}

TEST_CASE("zoneinfo: what is no zone file is an error, whatever it is") {
  const test::TemporaryFolder folder;
  auto places = system_zones();
  places.folder = folder.path();
  std::ofstream(folder / "Text") << "not a zone";
  std::ofstream(folder / "Empty");
  fs::create_directory(folder / "Folder");
  REQUIRE(mkfifo((folder / "Pipe").c_str(), 0600) == 0);
  fs::create_symlink(folder / "Loop", folder / "Loop");
  std::ofstream(folder / "Huge") << std::string(300 * 1024, 'T');
  for (const char* name : {"Text", "Empty", "Folder", "Pipe", "Loop", "Huge", "Missing"}) {
    INFO(std::string(name));
    CHECK_FALSE(find_zone(name, places).ok());
    CHECK_FALSE(local_zone({folder.path(), (folder / name).string(), "/nowhere"}).ok());
  }
}

TEST_CASE("zoneinfo: the machine's zone is what TZ says, as name, path or rule") {
  const auto offset = [](const char* tz) {
    const auto zone = local_zone(system_zones(tz));
    INFO(tz);
    REQUIRE_MESSAGE(zone.ok(), zone.error().text());
    return zone->offset(utc("2026-07-01T00:00:00Z"));
  };
  CHECK(offset("Europe/Berlin") == 2h);
  CHECK(offset(":Europe/Berlin") == 2h);
  CHECK(offset("/usr/share/zoneinfo/Europe/Berlin") == 2h);
  CHECK(offset(":/usr/share/zoneinfo/Europe/Berlin") == 2h);
  CHECK(offset("EST5EDT") == -4h);
  CHECK(offset("EST5EDT,M3.2.0,M11.1.0") == -4h);
  CHECK(offset("<+0330>-3:30") == 3h + 30min);
  CHECK(offset("UTC0") == 0h);
  CHECK(offset("") == 0h);
  CHECK(offset(":") == 0h);
  CHECK(local_zone(system_zones("/usr/share/zoneinfo/Europe/Berlin"))->name() == "Europe/Berlin");
}

TEST_CASE("zoneinfo: a TZ that means nothing is an error, not UTC in silence") {
  for (const char* tz : {"Europe/Atlantis", ":../../etc/passwd", "/etc/passwd", "/nowhere", "x", "\x1B[2J"}) {
    const auto zone = local_zone(system_zones(tz));
    INFO(std::string(tz));
    REQUIRE_FALSE(zone.ok());
    CHECK(zone.error().message.find('\x1B') == std::string::npos);
    CHECK_FALSE(zone.error().cure.empty());
  }
}

TEST_CASE("zoneinfo: without TZ the machine's zone is /etc/localtime, named after its target, and UTC where that lacks") {
  const test::TemporaryFolder folder;
  auto places = system_zones();
  CHECK(local_zone(places)->name() == "UTC");
  fs::create_symlink("/usr/share/zoneinfo/America/New_York", folder / "link");
  places.localtime = folder / "link";
  REQUIRE(local_zone(places).ok());
  CHECK(local_zone(places)->name() == "America/New_York");
  CHECK(local_zone(places)->offset(utc("2026-07-01T00:00:00Z")) == -4h);
  copy_zone("Europe/Berlin", folder / "copy");
  places.localtime = folder / "copy";
  CHECK(local_zone(places)->name() == "local");
  CHECK(local_zone(places)->offset(utc("2026-07-01T00:00:00Z")) == 2h);
  std::ofstream(folder / "broken") << "TZif";
  places.localtime = folder / "broken";
  CHECK_FALSE(local_zone(places).ok());
}

TEST_CASE("zoneinfo: offsets agree with the C library's, in every zone of the database") {
  const auto seed = std::random_device{}();
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  TzVariable variable;
  int zones = 0;
  const fs::path folder = "/usr/share/zoneinfo";
  for (auto entry = fs::recursive_directory_iterator(folder); entry != fs::recursive_directory_iterator(); ++entry) {
    const auto name = entry->path().lexically_relative(folder).string();
    if (entry->is_directory() && (name == "right" || name == "posix")) entry.disable_recursion_pending();
    if (!entry->is_regular_file()) continue;
    const auto zone = find_zone(name, system_zones());
    if (!zone.ok()) {
      CHECK(zone.error().message.find("no TZif file") != std::string::npos);  // leap-seconds.list, tzdata.zi, ...
      continue;
    }
    ++zones;
    variable.set(":" + name);
    for (int i = 0; i < 100; ++i) {
      const auto moment = static_cast<std::int64_t>(random() % 8'000'000'000ull) - 3'000'000'000;  // 1874 to 2128
      const auto time = static_cast<std::time_t>(moment);
      std::tm local{};
      localtime_r(&time, &local);
      INFO(name << " " << to_rfc3339(WallTime{seconds{moment}}));
      CHECK(zone->offset(WallTime{seconds{moment}}).count() == local.tm_gmtoff);
    }
  }
  CHECK(zones > 300);
}

TEST_CASE("zoneinfo: cron over real zones: Lord Howe's half hour, Samoa's missing day, Berlin in 2060") {
  const auto slots = [](const char* expression, const char* name, const char* from, std::size_t count) {
    const auto zone = find_zone(name, system_zones());
    REQUIRE(zone.ok());
    std::string text;
    for (const auto slot : next_slots(*Cron::parse(expression), utc(from), *zone, count)) {
      text += (text.empty() ? "" : " ") + to_rfc3339(slot, *zone);
    }
    return text;
  };
  CHECK(slots("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2) ==
        "2026-10-04T02:30:00+11:00 2026-10-05T02:15:00+11:00");
  CHECK(slots("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z", 2) == "2011-12-29T12:00:00-10:00 2011-12-31T12:00:00+14:00");
  CHECK(slots("30 2 28 3 *", "Europe/Berlin", "2060-01-01T00:00:00Z", 1) == "2060-03-28T03:00:00+02:00");
  CHECK(slots("30 2 * * *", "America/New_York", "2026-03-08T00:00:00Z", 2) ==
        "2026-03-08T03:00:00-04:00 2026-03-09T02:30:00-04:00");
}
