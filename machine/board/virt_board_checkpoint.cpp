/// What a deterministic board is at an exact moment, to be brought back on the same board.
#include "machine/board/virt_board.h"

#include "machine/board/memory_map.h"
#include "machine/snapshot/format.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace tandem::machine {
namespace {

/// False: they were the same.
bool replace(std::byte *page, const std::byte *bytes) {
    static constexpr std::array<std::byte, snapshot::kPageSize> kZeros{};
    if (bytes == nullptr) bytes = kZeros.data();
    if (std::memcmp(page, bytes, snapshot::kPageSize) == 0) return false;
    std::memcpy(page, bytes, snapshot::kPageSize);
    return true;
}

} // namespace

std::vector<VirtBoard::Part> VirtBoard::exact_parts() {
    std::vector<Part> all = parts();
    // The clock is whose who counts. The interrupt controller comes last: others drive its wires
    // while they are restored.
    all.erase(all.begin());
    std::ranges::rotate(all, all.begin() + 1);
    return all;
}

void VirtBoard::save_exactly(devices::StateWriter &writer) {
    for (const Part &part : exact_parts()) part.save(writer);
    cpus_.save_progress(writer);
}

Result<> VirtBoard::restore_exactly(devices::StateReader &reader) {
    for (const Part &part : exact_parts()) TRY(part.restore(reader));
    return cpus_.restore_progress(reader);
}

void VirtBoard::set_ram_page(u64 page, const std::byte *bytes) {
    const u64 offset = page * snapshot::kPageSize;
    if (!replace(ram_->host() + offset, bytes)) return;
    ram_->dirty_log().mark(page);
    accelerator_->memory_written(ram_->base() + offset, snapshot::kPageSize);
}

void VirtBoard::set_flash_page(unsigned bank, u64 page, const std::byte *bytes) {
    const u64 offset = page * snapshot::kPageSize;
    if (replace(backends_.flash[bank]->cells().data() + offset, bytes))
        accelerator_->memory_written(GuestPhysAddr{kFlash.base + bank * kFlashBankSize + offset},
                                     snapshot::kPageSize);
}

} // namespace tandem::machine
