#pragma once
/// PL031 real time clock (DDI 0224C): seconds since 1970, with an alarm.
#include "devices/core/clock.h"
#include "devices/core/irq_line.h"
#include "devices/core/word_device.h"

#include <mutex>

namespace tandem::devices {

struct Pl031State {
    static constexpr u32 kVersion = 1;

    u32 load = 0;           ///< RTCLR, as last written
    u32 match = 0;          ///< RTCMR
    u32 offset = 0;         ///< RTCDR minus the calendar, modulo 2^32
    bool masked_in = false; ///< RTCIMSC
    bool raised = false;    ///< RTCRIS
    bool armed = false;     ///< an alarm is due
    u64 alarm_at = 0;       ///< Clock time of the alarm

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.load, self.match, self.offset, self.masked_in, self.raised, self.armed,
                self.alarm_at);
    }
};

class Pl031 final : public WordDevice, private TimerListener {
public:
    Pl031(Clock &, IrqLine);

    [[nodiscard]] std::string_view name() const override { return "pl031"; }
    [[nodiscard]] u64 size() const override { return 0x1000; }
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;
    void describe(FdtNode &parent, const FdtPlacement &) const override;

private:
    u32 read_word(u32 offset) override;
    void write_word(u32 offset, u32 value) override;
    void timer_expired() override;

    [[nodiscard]] u32 now() const;
    void arm_alarm();
    void update_interrupt();

    Clock &clock_;
    mutable std::mutex mutex_;
    IrqLine irq_;
    Pl031State state_;
    std::unique_ptr<Timer> alarm_;
};

} // namespace tandem::devices
