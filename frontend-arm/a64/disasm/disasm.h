#pragma once
/// Guest code as people read it.
#include "support/bits.h"

#include <string>

namespace tandem::arm::a64 {

/// The instruction in assembler syntax, or ".word 0x..." if it is unknown. Any thread.
[[nodiscard]] std::string disassemble(u32 word, u64 address);

} // namespace tandem::arm::a64
