// Register allocation: where values are, and moving them.
#include "jit/baseline/block_compiler.h"
#include "support/check.h"

#include <bit>

namespace tandem::jit {

namespace {
constexpr u32 mask_of(HostReg reg) {
    return 1u << reg;
}
} // namespace

bool BlockCompiler::is_imm32(ValueId id, bool is_64_bit) {
    if (!is_constant(id)) return false;
    const u64 value = constant(id);
    return !is_64_bit || static_cast<i64>(value) == static_cast<i32>(value);
}

bool BlockCompiler::is_memory_operand(ValueId id, bool is_64_bit) {
    const ValueState &v = state(id);
    if (v.form != Form::Normal || v.reg != kNoReg || v.uses != 1) return false;
    if (v.spill != 0) return true;
    if (v.home == 0) return false;
    if (v.is_vector) return v.home_bytes == 16;
    return v.is_wide || !is_64_bit;
}

Xbyak::RegExp BlockCompiler::memory_location(const ValueState &v) {
    if (v.spill != 0) return frame(offsetof(Frame, spill) + (v.spill - 1u) * 16);
    CHECK(v.home != 0);
    return context(slots_[v.home - 1u].offset);
}

u16 BlockCompiler::take_spill_slot() {
    for (std::size_t i = 0; i < spill_used_.size(); ++i) {
        if (~spill_used_[i] == 0) continue;
        const int free = std::countr_one(spill_used_[i]);
        spill_used_[i] |= u64{1} << free;
        return static_cast<u16>(i * 64 + static_cast<unsigned>(free) + 1);
    }
    throw TooComplexError{};
}

void BlockCompiler::spill(ValueId root) {
    ValueState &v = values_[root];
    if (v.spill != 0 || v.form == Form::Constant) return;
    v.spill = take_spill_slot();
    const auto to = static_cast<i32>(offsetof(Frame, spill) + (v.spill - 1u) * 16);
    if (v.is_vector)
        movaps(ptr[rsp + to], Xbyak::Xmm(v.reg - kFirstXmm));
    else
        move_memory(Direction::Store, v.reg, true, to, true);
}

/// Brings a value from memory, or a constant, to a register.
void BlockCompiler::load(ValueId root, HostReg reg) {
    ValueState &v = values_[root];
    if (v.form == Form::Constant) {
        move_constant(reg, v.payload);
        v.has_zero_upper = v.payload >> 32 == 0;
        return;
    }
    const Xbyak::RegExp from = memory_location(v);
    const bool is_spilled = v.spill != 0;
    if (!v.is_vector)
        return move_memory(Direction::Load, reg, is_spilled, static_cast<i32>(from.getDisp()),
                           is_spilled || v.is_wide);
    const Xbyak::Xmm x(reg - kFirstXmm);
    switch (is_spilled ? 16 : v.home_bytes) {
    case 16: movaps(x, ptr[from]); break;
    case 8: movsd(x, ptr[from]); break;
    case 4: movss(x, ptr[from]); break;
    default:
        movzx(eax, word[from]);
        movd(x, eax);
        break;
    }
}

void BlockCompiler::evict(HostReg reg) {
    const ValueId root = reg_value_[static_cast<unsigned>(reg)];
    ValueState &v = values_[root];
    if (v.dirty > 0) {
        for (Slot &slot : slots_)
            if (slot.is_dirty && slot.value == root) write_back_slot(slot);
    }
    if (v.uses > 0 && v.home == 0) spill(root);
    free_register(reg);
    v.reg = kNoReg;
}

HostReg BlockCompiler::allocate(bool is_vector) {
    const u32 pool = is_vector ? kXmmPool : kGprPool;
    u32 candidates = pool & ~occupied_ & ~locked_ & ~held_;
    HostReg reg;
    if (candidates != 0) {
        reg = static_cast<HostReg>(std::countr_zero(candidates));
    } else if (candidates = pool & weak_ & ~locked_; candidates != 0) {
        reg = static_cast<HostReg>(std::countr_zero(candidates));
        drop_register(reg);
    } else if (candidates = pool & held_ & ~busy_checks_; candidates != 0) {
        reg = static_cast<HostReg>(std::countr_zero(candidates));
        for (PageCheck &check : checks_)
            if (check.reg == reg) end_check(check);
    } else {
        candidates = pool & ~locked_ & ~held_;
        if (candidates == 0) throw TooComplexError{};
        // Whatever can be had again without a store goes first, then round robin.
        reg = kNoReg;
        for (u32 rest = candidates; rest != 0; rest &= rest - 1) {
            const auto r = static_cast<HostReg>(std::countr_zero(rest));
            const ValueState &v = values_[reg_value_[static_cast<unsigned>(r)]];
            if (v.dirty == 0 && (v.home != 0 || v.spill != 0 || v.form == Form::Constant)) {
                reg = r;
                break;
            }
        }
        if (reg == kNoReg) {
            next_victim_ = (next_victim_ + 1) & 31;
            const u32 rotated = std::rotr(candidates, static_cast<int>(next_victim_));
            reg = static_cast<HostReg>(
                (static_cast<u32>(std::countr_zero(rotated)) + next_victim_) & 31);
            next_victim_ = static_cast<u32>(reg);
        }
        evict(reg);
    }
    locked_ |= mask_of(reg);
    return reg;
}

HostReg BlockCompiler::use(ValueId id) {
    const ValueId r = root(id);
    ValueState &v = values_[r];
    if (v.reg != kNoReg) {
        locked_ |= mask_of(v.reg);
        if (v.uses > 0) weak_ &= ~mask_of(v.reg);
        return v.reg;
    }
    switch (v.form) {
    case Form::Normal:
    case Form::Constant: {
        const HostReg reg = allocate(v.is_vector);
        load(r, reg);
        bind_register(r, reg);
        return reg;
    }
    case Form::Scaled: {
        const Xbyak::Reg64 index = use64(inst(r).args[0]);
        const HostReg reg = allocate(false);
        lea(Xbyak::Reg64(reg), ptr[index * (1 << v.payload)]);
        release(r);
        bind_register(r, reg);
        return reg;
    }
    case Form::Address: {
        const Xbyak::Reg64 base = use64(inst(r).args[0]);
        const HostReg reg = allocate(false);
        lea(Xbyak::Reg64(reg), ptr[base + static_cast<int>(v.payload)]);
        release(r);
        bind_register(r, reg);
        return reg;
    }
    case Form::Condition: {
        const u32 locked = locked_;
        const CC cc = condition(r);
        locked_ = locked;
        const HostReg reg = allocate(false);
        setcc(cc, kRax);
        movzx(Xbyak::Reg32(reg), al);
        release(r);
        v.has_zero_upper = true;
        bind_register(r, reg);
        return reg;
    }
    case Form::Flags: {
        const u32 locked = locked_;
        flags_to_host(r);
        locked_ = locked;
        normalise_carry();
        pack_host_flags();
        const HostReg reg = allocate(false);
        mov(Xbyak::Reg32(reg), eax);
        release(r);
        bind_register(r, reg);
        return reg;
    }
    }
    return kNoReg;
}

/// A deferred value is in a register or in memory now: its operands are no longer needed.
void BlockCompiler::release(ValueId root) {
    ValueState &v = values_[root];
    const Form form = v.form;
    v.form = Form::Normal;
    if (form == Form::Normal || form == Form::Constant) return;
    for (const ValueId arg : inst(root).args) {
        if (arg == kNoValue) break;
        const ValueId r = values_[arg].root;
        --values_[r].uses;
        maybe_dead(r);
    }
}

void BlockCompiler::maybe_dead(ValueId root) {
    ValueState &v = values_[root];
    if (v.uses > 0 || v.dirty > 0) return;
    if (v.form != Form::Normal && v.form != Form::Constant) release(root);
    if (v.spill != 0) {
        // Not before the instruction's end: it may still be read there.
        spills_to_free_.push_back(v.spill);
        v.spill = 0;
    }
    if (v.reg == kNoReg) return unbind_if_lost(root);
    if ((kPinnedMask & mask_of(v.reg)) != 0 || v.home != 0 || v.form == Form::Constant) {
        weak_ |= mask_of(v.reg);
    } else {
        drop_register(v.reg);
    }
}

/// The value in the register is not needed any more.
void BlockCompiler::drop_register(HostReg reg) {
    const ValueId root = reg_value_[static_cast<unsigned>(reg)];
    free_register(reg);
    values_[root].reg = kNoReg;
    unbind_if_lost(root);
}

/// Slots that still name a value which is nowhere any more forget it.
void BlockCompiler::unbind_if_lost(ValueId root) {
    ValueState &v = values_[root];
    if (v.bindings == 0 || v.home != 0 || v.spill != 0 || v.form == Form::Constant) return;
    for (Slot &slot : slots_)
        if (slot.value == root) slot.value = kNoValue;
    v.bindings = 0;
}

void BlockCompiler::consume() {
    if (consumed_) return;
    consumed_ = true;
    for (const ValueId arg : inst(current_).args) {
        if (arg == kNoValue) break;
        const ValueId r = values_[arg].root;
        --values_[r].uses;
        maybe_dead(r);
    }
}

HostReg BlockCompiler::def(ValueId id, HostReg prefer) {
    ValueState &v = values_[id];
    const auto is_free = [&](HostReg reg) {
        const ValueId holder = reg_value_[static_cast<unsigned>(reg)];
        return holder == kNoValue || (values_[holder].uses == 0 && values_[holder].dirty == 0);
    };
    const auto take = [&](HostReg reg) {
        const ValueId holder = reg_value_[static_cast<unsigned>(reg)];
        if (holder != kNoValue) drop_register(reg);
        bind_register(id, reg);
        locked_ |= mask_of(reg);
        return reg;
    };
    if (v.hint >= 0) {
        const HostReg pinned = kPinned[static_cast<unsigned>(v.hint)].host;
        const bool is_locked = (locked_ & mask_of(pinned)) != 0 && pinned != prefer;
        if (is_free(pinned) && !is_locked) return take(pinned);
    }
    const u32 pool = v.is_vector ? kXmmPool : kGprPool;
    if (prefer != kNoReg && (pool & mask_of(prefer)) != 0 && is_free(prefer)) return take(prefer);
    const HostReg reg = allocate(v.is_vector);
    bind_register(id, reg);
    return reg;
}

void BlockCompiler::alias(ValueId id, ValueId of) {
    const ValueId r = root(of);
    values_[id].root = r;
    values_[r].uses = static_cast<u16>(values_[r].uses + values_[id].uses);
    if (values_[r].uses > 0 && values_[r].reg != kNoReg) weak_ &= ~mask_of(values_[r].reg);
    keeps_host_flags_ = true;
}

void BlockCompiler::defer(ValueId id, Form form, u64 payload) {
    values_[id].form = form;
    values_[id].payload = payload;
    consumed_ = true; // the arguments' uses remain as holds
    keeps_host_flags_ = true;
}

void BlockCompiler::join(ValueId later) {
    for (const ValueId arg : inst(later).args)
        if (arg != kNoValue) --state(arg).uses;
    values_[later].is_dead = true;
}

HostReg BlockCompiler::temporary(bool is_vector) {
    return allocate(is_vector);
}

bool BlockCompiler::begin_check(bool is_write) {
    PageCheck &check = page_check(is_write);
    end_check(check);
    const u32 free = kGprPool & ~(occupied_ & ~weak_) & ~locked_ & ~held_;
    // Values come first.
    if (std::popcount(free) < 3) return false;
    check.reg = allocate(false);
    held_ |= mask_of(check.reg);
    busy_checks_ |= mask_of(check.reg);
    return true;
}

void BlockCompiler::use_check(bool is_write) {
    const u32 bit = mask_of(page_check(is_write).reg);
    busy_checks_ |= bit;
    locked_ |= bit;
}

void BlockCompiler::end_check(PageCheck &check) {
    if (check.reg != kNoReg) held_ &= ~mask_of(check.reg);
    check = PageCheck{};
}

void BlockCompiler::claim(HostReg reg) {
    const u32 bit = mask_of(reg);
    for (PageCheck &check : checks_)
        if (check.reg == reg) end_check(check);
    if ((occupied_ & bit) != 0) {
        const ValueId holder = reg_value_[static_cast<unsigned>(reg)];
        ValueState &v = values_[holder];
        if (v.uses == 0 && v.dirty == 0) {
            drop_register(reg);
        } else {
            // Another register if one is free, else memory.
            const u32 pool = reg >= kFirstXmm ? kXmmPool : kGprPool;
            const u32 free = pool & ~(occupied_ & ~weak_) & ~locked_ & ~held_ & ~bit;
            if (free != 0) {
                locked_ |= bit;
                const HostReg to = allocate(reg >= kFirstXmm);
                move(to, reg);
                free_register(reg);
                bind_register(holder, to);
            } else {
                evict(reg);
            }
        }
    }
    locked_ |= bit;
}

void BlockCompiler::prepare_call() {
    write_back();
    for (PageCheck &check : checks_) end_check(check);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        Slot &slot = slots_[i];
        if (slot.value == kNoValue) continue;
        ValueState &v = values_[slot.value];
        if (v.home == i + 1) {
            if (v.uses > 0 && v.reg == kNoReg && v.spill == 0 && v.form == Form::Normal) {
                const HostReg scratch =
                    v.is_vector ? static_cast<HostReg>(kFirstXmm + kScratchXmm0) : kRax;
                load(slot.value, scratch);
                v.reg = scratch;
                spill(slot.value);
                v.reg = kNoReg;
            }
            v.home = 0;
        }
        slot.value = kNoValue;
        v.bindings = 0;
    }
    for (u32 rest = occupied_; rest != 0; rest &= rest - 1) {
        const auto reg = static_cast<HostReg>(std::countr_zero(rest));
        const ValueId holder = reg_value_[static_cast<unsigned>(reg)];
        if (values_[holder].uses > 0) spill(holder);
        free_register(reg);
        values_[holder].reg = kNoReg;
    }
}

} // namespace tandem::jit
