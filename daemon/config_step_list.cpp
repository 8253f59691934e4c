// A list of steps: what each has beside its kind.
#include <algorithm>
#include <string>

#include "core/limits.h"
#include "daemon/config_mapping.h"
#include "daemon/config_show.h"

namespace hark {
namespace {

constexpr Duration kLeastStepTimeout = std::chrono::milliseconds(1);

class StepListReader {
 public:
  StepListReader(TableReader& outer, const std::string& key, const std::string& heading, const MappingContext& context, std::optional<Duration> within)
      : outer_(outer), key_(key), heading_(heading), context_(context), within_(within) {}

  std::vector<StepOptions> read(KnownNames& known) {
    std::vector<StepOptions> steps;
    const ConfigNode* list = outer_.any(key_);
    if (list == nullptr) return steps;
    const auto tables = outer_.tables(key_);
    if (list->is(ConfigNode::Kind::array) && list->items.empty()) {
      outer_.fail(*list, key_, "expected at least one step, found an empty array");
    }
    if (tables.size() > limits::kStepsPerHandler) {
      outer_.fail(*list, key_, "more than " + std::to_string(limits::kStepsPerHandler) + " steps");
      return steps;
    }
    const auto before = known;  // steps that run at once do not know each other
    for (std::size_t i = 0; i < tables.size(); ++i) {
      steps.push_back(step(*tables[i], i, known, key_ == "parallel" ? before : known));
      known.steps.push_back(steps.back().name);
    }
    return steps;
  }

 private:
  StepOptions step(const ConfigNode& table, std::size_t index, KnownNames& known, KnownNames own) {
    TableReader reader(table, item_path(outer_.path().empty() ? key_ : outer_.path() + "." + key_, table, index), "[[" + heading_ + "]]", context_.report);
    refuse_later_step_keys(reader);
    StepOptions step;
    step.name = name(reader, index, known.steps);
    if (!has_step_kind(reader)) {
      reader.fail_table("needs something to do: `run`, `http`, `prompt`, `tool`, `set`, `publish`, `wait`, `recipe` or `parallel`");
    }
    read_foreach(reader, own, step);
    read_step_kind(reader, context_, own, step);
    if (const auto* set = std::get_if<SetStepOptions>(&step.kind)) {
      for (const auto& [name, value] : set->values) known.vars.push_back(name);
    }
    const bool group = reader.has("recipe") || reader.has("parallel");
    const bool wait = reader.has("wait");
    if (group) {
      reader.belongs("retry", "the steps within");
    } else if (wait) {
      reader.belongs("retry", "a step that acts: a wait has its `timeout`");
    } else {
      read_retry(reader, step.retry);
    }
    flag(reader, "continue_on_error", step.continue_on_error);
    if (key_ == "gates") {
      reader.belongs("always", "`steps` or `delivery`");
    } else if (wait) {
      reader.belongs("always", "a step that acts: a run that has failed does not wait");
    } else {
      flag(reader, "always", step.always);
    }
    if (const auto timeout = reader.duration("timeout", kLeastStepTimeout)) {
      step.timeout = timeout;
      reader.show_text("timeout", *reader.any("timeout"));
      if (within_ && *timeout > *within_ && !wait) {
        reader.warn(reader.any("timeout")->place, "timeout", "is longer than the handler's, which ends the step first");
      }
    }
    reader.finish();
    if (reader.has("parallel")) read_parallel(reader, heading_ + ".parallel", context_, known, step);
    return step;
  }

  static void flag(TableReader& reader, std::string_view key, bool& flag) {
    const auto said = reader.boolean(key);
    if (!said) return;
    flag = *said;
    reader.show(key, flag ? "true" : "false", reader.any(key));
  }

  std::string name(TableReader& reader, std::size_t index, const std::vector<std::string>& earlier) {
    const auto taken = [&](const std::string& name) { return std::find(earlier.begin(), earlier.end(), name) != earlier.end(); };
    const ConfigNode* node = reader.text("name");
    if (node == nullptr) {
      const std::string name = (key_ == "gates" ? "gate" : key_ == "delivery" ? "delivery" : key_ == "parallel" ? "parallel" : "step") + std::to_string(index + 1);
      reader.show("name", toml_string(name), nullptr);
      if (taken(name)) reader.fail_table("would be called `" + name + "`, as an earlier step is; give it a `name`");
      return name;
    }
    reader.show_text("name", *node);
    if (!is_word(node->text, "-") || node->text.size() > limits::kNameLength) {
      reader.fail(*node, "name", "expected a name of letters, digits, `_` and `-` that begins with a letter or `_`, found " + shown(*node));
    } else if (taken(node->text)) {
      reader.fail(*node, "name", "a second step of this name");
    }
    return node->text;
  }

  TableReader& outer_;
  const std::string& key_;
  const std::string& heading_;
  const MappingContext& context_;
  std::optional<Duration> within_;
};

}  // namespace

bool is_word(std::string_view text, std::string_view further) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && letter(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || further.find(c) != std::string_view::npos;
  });
}

// A step's keys of the contract, not of this version.
void refuse_later_step_keys(TableReader& reader) {
  reader.not_yet({"since", "message"});
}

bool has_step_kind(const TableReader& reader) {
  return reader.has("run") || reader.has("http") || reader.has("tool") || reader.has("prompt") || reader.has("set") || reader.has("parallel") || reader.has("publish") || reader.has("wait") || reader.has("recipe");
}

std::vector<StepOptions> read_step_list(TableReader& outer, const std::string& key, const std::string& heading, const MappingContext& context,
                                        std::optional<Duration> within, KnownNames& known) {
  return StepListReader(outer, key, heading, context, within).read(known);
}

}  // namespace hark
