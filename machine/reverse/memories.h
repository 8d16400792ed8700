#pragma once
/// The memories of a deterministic machine, as PageHistory sees them.
#include "machine/replay/session.h"
#include "machine/reverse/page_history.h"
#include "machine/storage/overlay_disk.h"

#include <memory>
#include <vector>

namespace tandem::machine::reverse {

class RamMemory final : public PagedMemory {
public:
    /// From now on the board's pages that are written are noticed. It outlives this.
    explicit RamMemory(Board &board) : board_(board) { board_.start_tracking(); }
    u64 page_count() const override { return board_.ram().size() / kPageSize; }
    void collect_written(std::span<u64> pages) override;
    Result<const std::byte *> page(u64 index, std::span<std::byte, kPageSize>) override;
    Result<> set_page(u64 index, const std::byte *bytes) override;

private:
    Board &board_;
    bool is_new_ = true;
};

class FlashMemory final : public PagedMemory {
public:
    FlashMemory(replay::Session &session, unsigned bank) : session_(session), bank_(bank) {}
    u64 page_count() const override { return session_.flash(bank_).cells().size() / kPageSize; }
    void collect_written(std::span<u64> pages) override;
    Result<const std::byte *> page(u64 index, std::span<std::byte, kPageSize>) override;
    Result<> set_page(u64 index, const std::byte *bytes) override;

private:
    replay::Session &session_;
    unsigned bank_;
    bool is_new_ = true;
};

/// What lies below the overlay is what holds nothing.
class OverlayMemory final : public PagedMemory {
public:
    explicit OverlayMemory(OverlayDisk &disk) : disk_(disk) {}
    u64 page_count() const override { return disk_.cluster_count(); }
    void collect_written(std::span<u64> pages) override { disk_.collect_written(pages); }
    Result<const std::byte *> page(u64 index, std::span<std::byte, kPageSize>) override;
    Result<> set_page(u64 index, const std::byte *bytes) override;

private:
    OverlayDisk &disk_;
};

/// Those that outlive a board: flash and overlays.
void add_lasting_memories(std::vector<std::unique_ptr<PagedMemory>> &, replay::Session &,
                          std::span<OverlayDisk *const> disks);
/// All of them, RAM first.
[[nodiscard]] std::vector<std::unique_ptr<PagedMemory>>
memories_of(replay::Session &, Board &, std::span<OverlayDisk *const> disks);

} // namespace tandem::machine::reverse
