#pragma once
/// Addresses and interrupts of the board, those of QEMU's `virt` machine, which every arm64
/// distribution and firmware knows; what that has not lies where it has nothing.
#include "support/bits.h"

namespace tandem::machine {

struct Region {
    u64 base;
    u64 size;
};

inline constexpr Region kFlash{0x0000'0000, 0x0800'0000}; ///< two banks of 64 MiB
inline constexpr u64 kFlashBankSize = 0x0400'0000;
inline constexpr Region kGicDistributor{0x0800'0000, 0x1'0000};
inline constexpr Region kGicCpuInterface{0x0801'0000, 0x1'0000};    ///< GICv2 only
inline constexpr Region kGicV2m{0x0802'0000, 0x1000};               ///< GICv2 only
inline constexpr Region kGicIts{0x0808'0000, 0x2'0000};             ///< GICv3 only
inline constexpr Region kGicRedistributors{0x080a'0000, 0xf6'0000}; ///< GICv3 only
inline constexpr u64 kGicRedistributorStride = 0x2'0000;
inline constexpr Region kUart{0x0900'0000, 0x1000};
inline constexpr Region kRtc{0x0901'0000, 0x1000};
inline constexpr Region kFwCfg{0x0902'0000, 0x18};
inline constexpr Region kGpio{0x0903'0000, 0x1000};
inline constexpr Region kWatchdog{0x090d'0000, 0x2000};
inline constexpr Region kI2c{0x090e'0000, 0x1000};
inline constexpr u64 kVirtioBase = 0x0a00'0000;
inline constexpr u64 kVirtioStride = 0x200;
inline constexpr unsigned kVirtioSlots = 32;
/// Of bus 0, beside the root complex and the device that has the root ports.
inline constexpr unsigned kPciSlots = 30;
/// Slots that devices can be plugged into while the guest runs.
inline constexpr unsigned kPciePorts = 4;
inline constexpr Region kPcieMemory{0x1000'0000, 0x2eff'0000};
inline constexpr Region kPcieIo{0x3eff'0000, 0x1'0000};
inline constexpr u64 kRamBase = 0x4000'0000;

// Above the largest RAM.
inline constexpr Region kPcieEcam{0x40'1000'0000, 0x1000'0000}; ///< 256 buses
inline constexpr Region kPcieHighMemory{0x80'0000'0000, 0x80'0000'0000};

// Shared peripheral interrupts; INTID = 32 + n.
inline constexpr unsigned kUartSpi = 1;
inline constexpr unsigned kRtcSpi = 2;
inline constexpr unsigned kPcieSpi = 3; ///< to 6: INTA to INTD
inline constexpr unsigned kGpioSpi = 7;
inline constexpr unsigned kWatchdogSpi = 10;
inline constexpr unsigned kI2cSpi = 11;
inline constexpr unsigned kVirtioSpi = 16; ///< of slot 0
inline constexpr unsigned kGicV2mSpi = 48; ///< first of kGicV2mSpis for messages
inline constexpr unsigned kGicV2mSpis = 64;
inline constexpr unsigned kSpiCount = 256;

// Private peripheral interrupts; INTID = 16 + n. Arm BSA recommends these numbers.
inline constexpr unsigned kPmuPpi = 7;
inline constexpr unsigned kHypTimerPpi = 10;
inline constexpr unsigned kVirtTimerPpi = 11;
inline constexpr unsigned kSecurePhysTimerPpi = 13;
inline constexpr unsigned kPhysTimerPpi = 14;

[[nodiscard]] constexpr u32 spi_intid(unsigned spi) {
    return 32 + spi;
}
[[nodiscard]] constexpr u32 ppi_intid(unsigned ppi) {
    return 16 + ppi;
}

/// GPIO line of the power key.
inline constexpr unsigned kPowerKeyLine = 3;

} // namespace tandem::machine
