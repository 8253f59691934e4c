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

// Of all that runs commands, by the name that a reader knows it by.
std::vector<std::pair<std::string, const Containment*>> containments(const Settings& settings) {
  std::vector<std::pair<std::string, const Containment*>> all;
  for (const auto& handler : settings.handlers) all.emplace_back("'" + handler.name + "'", &handler.containment);
  for (const auto& hook : settings.hooks) {
    if (const auto* command = std::get_if<Hook::Command>(&hook.action)) all.emplace_back("hook '" + hook.name + "'", &command->containment);
  }
  return all;
}

}  // namespace

std::vector<std::string> containment_shortfalls(const Settings& settings, const CgroupControllers& there) {
  std::vector<std::string> lines;
  for (const auto& [name, containment] : containments(settings)) {
    std::string line;
    for (const auto& clause : shortfalls(*containment, there)) line += (line.empty() ? "" : ", ") + clause;
    if (!line.empty()) lines.push_back(name + ": " + line);
  }
  return lines;
}

std::vector<std::string> prepare_containment(const Settings& settings, const std::filesystem::path& socket, const std::vector<std::filesystem::path>& files,
                                             RealProcessSpawner& processes) {
  const auto all = containments(settings);
  const bool wanted = std::any_of(all.begin(), all.end(), [](const auto& each) { return each.second->cgroup.any(); });
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
