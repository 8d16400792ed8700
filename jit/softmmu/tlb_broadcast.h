#pragma once
/// ir::TlbControl for all vCPUs: the caller's own softmmu at once, the others' by invalidating
/// under their locks and, at the barrier, waiting for those that may be in the middle of an access.
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

private:
    std::vector<Softmmu *> members_;
};

} // namespace tandem::jit
