#include "devices/gic/gicv3_its.h"

#include "devices/core/fdt_node.h"
#include "devices/gic/gicv3_registers.h"

namespace tandem::devices {

namespace {

#define TANDEM_REGISTERS "devices/gic/gicv3_its_registers.inc"
#include "devices/core/register_table.inc"

constexpr u32 kTranslater = 0x10040;
constexpr u32 kControlFrame = 0x10000;
constexpr u32 kCommandSize = 32;
constexpr u32 kEntrySize = 8; ///< of all tables
constexpr u32 kDeviceBits = 16, kEventBits = 16, kCollectionBits = 16;

/// GITS_BASER: Valid, Indirect, cacheability, type, entry size, address, shareability, page size,
/// pages less one.
constexpr u64 kValid = u64{1} << 63;
constexpr u64 kTableIndirect = u64{1} << 62;
constexpr u64 kTableWritable = 0xf8e0'ffff'ffff'ffff; // all but type and entry size
constexpr u64 kQueueWritable = 0xb8ef'ffff'ffff'fcff;
constexpr u32 kDeviceTable = 0, kCollectionTable = 1;
/// Type (1: devices, 4: collections) and entry size less one.
constexpr std::array<u64, 8> kTableFixed{u64{1} << 56 | u64{kEntrySize - 1} << 48,
                                         u64{4} << 56 | u64{kEntrySize - 1} << 48};
constexpr u64 kTableAddress = 0x0000'ffff'ffff'f000;
constexpr u64 kQueueAddress = 0x000f'ffff'ffff'f000;

[[nodiscard]] constexpr u64 page_size(u64 table) {
    switch (bits(table, 9, 8)) {
    case 0: return 0x1000;
    case 1: return 0x4000;
    default: return 0x10000;
    }
}

[[nodiscard]] u64 table_address(u64 table) {
    // IHI 0069H, GITS_BASER.Physical_Address: with pages of 64 KiB bits <15:12> are address<51:48>.
    if (page_size(table) != 0x10000) return table & kTableAddress;
    return (table & 0x0000'ffff'ffff'0000) | bits(table, 15, 12) << 48;
}

// Entries: devices are Valid, ITT address<51:8> at <48:5>, EventID bits less one at <4:0>;
// collections Valid, processor at <51:16>, ICID; events INTID at <47:16>, ICID. An event with
// INTID 0 is not mapped.
[[nodiscard]] constexpr u64 make_event(u32 intid, u32 collection) {
    return u64{intid} << 16 | collection;
}

} // namespace

GicV3Its::GicV3Its(GicV3 &gic, DmaSpace &memory, GuestPhysAddr base)
    : gic_(gic), memory_(memory), doorbell_(base.value() + kTranslater) {
    reset();
}

void GicV3Its::reset() {
    const std::scoped_lock lock(mutex_);
    state_ = {};
    state_.tables = kTableFixed;
}

void GicV3Its::save(StateWriter &writer) const {
    const std::scoped_lock lock(mutex_);
    save_state(writer, name(), state_);
}

Result<> GicV3Its::restore(StateReader &reader) {
    GicV3ItsState state;
    if (auto result = restore_state(reader, name(), state); !result) return result;
    const std::scoped_lock lock(mutex_);
    state_ = state;
    state_.queue &= kQueueWritable;
    state_.write_offset &= CWRITER_Offset;
    state_.read_offset &= CWRITER_Offset;
    for (std::size_t i = 0; i < state_.tables.size(); ++i)
        state_.tables[i] =
            i > kCollectionTable ? 0 : (state_.tables[i] & kTableWritable) | kTableFixed[i];
    return {};
}

u32 GicV3Its::describe_in(FdtNode &controller) const {
    const GuestPhysAddr base(doorbell_ - kTranslater);
    FdtNode &node = controller.child(fdt_unit_name("its", base));
    node.strings("compatible", {"arm,gic-v3-its"});
    node.flag("msi-controller");
    node.cells("#msi-cells", {1});
    fdt_reg(node, base, size());
    return node.phandle();
}

// ------------------------------------------------------------------------------------- registers

bool GicV3Its::read(u64 offset, unsigned size_log2, u64 &value) {
    value = 0;
    if (offset >= kControlFrame) return true; // GITS_TRANSLATER is write-only
    const u32 at = static_cast<u32>(offset & ~u64{3});
    const std::scoped_lock lock(mutex_);
    value = gicv3::extract(read_word(at), offset, std::min(size_log2, 2u));
    if (size_log2 == 3) value |= u64{read_word(at + 4)} << 32;
    return true;
}

bool GicV3Its::write(u64 offset, unsigned size_log2, u64 value) {
    // A write of GITS_TRANSLATER by a CPU has no DeviceID, so it cannot be translated.
    if (offset >= kControlFrame || size_log2 < 2) return true;
    const u32 at = static_cast<u32>(offset);
    const std::scoped_lock lock(mutex_);
    write_word(at, static_cast<u32>(value));
    if (size_log2 == 3) write_word(at + 4, static_cast<u32>(value >> 32));
    return true;
}

u32 GicV3Its::read_word(u32 offset) const {
    if (offset >= static_cast<u32>(Register::BASER) &&
        offset < static_cast<u32>(Register::BASER_END))
        return static_cast<u32>(state_.tables[(offset - 0x100) / 8] >> ((offset & 4) * 8));
    const unsigned shift = (offset & 4) * 8;
    switch (static_cast<Register>(offset & ~u32{4})) {
    case Register::CTLR:
        if ((offset & 4) != 0) return gicv3::kImplementer;
        return state_.enabled ? CTLR_Enabled : CTLR_Quiescent;
    case Register::TYPER: {
        constexpr u64 kTyper = TYPER_Physical | (kEntrySize - 1) << 4 | (kEventBits - 1) << 8 |
                               (kDeviceBits - 1) << 13;
        return static_cast<u32>(kTyper >> shift);
    }
    case Register::CBASER: return static_cast<u32>(state_.queue >> shift);
    case Register::CWRITER: return shift == 0 ? state_.write_offset : 0;
    case Register::CREADR:
        return shift == 0 ? state_.read_offset | (state_.stalled ? CREADR_Stalled : 0) : 0;
    default: break;
    }
    return offset >= static_cast<u32>(Register::ID) ? gicv3::identification(offset) : 0;
}

void GicV3Its::write_word(u32 offset, u32 value) {
    const bool upper = (offset & 4) != 0;
    const auto merged = [&](u64 old) {
        return upper ? with_bits(old, 63, 32, value) : with_bits(old, 31, 0, value);
    };
    // IHI 0069H, GITS_BASER and GITS_CBASER: writes while the ITS is enabled are UNPREDICTABLE.
    if (offset >= static_cast<u32>(Register::BASER) &&
        offset < static_cast<u32>(Register::BASER_END)) {
        const u32 table = (offset - static_cast<u32>(Register::BASER)) / 8;
        if (table <= kCollectionTable && !state_.enabled) {
            u64 &base = state_.tables[table];
            base = (merged(base) & kTableWritable) | kTableFixed[table];
        }
        return;
    }
    switch (static_cast<Register>(offset & ~u32{4})) {
    case Register::CTLR:
        if (upper) break;
        state_.enabled = (value & CTLR_Enabled) != 0;
        run_commands();
        break;
    case Register::CBASER:
        if (state_.enabled) break;
        state_.queue = merged(state_.queue) & kQueueWritable;
        state_.read_offset = 0; // IHI 0069H, GITS_CBASER: a write clears GITS_CREADR
        state_.stalled = false;
        break;
    case Register::CWRITER:
        if (upper) break;
        state_.write_offset = value & CWRITER_Offset;
        state_.stalled = false; // the guest tries again
        run_commands();
        break;
    default: break;
    }
}

// -------------------------------------------------------------------------------------- commands

u32 GicV3Its::queue_size() const {
    return static_cast<u32>((bits(state_.queue, 7, 0) + 1) * 0x1000);
}

void GicV3Its::run_commands() {
    if (!state_.enabled || (state_.queue & kValid) == 0 || state_.stalled) return;
    if (state_.write_offset >= queue_size() || state_.read_offset >= queue_size()) return;
    while (state_.read_offset != state_.write_offset) {
        Command command;
        const GuestPhysAddr at((state_.queue & kQueueAddress) + state_.read_offset);
        if (!memory_.read_object(at, command)) {
            state_.stalled = true;
            return;
        }
        run(command);
        state_.read_offset = (state_.read_offset + kCommandSize) % queue_size();
    }
}

// IHI 0069H 5.3: a command with bad operands is ignored here, which 5.3.2 permits.
void GicV3Its::run(const Command &command) {
    enum : u8 {
        kMovi = 0x01,
        kInt = 0x03,
        kClear = 0x04,
        kSync = 0x05,
        kMapd = 0x08,
        kMapc = 0x09,
        kMapti = 0x0a,
        kMapi = 0x0b,
        kInv = 0x0c,
        kInvall = 0x0d,
        kMovall = 0x0e,
        kDiscard = 0x0f,
    };
    const u32 device = static_cast<u32>(command[0] >> 32);
    const u32 event = static_cast<u32>(command[1]);
    const u32 collection = static_cast<u32>(bits(command[2], 15, 0));
    switch (static_cast<u8>(command[0])) {
    case kMapd: map_device(command); break;
    case kMapc: map_collection(command); break;
    case kMapti: map_event(device, event, static_cast<u32>(command[1] >> 32), collection); break;
    case kMapi: map_event(device, event, event, collection); break;
    case kMovi: move_event(device, event, collection); break;
    case kDiscard: discard(device, event); break;
    case kInt:
        if (const auto target = translate(device, event)) gic_.pend_lpi(target->cpu, target->intid);
        break;
    case kClear:
        if (const auto target = translate(device, event))
            gic_.clear_lpi(target->cpu, target->intid);
        break;
    case kInv:
        if (const auto target = translate(device, event))
            gic_.reread_lpi(target->cpu, target->intid);
        break;
    case kInvall:
        if (const auto cpu = find_cpu(collection)) gic_.reread_lpis(*cpu);
        break;
    case kMovall:
        gic_.move_lpis(static_cast<u32>(bits(command[2], 50, 16)),
                       static_cast<u32>(bits(command[3], 50, 16)));
        break;
    case kSync: break; // commands are done in order and at once
    default: break;
    }
}

void GicV3Its::map_device(const Command &command) {
    const auto at = entry_address(kDeviceTable, static_cast<u32>(command[0] >> 32));
    const u64 event_bits = bits(command[1], 4, 0);
    if (!at || event_bits >= kEventBits) return;
    const u64 entry =
        (command[2] & kValid) != 0 ? kValid | bits(command[2], 51, 8) << 5 | event_bits : 0;
    static_cast<void>(memory_.write_object(*at, entry));
}

void GicV3Its::map_collection(const Command &command) {
    const auto at = entry_address(kCollectionTable, static_cast<u32>(bits(command[2], 15, 0)));
    const u64 cpu = bits(command[2], 50, 16);
    const bool is_valid = (command[2] & kValid) != 0;
    if (!at || (is_valid && cpu >= gic_.cpu_count())) return;
    const u64 entry = is_valid ? kValid | cpu << 16 | bits(command[2], 15, 0) : 0;
    static_cast<void>(memory_.write_object(*at, entry));
}

void GicV3Its::map_event(u32 device, u32 event, u32 intid, u32 collection) {
    const auto at = event_address(device, event);
    if (!at || intid < LpiQueue::kFirstIntid || intid >= 1u << LpiQueue::kIntidBits) return;
    static_cast<void>(memory_.write_object(*at, make_event(intid, collection)));
}

void GicV3Its::move_event(u32 device, u32 event, u32 collection) {
    const auto target = translate(device, event);
    const auto cpu = find_cpu(collection);
    const auto at = event_address(device, event);
    if (!target || !cpu || !at) return;
    static_cast<void>(memory_.write_object(*at, make_event(target->intid, collection)));
    gic_.move_lpi(target->cpu, *cpu, target->intid);
}

void GicV3Its::discard(u32 device, u32 event) {
    const auto at = event_address(device, event);
    if (!at) return;
    if (const auto target = translate(device, event)) gic_.clear_lpi(target->cpu, target->intid);
    static_cast<void>(memory_.write_object(*at, u64{0}));
}

// --------------------------------------------------------------------------------------- tables

std::optional<GuestPhysAddr> GicV3Its::entry_address(u32 table, u32 index) {
    if (index >= 1u << kDeviceBits) return {};
    static_assert(kDeviceBits == kCollectionBits);
    const u64 base = state_.tables[table];
    if ((base & kValid) == 0) return {};
    const u64 page = page_size(base);
    const u64 bytes = (bits(base, 7, 0) + 1) * page;
    const u64 offset = u64{index} * kEntrySize;
    if ((base & kTableIndirect) == 0) {
        if (offset >= bytes) return {};
        return GuestPhysAddr(table_address(base) + offset);
    }
    // IHI 0069H 5.2.1: entries of the first level are Valid and the address of a page.
    const u64 first = offset / page * kEntrySize;
    u64 second = 0;
    if (first >= bytes ||
        !memory_.read_object(GuestPhysAddr(table_address(base) + first), second) ||
        (second & kValid) == 0)
        return {};
    return GuestPhysAddr((second & kQueueAddress & ~(page - 1)) + offset % page);
}

std::optional<GicV3Its::Device> GicV3Its::find_device(u32 device) {
    const auto at = entry_address(kDeviceTable, device);
    u64 entry = 0;
    if (!at || !memory_.read_object(*at, entry) || (entry & kValid) == 0) return {};
    return Device{bits(entry, 48, 5) << 8, static_cast<unsigned>(bits(entry, 4, 0)) + 1};
}

std::optional<GuestPhysAddr> GicV3Its::event_address(u32 device, u32 event) {
    const auto found = find_device(device);
    if (!found || event >> found->event_bits != 0) return {};
    return GuestPhysAddr(found->table + u64{event} * kEntrySize);
}

std::optional<GicV3Its::Event> GicV3Its::find_event(u32 device, u32 event) {
    const auto at = event_address(device, event);
    u64 entry = 0;
    if (!at || !memory_.read_object(*at, entry)) return {};
    const u32 intid = static_cast<u32>(bits(entry, 47, 16));
    if (intid < LpiQueue::kFirstIntid || intid >= 1u << LpiQueue::kIntidBits) return {};
    return Event{intid, static_cast<u32>(bits(entry, 15, 0))};
}

std::optional<u32> GicV3Its::find_cpu(u32 collection) {
    const auto at = entry_address(kCollectionTable, collection);
    u64 entry = 0;
    if (!at || !memory_.read_object(*at, entry) || (entry & kValid) == 0) return {};
    const u64 cpu = bits(entry, 51, 16);
    if (cpu >= gic_.cpu_count()) return {};
    return static_cast<u32>(cpu);
}

std::optional<GicV3Its::Target> GicV3Its::translate(u32 device, u32 event) {
    const auto found = find_event(device, event);
    if (!found) return {};
    const auto cpu = find_cpu(found->collection);
    if (!cpu) return {};
    return Target{*cpu, found->intid};
}

void GicV3Its::send_message(u32 requester, u64 address, u32 data) {
    if (address != doorbell_) return;
    const std::scoped_lock lock(mutex_);
    if (!state_.enabled) return;
    if (const auto target = translate(requester, data)) gic_.pend_lpi(target->cpu, target->intid);
}

} // namespace tandem::devices
