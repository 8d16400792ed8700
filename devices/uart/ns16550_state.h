#pragma once
/// Saved state of the NS16550A.
#include "support/bits.h"

#include <array>

namespace tandem::devices {

struct Ns16550State {
    static constexpr u32 kVersion = 1;
    static constexpr u32 kFifoDepth = 16;

    u8 interrupt_enable = 0, fifo_control = 0, line_control = 0, modem_control = 0, scratch = 0;
    u16 divisor = 12;       ///< 9600 baud
    u8 modem_changes = 0;   ///< MSR<3:0>
    bool overrun = false;   ///< LSR.OE
    bool sent = false;      ///< the interrupt of an empty transmitter, not taken yet
    bool timed_out = false; ///< that of characters below the trigger level
    bool timeout_armed = false;
    u64 timeout_at = 0;
    u32 receive_head = 0, receive_count = 0;
    std::array<u8, kFifoDepth> receive{};
    u32 transmit_head = 0, transmit_count = 0;
    std::array<u8, kFifoDepth> transmit{}; ///< what the back end has not taken yet

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.interrupt_enable, self.fifo_control, self.line_control, self.modem_control,
                self.scratch, self.divisor, self.modem_changes, self.overrun, self.sent,
                self.timed_out, self.timeout_armed, self.timeout_at, self.receive_head,
                self.receive_count, self.receive, self.transmit_head, self.transmit_count,
                self.transmit);
    }
};

} // namespace tandem::devices
