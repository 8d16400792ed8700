#pragma once
/// The state in which the boot CPU enters a kernel.
#include "machine/accel/accelerator.h"

#include <cstddef>
#include <span>

namespace tandem::machine::x86 {

/// How a kernel wants to be entered.
enum class BootProtocol : u8 {
    Linux64, ///< Linux Documentation/arch/x86/boot.rst, "64-bit Boot Protocol"
    Pvh,     ///< Xen docs/misc/pvh.pandoc: 32-bit, paging off
};

/// CpuStart::arguments: what the kernel is told the address of (boot_params, hvm_start_info), and
/// the protocol.
inline constexpr std::size_t kStartInfo = 0, kStartProtocol = 1;

/// Writes what both need to the first mebibyte of RAM (machine/boot/x86/low_memory.h): a table of
/// descriptors, and an identity map of the first 4 GiB.
void write_start_tables(std::span<std::byte> low_memory);

/// `cpu` is a vCPU's descriptor.
[[nodiscard]] Result<> set_start_state(int cpu, const CpuStart &);

} // namespace tandem::machine::x86
