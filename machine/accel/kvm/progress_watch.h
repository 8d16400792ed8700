#pragma once
/// Notices a guest that has not been heard of since it was started: a KVM that is paravirtual
/// itself emulates a stock kernel's first instructions one by one, which takes minutes, or gets
/// stuck in them, and says nothing.
#include "devices/core/clock.h"
#include "support/bits.h"

#include <functional>
#include <memory>
#include <string>

namespace tandem::machine {

class ProgressWatch final : private devices::TimerListener {
public:
    static constexpr u64 kPatienceNs = 10'000'000'000; ///< kernels speak to some device long before

    /// `exits` says how often the guest has been heard of, `tell` gets one line, at most once; both
    /// on a thread of the clock's.
    ProgressWatch(devices::Clock &, std::function<u64()> exits,
                  std::function<void(const std::string &)> tell);
    ~ProgressWatch() override;

private:
    void timer_expired() override;

    const std::function<u64()> exits_;
    const std::function<void(const std::string &)> tell_;
    std::unique_ptr<devices::Timer> timer_; ///< last: uses everything above
};

} // namespace tandem::machine
