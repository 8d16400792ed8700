#pragma once
/// SMBIOS tables of the board (DSP0134 3.0), as files of fw_cfg that EDK2 takes over.
#include "support/bits.h"

#include <vector>

namespace tandem::machine {

/// Contents of etc/smbios/smbios-anchor and etc/smbios/smbios-tables.
struct SmbiosFiles {
    std::vector<u8> anchor, tables;
};
[[nodiscard]] SmbiosFiles build_smbios(unsigned cpus, u64 ram_base, u64 ram_size);

} // namespace tandem::machine
