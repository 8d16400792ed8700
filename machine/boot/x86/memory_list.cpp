#include "machine/boot/x86/memory_list.h"

#include "machine/boot/x86/low_memory.h"

#include <algorithm>

namespace tandem::machine::x86 {

std::vector<MemoryArea> memory_list(u64 ram_size) {
    using Kind = MemoryArea::Kind;
    const u64 below_hole = std::min(ram_size, kHoleStart);
    std::vector<MemoryArea> areas{{0, kLowEnd, Kind::Ram},
                                  {kTables, kHighStart - kTables, Kind::Reserved},
                                  {kHighStart, below_hole - kHighStart, Kind::Ram}};
    if (ram_size > below_hole) areas.push_back({kHoleEnd, ram_size - below_hole, Kind::Ram});
    return areas;
}

} // namespace tandem::machine::x86
