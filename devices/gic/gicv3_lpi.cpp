#include "devices/gic/gicv3_lpi.h"

namespace tandem::devices {

namespace {

constexpr u64 kAddressMask =
    0x000f'ffff'ffff'f000; ///< PROPBASER<51:12>, and what PENDBASER has of it
constexpr u64 kPendingAddressMask = 0x000f'ffff'ffff'0000;
constexpr u64 kPendingZero = u64{1} << 62; ///< GICR_PENDBASER.PTZ: the table is all zero
constexpr u8 kConfigurationEnable = 1;
constexpr u32 kIntidMask = 0xff'ffff;

void erase_sorted(std::vector<u32> &list, u32 value) {
    const auto at = std::ranges::lower_bound(list, value);
    if (at != list.end() && *at == value) list.erase(at);
}

void insert_sorted(std::vector<u32> &list, u32 value) {
    const auto at = std::ranges::lower_bound(list, value);
    if (at == list.end() || *at != value) list.insert(at, value);
}

} // namespace

bool LpiQueue::covers(u32 intid) const {
    const u32 bits = std::min(static_cast<u32>(properties & 31) + 1, kIntidBits);
    return intid >= kFirstIntid && intid < (1u << bits);
}

u8 LpiQueue::configuration(u32 intid, DmaSpace &memory) const {
    u8 value = 0;
    const GuestPhysAddr address((properties & kAddressMask) + (intid - kFirstIntid));
    return memory.read_object(address, value) ? value : u8{0};
}

void LpiQueue::insert(u32 intid, u8 configuration) {
    if ((configuration & kConfigurationEnable) != 0)
        insert_sorted(ready_, u32{configuration} >> 3 << 27 | intid);
    else
        insert_sorted(disabled_, intid);
}

void LpiQueue::pend(u32 intid, DmaSpace &memory) {
    if (!enabled || !covers(intid) || is_pending(intid)) return;
    insert(intid, configuration(intid, memory));
}

void LpiQueue::clear(u32 intid) {
    erase_sorted(disabled_, intid);
    std::erase_if(ready_, [intid](u32 entry) { return (entry & kIntidMask) == intid; });
}

bool LpiQueue::is_pending(u32 intid) const {
    return std::ranges::binary_search(disabled_, intid) ||
           std::ranges::any_of(ready_,
                               [intid](u32 entry) { return (entry & kIntidMask) == intid; });
}

void LpiQueue::reread(u32 intid, DmaSpace &memory) {
    if (!is_pending(intid)) return;
    clear(intid);
    insert(intid, configuration(intid, memory));
}

void LpiQueue::reread_all(DmaSpace &memory) {
    for (const u32 intid : take_all()) insert(intid, configuration(intid, memory));
}

std::vector<u32> LpiQueue::take_all() {
    std::vector<u32> all = std::exchange(disabled_, {});
    for (const u32 entry : std::exchange(ready_, {})) all.push_back(entry & kIntidMask);
    return all;
}

PendingInterrupt LpiQueue::best() const {
    // IHI 0069H 4.6: with one security state LPIs are in Group 1.
    if (!enabled || ready_.empty()) return {};
    return {.intid = ready_.front() & kIntidMask, .priority = ready_.front() >> 24, .group = 1};
}

void LpiQueue::load_pending(DmaSpace &memory) {
    ready_.clear();
    disabled_.clear();
    if ((pending_table & kPendingZero) != 0) return;
    // A bit for each INTID; the first 8192 are not LPIs.
    std::vector<u8> bits(kIntids / 8);
    const GuestPhysAddr address((pending_table & kPendingAddressMask) + kFirstIntid / 8);
    if (!memory.read(address, std::as_writable_bytes(std::span(bits)))) return;
    for (u32 index = 0; index < kIntids; ++index)
        if (bit(bits[index / 8], index % 8)) pend(kFirstIntid + index, memory);
}

void LpiQueue::store_pending(DmaSpace &memory) const {
    std::vector<u8> bits(kIntids / 8);
    const auto set = [&bits](u32 intid) {
        const u32 index = intid - kFirstIntid;
        bits[index / 8] = static_cast<u8>(bits[index / 8] | 1u << (index % 8));
    };
    for (const u32 intid : disabled_) set(intid);
    for (const u32 entry : ready_) set(entry & kIntidMask);
    const GuestPhysAddr address((pending_table & kPendingAddressMask) + kFirstIntid / 8);
    static_cast<void>(memory.write(address, std::as_bytes(std::span(bits))));
}

void LpiQueue::sanitize() {
    const auto legal = [](std::vector<u32> &list) {
        std::erase_if(list, [](u32 entry) {
            const u32 intid = entry & kIntidMask;
            return intid < kFirstIntid || intid >= kFirstIntid + kIntids;
        });
        std::ranges::sort(list);
        const auto rest = std::ranges::unique(list);
        list.erase(rest.begin(), rest.end());
    };
    legal(ready_);
    legal(disabled_);
    std::erase_if(disabled_, [](u32 intid) { return intid > kIntidMask; });
}

} // namespace tandem::devices
