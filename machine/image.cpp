#include "machine/image.h"

#include "machine/boot/file_bytes.h"
#include "machine/boot/kernel_image.h"

#include <fmt/format.h>

namespace tandem::machine {

Result<> use_image(MachineConfig &config, const std::string &path) {
    const FileBytes head = TRY(FileBytes::read(path, kSniffBytes));
    const Sniffed what = sniff(head.span());
    switch (what.kind) {
    case FileKind::Arm64Image:
    case FileKind::Elf:
        if (!config.kernel.empty())
            return failure(fmt::format("{}: is {}, but --kernel names another; drop one", path,
                                       what.description));
        config.kernel = path;
        return {};
    case FileKind::Disk:
        if (config.kernel.empty() && config.bios.empty())
            return failure(fmt::format("{}: is {}; booting from a disk's own boot loader is not "
                                       "there yet; add --kernel F --initrd F --append "
                                       "root=/dev/vda",
                                       path, what.description));
        config.disks.insert(config.disks.begin(), DiskConfig{.path = path});
        return {};
    case FileKind::Unsupported: break;
    }
    return failure(fmt::format("{}: is {}; {}", path, what.description, what.mend));
}

} // namespace tandem::machine
