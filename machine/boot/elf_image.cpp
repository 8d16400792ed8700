#include "machine/boot/elf_image.h"

#include <elf.h>
#include <fmt/format.h>

#include <cstring>

namespace tandem::machine {

Result<KernelImage> load_elf_image(const std::string &path, FileBytes file, u64 ram_base,
                                   u64 ram_size) {
    const auto error = [&path](const std::string &reason, std::string_view mend) {
        return failure(fmt::format("{}: {}; {}", path, reason, mend));
    };
    const auto bytes = file.span();
    Elf64_Ehdr header{};
    if (bytes.size() < sizeof header)
        return error("truncated: the ELF header is incomplete", "copy it again");
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0)
        return error("the ELF file has no program headers", "link it as an executable");
    if (header.e_phoff > bytes.size() ||
        (bytes.size() - header.e_phoff) / sizeof(Elf64_Phdr) < header.e_phnum)
        return error("truncated: the ELF program headers are incomplete", "copy it again");
    KernelImage kernel;
    kernel.entry = header.e_entry;
    for (u64 i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr segment{};
        std::memcpy(&segment, bytes.data() + header.e_phoff + i * sizeof segment, sizeof segment);
        if (segment.p_type == PT_INTERP)
            return error("is a program for an operating system (it needs a dynamic linker)",
                         "use a bare-metal ELF file or a kernel");
        if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
        if (segment.p_offset > bytes.size() || bytes.size() - segment.p_offset < segment.p_filesz)
            return error("truncated: an ELF segment lies beyond the end of the file",
                         "copy it again");
        if (segment.p_filesz > segment.p_memsz || segment.p_paddr < ram_base ||
            segment.p_paddr - ram_base > ram_size ||
            ram_size - (segment.p_paddr - ram_base) < segment.p_memsz)
            return error(fmt::format("the ELF segment at {:#x} ({}) is outside RAM, which is "
                                     "{:#x}-{:#x}",
                                     segment.p_paddr, human_size(segment.p_memsz), ram_base,
                                     ram_base + ram_size - 1),
                         "link it to run there or give more --memory");
        // Kernels are linked at virtual addresses; they enter with the MMU off.
        if (header.e_entry >= segment.p_vaddr && header.e_entry - segment.p_vaddr < segment.p_memsz)
            kernel.entry = header.e_entry - segment.p_vaddr + segment.p_paddr;
        kernel.segments.push_back(
            {segment.p_paddr, bytes.subspan(segment.p_offset, segment.p_filesz), segment.p_memsz});
    }
    if (kernel.segments.empty())
        return error("the ELF file has nothing to load", "link it as an executable");
    kernel.storage = std::move(file);
    return kernel;
}

} // namespace tandem::machine
