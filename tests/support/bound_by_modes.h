// While one lives, what a file's mode forbids its owner is forbidden: root is let in everywhere otherwise. For this thread, and threads
// that it starts meanwhile (capabilities(7)).
#pragma once

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

namespace hark::test {

class BoundByModes {
 public:
  BoundByModes() {
    if (syscall(SYS_capget, &header_, before_.data()) != 0) throw std::runtime_error("capget");
    auto bound = before_;
    bound[0].effective &= ~(1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH);
    if (syscall(SYS_capset, &header_, bound.data()) != 0) throw std::runtime_error("capset");
  }
  ~BoundByModes() { syscall(SYS_capset, &header_, before_.data()); }
  BoundByModes(const BoundByModes&) = delete;
  BoundByModes& operator=(const BoundByModes&) = delete;

 private:
  __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> before_{};
};

}  // namespace hark::test
