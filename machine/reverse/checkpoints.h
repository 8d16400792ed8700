#pragma once
/// A deterministic machine at exact moments, kept in memory, and back to them on the same machine.
#include "machine/reverse/memories.h"

#include <map>
#include <memory>
#include <vector>

namespace tandem::machine::reverse {

struct Checkpoint {
    std::vector<std::byte> state; ///< all but memories
    std::vector<PageTable> memories;
};

class Checkpoints {
public:
    /// More than this many are never kept.
    static constexpr std::size_t kMaxCount = 1000;

    /// They take about `max_bytes`, but the first stays whatever it takes. The session and the
    /// disks outlive this.
    Checkpoints(replay::Session &, std::span<OverlayDisk *const> disks, u64 max_bytes);
    Checkpoints(const Checkpoints &) = delete;
    Checkpoints &operator=(const Checkpoints &) = delete;

    // On the machine's thread outside of turns, or while the machine stands still.

    /// The machine's board is another one from now on.
    void set_board(Board &);
    /// Keeps the machine as it is, unless its position has been kept before; then drops what is
    /// too much, rather what lies close to others and far from here.
    [[nodiscard]] Result<> take();
    /// The last one at or before this position; there must be one.
    [[nodiscard]] u64 last_before(u64 position) const;
    [[nodiscard]] u64 first() const { return kept_.begin()->first; }
    /// Makes the machine what it was there.
    [[nodiscard]] Result<> bring_back(u64 position);

    /// One of the same machine elsewhere: it can be brought there. It is copied.
    void adopt(u64 position, const Checkpoint &);
    /// The first one goes; there are others.
    void drop_first();
    [[nodiscard]] const Checkpoint &at(u64 position) const { return kept_.at(position); }

    [[nodiscard]] std::size_t count() const { return kept_.size(); }
    [[nodiscard]] u64 bytes() const { return pages_ * kPageSize + state_bytes_; }
    /// Of these: what all but the last checkpoint add to it.
    [[nodiscard]] u64 past_bytes() const;

private:
    void thin_out(u64 here);

    replay::Session &session_;
    const u64 max_bytes_;
    u64 pages_ = 0; ///< kept by all histories
    u64 state_bytes_ = 0;
    std::vector<std::unique_ptr<PagedMemory>> memories_; ///< RAM first
    std::vector<PageHistory> histories_;
    std::map<u64, Checkpoint> kept_; ///< by position
};

} // namespace tandem::machine::reverse
