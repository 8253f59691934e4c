// How many events the router and the queue pass on in a second, with that many sources, each with a rule of its own that looks into the
// event. It must not grow with the rules that do not match.   route_rate RULES  ->  events/s
#include <nlohmann/json.hpp>

#include "bench/stamp.h"
#include "queue/run_queue.h"
#include "router/router.h"

using namespace hark;

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const int rules = std::atoi(argv[1]);
  constexpr int kEvents = 300'000;
  std::vector<Rule> list;
  for (int i = 0; i < rules; ++i) {
    Rule rule;
    rule.source = "source-" + std::to_string(i);
    rule.handlers = {"handler-" + std::to_string(i % 1000)};
    rule.where = *Filter::parse("payload.action:opened,payload.number:>" + std::to_string(i % 7));
    rule.key = Template::parse("{payload.repository}");
    list.push_back(std::move(rule));
  }
  Router router(std::move(list));
  RunQueue queue(4, 10'000);
  Now now{WallTime{std::chrono::hours(1)}, SteadyTime{std::chrono::hours(1)}};
  const std::string data = R"({"action":"opened","number":9,"repository":"a/b","sender":{"type":"User","login":"somebody"}})";
  std::uint64_t runs = 0;
  const auto begun = bench::now_ns();
  for (int i = 0; i < kEvents; ++i) {
    Event event;
    event.id = "01KAJ4X0Z7C1V0M3G8K6T5W2QR";
    event.type = "webhook";
    event.source = "source-" + std::to_string(i % rules);
    event.sequence = static_cast<std::uint64_t>(i + 1);
    event.data = *Payload::parse(data);
    const auto routed = router.route(std::make_shared<const Event>(std::move(event)), {}, now);
    for (const auto& start : routed.starts) {
      Run run;
      run.sequence = ++runs;
      run.handler = start.handler;
      run.source = start.event->source;
      run.key = start.key;
      queue.push({std::move(run), start.event}, now);
    }
    while (auto ready = queue.take(now.steady)) queue.done(ready->known->run.handler, ready->known->run.key);
  }
  if (runs != kEvents) return 1;
  std::printf("%.0f\n", kEvents / (double(bench::now_ns() - begun) / 1e9));
}
