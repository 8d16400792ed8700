#pragma once
/// Addresses and interrupts of the board for x86-64 guests. All of it is told by ACPI tables, but
/// for the serial port, which is where PCs have it.
#include "devices/power/platform_events.h"
#include "devices/virtio/transport/virtio_mmio.h"
#include "machine/boot/x86/low_memory.h"

namespace tandem::machine::microvm {

inline constexpr u16 kUartPort = 0x3f8;

// In the hole below 4 GiB.
inline constexpr u64 kVirtioBase = 0xd000'0000, kVirtioStride = 0x1000;
inline constexpr unsigned kVirtioSlots = 16;
inline constexpr u64 kEventsBase = 0xd010'0000;
inline constexpr u64 kIoApic = 0xfec0'0000, kLocalApic = 0xfee0'0000; ///< the kernel's (KVM's)

// Lines of the IOAPIC.
inline constexpr u32 kUartLine = 4;
inline constexpr u32 kEventsLine = 5;
inline constexpr u32 kVirtioLine = 8; ///< of slot 0; edges
static_assert(kVirtioLine + kVirtioSlots <= 24);
static_assert(kVirtioStride >= devices::VirtioMmio::kSize);

} // namespace tandem::machine::microvm
