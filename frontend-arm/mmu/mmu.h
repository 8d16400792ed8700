#pragma once
/// VMSAv8-64 stage 1 of the EL1&0 regime as the softmmu's AddressTranslator. It keeps nothing
/// between calls: one object serves all CPUs, on any thread.
#include "frontend-arm/state/arm_state.h"
#include "ir/frontend.h"

namespace tandem::arm {

class Mmu final : public ir::AddressTranslator {
public:
    explicit Mmu(ir::PhysicalBus &bus) : bus_(bus) {}

    [[nodiscard]] bool translate(ir::ExecContext &, u64 va, ir::Regime, ir::AccessKind,
                                 ir::PageMapping &) override;
    void raise_alignment_fault(ir::ExecContext &, u64 va, bool is_store) override;
    [[nodiscard]] u64 branch_address(const ir::ExecContext &, u64 target) const override;
    void raise_external_abort(ir::ExecContext &, u64 va, ir::AccessKind) override;
    [[nodiscard]] bool may_watch(const ir::ExecContext &, u64 va_page) const override;
    [[nodiscard]] bool check_watchpoint(ir::ExecContext &, u64 va, u32 bytes, ir::Regime,
                                        bool is_store) override;

    /// Translation for a debugger: no access flag or dirty bit changes, no exception, no permission
    /// check. False: not mapped.
    [[nodiscard]] bool probe(const ArmState &, u64 va, u64 &physical) const;

private:
    ir::PhysicalBus &bus_;
};

} // namespace tandem::arm
