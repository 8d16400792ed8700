#pragma once
/// The paravirtual panic device (QEMU's docs/specs/pvpanic) as a PCI function: one register, by
/// which a guest that panics says so.
#include "devices/core/clock.h"
#include "devices/pcie/pci_function.h"

#include <functional>

namespace tandem::devices {

/// What a guest says; the values are bits of the register.
enum class GuestPanic : u8 {
    Panicked = 1 << 0,
    CrashLoaded = 1 << 1, ///< it has panicked, and a kernel of its own looks into that
};

class PvPanic final : public PciFunction, private TimerListener {
public:
    static constexpr u32 kRegisterBar = 0;

    /// `said` is called soon after the guest's write, on a thread of the clock's, with no lock
    /// held.
    PvPanic(Clock &, std::function<void(GuestPanic)> said);

    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;

private:
    struct SavedState {
        static constexpr u32 kVersion = 1;
        State function;
        u8 unsaid = 0;

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.function, self.unsaid);
        }
    };

    u64 read_own_bar(u32 bar, u64 offset, unsigned size_log2) override;
    void write_own_bar(u32 bar, u64 offset, unsigned size_log2, u64 value) override;
    void timer_expired() override;
    void arm_timer();

    Clock &clock_;
    const std::function<void(GuestPanic)> said_;
    u8 unsaid_ = 0; ///< written, and nobody has been told; guarded by mutex_
    std::unique_ptr<Timer> timer_;
};

} // namespace tandem::devices
