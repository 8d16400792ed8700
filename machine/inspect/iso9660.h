#pragma once
/// What an ISO 9660 image (ECMA-119) boots: the entries of its El Torito catalog.
#include "machine/inspect/byte_window.h"

#include <string>

namespace tandem::machine {

struct IsoImage {
    std::string label;
    std::vector<ByteWindow> efi_images; ///< FAT volumes that firmware boots from
    bool boots_by_bios = false;
};

/// Nothing if the disk is no such image.
[[nodiscard]] std::optional<IsoImage> read_iso9660(const ByteWindow &disk);

} // namespace tandem::machine
