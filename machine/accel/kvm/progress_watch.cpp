#include "machine/accel/kvm/progress_watch.h"

#include "machine/accel/kvm/kvm_host.h"

#include <fmt/format.h>

namespace tandem::machine {

ProgressWatch::ProgressWatch(devices::Clock &clock, std::function<u64()> exits,
                             std::function<void(const std::string &)> tell)
    : exits_(std::move(exits)), tell_(std::move(tell)), timer_(clock.create_timer(*this)) {
    timer_->arm(clock.now_ns() + kPatienceNs);
}

ProgressWatch::~ProgressWatch() {
    timer_.reset();
}

void ProgressWatch::timer_expired() {
    if (exits_() != 0) return;
    tell_(fmt::format("{}: the guest has not been heard of for {} s: this KVM may be paravirtual "
                      "itself, as in many clouds; run the guest on a host with real "
                      "virtualisation, or wait",
                      KvmHost::kDevice, kPatienceNs / 1'000'000'000));
}

} // namespace tandem::machine
