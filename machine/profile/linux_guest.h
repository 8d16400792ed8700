#pragma once
/// What a profiler learns of a Linux kernel from the guest's memory alone: its symbols, and where
/// in a task's structure its name is. Other guests have neither, and nothing is missed.
#include "machine/debug/symbols.h"
#include "machine/memory/guest_memory.h"
#include "machine/profile/sample.h"

#include <atomic>

namespace tandem::machine::profile {

class LinuxGuest {
public:
    /// The memory outlives it.
    explicit LinuxGuest(const GuestMemory &memory) : memory_(memory) {}

    /// Looks for what is not known yet, with growing intervals. True: there are symbols now that
    /// there were not before.
    bool learn_from(const Sample &);
    /// Empty while not found.
    [[nodiscard]] const Symbols &symbols() const { return symbols_; }
    [[nodiscard]] bool has_symbols() const { return has_symbols_; }
    /// Any thread: of the name in a task's structure; 0 while not known.
    [[nodiscard]] u32 name_offset() const { return name_offset_.load(std::memory_order_relaxed); }

private:
    bool find_symbols(const Sample &);
    void find_name_offset(const Sample &);

    const GuestMemory &memory_;
    Symbols symbols_;
    bool has_symbols_ = false;
    u32 samples_ = 0;      ///< since the last attempt
    u32 next_attempt_ = 0; ///< after so many
    std::atomic<u32> name_offset_ = 0;
};

} // namespace tandem::machine::profile
