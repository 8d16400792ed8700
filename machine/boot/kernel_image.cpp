#include "machine/boot/kernel_image.h"

#include "machine/boot/decompress.h"
#include "machine/boot/elf_image.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace tandem::machine {
namespace {

using namespace std::string_view_literals;

// Linux Documentation/arch/arm64/booting.rst, "Call the kernel image": the 64-byte header.
constexpr u64 kImageHeaderSize = 64;
constexpr u64 kTextOffsetAt = 8;
constexpr u64 kImageSizeAt = 16;
constexpr u64 kImageFlagsAt = 24;
constexpr u64 kImageMagicAt = 56;
constexpr std::string_view kImageMagic = "ARM\x64";
constexpr u64 kTwoMiB = 2u << 20;

// Linux drivers/firmware/efi/libstub/zboot-header.S.
constexpr std::string_view kZbootMagic = "zimg";
constexpr u64 kZbootPayloadOffsetAt = 8;
constexpr u64 kZbootPayloadSizeAt = 12;
constexpr u64 kZbootCompressionAt = 24;

bool is_arm64_image(std::span<const std::byte> bytes) {
    return has_text(bytes, kImageMagicAt, kImageMagic);
}
bool is_zboot(std::span<const std::byte> bytes) {
    return has_text(bytes, 0, "MZ") && has_text(bytes, 4, kZbootMagic);
}

std::string elf_machine_name(u16 machine) {
    switch (machine) {
    case EM_386: return "32-bit x86";
    case EM_X86_64: return "x86-64";
    case EM_ARM: return "32-bit ARM";
    case EM_AARCH64: return "arm64";
    case EM_RISCV: return "RISC-V";
    case EM_PPC64: return "POWER";
    case EM_S390: return "s390x";
    case EM_MIPS: return "MIPS";
    default: return fmt::format("machine {}", machine);
    }
}

Sniffed wrong_architecture(std::string what) {
    return {FileKind::Unsupported, std::move(what),
            "this machine is arm64: use a kernel built for arm64 (aarch64)"};
}

Sniffed x86_file(FileKind kind, std::string what) {
    return {kind, std::move(what),
            "this machine is arm64: use a kernel built for arm64 (aarch64), or --accel kvm"};
}

Sniffed sniff_elf(std::span<const std::byte> head) {
    const bool big_endian = head.size() > EI_DATA && head[EI_DATA] == std::byte{ELFDATA2MSB};
    u16 machine = read_le<u16>(head, offsetof(Elf64_Ehdr, e_machine));
    if (big_endian) machine = static_cast<u16>(machine << 8 | machine >> 8);
    if (machine == EM_X86_64 && !big_endian && head.size() > EI_CLASS &&
        head[EI_CLASS] == std::byte{ELFCLASS64})
        return x86_file(FileKind::X86Elf, "an ELF file for x86-64");
    if (machine != EM_AARCH64)
        return wrong_architecture(fmt::format("an ELF file for {}", elf_machine_name(machine)));
    if (big_endian)
        return {FileKind::Unsupported, "a big-endian arm64 ELF file", "use a little-endian build"};
    if (head[EI_CLASS] != std::byte{ELFCLASS64})
        return {FileKind::Unsupported, "an ILP32 arm64 ELF file", "use a 64-bit build"};
    const u16 type = read_le<u16>(head, offsetof(Elf64_Ehdr, e_type));
    if (type != ET_EXEC && type != ET_DYN)
        return {FileKind::Unsupported, "an ELF file that is not an executable",
                "link it into an executable"};
    return {FileKind::Elf, "an arm64 ELF executable", ""};
}

} // namespace

u16 pe_machine(std::span<const std::byte> bytes) {
    if (!has_text(bytes, 0, "MZ")) return 0;
    const u64 header = read_le<u32>(bytes, 0x3c);
    return has_text(bytes, header, "PE\0\0"sv) ? read_le<u16>(bytes, header + 4) : u16{0};
}

const char *pe_machine_name(u16 machine) {
    switch (machine) {
    case 0x8664: return "x86-64";
    case 0x014c: return "32-bit x86";
    case 0x01c0:
    case 0x01c2:
    case 0x01c4: return "32-bit ARM";
    case 0x5064: return "RISC-V";
    case 0x6264: return "LoongArch";
    case kPeArm64: return "arm64";
    default: return "unknown";
    }
}

