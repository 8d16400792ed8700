#pragma once
/// Definitions of the integer operations of ir/opcodes.inc: constants, conversions between types,
/// arithmetic and logic. Each function is the meaning of the opcode of the same name; the table
/// describes the arguments and the immediate. Everything is constexpr and inline.
#include "ir/types.h"

namespace tandem::ir::semantics {

// --- constants and conversions ---------------------------------------------------------------
[[nodiscard]] constexpr u32 Const32(u64 imm) {
    return static_cast<u32>(imm);
}
[[nodiscard]] constexpr u64 Const64(u64 imm) {
    return imm;
}
[[nodiscard]] constexpr u32 ConstFlags(u64 imm) {
    return static_cast<u32>(imm) & kFlagMask;
}
[[nodiscard]] constexpr u32 Low32(u64 a) {
    return static_cast<u32>(a);
}
[[nodiscard]] constexpr u64 ZeroExtend32(u32 a) {
    return a;
}
[[nodiscard]] constexpr u64 SignExtend32(u32 a) {
    return static_cast<u64>(sign_extend(a, 32));
}
[[nodiscard]] constexpr u64 ZeroExtend1(bool a) {
    return a ? 1 : 0;
}
[[nodiscard]] constexpr u64 SignExtend8(u64 a) {
    return static_cast<u64>(sign_extend(a, 8));
}
[[nodiscard]] constexpr u64 SignExtend16(u64 a) {
    return static_cast<u64>(sign_extend(a, 16));
}
[[nodiscard]] constexpr u64 ZeroExtend8(u64 a) {
    return a & 0xff;
}
[[nodiscard]] constexpr u64 ZeroExtend16(u64 a) {
    return a & 0xffff;
}
[[nodiscard]] constexpr u64 FromF16(u16 a) {
    return a;
}
[[nodiscard]] constexpr u32 FromF32(u32 a) {
    return a;
}
[[nodiscard]] constexpr u64 FromF64(u64 a) {
    return a;
}
[[nodiscard]] constexpr u16 ToF16(u64 a) {
    return static_cast<u16>(a);
}
[[nodiscard]] constexpr u32 ToF32(u32 a) {
    return a;
}
[[nodiscard]] constexpr u64 ToF64(u64 a) {
    return a;
}

// --- arithmetic and logic ----------------------------------------------------------------------
[[nodiscard]] constexpr u32 Add32(u32 a, u32 b) {
    return a + b;
}
[[nodiscard]] constexpr u64 Add64(u64 a, u64 b) {
    return a + b;
}
[[nodiscard]] constexpr u32 Sub32(u32 a, u32 b) {
    return a - b;
}
[[nodiscard]] constexpr u64 Sub64(u64 a, u64 b) {
    return a - b;
}
[[nodiscard]] constexpr u32 Adc32(u32 a, u32 b, u32 flags) {
    return a + b + ((flags & kFlagC) != 0 ? 1 : 0);
}
[[nodiscard]] constexpr u64 Adc64(u64 a, u64 b, u32 flags) {
    return a + b + ((flags & kFlagC) != 0 ? 1 : 0);
}
[[nodiscard]] constexpr u32 Sbc32(u32 a, u32 b, u32 flags) {
    return Adc32(a, ~b, flags);
}
[[nodiscard]] constexpr u64 Sbc64(u64 a, u64 b, u32 flags) {
    return Adc64(a, ~b, flags);
}
[[nodiscard]] constexpr u32 And32(u32 a, u32 b) {
    return a & b;
}
[[nodiscard]] constexpr u64 And64(u64 a, u64 b) {
    return a & b;
}
[[nodiscard]] constexpr u32 Or32(u32 a, u32 b) {
    return a | b;
}
[[nodiscard]] constexpr u64 Or64(u64 a, u64 b) {
    return a | b;
}
[[nodiscard]] constexpr u32 Xor32(u32 a, u32 b) {
    return a ^ b;
}
[[nodiscard]] constexpr u64 Xor64(u64 a, u64 b) {
    return a ^ b;
}
[[nodiscard]] constexpr u32 AndNot32(u32 a, u32 b) {
    return a & ~b;
}
[[nodiscard]] constexpr u64 AndNot64(u64 a, u64 b) {
    return a & ~b;
}
[[nodiscard]] constexpr u32 Not32(u32 a) {
    return ~a;
}
[[nodiscard]] constexpr u64 Not64(u64 a) {
    return ~a;
}
[[nodiscard]] constexpr u32 Shl32(u32 a, u32 b) {
    return a << (b & 31);
}
[[nodiscard]] constexpr u64 Shl64(u64 a, u64 b) {
    return a << (b & 63);
}
[[nodiscard]] constexpr u32 Lsr32(u32 a, u32 b) {
    return a >> (b & 31);
}
[[nodiscard]] constexpr u64 Lsr64(u64 a, u64 b) {
    return a >> (b & 63);
}
[[nodiscard]] constexpr u32 Asr32(u32 a, u32 b) {
    return static_cast<u32>(static_cast<i32>(a) >> (b & 31));
}
[[nodiscard]] constexpr u64 Asr64(u64 a, u64 b) {
    return static_cast<u64>(static_cast<i64>(a) >> (b & 63));
}
[[nodiscard]] constexpr u32 Ror32(u32 a, u32 b) {
    return std::rotr(a, static_cast<int>(b & 31));
}
[[nodiscard]] constexpr u64 Ror64(u64 a, u64 b) {
    return std::rotr(a, static_cast<int>(b & 63));
}
[[nodiscard]] constexpr u32 Extract32(u64 imm, u32 a, u32 b) {
    return static_cast<u32>((u64{a} << 32 | b) >> (imm & 31));
}
[[nodiscard]] constexpr u64 Extract64(u64 imm, u64 a, u64 b) {
    return static_cast<u64>((u128{a} << 64 | b) >> (imm & 63));
}

// Bitfields: imm = lsb | width << 8 with width >= 1 and lsb + width <= the operand's width.
[[nodiscard]] constexpr u64 BitfieldInsert64(u64 imm, u64 a, u64 b) {
    const unsigned lsb = imm & 63;
    const u64 mask = ones(static_cast<unsigned>(imm >> 8) & 0xff) << lsb;
    return (a & ~mask) | ((b << lsb) & mask);
}
[[nodiscard]] constexpr u32 BitfieldInsert32(u64 imm, u32 a, u32 b) {
    return static_cast<u32>(BitfieldInsert64(imm, a, b));
}
[[nodiscard]] constexpr u64 BitfieldExtract64(u64 imm, u64 a) {
    return (a >> (imm & 63)) & ones(static_cast<unsigned>(imm >> 8) & 0xff);
}
[[nodiscard]] constexpr u32 BitfieldExtract32(u64 imm, u32 a) {
    return static_cast<u32>(BitfieldExtract64(imm, a));
}
[[nodiscard]] constexpr u64 BitfieldExtractSigned64(u64 imm, u64 a) {
    const unsigned width = static_cast<unsigned>(imm >> 8) & 0xff;
    return static_cast<u64>(sign_extend(a >> (imm & 63), width));
}
[[nodiscard]] constexpr u32 BitfieldExtractSigned32(u64 imm, u32 a) {
    return static_cast<u32>(BitfieldExtractSigned64(imm, a));
}

[[nodiscard]] constexpr u32 Mul32(u32 a, u32 b) {
    return a * b;
}
[[nodiscard]] constexpr u64 Mul64(u64 a, u64 b) {
    return a * b;
}
[[nodiscard]] constexpr u64 MulHighS64(u64 a, u64 b) {
    return static_cast<u64>((i128{static_cast<i64>(a)} * static_cast<i64>(b)) >> 64);
}
[[nodiscard]] constexpr u64 MulHighU64(u64 a, u64 b) {
    return static_cast<u64>((u128{a} * b) >> 64);
}
// Arm ARM SDIV, UDIV: division by zero gives zero; the one signed overflow gives the dividend.
[[nodiscard]] constexpr u32 DivS32(u32 a, u32 b) {
    if (b == 0) return 0;
    if (b == ~u32{0}) return u32{0} - a;
    return static_cast<u32>(static_cast<i32>(a) / static_cast<i32>(b));
}
[[nodiscard]] constexpr u64 DivS64(u64 a, u64 b) {
    if (b == 0) return 0;
    if (b == ~u64{0}) return u64{0} - a;
    return static_cast<u64>(static_cast<i64>(a) / static_cast<i64>(b));
}
[[nodiscard]] constexpr u32 DivU32(u32 a, u32 b) {
    return b == 0 ? 0 : a / b;
}
[[nodiscard]] constexpr u64 DivU64(u64 a, u64 b) {
    return b == 0 ? 0 : a / b;
}

[[nodiscard]] constexpr u32 CountLeadingZeros32(u32 a) {
    return static_cast<u32>(std::countl_zero(a));
}
[[nodiscard]] constexpr u64 CountLeadingZeros64(u64 a) {
    return static_cast<u64>(std::countl_zero(a));
}
[[nodiscard]] constexpr u32 ReverseBytes32(u32 a) {
    return __builtin_bswap32(a);
}
[[nodiscard]] constexpr u64 ReverseBytes64(u64 a) {
    return __builtin_bswap64(a);
}
[[nodiscard]] constexpr u64 ReverseBits64(u64 a) {
    a = (a >> 1 & 0x5555555555555555) | (a & 0x5555555555555555) << 1;
    a = (a >> 2 & 0x3333333333333333) | (a & 0x3333333333333333) << 2;
    a = (a >> 4 & 0x0f0f0f0f0f0f0f0f) | (a & 0x0f0f0f0f0f0f0f0f) << 4;
    return __builtin_bswap64(a);
}
[[nodiscard]] constexpr u32 ReverseBits32(u32 a) {
    return static_cast<u32>(ReverseBits64(a) >> 32);
}

// --- CRC -------------------------------------------------------------------------------------
namespace detail {

/// Remainders of every byte for a reflected polynomial.
[[nodiscard]] consteval std::array<u32, 256> crc_table(u32 polynomial) {
    std::array<u32, 256> table{};
    for (u32 i = 0; i < 256; ++i) {
        u32 value = i;
        for (int step = 0; step < 8; ++step)
            value = (value >> 1) ^ ((value & 1) != 0 ? polynomial : 0);
        table[i] = value;
    }
    return table;
}
// Arm ARM CRC32 and CRC32C: polynomials 0x04C11DB7 and 0x1EDC6F41, reflected.
inline constexpr std::array<u32, 256> kCrc32Table = crc_table(0xedb88320);
inline constexpr std::array<u32, 256> kCrc32CTable = crc_table(0x82f63b78);

[[nodiscard]] constexpr u32 crc(const std::array<u32, 256> &table, u32 accumulator, u64 data,
                                u64 bytes) {
    for (u64 i = 0; i < (bytes & 15); ++i, data >>= 8)
        accumulator = (accumulator >> 8) ^ table[(accumulator ^ data) & 0xff];
    return accumulator;
}

} // namespace detail

[[nodiscard]] constexpr u32 Crc32(u64 imm, u32 a, u64 b) {
    return detail::crc(detail::kCrc32Table, a, b, imm);
}
[[nodiscard]] constexpr u32 Crc32C(u64 imm, u32 a, u64 b) {
    return detail::crc(detail::kCrc32CTable, a, b, imm);
}

// --- selection ---------------------------------------------------------------------------------
[[nodiscard]] constexpr u32 Select32(bool condition, u32 a, u32 b) {
    return condition ? a : b;
}
[[nodiscard]] constexpr u64 Select64(bool condition, u64 a, u64 b) {
    return condition ? a : b;
}
[[nodiscard]] constexpr u32 SelectFlags(bool condition, u32 a, u32 b) {
    return condition ? a : b;
}

} // namespace tandem::ir::semantics
