#include "jit/softmmu/tlb_broadcast.h"

#include <algorithm>

namespace tandem::jit {
namespace {
Softmmu &softmmu(ir::ExecContext &context) {
    return static_cast<Softmmu &>(*context.memory);
}
} // namespace

void TlbBroadcast::set_address_space(ir::ExecContext &context, u16 asid) {
    softmmu(context).set_address_space(asid);
}

void TlbBroadcast::translation_changed(ir::ExecContext &context) {
    static_cast<void>(softmmu(context).invalidate({}));
}

void TlbBroadcast::watchpoints_changed(ir::ExecContext &context) {
    softmmu(context).watchpoints_changed();
}

void TlbBroadcast::invalidate(ir::ExecContext &context, const ir::TlbInvalidation &what) {
    Softmmu &self = softmmu(context);
    ++self.statistics.tlb_invalidations;
    static_cast<void>(self.invalidate(what));
    if (!what.broadcast) return;
    for (Softmmu *member : members_) {
        u64 ticket = 0;
        if (member != &self && member->invalidate_remotely(what, ticket))
            await(self, *member, ticket);
    }
}

bool TlbBroadcast::slow_down_writes(Softmmu &self, u64 physical_page) {
    bool any = false;
    self.slow_down_writes(physical_page);
    for (Softmmu *member : members_) {
        u64 ticket = 0;
        if (member == &self || !member->slow_down_writes_remotely(physical_page, ticket)) continue;
        await(self, *member, ticket);
        any = true;
    }
    return any;
}

void TlbBroadcast::slow_down_all_writes() {
    std::vector<std::pair<const Softmmu *, u64>> storing;
    for (Softmmu *member : members_)
        if (u64 ticket = 0; member->slow_down_all_writes(ticket))
            storing.emplace_back(member, ticket);
    for (const auto &[member, ticket] : storing)
        for (Backoff backoff; !member->safepoint.passed(ticket);) backoff.pause();
}

bool TlbBroadcast::is_any_storing_to(u64 physical, u64 length) const {
    return std::ranges::any_of(
        members_, [&](const Softmmu *member) { return member->is_storing_to(physical, length); });
}

void TlbBroadcast::await(Softmmu &self, Softmmu &other, u64 ticket) {
    const auto known = std::ranges::find(self.awaited, &other, &std::pair<Softmmu *, u64>::first);
    if (known != self.awaited.end())
        known->second = ticket; // the later ticket is the stricter one
    else
        self.awaited.emplace_back(&other, ticket);
}

void TlbBroadcast::complete(ir::ExecContext &context) {
    Softmmu &self = softmmu(context);
    if (self.awaited.empty()) return;
    ++self.statistics.tlb_waits;
    wait(self);
}

void TlbBroadcast::wait(Softmmu &self) {
    // Two CPUs may wait for each other here: a waiting one has no access under way.
    self.safepoint.end_accesses();
    for (const auto &[member, ticket] : self.awaited)
        for (Backoff backoff; !member->safepoint.passed(ticket);) backoff.pause();
    self.awaited.clear();
    self.safepoint.begin_accesses();
}

} // namespace tandem::jit
