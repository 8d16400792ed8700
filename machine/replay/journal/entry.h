#pragma once
/// What a recording has besides its manifest: everything that entered the machine, and what the
/// machine was like now and then, in the order in which it happened.
#include "machine/replay/port_id.h"
#include "support/bits.h"

#include <span>
#include <string>
#include <variant>

namespace tandem::machine::replay {

/// What a run looks like; equal for equal runs.
struct RunHash {
    u64 instructions = 0; ///< executed by all CPUs
    u64 state = 0;        ///< of registers, devices and memory
    u64 outputs = 0;      ///< of everything the machine has sent
    friend bool operator==(const RunHash &, const RunHash &) = default;
};

/// Why a recording has no more entries.
enum class RunEnd : u8 {
    Guest, ///< it powered off, or reset and was not to
    Host,  ///< it was stopped
};

struct InputEntry {
    PortId port{};
    std::span<const std::byte> bytes; ///< valid until the reader advances
};
/// What a machine is like at one moment.
struct CheckEntry {
    u64 devices = 0; ///< of registers and devices, and of everything the machine has sent
    u64 memory = 0;  ///< of RAM and flash
    friend bool operator==(const CheckEntry &, const CheckEntry &) = default;
};
struct EndEntry {
    RunEnd reason{};
    RunHash hash;
};
inline constexpr std::size_t kPageBytes = 4096;
/// What a memory holds where the recording begins: RAM is the first one, then flash, then disks'
/// overlays.
struct PageEntry {
    u32 memory = 0;
    u64 index = 0;
    std::span<const std::byte> bytes; ///< kPageBytes of them, valid as those of inputs are
};
/// A piece of all other state there.
struct StateEntry {
    bool is_last = false;
    std::span<const std::byte> bytes; ///< likewise
};
/// The file ends before the recording does.
struct CutEntry {
    std::string reason;
};

struct Entry {
    u64 moment = 0; ///< guest time in nanoseconds
    std::variant<InputEntry, CheckEntry, EndEntry, CutEntry, PageEntry, StateEntry> what;
};

} // namespace tandem::machine::replay
