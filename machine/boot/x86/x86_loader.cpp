#include "machine/boot/x86/x86_loader.h"

#include "machine/boot/elf_image.h"
#include "machine/boot/x86/low_memory.h"
#include "machine/boot/x86/pvh.h"

#include <asm/bootparam.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace tandem::machine::x86 {
namespace {

// Linux Documentation/arch/x86/boot.rst.
constexpr u64 kSetupHeaderAt = 0x1f1;
constexpr u16 kFirstVersionWith64 = 0x020c; ///< has xloadflags
constexpr u64 kSector = 512, kParagraph = 16;
constexpr u64 kEntry64 = 0x200; ///< of the 64-bit entry in the protected-mode code
constexpr u8 kUnknownLoader = 0xff;
constexpr u8 kLoadedHigh = 1 << 0;
constexpr u64 kPage = 4096;
/// For kernels that do not say how far up they look for an initrd.
constexpr u64 kUsualInitrdEnd = 0x3800'0000;

/// There is no BIOS. Linux 6.1 on a hardware-reduced platform without EFI enters it all the same to
/// reset the machine, in real mode (arch/x86/kernel/reboot.c, BOOT_BIOS): a triple fault does that.
constexpr std::array<u8, 14> kResetCode{
    0x2e, 0x0f, 0x01, 0x1e, 0xf8, 0xff, // lidt %cs:0xfff8, of nothing
    0xcc,                               // int3
    0xf4,                               // hlt
    0,    0,    0,    0,    0,    0};

class Loader {
public:
    Loader(const BootFiles &files, GuestMemory &ram)
        : files_(files), ram_(ram), areas_(memory_list(ram.size())),
          low_end_(std::min(ram.size(), kHoleStart)) {}

    Result<Entry> load() {
        write(kResetVector, std::as_bytes(std::span(kResetCode)));
        FileBytes file = TRY(FileBytes::read(files_.kernel));
        const Sniffed what = sniff(file.span());
        switch (what.kind) {
        case FileKind::X86Linux: return load_linux(file.span());
        case FileKind::X86Elf: return load_elf(std::move(file));
        default:
            return error(files_.kernel, fmt::format("is {}", what.description),
                         "this machine is x86-64: use a bzImage or an ELF file for x86-64");
        }
    }

private:
    static std::unexpected<Error> error(const std::string &path, const std::string &reason,
                                        std::string_view mend) {
        return failure(fmt::format("{}: {}; {}", path, reason, mend));
    }

    void write(u64 address, std::span<const std::byte> bytes) {
        std::ranges::copy(bytes, ram_.span(GuestPhysAddr{address}, bytes.size()).begin());
    }

    Result<Entry> load_linux(std::span<const std::byte> image) {
        setup_header header{};
        if (image.size() < kSetupHeaderAt + sizeof header)
            return error(files_.kernel, "truncated: its header is incomplete", "copy it again");
        std::memcpy(&header, image.data() + kSetupHeaderAt, sizeof header);
        if (header.version < kFirstVersionWith64 || (header.xloadflags & XLF_KERNEL_64) == 0)
            return error(files_.kernel, "is an x86 kernel of 32 bits, or older than Linux 3.8",
                         "use a 64-bit one");
        const u64 setup = (u64{header.setup_sects == 0 ? u8{4} : header.setup_sects} + 1) * kSector;
        const u64 size = u64{header.syssize} * kParagraph;
        // The last paragraph may be cut short.
        if (setup > image.size() || image.size() - setup + kParagraph <= size)
            return error(
                files_.kernel,
                fmt::format("truncated: {} of {} bytes are there", image.size(), setup + size),
                "copy it again");
        const auto code = image.subspan(setup);
        // It unpacks itself to pref_address and runs there.
        const u64 end = std::max(kHighStart + code.size(),
                                 std::max<u64>(header.pref_address, kHighStart) + header.init_size);
        if (header.pref_address > low_end_ || end > low_end_)
            return error(files_.kernel,
                         fmt::format("the kernel needs {} of memory, the machine has {}",
                                     human_size(end), human_size(low_end_)),
                         "give more --memory");
        write(kHighStart, code);
        TRY(load_command_line(header.cmdline_size));
        const u64 initrd_end =
            header.initrd_addr_max != 0 ? u64{header.initrd_addr_max} + 1 : kUsualInitrdEnd;
        TRY(load_initrd(end, initrd_end));
        write_boot_params(header);
        return Entry{kHighStart + kEntry64, kBootParamsAt, BootProtocol::Linux64};
    }

