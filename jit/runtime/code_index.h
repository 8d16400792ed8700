#pragma once
/// Which block a host address belongs to, for a profiler: a table with an entry for each 16 bytes
/// of code memory, of which the host gives pages only where there is code.
#include "support/bits.h"
#include "support/result.h"

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>

namespace tandem::jit {

enum class CodeKind : u8 { Baseline = 1, Optimised = 2 };

class CodeIndex {
public:
    /// For code in `memory`, by its executable addresses.
    [[nodiscard]] static Result<std::unique_ptr<CodeIndex>>
    create(std::span<const std::byte> memory);
    ~CodeIndex();
    CodeIndex(const CodeIndex &) = delete;
    CodeIndex &operator=(const CodeIndex &) = delete;

    /// Any thread: `code`, 16-byte aligned, was made from the guest code at this offset in its
    /// page. What was there is gone.
    void add(CodeKind kind, u32 page_offset, std::span<const std::byte> code);

    struct Found {
        CodeKind kind = CodeKind::Baseline;
        u32 page_offset = 0; ///< of the guest code
    };
    /// Any thread; async-signal-safe.
    [[nodiscard]] std::optional<Found> find(const void *host) const;

private:
    static constexpr unsigned kGranule = 16;
    /// 0: not the start of a piece. Else its kind above the offset.
    using Entry = std::atomic<u16>;
    static_assert(Entry::is_always_lock_free && sizeof(Entry) == 2);
    static constexpr unsigned kOffsetBits = 12;
    /// No piece is larger: Compiler::kMaxCodeSize.
    static constexpr std::size_t kMaxPiece = std::size_t{512} << 10;

    CodeIndex(std::span<const std::byte> memory, Entry *entries)
        : memory_(memory), entries_(entries) {}
    [[nodiscard]] std::size_t size() const { return memory_.size() / kGranule; }

    std::span<const std::byte> memory_;
    Entry *entries_;
};

} // namespace tandem::jit
