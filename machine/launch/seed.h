#pragma once
/// The seed disk that cloud-init's NoCloud data source looks for: a FAT volume with the label
/// "cidata" and the files user-data and meta-data.
#include "support/bits.h"

#include <string>
#include <vector>

namespace tandem::machine {

struct SeedContent {
    std::string login;
    std::vector<std::string> keys; ///< public, for that login
    std::string host_name;
};

/// The whole volume. The same content makes the same bytes, so that the guest keeps its identity
/// from run to run and gets a new one when its keys or names change.
[[nodiscard]] std::vector<std::byte> build_seed(const SeedContent &);

/// A FAT12 volume with files in its root directory; names may be long, of ASCII.
struct VolumeFile {
    std::string name;
    std::string content;
};
[[nodiscard]] std::vector<std::byte> build_fat_volume(const std::string &label,
                                                      const std::vector<VolumeFile> &files);

} // namespace tandem::machine
