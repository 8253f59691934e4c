// Slots: the right to run, under the daemon's cap and each handler's. A slot is a move-only token that gives itself back when it is
// destroyed, so that no path can leak one. Loop thread only.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

namespace hark {

class Slots;

class Slot {
 public:
  Slot() = default;  // holds nothing
  Slot(Slot&&) noexcept = default;
  Slot& operator=(Slot&& other) noexcept;
  ~Slot() { release(); }

 private:
  friend class Slots;
  struct Counts {
    int running = 0;
    std::map<std::string, int> by_handler;
    std::map<std::string, int> by_key;  // of by_handler, those that the handler's cap does not bound
  };
  Slot(std::shared_ptr<Counts> counts, std::string handler, bool by_key)
      : counts_(std::move(counts)), handler_(std::move(handler)), by_key_(by_key) {}
  void release();

  std::shared_ptr<Counts> counts_;  // null: holds nothing
  std::string handler_;
  bool by_key_ = false;
};

class Slots {
 public:
  explicit Slots(int cap) : cap_(cap) {}

  void set_cap(int cap) { cap_ = cap; }
  void set_handler_caps(std::map<std::string, int> caps) { handler_caps_ = std::move(caps); }  // 0, or none: only the daemon's
  int handler_cap(const std::string& handler) const;

  // `by_key`: the handler's cap is one of each key, which somebody else counts.
  bool free(const std::string& handler, bool by_key) const;
  bool any_free() const { return counts_->running < cap_; }
  Slot take(const std::string& handler, bool by_key);  // free() said so

  int running() const { return counts_->running; }
  int running(const std::string& handler) const;

 private:
  int cap_;
  std::map<std::string, int> handler_caps_;
  std::shared_ptr<Slot::Counts> counts_ = std::make_shared<Slot::Counts>();
};

}  // namespace hark
