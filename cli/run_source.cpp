#include "cli/run_source.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/configuration.h"
#include "cli/exit_codes.h"
#include "cli/journal_access.h"
#include "cli/output.h"
#include "cli/run_filter.h"
#include "core/payload.h"
#include "core/percent.h"

namespace hark {

using nlohmann::json;

namespace {

int failed(const Error& error) {
  output::complain(error);
  return exit_code::kFailed;
}

class JournalRuns final : public RunSource {
 public:
  // `journal`: null where nothing was ever written.
  JournalRuns(CommonOptions common, std::unique_ptr<JournalReader> journal) : common_(std::move(common)), journal_(std::move(journal)) {}

  std::optional<int> runs(const RunQuery& query, json& shown) override {
    shown = json::array();
    if (!journal_) return std::nullopt;
    auto runs = journal_->runs(query);
    if (!runs) return failed(runs.error());
    for (const auto& run : *runs) shown.push_back(to_json(run));
    return std::nullopt;
  }

  std::optional<int> run(const std::string& id, json& shown) override {
    shown = nullptr;
    if (!journal_) return std::nullopt;
    auto run = journal_->run(id);
    if (!run) return failed(run.error());
    if (*run) shown = to_json(**run);
    return std::nullopt;
  }

  std::optional<int> event(const std::string& id, json& shown) override {
    shown = nullptr;
    if (!journal_) return std::nullopt;
    auto event = journal_->event(id);
    if (!event) return failed(event.error());
    if (!*event) return std::nullopt;
    auto explained = explanation(*journal_, **event);
    if (!explained) return failed(explained.error());
    shown = std::move(*explained);
    return std::nullopt;
  }

  std::vector<std::string> handlers() override {
    std::vector<std::string> names = common_.journal.empty() ? configured_handlers(common_) : std::vector<std::string>{};
    if (!journal_) return names;
    if (auto ran = journal_->handlers()) names.insert(names.end(), ran->begin(), ran->end());
    return names;
  }

  ShownId shown_ids() override { return journal_ ? hark::shown_ids(*journal_) : ShownId{}; }

 private:
  CommonOptions common_;
  std::unique_ptr<JournalReader> journal_;
};

class DaemonRuns final : public RunSource {
 public:
  explicit DaemonRuns(CommonOptions common) : common_(std::move(common)) {}

  // The daemon answers in pages, whole ones: it has more to do than to search. So the filter is applied here.
  std::optional<int> runs(const RunQuery& query, json& shown) override {
    shown = json::array();
    auto page = query;
    while (shown.size() < query.limit) {
      page.limit = std::min(query.filter.empty() ? query.limit - shown.size() : kPage, kPage);
      json got;
      if (const auto ended = one_page(page, got)) return ended;
      for (auto& run : got) {
        (query.after ? page.after : page.before) = run["sequence"].get<std::uint64_t>();
        if (shown.size() < query.limit && matches(query.filter, run)) shown.push_back(std::move(run));
      }
      if (got.size() < page.limit) break;
    }
    return std::nullopt;
  }

  std::optional<int> run(const std::string& id, json& shown) override { return find("/api/runs/", id, "", shown); }
  std::optional<int> event(const std::string& id, json& shown) override { return find("/api/events/", id, "/explain", shown); }

  std::vector<std::string> handlers() override {
    json status;
    std::vector<std::string> names;
    if (ask_daemon_json(common_, "GET", "/api/status", {}, kPatience, status)) return names;
    for (const auto& handler : status["handlers"]) names.push_back(handler["name"].get<std::string>());
    return names;
  }

  ShownId shown_ids() override { return {}; }

 private:
  static constexpr std::size_t kPage = 500;

  std::optional<int> one_page(const RunQuery& query, json& shown) {
    auto target = std::string(query.dead ? "/api/dead-letters" : "/api/runs") + "?limit=" + std::to_string(query.limit);
    if (query.before) target += "&before=" + std::to_string(*query.before);
    if (query.after) target += "&after=" + std::to_string(*query.after);
    if (!query.handler.empty()) target += "&handler=" + percent_encoded(query.handler);
    json answer;
    if (const auto ended = ask_daemon_json(common_, "GET", target, {}, kPatience, answer)) return ended;
    shown = std::move(answer[query.dead ? "dead_letters" : "runs"]);
    return std::nullopt;
  }

  std::optional<int> find(const std::string& before, const std::string& id, const std::string& behind, json& shown) {
    shown = nullptr;
    if (id.find('/') != std::string::npos) return std::nullopt;  // the server refuses it in a name, however it is written
    Answer answer;
    if (const auto ended = ask_daemon(common_, "GET", before + percent_encoded(id) + behind, {}, kPatience, answer)) return ended;
    if (answer.status == 404) return std::nullopt;
    return read_answer(answer, shown);
  }

  CommonOptions common_;
};

}  // namespace

std::optional<int> open_run_source(const CommonOptions& common, bool from_daemon, std::unique_ptr<RunSource>& source) {
  if (from_daemon) {
    source = std::make_unique<DaemonRuns>(common);
    return std::nullopt;
  }
  std::unique_ptr<JournalReader> journal;
  if (const auto ended = open_for_reading(common, journal)) return ended;
  source = std::make_unique<JournalRuns>(common, std::move(journal));
  return std::nullopt;
}

}  // namespace hark