Sniffed sniff(std::span<const std::byte> head) {
    if (has_text(head, 0,
                 "\x7f"
                 "ELF"sv))
        return sniff_elf(head);
    if (is_arm64_image(head)) return {FileKind::Arm64Image, "an arm64 Linux kernel", ""};
    if (is_zboot(head)) {
        const u16 machine = pe_machine(head);
        if (machine != 0 && machine != kPeArm64)
            return wrong_architecture(
                fmt::format("an EFI zboot kernel for {}", pe_machine_name(machine)));
        return {FileKind::Arm64Image, "an EFI zboot kernel", ""};
    }
    if (has_text(head, 0x202, "HdrS"))
        return x86_file(FileKind::X86Linux, "an x86 Linux kernel (bzImage)");
    if (read_le<u32>(head, 0x24) == 0x016f2818)
        return wrong_architecture("a 32-bit ARM Linux kernel (zImage)");
    if (has_text(head, 56, "RSC\x05")) return wrong_architecture("a RISC-V Linux kernel");
    if (const u16 machine = pe_machine(head); machine != 0) {
        if (machine != kPeArm64)
            return wrong_architecture(
                fmt::format("an EFI application for {}", pe_machine_name(machine)));
        return {FileKind::Unsupported, "an EFI application, not a Linux kernel",
                "start it from firmware given with --bios"};
    }
    if (has_text(head, 0, "\x27\x05\x19\x56"sv))
        return {FileKind::Unsupported, "a U-Boot image (uImage)",
                "extract the kernel with dumpimage(1)"};
    if (has_text(head, 0, "QFI\xfb")) return {FileKind::Disk, "a qcow2 disk image", ""};
    std::string name;
    switch (sniff_compression(head, name)) {
    case Compression::Gzip:
    case Compression::Zstd: return {FileKind::Arm64Image, fmt::format("a {} file", name), ""};
    case Compression::Unsupported:
        return {FileKind::Unsupported, fmt::format("compressed with {}", name),
                "decompress it first"};
    case Compression::None: break;
    }
    if (has_text(head, 0x8001, "CD001")) return {FileKind::Disk, "an ISO 9660 disk image", ""};
    if (has_text(head, 512, "EFI PART")) return {FileKind::Disk, "a GPT disk image", ""};
    if (read_le<u16>(head, 0x438) == 0xef53) return {FileKind::Disk, "an ext file system", ""};
    if (has_text(head, 0, "XFSB") || has_text(head, 0, "hsqs"))
        return {FileKind::Disk, "a file system", ""};
    if (read_le<u16>(head, 510) == 0xaa55) return {FileKind::Disk, "an MBR disk image", ""};
    if (head.size() < kImageHeaderSize)
        return {FileKind::Unsupported,
                fmt::format("truncated: {} are too few for a kernel", human_size(head.size())),
                "copy it again"};
    return {FileKind::Unsupported, "neither a kernel, an ELF file nor a disk image",
            "check the file, or pass it with --kernel, --bios or --disk"};
}

u64 KernelImage::lowest() const {
    u64 address = ~u64{0};
    for (const LoadSegment &segment : segments) address = std::min(address, segment.address);
    return address;
}

u64 KernelImage::end() const {
    u64 address = 0;
    for (const LoadSegment &segment : segments)
        address = std::max(address, segment.address + segment.memory_size);
    return address;
}

namespace {

class Loader {
public:
    Loader(const std::string &path, u64 ram_base, u64 ram_size)
        : path_(path), ram_base_(ram_base), ram_size_(ram_size) {}

    Result<KernelImage> load() {
        FileBytes file = TRY(FileBytes::read(path_));
        return load_bytes(std::move(file), 0);
    }

private:
    std::unexpected<Error> error(const std::string &reason, std::string_view mend) const {
        return failure(fmt::format("{}: {}; {}", path_, reason, mend));
    }

    // NOLINTNEXTLINE(misc-no-recursion): a wrapper's payload, at most kMaxDepth deep
    Result<KernelImage> load_bytes(FileBytes file, unsigned depth) {
        static constexpr unsigned kMaxDepth = 3;
        const auto bytes = file.span();
        const Sniffed what = sniff(bytes);
        if (what.kind == FileKind::Elf)
            return load_elf_image(path_, std::move(file), ram_base_, ram_size_);
        if (what.kind == FileKind::Disk)
            return error(fmt::format("is {}, not a kernel", what.description),
                         "pass it with --disk");
        if (what.kind == FileKind::Unsupported || is_x86(what.kind)) {
            if (depth != 0) return error("does not contain an arm64 kernel", "use an arm64 Image");
            return error(fmt::format("is {}", what.description), what.mend);
        }
        if (is_arm64_image(bytes)) return load_image(std::move(file));
        if (depth == kMaxDepth) return error("is compressed too many times", "decompress it first");
        if (is_zboot(bytes)) return load_zboot(bytes, depth);
        std::string name;
        const Compression compression = sniff_compression(bytes, name);
        return load_compressed(compression, bytes, depth);
    }

