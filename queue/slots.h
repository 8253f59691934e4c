// Slots: the right to run, under the daemon's cap and each handler's. A slot is a move-only token that gives itself back when it is
// destroyed, so that no path can leak one. Loop thread only.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace hark {

class Slots;

class Slot {
 public:
  Slot() = default;
  Slot(Slot&&) noexcept = default;
  Slot& operator=(Slot&& other) noexcept;
  ~Slot() { release(); }

 private:
  friend class Slots;
  struct Counts {
    int running = 0;
    std::map<std::string, int> by_handler;
  };
  Slot(std::shared_ptr<Counts> counts, std::string handler) : counts_(std::move(counts)), handler_(std::move(handler)) {}
  void release();

  std::shared_ptr<Counts> counts_;  // null: holds nothing
  std::string handler_;
};

class Slots {
 public:
  explicit Slots(int cap) : cap_(cap) {}

  void set_cap(int cap) { cap_ = cap; }
  void set_handler_cap(const std::string& handler, int cap);  // 0: only the daemon's

  bool free(const std::string& handler) const;
  bool any_free() const { return counts_->running < cap_; }
  std::optional<Slot> take(const std::string& handler);

  int running() const { return counts_->running; }
  int running(const std::string& handler) const;

 private:
  int cap_;
  std::map<std::string, int> handler_caps_;
  std::shared_ptr<Slot::Counts> counts_ = std::make_shared<Slot::Counts>();
};

}  // namespace hark
