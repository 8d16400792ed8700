#pragma once
/// Where the shared stubs of a code cache are. Private to the baseline tier.
#include "jit/baseline/compiler.h"

namespace tandem::jit {

/// Constants that translated code reads, 16-byte aligned, relative to its own address.
struct alignas(16) RuntimeConstants {
    using Lanes = std::array<u64, 2>;
    static constexpr Lanes both(u64 value) { return {value, value}; }

    Lanes abs32 = both(0x7fff'ffff'7fff'ffff);
    Lanes abs64 = both(0x7fff'ffff'ffff'ffff);
    Lanes sign32 = both(0x8000'0000'8000'0000);
    Lanes sign64 = both(0x8000'0000'0000'0000);
    Lanes min_normal32 = both(0x0080'0000'0080'0000);
    Lanes min_normal64 = both(0x0010'0000'0000'0000);
    Lanes half32 = both(0x3f00'0000'3f00'0000);
    Lanes half64 = both(0x3fe0'0000'0000'0000);
    Lanes one32 = both(0x3f80'0000'3f80'0000);
    Lanes one64 = both(0x3ff0'0000'0000'0000);
    Lanes bytes_01 = both(0x0101'0101'0101'0101);
    Lanes bytes_0f = both(0x0f0f'0f0f'0f0f'0f0f);
    Lanes words_01 = both(0x0001'0001'0001'0001);
    Lanes words_80 = both(0x8000'8000'8000'8000);
    Lanes words_00ff = both(0x00ff'00ff'00ff'00ff);
    Lanes dwords_ffff = both(0x0000'ffff'0000'ffff);
    Lanes table_limit = both(0x7070'7070'7070'7070);
    Lanes popcount_nibbles = {0x0302'0201'0201'0100, 0x0403'0302'0302'0201};
    Lanes reverse_low_nibbles = {0xe060'a020'c040'8000, 0xf070'b030'd050'9010};
    Lanes reverse_high_nibbles = {0x0e06'0a02'0c04'0800, 0x0f07'0b03'0d05'0901};
    Lanes reverse16_8 = {0x0607'0405'0203'0001, 0x0e0f'0c0d'0a0b'0809};
    Lanes reverse32_8 = {0x0405'0607'0001'0203, 0x0c0d'0e0f'0809'0a0b};
    Lanes reverse64_8 = {0x0001'0203'0405'0607, 0x0809'0a0b'0c0d'0e0f};
    /// Reflected: the lower 64 bits of x^96 / P, and P, for P the polynomial of CRC-32.
    Lanes crc32 = {0xb4e5'b025'f701'1641, 0x1'db71'0641};
    Lanes even_bytes = {0x0e0c'0a08'0604'0200, 0x8080'8080'8080'8080};
    Lanes even_words = {0x0d0c'0908'0504'0100, 0x8080'8080'8080'8080};
};

/// Offsets within the runtime's window.
struct Runtime::Stubs {
    u32 enter = 0;
    u32 constants = 0; ///< a RuntimeConstants
    /// Leaves for the dispatcher, target known: eax = signed offset from pc_page, rcx = owner,
    /// rdx = link.
    u32 exit_direct = 0;
    /// Leaves for the dispatcher; rax is the target.
    u32 exit_rax = 0;
    /// Leaves for the dispatcher; ExecContext::pc is set.
    u32 exit_pc_set = 0;
    /// Called with Frame::opcode, args, imm and insn set: does a memory operation through
    /// MemoryAccess. Changes rax, rcx and, unless it leaves the block, nothing else but
    /// Frame::result. [1] preserves the xmm registers too.
    std::array<u32, 2> memory{};
    /// Called with Frame::opcode, args and imm set: calls the operation's thunk. Preserves
    /// likewise.
    std::array<u32, 2> thunk{};
    /// Called with rax = helper, rsi, rdx, rcx, r8, r9 = its arguments, Frame::insn set: makes all
    /// guest state visible to it, calls it, and if [1] leaves the block when it wants that.
    /// Result in rax; preserves no value but the pinned registers.
    std::array<u32, 2> helper{};
};

} // namespace tandem::jit
