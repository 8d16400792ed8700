#pragma once
/// Recognises what a file is and loads arm64 kernels: raw Image, Image.gz, Image.zst, EFI zboot
/// wrappers and ELF64.
#include "machine/boot/file_bytes.h"

#include <vector>

namespace tandem::machine {

enum class FileKind : u8 {
    Arm64Image,  ///< Linux boot protocol, raw or compressed or in an EFI zboot wrapper
    Elf,         ///< AArch64 ELF64 executable
    X86Linux,    ///< Linux boot protocol of x86 (bzImage)
    X86Elf,      ///< x86-64 ELF64 executable
    Disk,        ///< a partition table, a file system, or a disk image
    Unsupported, ///< recognised, but nothing that can run; `description` says what
};

[[nodiscard]] constexpr bool is_x86(FileKind kind) {
    return kind == FileKind::X86Linux || kind == FileKind::X86Elf;
}

struct Sniffed {
    FileKind kind = FileKind::Unsupported;
    std::string description; ///< "an x86 Linux kernel (bzImage)"
    std::string mend;        ///< what to do about an Unsupported file, or x86 ones on arm64 boards
};

/// Looks at the first bytes of a file (64 KiB are enough for every format known).
[[nodiscard]] Sniffed sniff(std::span<const std::byte> head);
inline constexpr u64 kSniffBytes = 64 * 1024;

/// The machine of a PE file (EFI application), 0 if it is none.
[[nodiscard]] u16 pe_machine(std::span<const std::byte> bytes);
[[nodiscard]] const char *pe_machine_name(u16 machine);
inline constexpr u16 kPeArm64 = 0xaa64;

struct LoadSegment {
    u64 address = 0; ///< guest physical
    std::span<const std::byte> bytes;
    u64 memory_size = 0; ///< >= bytes.size(); the rest is zero
};

/// A kernel ready to be copied into guest memory.
struct KernelImage {
    FileBytes storage; ///< what the segments point into
    std::vector<LoadSegment> segments;
    u64 entry = 0;
    bool linux_protocol = false; ///< x0 = DTB, x1-x3 = 0, MMU off
    [[nodiscard]] u64 lowest() const;
    [[nodiscard]] u64 end() const; ///< first address above all segments
};

/// Loads `path` for a machine whose RAM is [ram_base, ram_base + ram_size). Errors are one line.
[[nodiscard]] Result<KernelImage> load_kernel(const std::string &path, u64 ram_base, u64 ram_size);

} // namespace tandem::machine
