#include "machine/memory/guest_memory.h"

#include "machine/memory/file_holes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include <cerrno>
#include <cstring>

namespace tandem::machine {
namespace {

std::unexpected<Error> no_memory(u64 size, const char *reason) {
    return failure(fmt::format("--memory: the host cannot give {} MiB of guest memory ({}); use a "
                               "smaller --memory",
                               size >> 20, reason));
}

} // namespace

Result<std::unique_ptr<GuestMemory>> GuestMemory::create(GuestPhysAddr base, u64 size, Hole hole) {
    // The kernel promises memfd pages without having them, so an impossible size would only show
    // later as SIGBUS or the OOM killer.
    struct sysinfo host{};
    if (::sysinfo(&host) == 0) {
        const u64 total = (u64{host.totalram} + host.totalswap) * host.mem_unit;
        if (size > total)
            return no_memory(size, fmt::format("it has {} MiB in all", total >> 20).c_str());
    }
    ScopedFd file{::memfd_create("guest-ram", MFD_CLOEXEC)};
    if (!file.is_open() || ::ftruncate(file.get(), static_cast<off_t>(size)) != 0)
        return no_memory(size, std::strerror(errno));
    // 2 MiB alignment lets the host use huge pages where the guest does.
    static constexpr u64 kAlignment = 2u << 20;
    void *reservation = ::mmap(nullptr, size + kAlignment, PROT_NONE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reservation == MAP_FAILED) return no_memory(size, std::strerror(errno));
    const u64 start = reinterpret_cast<u64>(reservation);
    const u64 aligned = align_up(start, kAlignment);
    void *address = ::mmap(reinterpret_cast<void *>(aligned), size, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_FIXED, file.get(), 0);
    if (address == MAP_FAILED) {
        const int error = errno;
        ::munmap(reservation, size + kAlignment);
        return no_memory(size, std::strerror(error));
    }
    if (aligned != start) ::munmap(reservation, aligned - start);
    if (const u64 tail = start + size + kAlignment - (aligned + size); tail != 0)
        ::munmap(reinterpret_cast<void *>(aligned + size), tail);
    ::madvise(address, size, MADV_HUGEPAGE); // a hint: not every host allows it for shared memory
    ::madvise(address, size, MADV_DONTDUMP);
    return std::unique_ptr<GuestMemory>{
        new GuestMemory(std::move(file), static_cast<std::byte *>(address), base, size, hole)};
}

GuestMemory::~GuestMemory() {
    ::munmap(host_, size_);
}

std::vector<GuestMemory::Range> GuestMemory::populated() const {
    std::vector<Range> ranges;
    for_each_populated(file_.get(), size_,
                       [&](u64 offset, u64 length) { ranges.push_back({offset, length}); });
    return ranges;
}

void GuestMemory::discard(u64 offset, u64 length) {
    need(offset, length); // or what a snapshot has would come over it later
    if (::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    static_cast<off_t>(offset), static_cast<off_t>(length)) != 0)
        std::memset(host_ + offset, 0, length);
}

void GuestMemory::clear() {
    discard(0, size_);
}

} // namespace tandem::machine
