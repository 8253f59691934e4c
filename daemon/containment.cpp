#include "daemon/containment.h"

#include <algorithm>
#include <optional>

#include "daemon/places.h"

namespace hark {
namespace {

OwnPlaces own_places(const Settings& settings, const std::filesystem::path& socket, const std::vector<std::filesystem::path>& files) {
  OwnPlaces own;
  own.state_folder = settings.journal_file.parent_path().string();
  own.state_files.push_back(socket.string());
  for (const auto& each : own_files(settings)) {
    if (each.key != "journal_file" && each.key != "state_file") continue;
    for (const auto& file : each.files) {
      if (file != output_folder(settings)) own.state_files.push_back(file.string());
    }
  }
  own.configuration.push_back(settings.file.string());
  for (const auto& file : files) {
    if (file != settings.file) own.configuration.push_back(file.string());
  }
  return own;
}

}  // namespace

std::vector<std::string> containment_shortfalls(const Settings& settings, const CgroupControllers& there) {
  std::vector<std::string> lines;
  for (const auto& handler : settings.handlers) {
    std::string line;
    for (const auto& clause : shortfalls(handler.containment, there)) line += (line.empty() ? "" : ", ") + clause;
    if (!line.empty()) lines.push_back("'" + handler.name + "': " + line);
  }
  return lines;
}

std::vector<std::string> prepare_containment(const Settings& settings, const std::filesystem::path& socket, const std::vector<std::filesystem::path>& files,
                                             RealProcessSpawner& processes) {
  const auto wants_cgroup = [](const Handler& handler) { return handler.containment.cgroup.any(); };
  const bool wanted = std::any_of(settings.handlers.begin(), settings.handlers.end(), wants_cgroup);
  std::optional<CgroupHome> home;
  std::string reason;
  if (wanted) {
    auto opened = CgroupHome::open();
    if (opened)
      home = std::move(*opened);
    else
      reason = opened.error().text();
  }
  processes.contain_with(std::move(home), own_places(settings, socket, files));
  auto lines = containment_shortfalls(settings, processes.cgroup_controllers());
  if (reason.empty()) reason = "the daemon's cgroup lacks the controller";
  for (auto& line : lines) line += ": " + reason;
  return lines;
}

}  // namespace hark
