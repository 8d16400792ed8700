#pragma once
/// The configuration space of one function: bytes, and for each bit who may change it.
#include "devices/core/state.h"
#include "support/bits.h"

#include <array>
#include <vector>

namespace tandem::devices {

enum class PciHeader : u8 { Type0, Type1 };

namespace pci {
enum Config : u32 {
#define CONFIG(name, offset, bytes, writable, cleared) k##name = offset,
#define CONFIG_TYPE0(name, offset, bytes, writable, cleared) k##name = offset,
#define CONFIG_TYPE1(name, offset, bytes, writable, cleared) k##name = offset,
#include "devices/pcie/pci_header.inc"
};

inline constexpr u32 kCommandMemory = 1 << 1, kCommandMaster = 1 << 2,
                     kCommandInterruptDisable = 1 << 10;
inline constexpr u32 kStatusInterrupt = 1 << 3, kStatusCapabilities = 1 << 4;
inline constexpr u32 kHeaderMultifunction = 1 << 7;
inline constexpr u32 kBridgeReset = 1 << 6; ///< of bridge control: resets the secondary bus

inline constexpr u8 kCapabilityVendor = 0x09, kCapabilityExpress = 0x10, kCapabilityMsix = 0x11;
} // namespace pci

class ConfigSpace {
public:
    static constexpr u32 kSize = 0x1000;

    explicit ConfigSpace(PciHeader);

    /// Sets the value after reset, and which of its bits the guest may write, or clear by writing
    /// 1. Before the machine starts.
    void define(u32 offset, unsigned bytes, u32 value, u32 writable = 0, u32 cleared = 0);
    /// Appends a capability of this many bytes, its header included; returns its offset.
    [[nodiscard]] u32 add_capability(u8 id, u32 bytes);

    [[nodiscard]] bool is_bridge() const { return (bytes_[pci::kHeaderType] & 1) != 0; }
    [[nodiscard]] u32 get(u32 offset, unsigned bytes) const;
    /// The function's own change, whatever the guest may write.
    void set(u32 offset, unsigned bytes, u32 value);
    [[nodiscard]] u32 read(u32 offset, unsigned size_log2) const {
        return get(offset, 1u << size_log2);
    }
    void write(u32 offset, unsigned size_log2, u32 value);

    void reset() { bytes_ = reset_; }
    /// All bytes; on the way back only what the guest could have changed is taken.
    [[nodiscard]] std::vector<u8> saved() const { return {bytes_.begin(), bytes_.end()}; }
    [[nodiscard]] bool restore(const std::vector<u8> &);

private:
    using Bytes = std::array<u8, kSize>;
    Bytes bytes_{}, reset_{}, writable_{}, cleared_{};
    u32 next_capability_ = 0x40;
    u32 last_link_ = pci::kCapabilities; ///< where the next capability's offset goes
};

} // namespace tandem::devices
