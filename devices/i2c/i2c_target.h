#pragma once
/// A chip on an I2C bus, and the bus (UM10204). Bytes pass at once: nobody stretches the clock.
#include "support/bits.h"

#include <array>
#include <mutex>

namespace tandem::devices {

class FdtNode;

enum class I2cDirection : u8 { Write, Read };

/// Called by the bus's controller alone, under the bus's mutex.
class I2cTarget {
public:
    virtual ~I2cTarget() = default;
    /// It has been addressed, for the first time or again. False: no acknowledgement.
    [[nodiscard]] virtual bool start(I2cDirection) = 0;
    /// False: no acknowledgement.
    [[nodiscard]] virtual bool write(u8 byte) = 0;
    [[nodiscard]] virtual u8 read() = 0;
    virtual void stop() {}
    /// Adds its node to that of the controller.
    virtual void describe(FdtNode &bus, u8 address) const = 0;
};

class I2cBus {
public:
    static constexpr u32 kAddresses = 128; ///< of 7 bits

    /// Guards the controller, and everything on the bus.
    [[nodiscard]] std::mutex &mutex() const { return mutex_; }

    /// `target` outlives the bus.
    void attach(u8 address, I2cTarget &target) { targets_[address % kAddresses] = &target; }
    /// Null: nobody acknowledges the address.
    [[nodiscard]] I2cTarget *find(u32 address) const {
        return address < kAddresses ? targets_[address] : nullptr;
    }
    void describe(FdtNode &controller) const {
        for (u32 address = 0; address < kAddresses; ++address)
            if (targets_[address] != nullptr)
                targets_[address]->describe(controller, static_cast<u8>(address));
    }

private:
    mutable std::mutex mutex_;
    std::array<I2cTarget *, kAddresses> targets_{};
};

} // namespace tandem::devices
