#pragma once
/// Where things lie in the first mebibyte of an x86-64 machine's RAM before the kernel takes it
/// over, and what the rest of the address space is.
#include "support/bits.h"

namespace tandem::machine::x86 {

inline constexpr u64 kDescriptors = 0x500;  ///< of segments
inline constexpr u64 kStartInfoAt = 0x6000; ///< hvm_start_info
inline constexpr u64 kBootParamsAt = 0x7000;
inline constexpr u64 kPageTables = 0x9000, kPageTablesEnd = 0xf000;
inline constexpr u64 kSetupData = 0x1'0000;
inline constexpr u64 kCommandLine = 0x2'0000, kMaxCommandLine = 0x1'0000;
inline constexpr u64 kLowEnd = 0x9'fc00; ///< of memory that PCs have below 640 KiB
inline constexpr u64 kTables = 0xe'0000, kTablesEnd = 0xf'0000; ///< ACPI; where guests look
inline constexpr u64 kResetVector = 0xf'fff0; ///< where real mode enters a BIOS, F000:FFF0
inline constexpr u64 kHighStart = 0x10'0000;  ///< kernels are above

/// RAM ends there and goes on at 4 GiB; between them are devices.
inline constexpr u64 kHoleStart = 0xc000'0000, kHoleEnd = 0x1'0000'0000;

} // namespace tandem::machine::x86
