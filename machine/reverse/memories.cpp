#include "machine/reverse/memories.h"

#include "support/zeros.h"

#include <sys/uio.h>

#include <algorithm>
#include <functional>

namespace tandem::machine::reverse {
namespace {

static_assert(OverlayDisk::kClusterSize == kPageSize);
static_assert(replay::NotedFlash::kPageSize == kPageSize);

template <typename Ranges>
void add_ranges(const Ranges &ranges, std::span<u64> pages) {
    for (const auto &[offset, length] : ranges)
        for (u64 page = offset / kPageSize; page < (offset + length) / kPageSize; ++page)
            pages[page / 64] |= u64{1} << (page % 64);
}

const std::byte *unless_zero(const std::byte *page) {
    return is_zero({page, kPageSize}) ? nullptr : page;
}

std::unexpected<Error> lost() {
    return failure("a temporary file of a disk's changes cannot be read or written; make room in "
                   "the folder for temporary files and start again");
}

} // namespace

void RamMemory::collect_written(std::span<u64> pages) {
    board_.collect_written(pages);
    if (std::exchange(is_new_, false)) add_ranges(board_.ram().populated(), pages);
}

Result<const std::byte *> RamMemory::page(u64 index, std::span<std::byte, kPageSize>) {
    return unless_zero(board_.ram().host() + index * kPageSize);
}

Result<> RamMemory::set_page(u64 index, const std::byte *bytes) {
    board_.set_ram_page(index, bytes);
    return {};
}

void FlashMemory::collect_written(std::span<u64> pages) {
    const std::vector<u64> changed = session_.flash(bank_).take_changed();
    std::ranges::transform(changed, pages, pages.begin(), std::bit_or{});
    if (std::exchange(is_new_, false)) add_ranges(session_.flash(bank_).populated(), pages);
}

Result<const std::byte *> FlashMemory::page(u64 index, std::span<std::byte, kPageSize>) {
    return unless_zero(session_.flash(bank_).cells().data() + index * kPageSize);
}

Result<> FlashMemory::set_page(u64 index, const std::byte *bytes) {
    session_.board().set_flash_page(bank_, index, bytes);
    session_.flash(bank_).was_set(index);
    return {};
}

Result<const std::byte *> OverlayMemory::page(u64 index, std::span<std::byte, kPageSize> buffer) {
    if (!disk_.is_changed(index)) return nullptr;
    const u64 offset = index * kPageSize;
    std::ranges::fill(buffer, std::byte{0});
    iovec vector{buffer.data(), std::min<u64>(kPageSize, disk_.size() - offset)};
    if (disk_.read(offset, vector.iov_len, {&vector, 1}, true) != StoreStatus::Ok) return lost();
    return buffer.data();
}

Result<> OverlayMemory::set_page(u64 index, const std::byte *bytes) {
    if (disk_.set_cluster(index, bytes) != StoreStatus::Ok) return lost();
    return {};
}

void add_lasting_memories(std::vector<std::unique_ptr<PagedMemory>> &memories,
                          replay::Session &session, std::span<OverlayDisk *const> disks) {
    for (unsigned bank = 0; bank < replay::Session::kFlashBanks; ++bank)
        memories.push_back(std::make_unique<FlashMemory>(session, bank));
    for (OverlayDisk *disk : disks) memories.push_back(std::make_unique<OverlayMemory>(*disk));
}

std::vector<std::unique_ptr<PagedMemory>> memories_of(replay::Session &session, Board &board,
                                                      std::span<OverlayDisk *const> disks) {
    std::vector<std::unique_ptr<PagedMemory>> memories;
    memories.push_back(std::make_unique<RamMemory>(board));
    add_lasting_memories(memories, session, disks);
    return memories;
}

} // namespace tandem::machine::reverse
