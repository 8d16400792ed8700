#include "machine/launch/firmware.h"

#include <unistd.h>

namespace tandem::machine {
namespace {

// clang-format off
constexpr const char *kFirmware[] = {
    "/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd",             // Debian 13, Ubuntu 24.10
    "/usr/share/AAVMF/AAVMF_CODE.fd",                        // Debian, Ubuntu
    "/usr/share/edk2/aarch64/QEMU_EFI-silent-pflash.raw",    // Fedora
    "/usr/share/edk2/aarch64/QEMU_CODE.fd",                  // Arch Linux
    "/usr/share/qemu/aavmf-aarch64-code.bin",                // openSUSE
    "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd",               // Debian, without room for variables
    "/usr/share/qemu/edk2-aarch64-code.fd",                  // QEMU's own copy
    "/usr/local/share/qemu/edk2-aarch64-code.fd",
};
// clang-format on

} // namespace

Result<std::string> find_firmware() {
    for (const char *path : kFirmware)
        if (::access(path, R_OK) == 0) return path;
    return failure("no UEFI firmware for arm64 is installed; apt install qemu-efi-aarch64, or name "
                   "one with --bios F");
}

} // namespace tandem::machine
