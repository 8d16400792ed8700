#pragma once
/// Turns samples into a profile: names addresses and processes, and adds up.
#include "machine/profile/linux_guest.h"
#include "machine/profile/profile.h"

#include <optional>

namespace tandem::machine::profile {

class Collector {
public:
    /// `files` are the symbols that the user has given; they and the memory outlive it.
    Collector(const Symbols &files, const GuestMemory &memory, Profile &profile)
        : files_(files), guest_(memory), profile_(profile) {}

    /// Samples wait until a Linux kernel's symbols are found, but not for ever.
    void add(const Sample &);
    /// No more samples come: none waits any more.
    void finish();

    [[nodiscard]] const LinuxGuest &guest() const { return guest_; }

private:
    static constexpr std::size_t kMaxWaiting = 8000;

    /// A sample with as many frames as it has.
    struct Waiting {
        Sample head;
        std::vector<u64> frames;
    };
    struct Function {
        u32 name = 0;
        u64 begin = 0; ///< its address; of code without a name, of the code itself
        bool is_known = false;
    };

    void settle_waiting();
    void resolve(const Sample &, std::span<const u64> frames);
    [[nodiscard]] Function function_at(u64 address, bool is_kernel);
    [[nodiscard]] u32 process_of(const Sample &, bool came_from_user);

    const Symbols &files_;
    LinuxGuest guest_;
    Profile &profile_;
    std::vector<Waiting> waiting_;
    bool waits_ = true;
    std::unordered_map<u64, Function> functions_; ///< by address
    std::unordered_map<u64, u32> processes_;      ///< names by address space
};

} // namespace tandem::machine::profile
