#include "handlers/values.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/event_field.h"
#include "core/limits.h"
#include "core/printable.h"
#include "platform/confined_folder.h"
#include "platform/process.h"

namespace hark {
namespace {

namespace fs = std::filesystem;

// Relative to the folder; what is not below it stays as it is, and is refused when it is opened.
std::string within_folder(const std::string& path, const std::string& folder, const std::string& origin) {
  const fs::path whole(path);
  if (!whole.is_absolute()) return path;
  for (const auto& base : {folder, origin}) {
    if (base.empty()) continue;
    const auto relative = whole.lexically_relative(base).string();
    if (!relative.empty() && relative != "." && !relative.starts_with("..")) return relative;
  }
  return path;
}

// Without the beginning of a character whose end was cut off.
std::string_view whole_characters(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if (byte < 0x80) break;
    if (byte >= 0xc0) return utf8_length(text, text.size() - back) == 0 ? text.substr(0, text.size() - back) : text;
  }
  return text;
}

void add_file(const ConfinedFolder& folder, const std::string& path, std::string& text) {
  const std::string title = "==> " + printable(path, limits::kShownValue);
  const auto refuse = [&](const std::string& why) { text += title + ": " + printable(why, limits::kShownValue) + " <==\n"; };
  auto content = folder.read(path, limits::kFileContent);
  if (!content) return refuse("not shown, " + content.error().message);
  if (!*content) return refuse("there is no such file");
  const auto& [head, bytes] = **content;
  const auto shown = bytes > head.size() ? whole_characters(head) : std::string_view(head);
  if (shown.find('\0') != shown.npos || !is_utf8(shown)) return refuse("binary, " + counted(bytes, "byte"));
  text += title + (bytes > head.size() ? ": the first " + std::to_string(shown.size()) + " of " + counted(bytes, "byte") : "") + " <==\n";
  text += shown;
  if (!shown.empty() && shown.back() != '\n') text += '\n';
}

// "name" of "/srv/name.git/", "owner/name" of "https://host/owner/name.git".
std::string name_of_place(std::string place) {
  const bool remote = place.find("://") != place.npos || (place.find('@') < place.find(':') && place.front() != '/');
  while (place.size() > 1 && place.ends_with('/')) place.pop_back();
  if (place.ends_with(".git")) place.resize(place.size() - 4);
  while (place.size() > 1 && place.ends_with('/')) place.pop_back();  // "/srv/name/.git"
  const auto last = place.find_last_of("/:");
  if (last == place.npos) return place;
  if (!remote) return place.find('/') == 0 ? place.substr(last + 1) : place;  // "owner/name" is a name as it is
  const auto before = last == 0 ? place.npos : place.find_last_of("/:", last - 1);
  return before == place.npos || place[last] == ':' ? place.substr(last + 1) : place.substr(before + 1);
}

std::string last_words_of(const ProcessResult& ended) {
  std::string_view words = ended.error_output.head;
  words = words.substr(0, words.find('\n'));
  return printable(words, limits::kShownValue);
}

}  // namespace

Result<std::string> files_content(const std::vector<std::string>& paths, const std::string& folder, const std::string& origin) {
  const auto opened = ConfinedFolder::open(folder);
  if (!opened) return opened.error();
  std::string text;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    std::string next;
    add_file(*opened, within_folder(paths[i], folder, origin), next);
    if (text.size() + next.size() > limits::kFilesContent) {
      text += "==> " + counted(paths.size() - i, "more file") + ": not shown, " + std::to_string(limits::kFilesContent / 1024) + " KiB are the most <==\n";
      break;
    }
    text += next;
  }
  return text;
}

Result<std::string> git_log(const std::string& folder, std::optional<WallTime> since, const Containment& containment, ProcessSpawner& processes, const std::string& run_id,
                            SteadyTime deadline, std::stop_token stop) {
  const int most = since ? limits::kGitLogCommits : limits::kGitLogFirst;
  Command command;
  command.argv = {"git", "--no-pager", "-C", folder, "log", "--no-show-signature", "--no-color", "--format=%h %cs %s", "--max-count=" + std::to_string(most + 1)};
  if (since) command.argv.push_back("--since=@" + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(since->time_since_epoch()).count()));
  command.environment = {{"GIT_TERMINAL_PROMPT", "0"}};
  command.working_directory = folder;
  command.containment = containment;  // what lies in the folder tells git what to do
  command.run_id = run_id;
  const auto ended = processes.run(command, deadline, std::move(stop));
  if (!ended) return ended.error();
  if (ended->end == ProcessResult::End::timed_out) return Error{"git log of " + folder + " took too long", "see what it waits for"};
  if (ended->code != 0) return Error{"{git_log}: git log in " + folder + " ended with " + std::to_string(ended->code) + ": " + last_words_of(*ended), "the step is to work in a repository of git that has a commit"};
  std::string text;
  std::string_view rest = ended->output.head;
  for (int count = 0; !rest.empty(); ++count) {
    const auto end = std::min(rest.find('\n'), rest.size());
    if (count == most) {
      if (since) text += "(and older ones)\n";
      break;
    }
    text += printable(rest.substr(0, end), limits::kShownValue) + "\n";
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return text;
}

std::string repository_name(const nlohmann::json& data, const std::string& folder) {
  for (const char* field : {"repository.full_name", "project.path_with_namespace", "repository", "root"}) {
    const auto* found = json_at(data, field);
    if (found != nullptr && found->is_string() && !found->get_ref<const std::string&>().empty()) return name_of_place(found->get<std::string>());
  }
  return folder.empty() ? std::string() : name_of_place(folder);
}

}  // namespace hark
