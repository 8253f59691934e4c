// Steps of tool = "forge".
#include <algorithm>
#include <array>
#include <string>

#include "core/printable.h"
#include "daemon/config_mapping.h"
#include "daemon/config_show.h"
#include "platform/forge.h"

namespace hark {
namespace {

using ForgeAction = ForgeStepOptions::Action;

const std::vector<std::string> kForgeActions = {"comment", "open_pull_request", "status"};
const std::vector<std::string> kForges = {"github", "gitlab", "gitea", "bitbucket"};
const std::vector<std::string> kCommitStates = {"pending", "success", "failure", "error"};

struct ForgeText {
  const char* key;
  const char* action;
  Template ForgeStepOptions::*text;
  bool needed;
};
constexpr std::array kForgeTexts = {
    ForgeText{"number", "comment", &ForgeStepOptions::number, true},
    ForgeText{"body", "comment", &ForgeStepOptions::body, true},
    ForgeText{"title", "open_pull_request", &ForgeStepOptions::title, true},
    ForgeText{"body", "open_pull_request", &ForgeStepOptions::body, false},
    ForgeText{"head", "open_pull_request", &ForgeStepOptions::head, true},
    ForgeText{"base", "open_pull_request", &ForgeStepOptions::base, true},
    ForgeText{"commit", "status", &ForgeStepOptions::commit, true},
    ForgeText{"state", "status", &ForgeStepOptions::state, true},
    ForgeText{"context", "status", &ForgeStepOptions::context, false},
    ForgeText{"description", "status", &ForgeStepOptions::description, false},
    ForgeText{"url", "status", &ForgeStepOptions::url, false},
};
constexpr std::array kOfEveryAction = {"provider", "token", "token_file", "api"};

class ForgeToolReader {
 public:
  ForgeToolReader(TableReader& reader, const KnownNames& known) : reader_(reader), known_(known) {}

  ForgeStepOptions read() {
    if (!reader_.has("action")) reader_.fail_table("tool = \"forge\" needs `action`: " + enumerated(kForgeActions, "or"));
    action_ = reader_.choice("action", kForgeActions, "");
    forge_.action = action_ == "status" ? ForgeAction::status : action_ == "open_pull_request" ? ForgeAction::open_pull_request : ForgeAction::comment;
    address();
    token();
    texts();
    if (action_ == "comment" && reader_.text("update_key") != nullptr) forge_.update_key = read_template(reader_, "update_key", known_);
    if (action_ == "open_pull_request") forge_.draft = reader_.boolean("draft", false);
    if (action_ != "comment") reader_.belongs("update_key", "action = comment");
    if (action_ != "open_pull_request") reader_.belongs("draft", "action = open_pull_request");
    return std::move(forge_);
  }

 private:
  void address() {
    forge_.forge = forge_named(reader_.choice("provider", kForges, "github")).value_or(Forge::github);
    forge_.api = reader_.string("api", known_api(forge_.forge));
    while (forge_.api.ends_with('/')) forge_.api.pop_back();
    if (forge_.api.empty()) {
      reader_.fail_table("needs `api`, where its API lies, such as \"https://codeberg.org/api/v1\"");
    } else if (const auto fine = check_api_address(forge_.api); !fine) {
      reader_.fail_key("api", fine.error().text());
    }
    if (!reader_.has("repository")) reader_.fail_table("tool = \"forge\" needs `repository`, such as \"owner/name\"");
    forge_.repository = read_template(reader_, "repository", known_);
    if (reader_.text("repository") != nullptr && forge_.repository.constant() && !is_repository(forge_.forge, forge_.repository.text())) {
      reader_.fail_key("repository", "expected a repository's owner and name, such as \"owner/name\"");
    }
  }

  void token() {
    if (!reader_.has("token") && !reader_.has("token_file")) reader_.fail_table("tool = \"forge\" needs `token` or `token_file`: nobody may write without one");
    forge_.token = read_token(reader_);
    refuse_open_token(reader_, forge_.token, forge_.api);
  }

  void texts() {
    for (const auto& each : kForgeTexts) {
      const bool of_another = std::none_of(kForgeTexts.begin(), kForgeTexts.end(), [&](const ForgeText& text) { return std::string_view(text.key) == each.key && action_ == text.action; });
      if (of_another) reader_.belongs(each.key, std::string("action = ") + each.action);
      if (action_ != each.action) continue;
      if (each.needed && !reader_.has(each.key)) reader_.fail_table("action = " + toml_string(action_) + " needs `" + each.key + "`");
      forge_.*each.text = read_template(reader_, each.key, known_);
    }
    if (action_ != "status") return;
    if (!reader_.has("context")) {
      forge_.context = Template::parse("hark");
      reader_.show("context", toml_string("hark"), nullptr);
    }
    if (forge_.state.constant() && reader_.has("state") && !is_commit_state(forge_.state.text())) {
      reader_.fail_key("state", "expected " + enumerated(kCommitStates, "or") + ", found " + toml_string(forge_.state.text()));
    }
  }

  TableReader& reader_;
  const KnownNames& known_;
  std::string action_;
  ForgeStepOptions forge_;
};

}  // namespace

void read_forge_tool(TableReader& reader, const KnownNames& known, StepOptions& step) { step.kind = ForgeToolReader(reader, known).read(); }

void refuse_forge_keys(TableReader& reader) {
  for (const char* key : kOfEveryAction) reader.belongs(key, "a step with tool = \"forge\"");
  for (const auto& each : kForgeTexts) reader.belongs(each.key, "a step with tool = \"forge\"");
  for (const char* key : {"update_key", "draft"}) reader.belongs(key, "a step with tool = \"forge\"");
}

}  // namespace hark
