#pragma once
/// The CFI query table of one 16-bit chip (JESD68; CFI publication 100 for the primary extension).
#include "support/bits.h"

#include <bit>

namespace tandem::devices {

/// Word `index` of the table, of which 0x10 is the first that means something. chip_size and
/// block_size are one chip's, in bytes; buffer_size is its write buffer's.
[[nodiscard]] constexpr u8 cfi_query(u32 index, u64 chip_size, u64 block_size, u64 buffer_size) {
    const u32 last_block = static_cast<u32>(chip_size / block_size) - 1;
    switch (index) {
    case 0x10: return 'Q';
    case 0x11: return 'R';
    case 0x12: return 'Y';
    case 0x13: return 0x01; // primary command set 0x0001: Intel extended
    case 0x15: return 0x31; // address of the primary extension
    case 0x1b: return 0x45; // Vcc 4.5 V
    case 0x1c: return 0x55; // to 5.5 V
    case 0x1f: return 0x07; // typical times, as powers of two: 128 us for a word,
    case 0x20: return 0x07; // 128 us for a buffer,
    case 0x21: return 0x0a; // 1 s for a block
    case 0x23: return 0x04; // maximum, as powers of two times the typical
    case 0x24: return 0x04;
    case 0x25: return 0x04;
    case 0x27: return static_cast<u8>(std::countr_zero(chip_size));
    case 0x28: return 0x01; // a 16-bit interface
    case 0x2a: return static_cast<u8>(std::countr_zero(buffer_size));
    case 0x2c: return 0x01; // one erase region:
    case 0x2d: return static_cast<u8>(last_block);
    case 0x2e: return static_cast<u8>(last_block >> 8);
    case 0x2f: return static_cast<u8>(block_size >> 8);
    case 0x30: return static_cast<u8>(block_size >> 16);
    case 0x31: return 'P';
    case 0x32: return 'R';
    case 0x33: return 'I';
    case 0x34: return '1';
    case 0x35: return '0';
    // 0x36-0x39: optional features: none but
    case 0x36: return 0x20; // instant individual block locking
    case 0x3b: return 0x01; // block status: the lock bit
    case 0x3d: return 0x50; // Vcc 5.0 V
    default: return 0;
    }
}

} // namespace tandem::devices
