#pragma once
/// Saved state of the PL011.
#include "support/bits.h"

#include <array>

namespace tandem::devices {

struct Pl011State {
    static constexpr u32 kVersion = 1;
    static constexpr u32 kFifoDepth = 16; ///< DDI 0183G: 16 in r1p4 and before (PeriphID2 0x1_)

    u32 low_power_divisor = 0, integer_divisor = 0, fraction_divisor = 0;
    u32 line_control = 0, control = 0, fifo_levels = 0;
    u32 interrupt_mask = 0, raw_interrupts = 0, dma_control = 0;
    u32 receive_status = 0; ///< UARTRSR
    bool overrun = false;   ///< the next character received carries OE
    bool timeout_armed = false;
    u64 timeout_at = 0;
    u32 receive_head = 0, receive_count = 0;
    std::array<u16, kFifoDepth> receive{}; ///< characters with their error bits <11:8>
    u32 transmit_head = 0, transmit_count = 0;
    std::array<u8, kFifoDepth> transmit{}; ///< what the back end has not taken yet

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.low_power_divisor, self.integer_divisor, self.fraction_divisor,
                self.line_control, self.control, self.fifo_levels, self.interrupt_mask,
                self.raw_interrupts, self.dma_control, self.receive_status, self.overrun,
                self.timeout_armed, self.timeout_at, self.receive_head, self.receive_count,
                self.receive, self.transmit_head, self.transmit_count, self.transmit);
    }
};

} // namespace tandem::devices
