#include "machine/semihosting/guest_view.h"

#include "frontend-arm/mmu/walk.h"

#include <algorithm>
#include <optional>

namespace tandem::machine {
namespace {

constexpr u64 kPageSize = 4096;

std::optional<GuestPhysAddr> find(const arm::ArmState &cpu, PhysicalMap &memory, u64 va,
                                  ir::AccessKind kind) {
    const arm::WalkResult result =
        arm::walk(cpu, memory, va, {.kind = kind, .regime = ir::Regime::Kernel});
    if (result.faults) return std::nullopt;
    return GuestPhysAddr{result.physical};
}

/// Calls `move(physical, offset, length)` for what lies in each page, until it says no.
template <typename Move>
std::size_t by_pages(const arm::ArmState &cpu, PhysicalMap &memory, u64 va, std::size_t size,
                     ir::AccessKind kind, Move move) {
    std::size_t done = 0;
    while (done < size) {
        const u64 at = va + done;
        const std::size_t length = std::min<u64>(size - done, kPageSize - at % kPageSize);
        const auto physical = find(cpu, memory, at, kind);
        if (!physical.has_value() || !move(*physical, done, length)) break;
        done += length;
    }
    return done;
}

} // namespace

std::size_t GuestView::read(u64 va, std::span<std::byte> out) const {
    return by_pages(cpu_, memory_, va, out.size(), ir::AccessKind::Load,
                    [&](GuestPhysAddr physical, std::size_t offset, std::size_t length) {
                        return memory_.read(physical, out.subspan(offset, length));
                    });
}

std::size_t GuestView::write(u64 va, std::span<const std::byte> in) {
    return by_pages(cpu_, memory_, va, in.size(), ir::AccessKind::Store,
                    [&](GuestPhysAddr physical, std::size_t offset, std::size_t length) {
                        return memory_.write(physical, in.subspan(offset, length));
                    });
}

} // namespace tandem::machine
