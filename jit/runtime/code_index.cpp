#include "jit/runtime/code_index.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tandem::jit {

Result<std::unique_ptr<CodeIndex>> CodeIndex::create(std::span<const std::byte> memory) {
    // Zero, as fresh pages are, says that nothing starts there.
    void *entries =
        ::mmap(nullptr, memory.size() / kGranule * sizeof(Entry), PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (entries == MAP_FAILED)
        return failure(std::string("--profile: no memory for the index of code: ") +
                       std::strerror(errno) + "; give the process more address space");
    return std::unique_ptr<CodeIndex>(new CodeIndex(memory, static_cast<Entry *>(entries)));
}

CodeIndex::~CodeIndex() {
    ::munmap(entries_, size() * sizeof(Entry));
}

void CodeIndex::add(CodeKind kind, u32 page_offset, std::span<const std::byte> code) {
    const auto first = static_cast<std::size_t>(code.data() - memory_.data()) / kGranule;
    const std::size_t end = std::min(first + (code.size() + kGranule - 1) / kGranule, size());
    const u32 value = static_cast<u32>(kind) << kOffsetBits | page_offset;
    for (std::size_t i = first; i < end; ++i)
        entries_[i].store(i == first ? static_cast<u16>(value) : u16{0}, std::memory_order_relaxed);
}

std::optional<CodeIndex::Found> CodeIndex::find(const void *host) const {
    const auto *at = static_cast<const std::byte *>(host);
    if (at < memory_.data() || at >= memory_.data() + memory_.size()) return std::nullopt;
    std::size_t i = static_cast<std::size_t>(at - memory_.data()) / kGranule;
    for (const std::size_t last = i - std::min(i, kMaxPiece / kGranule);; --i) {
        const u32 value = entries_[i].load(std::memory_order_relaxed);
        if (value != 0)
            return Found{static_cast<CodeKind>(value >> kOffsetBits),
                         value & ((1u << kOffsetBits) - 1)};
        if (i == last) return std::nullopt;
    }
}

} // namespace tandem::jit
