#include "jit/regions/region_image.h"

#include <cstring>

namespace tandem::jit {
namespace {

constexpr std::byte kCall{0xe8};

std::unexpected<Error> broken(const char *what) {
    return failure(std::string("the code of a region is broken: ") + what);
}

const void *address_of(const Relocation &relocation, const RegionSymbols &symbols) {
    switch (relocation.target) {
    case Relocation::Target::ExitLookup: return symbols.exit_lookup;
    case Relocation::Target::ExitPcSet: return symbols.exit_pc_set;
    case Relocation::Target::Exit:
        return relocation.index < symbols.exits.size() ? symbols.exits[relocation.index] : nullptr;
    case Relocation::Target::Helper:
        return relocation.index < symbols.helpers.size() ? symbols.helper_table + relocation.index
                                                         : nullptr;
    case Relocation::Target::Crossing:
        return relocation.index < symbols.crossing_table.size()
                   ? &symbols.crossing_table[relocation.index]
                   : nullptr;
    }
    return nullptr;
}

/// False if it lies outside or the target is out of reach.
bool write_displacement(const CodeWindow &code, u64 offset, const void *target, i64 addend) {
    if (code.size < sizeof(i32) || offset > code.size - sizeof(i32)) return false;
    const i64 distance =
        static_cast<const std::byte *>(target) - (code.executable + offset) + addend;
    const auto displacement = static_cast<i32>(distance);
    std::memcpy(code.writable + offset, &displacement, sizeof displacement);
    return displacement == distance;
}

/// How many values a site of this exit has.
u64 value_count(const SideExit &exit) {
    u64 count = u64{exit.arguments} + (exit.kind != SideExitKind::Thunk ? 1 : 0);
    for (const SideExit::Slot &slot : exit.slots) count += slot.is_flags ? 3 : 1;
    return count;
}

} // namespace

Result<CompiledRegion> place_image(RegionImage image, const RegionSymbols &symbols,
                                   CodeArena &arena) {
    if (image.entry >= image.code.size()) return broken("its entry lies outside");
    CompiledRegion result;
    result.code = ArenaPiece(arena, image.code.size());
    const CodeWindow &window = result.code.window();
    if (window.size == 0) return failure("no room for the code of a region");
    std::memcpy(window.writable, image.code.data(), image.code.size());
    result.entry = window.executable + image.entry;
    for (const Relocation &relocation : image.relocations) {
        const void *target = address_of(relocation, symbols);
        if (target == nullptr) return broken("it refers to something unknown");
        if (!write_displacement(window, relocation.offset, target, relocation.addend))
            return broken("something is out of its reach");
    }

    auto table = std::make_unique<SideTable>();
    table->exits = std::move(image.exits);
    table->locations = std::move(image.locations);
    table->constants = std::move(image.constants);
    table->sites = std::move(image.sites);
    for (SideExit &exit : table->exits) {
        if (exit.kind != SideExitKind::Raise) continue;
        const u64 index = exit.imm & 0xffff;
        if (index >= symbols.helpers.size()) return broken("it calls an unknown helper");
        exit.helper = symbols.helpers[index].function;
    }
    for (const SideTable::Site &site : table->sites) {
        if (site.exit >= table->exits.size() || site.first_location > table->locations.size() ||
            value_count(table->exits[site.exit]) > table->locations.size() - site.first_location)
            return broken("a side exit's values are nowhere");
        const u64 after = u64{image.entry} + site.return_offset;
        if (after < RegionImage::kSideExitCallBytes || after > window.size ||
            !write_displacement(window, after - sizeof(i32), symbols.side_exit,
                                -static_cast<i64>(sizeof(i32))))
            return broken("a side exit is out of reach");
        window.writable[after - RegionImage::kSideExitCallBytes] = kCall;
    }
    table->code.store(window.executable + image.entry, std::memory_order_release);
    result.side_table = std::move(table);
    return result;
}

} // namespace tandem::jit
