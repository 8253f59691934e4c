// [signals]: which events of the bus steer sessions, and how.
#include <algorithm>
#include <string>

#include "core/event_name.h"
#include "core/limits.h"
#include "core/printable.h"
#include "daemon/config_mapping.h"
#include "daemon/config_show.h"

namespace hark {

void read_signals(const ConfigNode& signals, MappingContext& context) {
  TableReader outer(signals, "signals", "[signals]", context.report);
  for (const ConfigEntry& entry : signals.entries) {
    SignalOptions signal;
    signal.type = entry.key;
    if (const auto fits = check_event_word(entry.key, "the type of an event"); !fits) outer.fail_key(entry.key, fits.error().message);
    const auto choose = [&](TableReader& reader, const std::string& key) {
      const ConfigNode* node = reader.text(key);
      if (node == nullptr) return;
      reader.show_text(key, *node);
      signal.action = node->text;
      const auto known = signal_actions();
      if (make_signal(signal) == nullptr) reader.fail(*node, key, "expected " + enumerated(known, "or") + ", found " + shown(*node) + suggestion(node->text, known));
    };
    if (entry.value.is(ConfigNode::Kind::table)) {
      const ConfigNode* table = outer.table(entry.key);
      auto reader = outer.within(*table, entry.key);
      choose(reader, "action");
      if (!reader.has("action")) reader.fail_table("`" + entry.key + "` needs `action`: " + enumerated(signal_actions(), "or"));
      if (signal.action == "retry") {
        signal.attempts = static_cast<int>(reader.integer("attempts", 3, 1, limits::kAttempts));
      } else {
        reader.belongs("attempts", "a signal with `action = \"retry\"`");
      }
      if (escalates(signal.action)) {
        if (const ConfigNode* handler = reader.text("escalate")) {
          reader.show_text("escalate", *handler);
          signal.escalate = handler->text;
          const auto& names = context.handler_names;
          if (std::find(names.begin(), names.end(), handler->text) == names.end()) {
            reader.fail(*handler, "escalate", "there is no handler " + shown(*handler) + suggestion(handler->text, names));
          }
        }
      } else {
        reader.belongs("escalate", "a signal with `action = \"pause\"` or `action = \"retry\"`");
      }
      reader.finish();
    } else {
      choose(outer, entry.key);
    }
    context.settings.signals.push_back(std::move(signal));
  }
}

}  // namespace hark
