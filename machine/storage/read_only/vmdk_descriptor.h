#pragma once
/// The text that describes a VMDK disk (VMware Virtual Disk Format 5.0, "The Descriptor File").
#include "support/bits.h"
#include "support/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace tandem::machine {

struct VmdkExtentLine {
    enum class Kind : u8 { Flat, Sparse, Zero };
    Kind kind = Kind::Zero;
    u64 sectors = 0;
    std::string file;     ///< a name in the descriptor's folder; not of Zero
    u64 first_sector = 0; ///< of Flat, in its file
};

/// The lines of a disk without a parent. `name` is the file's, for errors.
[[nodiscard]] Result<std::vector<VmdkExtentLine>> parse_vmdk_descriptor(std::string_view text,
                                                                        const std::string &name);

inline constexpr std::string_view kVmdkDescriptorMagic = "# Disk DescriptorFile";

} // namespace tandem::machine