    Result<KernelImage> load_compressed(Compression compression, std::span<const std::byte> bytes,
                                        unsigned depth) {
        auto payload = decompress(compression, bytes, ram_size_);
        if (!payload.has_value())
            return error(payload.error().message, "copy the file again or give more --memory");
        return load_bytes(std::move(payload).value(), depth + 1);
    }

    Result<KernelImage> load_zboot(std::span<const std::byte> bytes, unsigned depth) {
        const u64 offset = read_le<u32>(bytes, kZbootPayloadOffsetAt);
        const u64 size = read_le<u32>(bytes, kZbootPayloadSizeAt);
        if (offset > bytes.size() || bytes.size() - offset < size || size == 0)
            return error(fmt::format("truncated: the compressed kernel should end at byte {}, the "
                                     "file has {}",
                                     offset + size, bytes.size()),
                         "copy it again");
        const auto payload = bytes.subspan(offset, size);
        if (has_text(bytes, kZbootCompressionAt, "gzip"))
            return load_compressed(Compression::Gzip, payload, depth);
        if (has_text(bytes, kZbootCompressionAt, "zstd"))
            return load_compressed(Compression::Zstd, payload, depth);
        std::string name;
        for (u64 i = kZbootCompressionAt; i < kZbootCompressionAt + 32 && i < bytes.size(); ++i) {
            const char c = static_cast<char>(bytes[i]);
            if (c < ' ' || c > '~') break;
            name += c;
        }
        return error(fmt::format("EFI zboot kernel compressed with '{}'", name),
                     "gzip and zstd are supported: decompress the kernel first");
    }

    Result<KernelImage> load_image(FileBytes file) {
        const auto bytes = file.span();
        u64 text_offset = read_le<u64>(bytes, kTextOffsetAt);
        u64 image_size = read_le<u64>(bytes, kImageSizeAt);
        const u64 flags = read_le<u64>(bytes, kImageFlagsAt);
        if (bit(flags, 0)) return error("is a big-endian kernel", "use a little-endian kernel");
        // booting.rst: before v3.17 image_size is 0 and text_offset is of unknown endianness.
        if (image_size == 0) {
            image_size = bytes.size();
            text_offset = 0x80000;
        }
        // image_size counts .bss too, which the file does not hold; but the file should not be
        // so short that a copy was cut off. edata is not in the header: the PE header's sections
        // tell how long the file must be.
        if (const u64 expected = pe_file_size(bytes); expected > bytes.size())
            return error(fmt::format("truncated: {} of {} bytes are there", bytes.size(), expected),
                         "copy it again");
        // The DTB lives at the RAM base, so the kernel moves up by one alignment unit.
        if (text_offset < kMinTextOffset) text_offset += kTwoMiB;
        if (text_offset >= ram_size_ || std::max<u64>(image_size, bytes.size()) > ram_size_ ||
            text_offset + std::max<u64>(image_size, bytes.size()) > ram_size_)
            return error(fmt::format("the kernel needs {} of memory, the machine has {}",
                                     human_size(std::max<u64>(image_size, bytes.size())),
                                     human_size(ram_size_)),
                         "give more --memory");
        KernelImage kernel;
        kernel.entry = ram_base_ + text_offset;
        kernel.linux_protocol = true;
        kernel.segments.push_back({kernel.entry, bytes, std::max<u64>(image_size, bytes.size())});
        kernel.storage = std::move(file);
        return kernel;
    }

    /// Where the PE section table says the file ends; 0 when there is no PE header.
    static u64 pe_file_size(std::span<const std::byte> bytes) {
        if (pe_machine(bytes) == 0) return 0;
        const u64 header = read_le<u32>(bytes, 0x3c);
        const u16 sections = read_le<u16>(bytes, header + 6);
        const u64 table = header + 24 + read_le<u16>(bytes, header + 20);
        u64 end = 0;
        for (u64 i = 0; i < sections; ++i) {
            const u64 row = table + i * 40;
            end = std::max(end, u64{read_le<u32>(bytes, row + 20)} + read_le<u32>(bytes, row + 16));
        }
        return end;
    }

    static constexpr u64 kMinTextOffset = 0x10000; ///< room for the DTB below the kernel

    const std::string &path_;
    u64 ram_base_;
    u64 ram_size_;
};

} // namespace

Result<KernelImage> load_kernel(const std::string &path, u64 ram_base, u64 ram_size) {
    return Loader(path, ram_base, ram_size).load();
}

} // namespace tandem::machine