    Result<Entry> load_elf(FileBytes file) {
        const std::optional<u32> entry = pvh_entry(file.span());
        const KernelImage kernel = TRY(load_elf_image(files_.kernel, std::move(file), 0, low_end_));
        if (kernel.lowest() < kHighStart)
            return error(
                files_.kernel,
                fmt::format("has a segment at {:#x}, where what it is told lies", kernel.lowest()),
                "link it to 1 MiB or above");
        for (const LoadSegment &segment : kernel.segments) write(segment.address, segment.bytes);
        TRY(load_command_line(0));
        TRY(load_initrd(kernel.end(), kUsualInitrdEnd));
        if (!entry.has_value()) {
            write_boot_params({});
            return Entry{kernel.entry, kBootParamsAt, BootProtocol::Linux64};
        }
        std::optional<PvhModule> module;
        if (initrd_size_ != 0) module = PvhModule{initrd_at_, initrd_size_};
        write(kStartInfoAt,
              pvh_start_info(kStartInfoAt, kCommandLine, files_.acpi, module, areas_));
        return Entry{*entry, kStartInfoAt, BootProtocol::Pvh};
    }

    /// `longest` without its end; 0: not known.
    Result<> load_command_line(u64 longest) {
        const u64 limit = std::min(longest == 0 ? kMaxCommandLine : longest, kMaxCommandLine - 1);
        if (files_.append.size() > limit)
            return failure(fmt::format("--append: {} bytes; this kernel takes {} at most: shorten "
                                       "it",
                                       files_.append.size(), limit));
        write(kCommandLine,
              std::as_bytes(std::span(files_.append.c_str(), files_.append.size() + 1)));
        return {};
    }

    /// As high as it may be, so that it is in nobody's way.
    Result<> load_initrd(u64 kernel_end, u64 highest_end) {
        if (files_.initrd.empty()) return {};
        const u64 end = std::min(low_end_, highest_end);
        const u64 room = kernel_end < end ? align_down(end - kernel_end, kPage) : 0;
        const FileBytes file = TRY(FileBytes::read(files_.initrd, room + 1));
        if (file.size() > room || align_down(end - file.size(), kPage) < kernel_end)
            return error(files_.initrd,
                         fmt::format("the initrd does not fit: there is room for {} behind the "
                                     "kernel",
                                     human_size(room)),
                         "give more --memory");
        initrd_size_ = file.size();
        initrd_at_ = align_down(end - file.size(), kPage);
        write(initrd_at_, file.span());
        return {};
    }

    void write_boot_params(const setup_header &header) {
        boot_params params{};
        params.hdr = header;
        params.hdr.type_of_loader = kUnknownLoader;
        params.hdr.loadflags |= kLoadedHigh;
        params.hdr.cmd_line_ptr = static_cast<u32>(kCommandLine);
        params.hdr.ramdisk_image = static_cast<u32>(initrd_at_);
        params.hdr.ramdisk_size = static_cast<u32>(initrd_size_);
        params.hdr.setup_data = kSetupData;
        params.acpi_rsdp_addr = files_.acpi;
        for (std::size_t i = 0; i < areas_.size(); ++i) {
            params.e820_table[i].addr = areas_[i].address;
            params.e820_table[i].size = areas_[i].size;
            params.e820_table[i].type = static_cast<u32>(areas_[i].kind);
        }
        params.e820_entries = static_cast<u8>(areas_.size());
        write(kBootParamsAt, std::as_bytes(std::span(&params, 1)));
        setup_data seed{};
        seed.type = SETUP_RNG_SEED;
        seed.len = static_cast<u32>(files_.rng_seed.size());
        write(kSetupData, std::as_bytes(std::span(&seed, 1)));
        write(kSetupData + sizeof seed, files_.rng_seed);
    }

    const BootFiles &files_;
    GuestMemory &ram_;
    const std::vector<MemoryArea> areas_;
    const u64 low_end_;
    u64 initrd_at_ = 0, initrd_size_ = 0;
};

} // namespace

Result<Entry> load_kernel(const BootFiles &files, GuestMemory &ram) {
    return Loader(files, ram).load();
}

} // namespace tandem::machine::x86
