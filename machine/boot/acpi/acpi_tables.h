#pragma once
/// ACPI tables of the board (ACPI 6.5, hardware-reduced), and the script with which firmware links
/// them: files of fw_cfg, in the format that QEMU documents for its table loader.
#include "machine/boot/acpi/byte_writer.h"

#include <vector>

namespace tandem::machine {

/// What the tables tell of the board.
struct AcpiBoard {
    unsigned gic_version = 3;
    std::vector<u64> affinities; ///< MPIDR_EL1 of each CPU
    bool has_watchdog = false;
};

/// Contents of etc/acpi/tables, etc/acpi/rsdp and etc/table-loader.
struct AcpiFiles {
    std::vector<u8> tables, rsdp, loader;
};
[[nodiscard]] AcpiFiles build_acpi(const AcpiBoard &);

/// Body of the DSDT: AML code.
[[nodiscard]] std::vector<u8> build_dsdt(unsigned cpus);

} // namespace tandem::machine
