#include "core/time_zone.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "core/posix_tz.h"

namespace hark {

using namespace std::chrono;

// The changes of the table in ascending order: offsets[i] holds from times[i] on.
struct TimeZone::Data {
  std::string name;
  std::int32_t first_offset = 0;
  std::vector<std::int64_t> times;
  std::vector<std::int32_t> offsets;
  std::optional<PosixTz> rule;  // from the last change on; for all time when there is no change
};

namespace {

// RFC 9636, 3.2: offsets lie between -25 and +26 hours, exclusive.
constexpr std::int32_t kMinOffset = -89'999;
constexpr std::int32_t kMaxOffset = 93'599;

// Takes big-endian numbers off the front; the caller has checked that they are there.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t size() const { return bytes_.size(); }
  std::string_view rest() const { return bytes_; }
  void skip(std::uint64_t count) { bytes_.remove_prefix(static_cast<std::size_t>(count)); }
  std::uint8_t byte() {
    const auto value = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return value;
  }
  std::int32_t int32() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | byte();
    return static_cast<std::int32_t>(value);
  }
  std::int64_t int64() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | byte();
    return static_cast<std::int64_t>(value);
  }

 private:
  std::string_view bytes_;
};

struct Header {
  char version = 0;
  std::uint64_t utc_flags = 0, standard_flags = 0, leaps = 0, times = 0, types = 0, characters = 0;

  std::uint64_t block_size(std::uint64_t time_size) const {
    return times * (time_size + 1) + types * 6 + characters + leaps * (time_size + 4) + standard_flags + utc_flags;
  }
};

constexpr std::size_t kHeaderSize = 44;

std::optional<Header> take_header(Bytes& bytes) {
  if (bytes.size() < kHeaderSize || bytes.rest().substr(0, 4) != "TZif") return std::nullopt;
  Header header;
  header.version = bytes.rest()[4];
  bytes.skip(20);
  for (auto* count :
       {&header.utc_flags, &header.standard_flags, &header.leaps, &header.times, &header.types, &header.characters}) {
    *count = static_cast<std::uint32_t>(bytes.int32());
  }
  return header;
}

const char* what_is_wrong(const Header& header, std::uint64_t time_size, std::uint64_t bytes_left) {
  if (bytes_left < header.block_size(time_size)) return "is cut off";
  if (header.types == 0 || header.types > 256) return "has no types of local time, or more than 256";
  if (header.leaps != 0) return "counts leap seconds, which the system clock does not (take the name without right/)";
  return nullptr;
}

}  // namespace

TimeZone::TimeZone(std::shared_ptr<const Data> data) : data_(std::move(data)) {}

TimeZone TimeZone::utc() {
  auto data = std::make_shared<Data>();
  data->name = "UTC";
  return TimeZone(std::move(data));
}

Result<TimeZone> TimeZone::from_rule(std::string name, std::string_view posix_tz) {
  auto rule = PosixTz::parse(posix_tz);
  if (!rule) return rule.error();
  auto data = std::make_shared<Data>();
  data->name = std::move(name);
  data->rule = *rule;
  return TimeZone(std::move(data));
}

Result<TimeZone> TimeZone::parse(std::string name, std::string_view content) {
  const auto wrong = [&](const std::string& what) { return Error{"the zone file of " + name + " " + what, {}}; };
  Bytes bytes(content);
  auto header = take_header(bytes);
  if (!header) return wrong("is no TZif file");
  std::uint64_t time_size = 4;
  const bool has_footer = header->version >= '2';
  if (has_footer) {  // a second block with times of 64 bits follows the one for readers of version 1
    if (bytes.size() < header->block_size(4)) return wrong("is cut off");
    bytes.skip(header->block_size(4));
    header = take_header(bytes);
    if (!header) return wrong("lacks its second header");
    time_size = 8;
  }
  if (const char* what = what_is_wrong(*header, time_size, bytes.size())) return wrong(what);

  Bytes times = bytes;
  Bytes kinds = bytes;
  kinds.skip(header->times * time_size);
  Bytes records = kinds;
  records.skip(header->times);
  bytes.skip(header->block_size(time_size));

  std::vector<std::int32_t> type_offsets;
  for (std::uint64_t i = 0; i < header->types; ++i) {
    type_offsets.push_back(records.int32());
    records.skip(2);  // is it summer time, and its abbreviation: nobody asks
    if (type_offsets.back() < kMinOffset || type_offsets.back() > kMaxOffset) return wrong("has an offset of more than a day");
  }
  auto data = std::make_shared<Data>();
  data->first_offset = type_offsets.front();
  for (std::uint64_t i = 0; i < header->times; ++i) {
    const std::int64_t time = time_size == 8 ? times.int64() : times.int32();
    const auto kind = kinds.byte();
    if (kind >= type_offsets.size()) return wrong("names a type of local time that it does not have");
    if (!data->times.empty() && time <= data->times.back()) return wrong("has its changes out of order");
    if (time < PosixTz::kNeverBefore || time >= PosixTz::kNeverAfter) return wrong("has a change beyond all time");
    data->times.push_back(time);
    data->offsets.push_back(type_offsets[kind]);
  }
  if (has_footer) {
    const auto end = bytes.rest().find('\n', 1);
    if (bytes.rest().empty() || bytes.rest().front() != '\n' || end == std::string_view::npos) return wrong("lacks its footer");
    const auto text = bytes.rest().substr(1, end - 1);
    if (!text.empty()) {
      auto rule = PosixTz::parse(text);
      if (!rule) return wrong("has a wrong footer: " + rule.error().message);
      data->rule = *rule;
    }
  }
  data->name = std::move(name);
  return TimeZone(std::move(data));
}

