#include "jit/disk_cache/region_record.h"

#include "ir/exec_context.h"
#include "jit/disk_cache/byte_codec.h"

#include <xxhash.h>

#include <algorithm>

namespace tandem::jit {
namespace {

constexpr u32 kPageBytes = 4096;
/// More than any state has: frontends' contexts begin with an ExecContext and go on.
constexpr u32 kMaxStateBytes = 1u << 16;

void put(ByteWriter &out, const RegionOutline &outline) {
    out.put(outline.mode);
    out.put(outline.guest_instructions);
    out.put_count(outline.ranges.size());
    for (const CodeRange &range : outline.ranges) {
        out.put(range.page);
        out.put(range.first_byte);
        out.put(range.end_byte);
    }
    out.put_count(outline.extents.size());
    for (const RegionOutline::Extent &extent : outline.extents) {
        out.put(extent.page);
        out.put(extent.page_offset);
        out.put(extent.bytes);
    }
    for (const auto *list : {&outline.entries, &outline.exit_targets}) {
        out.put_count(list->size());
        for (const u32 offset : *list) out.put(offset);
    }
    out.put_count(outline.crossings.size());
    for (const i64 place : outline.crossings) out.put(place);
}

RegionOutline get_outline(ByteReader &in) {
    RegionOutline outline;
    outline.mode = in.get<u32>();
    outline.guest_instructions = in.get<u32>();
    outline.ranges.resize(in.get_count(16));
    for (CodeRange &range : outline.ranges) {
        range.page = in.get<i64>();
        range.first_byte = in.get<u32>();
        range.end_byte = in.get<u32>();
    }
    outline.extents.resize(in.get_count(16));
    for (RegionOutline::Extent &extent : outline.extents) {
        extent.page = in.get<i64>();
        extent.page_offset = in.get<u32>();
        extent.bytes = in.get<u32>();
    }
    for (auto *list : {&outline.entries, &outline.exit_targets}) {
        list->resize(in.get_count(4));
        for (u32 &offset : *list) offset = in.get<u32>();
    }
    outline.crossings.resize(in.get_count(8));
    for (i64 &place : outline.crossings) place = in.get<i64>();
    return outline;
}

bool is_sound(const RegionOutline &outline) {
    if (outline.ranges.empty() || outline.ranges[0].page != 0 || outline.entries.empty() ||
        outline.guest_instructions == 0)
        return false;
    const auto is_range = [](const CodeRange &range) {
        return range.first_byte < range.end_byte && range.end_byte <= kPageBytes;
    };
    const auto lies_inside = [&](const RegionOutline::Extent &extent) {
        const auto range = std::ranges::find(outline.ranges, extent.page, &CodeRange::page);
        return range != outline.ranges.end() && extent.bytes != 0 &&
               extent.page_offset >= range->first_byte && extent.page_offset < range->end_byte &&
               extent.bytes <= range->end_byte - extent.page_offset;
    };
    const auto is_in_page = [](u32 offset) { return offset < kPageBytes; };
    const auto is_entry = [&](u32 entry) {
        return std::ranges::any_of(outline.extents, [&](const RegionOutline::Extent &extent) {
            return extent.page == 0 && extent.page_offset == entry;
        });
    };
    return std::ranges::all_of(outline.ranges, is_range) &&
           std::ranges::all_of(outline.extents, lies_inside) &&
           std::ranges::all_of(outline.exit_targets, is_in_page) &&
           std::ranges::all_of(outline.entries, is_entry);
}

void put(ByteWriter &out, const SideExit &exit) {
    out.put(static_cast<u8>(exit.kind));
    out.put(static_cast<u32>(exit.op));
    out.put(exit.arguments);
    out.put(exit.retired);
    out.put(exit.imm);
    out.put(exit.insn);
    out.put(exit.page);
    out.put_count(exit.slots.size());
    for (const SideExit::Slot &slot : exit.slots) {
        out.put(slot.offset);
        out.put(slot.size);
        out.put(static_cast<u8>(slot.is_flags));
    }
}

SideExit get_side_exit(ByteReader &in) {
    SideExit exit;
    const auto kind = in.get<u8>();
    exit.kind = static_cast<SideExitKind>(kind);
    const auto op = in.get<u32>();
    exit.op = static_cast<ir::Opcode>(op);
    exit.arguments = in.get<u32>();
    exit.retired = in.get<u32>();
    exit.imm = in.get<u64>();
    exit.insn = in.get<u64>();
    exit.page = in.get<i64>();
    exit.slots.resize(in.get_count(9));
    for (SideExit::Slot &slot : exit.slots) {
        slot.offset = in.get<u32>();
        slot.size = in.get<u32>();
        slot.is_flags = in.get<u8>() != 0;
        if (slot.size > sizeof(ir::Vec) || slot.offset > kMaxStateBytes) in.fail();
    }
    constexpr std::size_t kMaxArguments = decltype(ir::ExecContext::scratch){}.size();
    if (kind > static_cast<u8>(SideExitKind::Raise) || op >= ir::kOpcodeCount ||
        exit.arguments > kMaxArguments)
        in.fail();
    return exit;
}

void put(ByteWriter &out, const HostLocation &location) {
    out.put(static_cast<u8>(location.kind));
    out.put(location.reg);
    out.put(location.bytes);
    out.put(location.value);
}

HostLocation get_location(ByteReader &in, std::size_t constants) {
    HostLocation location;
    const auto kind = in.get<u8>();
    location.kind = static_cast<HostLocation::Kind>(kind);
    location.reg = in.get<u8>();
    location.bytes = in.get<u16>();
    location.value = in.get<i32>();
    const auto registers = location.kind == HostLocation::Kind::Xmm
                               ? decltype(SavedRegisters::vector){}.size()
                               : decltype(SavedRegisters::gpr){}.size();
    if (location.bytes > sizeof(ir::Vec) ||
        kind > static_cast<u8>(HostLocation::Kind::WideConstant) || location.reg >= registers ||
        (location.kind == HostLocation::Kind::WideConstant &&
         static_cast<u32>(location.value) >= constants))
        in.fail();
    return location;
}

void put(ByteWriter &out, const RegionImage &image) {
    out.put_count(image.code.size());
    out.put_bytes(image.code);
    out.put(image.entry);
    out.put_count(image.relocations.size());
    for (const Relocation &relocation : image.relocations) {
        out.put(relocation.offset);
        out.put(static_cast<u8>(relocation.target));
        out.put(relocation.index);
        out.put(relocation.addend);
    }
    out.put_count(image.constants.size());
    for (const u64 constant : image.constants) out.put(constant);
    out.put_count(image.locations.size());
    for (const HostLocation &location : image.locations) put(out, location);
    out.put_count(image.exits.size());
    for (const SideExit &exit : image.exits) put(out, exit);
    out.put_count(image.sites.size());
    for (const SideTable::Site &site : image.sites) {
        out.put(site.return_offset);
        out.put(site.exit);
        out.put(site.first_location);
    }
}

RegionImage get_image(ByteReader &in) {
    RegionImage image;
    const auto code = in.take(in.get<u32>());
    image.code.assign(code.begin(), code.end());
    image.entry = in.get<u32>();
    image.relocations.resize(in.get_count(13));
    for (Relocation &relocation : image.relocations) {
        relocation.offset = in.get<u32>();
        const auto target = in.get<u8>();
        relocation.target = static_cast<Relocation::Target>(target);
        relocation.index = in.get<u32>();
        relocation.addend = in.get<i32>();
        if (target > static_cast<u8>(Relocation::Target::Crossing)) in.fail();
    }
    image.constants.resize(in.get_count(8));
    for (u64 &constant : image.constants) constant = in.get<u64>();
    image.locations.resize(in.get_count(8));
    for (HostLocation &location : image.locations)
        location = get_location(in, image.constants.size());
    image.exits.resize(in.get_count(41));
    for (SideExit &exit : image.exits) exit = get_side_exit(in);
    image.sites.resize(in.get_count(12));
    for (SideTable::Site &site : image.sites) {
        site.return_offset = in.get<u32>();
        site.exit = in.get<u32>();
        site.first_location = in.get<u32>();
    }
    if (!std::ranges::is_sorted(image.sites, {}, &SideTable::Site::return_offset)) in.fail();
    return image;
}

} // namespace

RegionId RegionRecord::id() const {
    std::vector<std::byte> bytes;
    ByteWriter writer(bytes);
    put(writer, outline);
    writer.put_bytes(guest_code);
    const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
    return {hash.high64, hash.low64};
}

std::vector<std::byte> guest_code_of(const RegionOutline &outline, const GuestCode &code) {
    std::vector<std::byte> result;
    for (const RegionOutline::Extent &extent : outline.extents) {
        const std::span<const std::byte> part = code.at(extent.page, extent.page_offset);
        if (part.size() < extent.bytes) return {};
        result.insert(result.end(), part.begin(), part.begin() + extent.bytes);
    }
    return result;
}

std::span<const std::byte> GuestCode::at(i64 page, u32 page_offset) const {
    for (const Part &part : parts)
        if (part.range.page == page && page_offset >= part.range.first_byte &&
            page_offset < part.range.end_byte)
            return std::span(part.bytes).subspan(page_offset - part.range.first_byte);
    return {};
}

u64 entry_key(u32 mode, u32 page_offset, std::span<const std::byte> guest_code) {
    return XXH3_64bits_withSeed(guest_code.data(), guest_code.size(),
                                u64{mode} << 32 | page_offset);
}

std::vector<u64> entry_keys(const RegionRecord &record) {
    std::vector<u64> keys;
    std::span<const std::byte> rest = record.guest_code;
    for (const RegionOutline::Extent &extent : record.outline.extents) {
        const auto code = rest.first(extent.bytes);
        rest = rest.subspan(extent.bytes);
        if (extent.page == 0 && std::ranges::find(record.outline.entries, extent.page_offset) !=
                                    record.outline.entries.end())
            keys.push_back(entry_key(record.outline.mode, extent.page_offset, code));
    }
    return keys;
}

std::vector<std::byte> encode(const RegionRecord &record) {
    std::vector<std::byte> bytes;
    ByteWriter writer(bytes);
    put(writer, record.outline);
    writer.put_bytes(record.guest_code);
    put(writer, record.image);
    return bytes;
}

std::optional<RegionRecord> decode(std::span<const std::byte> bytes) {
    ByteReader reader(bytes);
    RegionRecord record;
    record.outline = get_outline(reader);
    if (!reader.is_good() || !is_sound(record.outline)) return std::nullopt;
    for (const RegionOutline::Extent &extent : record.outline.extents) {
        const auto code = reader.take(extent.bytes);
        record.guest_code.insert(record.guest_code.end(), code.begin(), code.end());
    }
    record.image = get_image(reader);
    if (!reader.is_complete()) return std::nullopt;
    return record;
}

} // namespace tandem::jit
