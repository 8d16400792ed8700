#pragma once
/// Pieces of an image decompressed last. Any thread.
#include "support/bits.h"

#include <algorithm>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

namespace tandem::machine {

class InflatedCache {
public:
    using Bytes = std::shared_ptr<const std::vector<std::byte>>;

    /// Null if it is not there.
    [[nodiscard]] Bytes find(u64 key) {
        const std::lock_guard lock(mutex_);
        const auto found = std::ranges::find(pieces_, key, &Piece::key);
        return found != pieces_.end() ? found->bytes : nullptr;
    }
    void add(u64 key, Bytes bytes) {
        const std::lock_guard lock(mutex_);
        if (pieces_.size() >= kMaxPieces) pieces_.pop_back();
        pieces_.push_front({key, std::move(bytes)});
    }
    void clear() {
        const std::lock_guard lock(mutex_);
        pieces_.clear();
    }

private:
    static constexpr std::size_t kMaxPieces = 16;
    struct Piece {
        u64 key;
        Bytes bytes;
    };
    std::mutex mutex_;
    std::list<Piece> pieces_;
};

} // namespace tandem::machine
