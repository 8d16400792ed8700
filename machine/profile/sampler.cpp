#include "machine/profile/sampler.h"

#include <csignal>
#include <ctime>
#include <ucontext.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tandem::machine::profile {
namespace {

u64 nanoseconds(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return static_cast<u64>(time.tv_sec) * 1'000'000'000 + static_cast<u64>(time.tv_nsec);
}
u64 cpu_time() {
    return nanoseconds(CLOCK_THREAD_CPUTIME_ID);
}

} // namespace

/// One sampled thread. The handler fills the ring, whoever has the sampler's mutex empties it.
struct Sampler::Slot {
    static constexpr u32 kRing = 64;

    Slot() { ::pthread_getcpuclockid(thread, &clock); }

    pthread_t thread = ::pthread_self();
    clockid_t clock{}; ///< its CPU time, for other threads
    std::atomic<const SampledCpu *> cpu = nullptr;
    std::atomic<bool> is_idle = false;
    std::atomic<u64> sampled_until = cpu_time(); ///< of the thread's CPU time; its own
    std::atomic<u64> idle_ns = 0, taken = 0, deferred = 0;
    std::atomic<u32> head = 0, tail = 0; ///< filled by the handler, emptied by others
    std::array<Sample, kRing> ring;

    /// Async-signal-safe.
    void take(const HostRegisters &registers) noexcept {
        if (is_idle.load(std::memory_order_relaxed)) return;
        const u32 at = head.load(std::memory_order_relaxed);
        if (at - tail.load(std::memory_order_acquire) == kRing) {
            deferred.store(deferred.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
            return;
        }
        const u64 now = cpu_time();
        Sample &sample = ring[at % kRing];
        sample.has_guest = false;
        sample.activity = jit::Activity::Outside;
        sample.weight = now - sampled_until.load(std::memory_order_relaxed);
        sampled_until.store(now, std::memory_order_relaxed);
        if (const SampledCpu *current = cpu.load(std::memory_order_relaxed); current != nullptr)
            current->capture(registers, sample);
        taken.store(taken.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        head.store(at + 1, std::memory_order_release);
    }
};

namespace {

constexpr int kSignal = SIGPROF;
thread_local std::atomic<Sampler::Slot *> current_slot = nullptr;

void on_signal(int, siginfo_t *, void *context) {
    const int error = errno;
    const auto &registers = static_cast<const ucontext_t *>(context)->uc_mcontext.gregs;
    if (Sampler::Slot *slot = current_slot.load(std::memory_order_relaxed); slot != nullptr)
        slot->take({reinterpret_cast<const void *>(registers[REG_RIP]),
                    reinterpret_cast<const void *>(registers[REG_RSP])});
    errno = error;
}

} // namespace

Sampler::Sampler(unsigned rate_hz, Sink sink)
    : interval_ns_(1'000'000'000 / rate_hz), sink_(std::move(sink)) {
    // It stays: a signal may still be on its way when the sampler is gone.
    struct sigaction action = {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(kSignal, &action, nullptr);
    thread_ = std::thread([this] { work(); });
}

Sampler::~Sampler() {
    stopping_ = true;
    thread_.join();
}

void Sampler::work() {
    timespec next{};
    ::clock_gettime(CLOCK_MONOTONIC, &next);
    while (!stopping_) {
        const u64 sum = static_cast<u64>(next.tv_nsec) + interval_ns_;
        next.tv_sec += static_cast<time_t>(sum / 1'000'000'000);
        next.tv_nsec = static_cast<long>(sum % 1'000'000'000);
        while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, nullptr) == EINTR) {
        }
        // What was missed is not made up for: samples weigh what they stand for.
        timespec now{};
        ::clock_gettime(CLOCK_MONOTONIC, &now);
        if (std::pair(now.tv_sec, now.tv_nsec) > std::pair(next.tv_sec, next.tv_nsec)) next = now;
        const std::lock_guard lock(mutex_);
        for (const auto &slot : slots_) {
            drain(*slot);
            // One that has hardly run, as on a busy host, has nothing new to say.
            const bool has_run =
                nanoseconds(slot->clock) >=
                slot->sampled_until.load(std::memory_order_relaxed) + interval_ns_ / 2;
            if (has_run && !slot->is_idle.load(std::memory_order_relaxed))
                ::pthread_kill(slot->thread, kSignal);
        }
    }
}

void Sampler::drain(Slot &slot) {
    const u32 head = slot.head.load(std::memory_order_acquire);
    for (u32 at = slot.tail.load(std::memory_order_relaxed); at != head; ++at) {
        if (slot.ring[at % Slot::kRing].weight != 0) sink_(slot.ring[at % Slot::kRing]);
        slot.tail.store(at + 1, std::memory_order_release);
    }
}

Sampler::Totals Sampler::totals() const {
    const std::lock_guard lock(mutex_);
    Totals sum = totals_;
    for (const auto &slot : slots_) {
        sum.idle_ns += slot->idle_ns;
        sum.taken += slot->taken;
        sum.deferred += slot->deferred;
    }
    return sum;
}

Sampler::ThreadScope::ThreadScope(Sampler *sampler) : sampler_(sampler) {
    if (sampler_ == nullptr) return;
    const std::lock_guard lock(sampler_->mutex_);
    current_slot = sampler_->slots_.emplace_back(std::make_unique<Slot>()).get();
}

Sampler::ThreadScope::~ThreadScope() {
    if (sampler_ == nullptr) return;
    Slot *slot = current_slot.exchange(nullptr);
    const std::lock_guard lock(sampler_->mutex_);
    sampler_->drain(*slot);
    sampler_->totals_.idle_ns += slot->idle_ns;
    sampler_->totals_.taken += slot->taken;
    sampler_->totals_.deferred += slot->deferred;
    std::erase_if(sampler_->slots_, [&](const auto &each) { return each.get() == slot; });
}

Sampler::CpuScope::CpuScope(const SampledCpu *cpu) : slot_(current_slot) {
    if (slot_ != nullptr) slot_->cpu.store(cpu, std::memory_order_relaxed);
}

Sampler::CpuScope::~CpuScope() {
    if (slot_ != nullptr) slot_->cpu.store(nullptr, std::memory_order_relaxed);
}

Sampler::IdleScope::IdleScope() : slot_(current_slot) {
    if (slot_ == nullptr) return;
    began_ = nanoseconds(CLOCK_MONOTONIC);
    slot_->is_idle.store(true, std::memory_order_relaxed);
    unsampled_ = cpu_time() - slot_->sampled_until.load(std::memory_order_relaxed);
}

Sampler::IdleScope::~IdleScope() {
    if (slot_ == nullptr) return;
    slot_->sampled_until.store(cpu_time() - unsampled_, std::memory_order_relaxed);
    slot_->is_idle.store(false, std::memory_order_relaxed);
    slot_->idle_ns.fetch_add(nanoseconds(CLOCK_MONOTONIC) - began_, std::memory_order_relaxed);
}

} // namespace tandem::machine::profile
