// Steps of tool = "git".
#include <algorithm>
#include <array>
#include <string>

#include "core/limits.h"
#include "core/printable.h"
#include "daemon/config_mapping.h"
#include "daemon/config_show.h"

namespace hark {
namespace {

using Action = GitStepOptions::Action;

const std::vector<std::string> kGitActions = {"log", "diff", "show", "commit", "branch", "push", "worktree"};

struct GitKey {
  const char* name;
  std::vector<std::string> actions;  // that have it
};
const std::array kGitKeys = {
    GitKey{"since", {"log"}},
    GitKey{"until", {"log"}},
    GitKey{"from", {"log", "diff", "branch"}},
    GitKey{"to", {"log", "diff"}},
    GitKey{"ref", {"show", "worktree"}},
    GitKey{"paths", {"log", "diff", "commit"}},
    GitKey{"max", {"log"}},
    GitKey{"format", {"log"}},
    GitKey{"stat", {"diff", "show"}},
    GitKey{"merge_base", {"diff"}},
    GitKey{"remove", {"worktree"}},
    GitKey{"message", {"commit"}},
    GitKey{"author", {"commit"}},
    GitKey{"allow_empty", {"commit"}},
    GitKey{"branch", {"branch", "push"}},
    GitKey{"force", {"branch"}},
    GitKey{"remote", {"push"}},
    GitKey{"force_with_lease", {"push"}},
};

class GitToolReader {
 public:
  GitToolReader(TableReader& reader, const KnownNames& known) : reader_(reader), known_(known) {}

  GitStepOptions read() {
    if (!reader_.has("action")) reader_.fail_table("tool = \"git\" needs `action`: " + enumerated(kGitActions, "or"));
    action_ = reader_.choice("action", kGitActions, "");
    for (std::size_t i = 0; i < kGitActions.size(); ++i) {
      if (kGitActions[i] == action_) git_.action = Action(i);
    }
    if (const ConfigNode* repository = reader_.text("repository")) {
      reader_.show_text("repository", *repository);
      refuse_template(reader_, *repository, "repository");
      git_.repository = reader_.resolve(*repository, "repository").value_or(std::filesystem::path()).string();
    }
    refuse_keys_of_others();
    texts();
    paths();
    settings();
    return std::move(git_);
  }

 private:
  bool takes(const GitKey& key) const { return action_.empty() || std::find(key.actions.begin(), key.actions.end(), action_) != key.actions.end(); }
  bool takes(std::string_view name) const {
    return std::any_of(kGitKeys.begin(), kGitKeys.end(), [&](const GitKey& key) { return key.name == name && takes(key); });
  }

  void refuse_keys_of_others() {
    for (const auto& key : kGitKeys) {
      if (!takes(key)) reader_.belongs(key.name, "action = " + enumerated(key.actions, "or"));
    }
  }

  std::optional<Template> text(std::string_view key) {
    if (!takes(key) || reader_.text(key) == nullptr) return std::nullopt;
    return read_template(reader_, key, known_);
  }

  void texts() {
    git_.since = text("since");
    git_.until = text("until");
    git_.from = text("from");
    git_.to = text("to");
    git_.ref = text("ref");
    git_.author = text("author");
    git_.branch = text("branch");
    git_.message = text("message").value_or(Template());
    git_.remote = text("remote").value_or(Template::parse("origin"));
    if (action_ == "commit" && !reader_.has("message")) reader_.fail_table("action = \"commit\" needs `message`");
    if (action_ != "worktree") {
      reader_.belongs("path", "action = \"worktree\"");
    } else if (!reader_.has("path")) {
      reader_.fail_table("action = \"worktree\" needs `path`, where it is to be");
    } else {
      git_.path = read_confined_path(reader_, "path", known_).value_or(Template());
    }
    if (action_ == "branch" && !reader_.has("branch")) reader_.fail_table("action = \"branch\" needs `branch`, the name of the one to switch to");
  }

  void paths() {
    if (!takes("paths") || !reader_.has("paths")) return;
    const auto nodes = reader_.texts("paths");
    const ConfigNode* list = reader_.any("paths");
    reader_.show_texts("paths", nodes, list);
    if (list->is(ConfigNode::Kind::array) && list->items.empty()) reader_.fail(*list, "paths", "expected at least one path, found an empty array; without `paths` it is all");
    git_.paths.emplace();
    for (const ConfigNode* node : nodes) {
      git_.paths->push_back(Template::parse(node->text));
      check_template(reader_, *node, "paths", git_.paths->back(), known_);
    }
  }

  void settings() {
    if (takes("max")) git_.most = int(reader_.integer("max", git_.most, 1, limits::kGitLog));
    if (takes("format")) git_.json = reader_.choice("format", {"text", "json"}, "text") == "json";
    if (takes("stat")) git_.stat = reader_.boolean("stat", false);
    if (takes("merge_base")) git_.merge_base = reader_.boolean("merge_base", false);
    if (git_.merge_base && !reader_.has("from")) reader_.fail_key("merge_base", "needs `from`, the commit whose fork is meant");
    if (takes("remove")) git_.remove = reader_.boolean("remove", false);
    if (takes("allow_empty")) git_.allow_empty = reader_.boolean("allow_empty", false);
    if (action_ == "branch") git_.force = reader_.boolean("force", false);
    if (action_ == "push") git_.force = reader_.boolean("force_with_lease", false);
  }

  TableReader& reader_;
  const KnownNames& known_;
  std::string action_;
  GitStepOptions git_;
};

}  // namespace

void read_git_tool(TableReader& reader, const KnownNames& known, StepOptions& step) { step.kind = GitToolReader(reader, known).read(); }

void refuse_git_keys(TableReader& reader) {
  for (const auto& key : kGitKeys) reader.belongs(key.name, "a step with tool = \"git\"");
  reader.belongs("repository", "a step with `tool`");
}

}  // namespace hark