const std::string& TimeZone::name() const { return data_->name; }

TimeZone::Stretch TimeZone::stretch_at(sys_seconds time) const {
  const auto& [name, first_offset, times, offsets, rule] = *data_;
  const auto stretch = [](std::int64_t begin, std::int64_t end, std::int32_t offset) {
    return Stretch{sys_seconds{seconds{begin}}, sys_seconds{seconds{end}}, seconds{offset}};
  };
  const std::int64_t moment =
      std::clamp<std::int64_t>(time.time_since_epoch().count(), PosixTz::kNeverBefore, PosixTz::kNeverAfter - 1);
  const auto after = static_cast<std::size_t>(std::upper_bound(times.begin(), times.end(), moment) - times.begin());
  if (after == times.size() && rule) {
    const auto by_rule = rule->stretch_at(moment);
    const auto begin = times.empty() ? PosixTz::kNeverBefore : times.back();
    return stretch(std::max(by_rule.begin, begin), by_rule.end, by_rule.offset);
  }
  const auto begin = after == 0 ? PosixTz::kNeverBefore : times[after - 1];
  const auto end = after == times.size() ? PosixTz::kNeverAfter : times[after];
  return stretch(begin, end, after == 0 ? first_offset : offsets[after - 1]);
}

seconds TimeZone::offset(WallTime time) const { return stretch_at(whole_seconds(time)).offset; }

LocalTime TimeZone::to_local(WallTime time) const {
  const auto whole = whole_seconds(time);
  return LocalTime{whole.time_since_epoch() + stretch_at(whole).offset};
}

namespace {

// The last moments that a WallTime can hold stand for those beyond.
WallTime to_wall(sys_seconds moment) {
  return std::clamp(moment, std::chrono::ceil<seconds>(WallTime::min()), std::chrono::floor<seconds>(WallTime::max()));
}

}  // namespace

TimeZone::Moments TimeZone::to_moments(LocalTime time) const {
  // Whatever the offset, the moment lies within 26 hours of the reading taken as UTC. The stretches of that span are asked one
  // after the other.
  const sys_seconds as_utc{time.time_since_epoch()};
  std::vector<sys_seconds> moments;
  std::optional<sys_seconds> jump;
  Stretch now = stretch_at(as_utc - hours{26});
  while (true) {
    const sys_seconds moment = as_utc - now.offset;
    if (moment >= now.begin && moment < now.end) moments.push_back(moment);
    if (now.end > as_utc + hours{26}) break;
    const Stretch next = stretch_at(now.end);
    if (!jump && now.end + now.offset <= as_utc && as_utc < next.begin + next.offset) jump = next.begin;
    now = next;
  }
  if (moments.size() > 1) return {Moments::Kind::repeated, to_wall(moments[0]), to_wall(moments[1])};
  if (moments.size() == 1) return {Moments::Kind::unique, to_wall(moments[0]), {}};
  return {Moments::Kind::skipped, to_wall(jump.value_or(as_utc)), {}};
}

std::string to_rfc3339(WallTime time, const TimeZone& zone) {
  seconds offset = zone.offset(time);
  const bool as_utc = offset.count() % 60 != 0;
  if (as_utc) offset = seconds{0};
  const auto local = whole_seconds(time) + offset;
  const auto day = floor<days>(local);
  const year_month_day date{day};
  const hh_mm_ss clock{local - day};
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d", int(date.year()), unsigned(date.month()),
                unsigned(date.day()), int(clock.hours().count()), int(clock.minutes().count()), int(clock.seconds().count()));
  std::string result = text.data();
  if (as_utc || zone.name() == "UTC") return result + "Z";
  const int minutes_east = static_cast<int>(offset.count() / 60);
  std::snprintf(text.data(), text.size(), "%c%02d:%02d", minutes_east < 0 ? '-' : '+', std::abs(minutes_east) / 60,
                std::abs(minutes_east) % 60);
  return result + text.data();
}

}  // namespace hark
