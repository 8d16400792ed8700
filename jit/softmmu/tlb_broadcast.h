#pragma once
/// ir::TlbControl for all vCPUs: the caller's own softmmu at once, the others' by invalidating
/// under their locks and, at the barrier, waiting for those that may be in the middle of an access.
/// Likewise for pages that are about to be translated, whose stores have to be noticed.
#include "ir/tlb_control.h"
#include "jit/softmmu/softmmu.h"

namespace tandem::jit {

class TlbBroadcast final : public ir::TlbControl {
public:
    /// While no vCPU runs.
    void add(Softmmu &member) { members_.push_back(&member); }
    void remove(Softmmu &member) { std::erase(members_, &member); }
    [[nodiscard]] std::span<Softmmu *const> members() const { return members_; }

    void set_address_space(ir::ExecContext &, u16 asid) override;
    void translation_changed(ir::ExecContext &) override;
    void invalidate(ir::ExecContext &, const ir::TlbInvalidation &) override;
    void complete(ir::ExecContext &) override;
    void watchpoints_changed(ir::ExecContext &) override;

    /// Stores to this physical page take the slow path from now on. True: some that do not may be
    /// under way on other vCPUs until `self` has waited.
    [[nodiscard]] bool slow_down_writes(Softmmu &self, u64 physical_page);
    /// Stores to every page take the slow path once more. Returns when none is under way that began
    /// before; not on a vCPU's thread.
    void slow_down_all_writes();
    /// Is any vCPU making a store to these bytes?
    [[nodiscard]] bool is_any_storing_to(u64 physical, u64 length) const;
    /// Until other vCPUs have finished what they may have had under way. The caller's own thread,
    /// no access under way; what was fetched before may be mapped otherwise afterwards.
    static void wait(Softmmu &self);

private:
    static void await(Softmmu &self, Softmmu &other, u64 ticket);

    std::vector<Softmmu *> members_;
};

} // namespace tandem::jit
