#pragma once
/// What an image file holds, as far as starting a machine with it goes.
#include "machine/boot/kernel_image.h"
#include "machine/storage/disk_store.h"
#include "machine/storage/image_format.h"

#include <optional>
#include <string>

namespace tandem::machine {

/// What could be read of the operating system on a disk.
struct InstalledSystem {
    std::string name; ///< "Debian GNU/Linux 12 (bookworm)"; empty: not known
    std::string user; ///< the first person's login, else root
    bool has_cloud_init = false;
    bool has_ssh_server = false;
};

struct ImageFacts {
    std::string path;
    FileKind kind = FileKind::Disk;
    std::string description; ///< "a qcow2 disk image with a GPT"
    ImageFormat format = ImageFormat::Raw;
    u64 size = 0; ///< of the disk
    bool is_iso = false;
    std::string boot_file; ///< what firmware starts: "EFI/BOOT/BOOTAA64.EFI"; empty: nothing
    std::string obstacle;  ///< why firmware cannot boot the disk, "reason; mend"; empty: it can
    /// Nothing if no file system that can be read holds one.
    std::optional<InstalledSystem> system;
};

/// Looks at a kernel, an ELF file or a disk, which is opened for reading. Fails when the file
/// cannot be read or is nothing a machine can be started with.
[[nodiscard]] Result<ImageFacts> inspect_image(const std::string &path);

/// The part of inspect_image() that looks at a disk's content. Everything there may be hostile.
void inspect_disk(DiskStore &, ImageFacts &);

} // namespace tandem::machine
