#include "machine/memory/physical_map.h"

#include "support/check.h"

#include <algorithm>

namespace tandem::machine {

PhysicalMap::PhysicalMap(GuestMemory &ram) : ram_(ram) {
    history_.push_back(std::make_unique<Ranges>());
    current_.store(history_.back().get());
}

PhysicalMap::~PhysicalMap() = default;

void PhysicalMap::add(Range range) {
    const std::lock_guard lock(mutex_);
    auto next = std::make_unique<Ranges>(*history_.back());
    const auto at = std::ranges::upper_bound(*next, range.base, {}, &Range::base);
    CHECK(range.size != 0 && !ram_.contains(GuestPhysAddr{range.base}, 1));
    CHECK(at == next->end() || range.base + range.size <= at->base);
    CHECK(at == next->begin() || (at - 1)->base + (at - 1)->size <= range.base);
    next->insert(at, range);
    current_.store(next.get(), std::memory_order_release);
    history_.push_back(std::move(next));
}

void PhysicalMap::add_device(GuestPhysAddr base, devices::MmioDevice &device) {
    add({base.value(), device.size(), &device, nullptr});
}

devices::RomWindow &PhysicalMap::create_window(std::span<std::byte> cells) {
    return *windows_.emplace_back(std::make_unique<Window>(*this, cells));
}

void PhysicalMap::add_rom(GuestPhysAddr base, devices::RomWindow &window,
                          devices::MmioDevice &device) {
    add({base.value(), device.size(), &device, &static_cast<Window &>(window)});
}

void PhysicalMap::Window::set_direct(bool direct) {
    if (is_direct_.exchange(direct) == direct) return;
    if (map_.observer_ != nullptr) map_.observer_->map_changed();
}

const PhysicalMap::Range *PhysicalMap::find(u64 physical) const {
    const Ranges &ranges = *current_.load(std::memory_order_acquire);
    const auto after = std::ranges::upper_bound(ranges, physical, {}, &Range::base);
    if (after == ranges.begin()) return nullptr;
    const Range &range = *(after - 1);
    return physical - range.base < range.size ? &range : nullptr;
}

std::vector<PhysicalMap::Placed> PhysicalMap::layout() const {
    std::vector<Placed> placed{{ram_.base().value(), ram_.size(), "ram"}};
    for (const Range &range : *current_.load(std::memory_order_acquire))
        placed.push_back({range.base, range.size, range.device->name()});
    std::ranges::sort(placed, {}, &Placed::base);
    return placed;
}

std::byte *PhysicalMap::page(u64 physical_page, bool &writable) {
    if (ram_.contains(GuestPhysAddr{physical_page}, 1)) [[likely]] {
        const u64 offset = ram_.offset_of(GuestPhysAddr{physical_page});
        writable = true;
        ram_.need(offset, 4096);
        return ram_.host() + offset;
    }
    writable = false;
    const Range *range = find(physical_page);
    if (range == nullptr || range->window == nullptr) return nullptr;
    std::byte *cells = range->window->direct_cells();
    return cells == nullptr ? nullptr : cells + (physical_page - range->base);
}

std::optional<GuestPhysAddr> PhysicalMap::address_of(const std::byte *host) const {
    const u64 offset = reinterpret_cast<u64>(host) - reinterpret_cast<u64>(ram_.host());
    if (offset >= ram_.size()) return std::nullopt;
    return ram_.address_of(offset);
}

std::size_t PhysicalMap::read_some(u64 physical, std::span<std::byte> out) {
    std::size_t done = 0;
    while (done < out.size()) {
        const u64 at = physical + done;
        bool writable = false;
        const std::byte *cells = page(at & ~u64{0xfff}, writable);
        if (cells == nullptr) break;
        const std::size_t length = std::min<std::size_t>(out.size() - done, 4096 - (at & 0xfff));
        std::memcpy(out.data() + done, cells + (at & 0xfff), length);
        done += length;
    }
    return done;
}

std::size_t PhysicalMap::write_some(u64 physical, std::span<const std::byte> in) {
    std::size_t done = 0;
    while (done < in.size()) {
        const u64 at = physical + done;
        const std::size_t length = std::min<std::size_t>(in.size() - done, 4096 - (at & 0xfff));
        if (!write(GuestPhysAddr{at}, in.subspan(done, length))) break;
        done += length;
    }
    return done;
}

bool PhysicalMap::tracks_stores_to(u64 physical_page) const {
    const GuestPhysAddr page{physical_page};
    return ram_.contains(page, 1) &&
           ram_.dirty_log().is_clean(ram_.offset_of(page) / DirtyLog::kPageSize);
}

void PhysicalMap::will_store(u64 physical_page) {
    const GuestPhysAddr page{physical_page};
    if (ram_.contains(page, 1)) ram_.dirty_log().mark(ram_.offset_of(page) / DirtyLog::kPageSize);
}

bool PhysicalMap::read(u64 physical, unsigned size_log2, u64 &value) {
    const Range *range = find(physical);
    const u64 size = u64{1} << size_log2;
    if (range == nullptr) return false;
    const u64 offset = physical - range->base;
    if (!is_aligned(offset, size) || range->size - offset < size) return false;
    return range->device->read(offset, size_log2, value);
}

bool PhysicalMap::write(u64 physical, unsigned size_log2, u64 value) {
    const Range *range = find(physical);
    const u64 size = u64{1} << size_log2;
    if (range == nullptr) return false;
    const u64 offset = physical - range->base;
    if (!is_aligned(offset, size) || range->size - offset < size) return false;
    return range->device->write(offset, size_log2, value);
}

bool PhysicalMap::read(GuestPhysAddr address, std::span<std::byte> out) {
    const std::byte *host = map(address, out.size(), devices::DmaAccess::Read);
    if (host == nullptr) return false;
    std::memcpy(out.data(), host, out.size());
    return true;
}

bool PhysicalMap::write(GuestPhysAddr address, std::span<const std::byte> in) {
    std::byte *host = map(address, in.size(), devices::DmaAccess::Write);
    if (host == nullptr) return false;
    std::memcpy(host, in.data(), in.size());
    written(address, in.size());
    return true;
}

std::byte *PhysicalMap::map(GuestPhysAddr address, u64 length, devices::DmaAccess) {
    if (!ram_.contains(address, length)) return nullptr;
    const u64 offset = ram_.offset_of(address);
    ram_.need(offset, length);
    return ram_.host() + offset;
}

void PhysicalMap::discard(GuestPhysAddr address, u64 length) {
    if (!ram_.contains(address, length)) return;
    const u64 offset = ram_.offset_of(address);
    const u64 first = align_up(offset, DirtyLog::kPageSize);
    const u64 end = align_down(offset + length, DirtyLog::kPageSize);
    if (first >= end) return;
    ram_.discard(first, end - first);
    written(ram_.address_of(first), end - first);
}

void PhysicalMap::written(GuestPhysAddr address, u64 length) {
    if (length == 0) return;
    if (ram_.contains(address, length))
        ram_.dirty_log().mark_bytes(ram_.offset_of(address), length);
    if (observer_ != nullptr) observer_->memory_written(address, length);
}

} // namespace tandem::machine
