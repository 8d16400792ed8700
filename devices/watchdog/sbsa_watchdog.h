#pragma once
/// Generic watchdog (Arm DEN0094, appendix A): unless it is refreshed in time its first signal,
/// WS0, interrupts the guest; after the same time again its second one, WS1, goes to whoever can
/// mend the guest from outside.
#include "devices/core/clock.h"
#include "devices/core/irq_line.h"
#include "devices/core/word_device.h"

#include <functional>
#include <mutex>

namespace tandem::devices {

struct SbsaWatchdogState {
    static constexpr u32 kVersion = 1;

    bool is_enabled = false;
    bool first_signal = false;  ///< WS0
    bool second_signal = false; ///< WS1
    u64 offset = 0;             ///< WOR, 48 bits
    u64 compare = 0;            ///< WCV

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.is_enabled, self.first_signal, self.second_signal, self.offset, self.compare);
    }
};

class SbsaWatchdog final : public WordDevice, private TimerListener {
public:
    static constexpr u64 kFrameSize = 0x1000;
    static constexpr u64 kRefreshFrame = 0, kControlFrame = kFrameSize;

    /// The system counter counts the clock's nanoseconds. `expired` is called at WS1, on a thread
    /// of the clock's, with no lock held.
    SbsaWatchdog(Clock &, IrqLine, std::function<void()> expired);

    [[nodiscard]] std::string_view name() const override { return "sbsa_watchdog"; }
    [[nodiscard]] u64 size() const override { return 2 * kFrameSize; }
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;
    void describe(FdtNode &parent, const FdtPlacement &) const override;

private:
    u32 read_word(u32 offset) override;
    void write_word(u32 offset, u32 value) override;
    void timer_expired() override;

    /// The guest has shown that it is alive.
    void refresh();
    void set_offset(u64 offset);
    void arm_timer();

    Clock &clock_;
    const std::function<void()> expired_;
    mutable std::mutex mutex_;
    IrqLine irq_;
    SbsaWatchdogState state_;
    std::unique_ptr<Timer> timer_;
};

} // namespace tandem::devices
