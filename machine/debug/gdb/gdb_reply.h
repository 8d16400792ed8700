#pragma once
/// Answers that several packets have, and numbers of the protocol.
#include "support/bits.h"

#include <string>
#include <string_view>

namespace tandem::machine::gdb {

inline constexpr std::string_view kOk = "OK";
// errno's numbers, as the stubs of others use them.
inline constexpr std::string_view kBadAddress = "E14", kBadArgument = "E22", kTooMany = "E28",
                                  kNoSuchThread = "E03";

/// An error with words, which gdb shows.
[[nodiscard]] inline std::string error_text(std::string_view words) {
    return "E." + std::string{words};
}

// Signals of gdb's own numbering.
inline constexpr unsigned kSigInt = 2, kSigTrap = 5;

/// QEMU's `maintenance packet qqemu.sstep`: what a step does without.
inline constexpr u64 kStepNoInterrupts = 2, kStepNoTimers = 4, kStepDefault = 7;

} // namespace tandem::machine::gdb
