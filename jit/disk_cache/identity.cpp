#include "jit/disk_cache/identity.h"

#include "jit/disk_cache/byte_codec.h"

#include <cpuid.h>
#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace tandem::jit {
namespace {

constexpr std::size_t kMaxNoteBytes = 1u << 16;

bool read_at(int file, u64 offset, std::span<std::byte> target) {
    return ::pread(file, target.data(), target.size(), static_cast<off_t>(offset)) ==
           static_cast<ssize_t>(target.size());
}

/// The build id among notes, empty if there is none (System V gABI, "Note Section").
std::string find_build_id(std::span<const std::byte> notes) {
    ByteReader in(notes);
    while (in.is_good() && !in.is_complete()) {
        const auto name_bytes = in.get<u32>();
        const auto bytes = in.get<u32>();
        const auto type = in.get<u32>();
        const auto name = in.take(align_up(name_bytes, 4));
        const auto content = in.take(align_up(bytes, 4));
        if (type != NT_GNU_BUILD_ID || name.size() != sizeof ELF_NOTE_GNU ||
            std::memcmp(name.data(), ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) != 0)
            continue;
        std::string digits;
        for (const std::byte byte : content.first(std::min<std::size_t>(bytes, content.size())))
            digits += fmt::format("{:02x}", static_cast<unsigned>(byte));
        return digits;
    }
    return {};
}

/// What cpuid says of the host, but for what differs between its cores, and the state that the
/// system saves (Intel SDM volume 2, CPUID).
std::string describe_host(std::vector<std::byte> &out) {
    ByteWriter writer(out);
    std::array<char, 49> brand{};
    std::array<unsigned, 4> r{};
    const auto query = [&](unsigned leaf, unsigned subleaf) {
        r = {};
        return __get_cpuid_count(leaf, subleaf, &r[0], &r[1], &r[2], &r[3]) != 0;
    };
    struct Leaf {
        unsigned leaf, subleaf;
        std::array<bool, 4> counts; ///< which of eax, ebx, ecx, edx
    };
    static constexpr Leaf kLeaves[] = {{0, 0, {true, true, true, true}},
                                       {1, 0, {true, false, true, true}},
                                       {7, 0, {true, true, true, true}},
                                       {7, 1, {true, true, true, true}},
                                       {0x80000001, 0, {true, false, true, true}}};
    for (const Leaf &leaf : kLeaves) {
        query(leaf.leaf, leaf.subleaf);
        for (unsigned i = 0; i < r.size(); ++i)
            if (leaf.counts[i]) writer.put(r[i]);
    }
    query(1, 0);
    constexpr unsigned kOsxsave = 1u << 27;
    if ((r[2] & kOsxsave) != 0) {
        u32 low = 0, high = 0;
        asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        writer.put(low);
        writer.put(high);
    }
    for (unsigned i = 0; i < 3; ++i)
        if (query(0x80000002 + i, 0)) std::memcpy(brand.data() + i * 16, r.data(), 16);
    return brand.data();
}

} // namespace

Result<std::string> build_id(const std::string &path) {
    const ScopedFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    Elf64_Ehdr header{};
    std::string id;
    if (file.is_open() && read_at(file.get(), 0, std::as_writable_bytes(std::span(&header, 1))) &&
        std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
        header.e_phentsize == sizeof(Elf64_Phdr)) {
        std::vector<Elf64_Phdr> segments(header.e_phnum);
        if (!read_at(file.get(), header.e_phoff, std::as_writable_bytes(std::span(segments))))
            segments.clear();
        for (const Elf64_Phdr &segment : segments) {
            if (segment.p_type != PT_NOTE || segment.p_filesz > kMaxNoteBytes) continue;
            std::vector<std::byte> notes(segment.p_filesz);
            if (id.empty() && read_at(file.get(), segment.p_offset, notes))
                id = find_build_id(notes);
        }
    }
    if (id.empty()) return failure(fmt::format("{}: has no build id", path));
    return id;
}

Result<CacheIdentity> identify(const std::string &module, unsigned host_level, u64 guest) {
    const std::string program = TRY(build_id("/proc/self/exe"));
    const std::string compiler = TRY(build_id(module));
    const std::string llvm = TRY(build_id(TANDEM_LLVM_LIBRARY));
    std::vector<std::byte> bytes;
    for (const std::string &id : {program, compiler, llvm}) {
        ByteWriter writer(bytes);
        writer.put_count(id.size());
        writer.put_bytes(std::as_bytes(std::span(id)));
    }
    const std::string host = describe_host(bytes);
    ByteWriter writer(bytes);
    writer.put(host_level);
    writer.put(guest);
    CacheIdentity identity;
    identity.value = checksum_of(bytes);
    identity.made_for = fmt::format("build {:.12}, LLVM " TANDEM_LLVM_VERSION ", {}, guest {:x}",
                                    program, host, guest);
    return identity;
}

} // namespace tandem::jit
