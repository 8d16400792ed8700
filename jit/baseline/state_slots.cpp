// Guest state: slots cached in registers, pinned registers, write-back.
#include "jit/baseline/block_compiler.h"
#include "support/check.h"

namespace tandem::jit {
namespace {

/// Index into kPinned of a state offset, or -1.
constexpr std::array<i8, 32> kPinnedIndex = [] {
    std::array<i8, 32> index{};
    index.fill(-1);
    for (unsigned i = 0; i < kPinned.size(); ++i)
        index[kPinned[i].state_offset / 8] = static_cast<i8>(i);
    return index;
}();

i8 pinned_index(u64 offset) {
    return offset < 256 && offset % 8 == 0 ? kPinnedIndex[offset / 8] : i8{-1};
}

unsigned view_bytes(View view) {
    switch (view) {
    case View::Full: return 16;
    case View::Zero64: return 8;
    case View::Zero32: return 4;
    case View::Zero16: return 2;
    }
    return 16;
}

} // namespace

u16 BlockCompiler::find_slot(u64 offset, unsigned size) {
    CHECK(offset % 4 == 0 && offset + size <= kCachedState);
    const u64 first = offset / 4;
    const unsigned units = size < 4 ? 1 : size / 4;
    for (unsigned i = 0; i < units; ++i) {
        const u16 other = slot_index_[first + i];
        if (other != kNoSlot && slots_[other].offset != offset) {
            if (slots_[other].is_dirty) write_back_slot(slots_[other]);
            forget_slot(other);
        }
    }
    u16 index = slot_index_[first];
    if (index == kNoSlot) {
        index = static_cast<u16>(slots_.size());
        slots_.push_back(Slot{.offset = offset, .size = static_cast<u8>(size)});
    }
    for (unsigned i = 0; i < units; ++i) slot_index_[first + i] = index;
    return index;
}

/// The slot's content is about to change: its value must not rely on it any more.
void BlockCompiler::detach(u16 index) {
    Slot &slot = slots_[index];
    if (slot.value == kNoValue) return;
    const ValueId old = slot.value;
    ValueState &v = values_[old];
    if (slot.is_dirty) {
        --v.dirty;
        slot.is_dirty = false;
    }
    slot.value = kNoValue;
    --v.bindings;
    if (v.home == index + 1 && v.bindings > 0) {
        // Another slot's memory may hold it too.
        v.home = 0;
        for (std::size_t i = 0; i < slots_.size(); ++i)
            if (slots_[i].value == old && !slots_[i].is_dirty && slots_[i].size == slot.size)
                v.home = static_cast<u16>(i + 1);
        if (v.home == 0) v.home = static_cast<u16>(index + 1);
    }
    if (v.home == index + 1) {
        if (v.uses > 0 && v.reg == kNoReg && v.spill == 0 && v.form == Form::Normal) use(old);
        v.home = 0;
    }
    maybe_dead(old);
}

void BlockCompiler::forget_slot(u16 index) {
    detach(index);
    Slot &slot = slots_[index];
    const unsigned units = slot.size < 4 ? 1 : slot.size / 4u;
    for (unsigned i = 0; i < units; ++i)
        if (slot_index_[slot.offset / 4 + i] == index) slot_index_[slot.offset / 4 + i] = kNoSlot;
}

void BlockCompiler::get_pinned(ValueId id, unsigned pinned, unsigned size) {
    const HostReg reg = kPinned[pinned].host;
    const ValueId holder = reg_value_[static_cast<unsigned>(reg)];
    if (holder != kNoValue) {
        alias(id, holder);
        return;
    }
    ValueState &v = values_[id];
    v.is_wide = true;
    v.has_zero_upper = false;
    static_cast<void>(size); // the register always holds all 64 bits
    bind_register(id, reg);
}

void BlockCompiler::set_pinned(unsigned pinned, ValueId value) {
    const HostReg reg = kPinned[pinned].host;
    const ValueId r = root(value);
    const ValueId holder = reg_value_[static_cast<unsigned>(reg)];
    if (holder == r) return;
    // Keep what the register held, if that is still wanted.
    const bool is_ready = is_constant(value) || is_memory_operand(value);
    const HostReg from = is_ready ? state(value).reg : use(value);
    if (holder != kNoValue) {
        ValueState &old = values_[holder];
        if (old.dirty > 0) {
            for (Slot &slot : slots_)
                if (slot.is_dirty && slot.value == holder) write_back_slot(slot);
        }
        if (old.uses > 0) {
            locked_ |= 1u << reg;
            const HostReg to = allocate(false);
            move(to, reg);
            free_register(reg);
            bind_register(holder, to);
        } else {
            drop_register(reg);
        }
    }
    if (from == kNoReg) {
        ValueState &v = values_[r];
        if (v.form == Form::Constant) {
            move_constant(reg, v.payload);
        } else {
            mov(Xbyak::Reg64(reg), ptr[memory_location(v)]);
            bind_register(r, reg);
        }
        return;
    }
    move(reg, from);
    // The pinned register becomes the value's place, unless it already has a pinned one.
    if ((kPinnedMask >> from & 1) == 0 && values_[r].form != Form::Constant) {
        free_register(from);
        bind_register(r, reg);
    }
}

void BlockCompiler::get_state(ValueId id, u64 offset, unsigned size) {
    ValueState &v = values_[id];
    keeps_host_flags_ = true;
    if (const i8 pinned = pinned_index(offset); pinned >= 0)
        return get_pinned(id, static_cast<unsigned>(pinned), size);
    const u16 index = find_slot(offset, size);
    Slot &slot = slots_[index];
    if (slot.value != kNoValue) {
        const bool has_class = values_[slot.value].is_vector == v.is_vector;
        if (has_class && slot.size >= size &&
            (slot.view == View::Full || size <= view_bytes(slot.view)))
            return alias(id, slot.value);
        if (slot.is_dirty) write_back_slot(slot);
        detach(index);
    }
    slot.value = id;
    slot.size = static_cast<u8>(size);
    slot.view = View::Full;
    v.bindings = 1;
    v.home = static_cast<u16>(index + 1);
    v.home_bytes = static_cast<u8>(size);
    v.is_wide = size == 8;
    v.has_zero_upper = size == 4;
}

void BlockCompiler::set_state(u64 offset, unsigned size, ValueId value) {
    keeps_host_flags_ = true;
    if (const i8 pinned = pinned_index(offset); pinned >= 0) {
        CHECK(size == 8);
        return set_pinned(static_cast<unsigned>(pinned), value);
    }
    const ValueId r = root(value);
    const View view = values_[value].view;
    const u16 index = find_slot(offset, size);
    if (slots_[index].value == r && slots_[index].view == view && slots_[index].size == size)
        return;
    if (slots_[index].is_dirty && slots_[index].size > size) write_back_slot(slots_[index]);
    const Form form = values_[r].form;
    if (form != Form::Constant && form != Form::Flags) use(value);
    detach(index);
    Slot &slot = slots_[index];
    slot.value = r;
    slot.size = static_cast<u8>(size);
    slot.view = view;
    slot.is_dirty = true;
    ++values_[r].dirty;
    ++values_[r].bindings;
}

BlockCompiler::Location BlockCompiler::locate(ValueId id) {
    const ValueState &v = state(id);
    Location where;
    if (v.reg != kNoReg) {
        where.kind = Location::Kind::Register;
        where.reg = v.reg;
    } else if (v.form == Form::Constant) {
        where.kind = Location::Kind::Constant;
        where.constant = v.payload;
    } else if (v.spill != 0) {
        where.kind = Location::Kind::Memory;
        where.on_stack = true;
        where.displacement = static_cast<i32>(offsetof(Frame, spill) + (v.spill - 1u) * 16);
    } else if (v.home != 0) {
        where.kind = Location::Kind::Memory;
        where.is_wide = v.is_vector ? v.home_bytes == 16 : v.is_wide;
        where.displacement =
            static_cast<i32>(slots_[v.home - 1u].offset) - ir::ExecContext::kContextBias;
    } else {
        CHECK(false);
    }
    return where;
}

BlockCompiler::DirtySlot BlockCompiler::describe(const Slot &slot) {
    const ValueState &v = values_[slot.value];
    DirtySlot d{};
    d.offset = slot.offset;
    d.size = slot.size;
    d.view = slot.view;
    if (v.form == Form::Flags && v.reg == kNoReg) {
        const Inst &producer = inst(slot.value);
        d.is_deferred_flags = true;
        d.op = producer.op;
        d.location = locate(producer.args[0]);
        if (producer.args[1] != kNoValue) d.second = locate(producer.args[1]);
    } else {
        d.location = locate(slot.value);
    }
    return d;
}

void BlockCompiler::load_location(HostReg reg, const Location &where) {
    switch (where.kind) {
    case Location::Kind::Register: move(reg, where.reg); break;
    case Location::Kind::Constant: move_constant(reg, where.constant); break;
    case Location::Kind::Memory: {
        const Xbyak::RegExp from =
            (where.on_stack ? Xbyak::RegExp(rsp) : Xbyak::RegExp(rbp)) + where.displacement;
        if (reg >= kFirstXmm)
            movups(Xbyak::Xmm(reg - kFirstXmm), ptr[from]);
        else
            move_memory(Direction::Load, reg, where.on_stack, where.displacement, where.is_wide);
        break;
    }
    case Location::Kind::None: CHECK(false);
    }
}

void BlockCompiler::store_location(const DirtySlot &d) {
    const i32 displacement = static_cast<i32>(d.offset) - ir::ExecContext::kContextBias;
    if (d.is_deferred_flags) {
        const bool is_64 = d.op == Opcode::AddFlags64 || d.op == Opcode::SubFlags64 ||
                           d.op == Opcode::LogicFlags64;
        load_location(kRax, d.location);
        if (d.op == Opcode::LogicFlags32 || d.op == Opcode::LogicFlags64) {
            if (is_64)
                test(rax, rax);
            else
                test(eax, eax);
        } else {
            const bool is_add = d.op == Opcode::AddFlags32 || d.op == Opcode::AddFlags64;
            load_location(kRcx, d.second);
            alu_reg(is_add ? Alu::Add : Alu::Cmp, kRax, kRcx, is_64);
            if (!is_add) cmc();
        }
        pack_host_flags();
        return move_memory(Direction::Store, kRax, false, displacement, false);
    }
    Location where = d.location;
    if (d.size == 16) {
        Xbyak::Xmm x(kScratchXmm0);
        if (where.kind == Location::Kind::Register)
            x = Xbyak::Xmm(where.reg - kFirstXmm);
        else
            load_location(static_cast<HostReg>(kFirstXmm + kScratchXmm0), where);
        const Xbyak::Xmm scratch(kScratchXmm1);
        switch (d.view) {
        case View::Full: break;
        case View::Zero64: movq(scratch, x); break;
        case View::Zero32:
            xorps(scratch, scratch);
            movss(scratch, x);
            break;
        case View::Zero16:
            pextrw(eax, x, 0);
            movd(scratch, eax);
            break;
        }
        movaps(ptr[context(d.offset)], d.view == View::Full ? x : scratch);
        return;
    }
    if (where.kind == Location::Kind::Constant) {
        const bool fits = static_cast<i64>(where.constant) == static_cast<i32>(where.constant);
        if (d.size == 4 || fits)
            return store_imm32(false, displacement, static_cast<u32>(where.constant), d.size == 8);
    }
    if (where.kind != Location::Kind::Register) {
        load_location(kRax, where);
        where.reg = kRax;
    }
    move_memory(Direction::Store, where.reg, false, displacement, d.size == 8);
}

void BlockCompiler::write_back_slot(Slot &slot) {
    ValueState &v = values_[slot.value];
    if (v.form == Form::Flags && v.reg == kNoReg) {
        flags_to_host(slot.value);
        normalise_carry();
        pack_host_flags();
        mov(dword[context(slot.offset)], eax);
        v.is_wide = false;
        v.home = static_cast<u16>(&slot - slots_.data() + 1);
        slot.is_dirty = false;
        --v.dirty;
        release(slot.value);
        maybe_dead(slot.value);
        return;
    }
    store_location(describe(slot));
    slot.is_dirty = false;
    --v.dirty;
    // Memory holds the value now, if the slot takes all of it.
    const bool is_whole =
        v.is_vector || slot.size == 8 || ir::info(inst(slot.value).op).result != ir::Type::I64;
    if (v.home == 0 && is_whole && v.form == Form::Normal) {
        v.home = static_cast<u16>(&slot - slots_.data() + 1);
        v.home_bytes = slot.size;
        v.is_wide = slot.size == 8;
    }
    maybe_dead(slot.value);
}

void BlockCompiler::write_back() {
    for (Slot &slot : slots_)
        if (slot.is_dirty) write_back_slot(slot);
}

void BlockCompiler::begin_early_flags(ValueId flags, u64 offset) {
    const u16 index = find_slot(offset, 4);
    detach(index);
    release(flags);
}

void BlockCompiler::finish_early_flags(ValueId flags, u64 offset) {
    normalise_carry();
    pack_host_flags();
    mov(dword[context(offset)], eax);
    const u16 index = slot_index_[offset / 4];
    Slot &slot = slots_[index];
    slot.value = flags;
    slot.size = 4;
    slot.view = View::Full;
    ValueState &v = values_[flags];
    ++v.bindings;
    v.home = static_cast<u16>(index + 1);
    v.is_wide = false;
}

void BlockCompiler::write_back_state(u64 offset) {
    const u16 index = slot_index_[offset / 4];
    if (index != kNoSlot && slots_[index].is_dirty) write_back_slot(slots_[index]);
}

void BlockCompiler::snapshot(ColdPath &path) {
    path.first_dirty = static_cast<u32>(dirty_.size());
    for (const Slot &slot : slots_)
        if (slot.is_dirty) dirty_.push_back(describe(slot));
    path.dirty_count = static_cast<u32>(dirty_.size()) - path.first_dirty;
}

} // namespace tandem::jit
