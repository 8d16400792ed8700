#include "ir/interpreter/predecoder.h"

#include "support/check.h"

#include <algorithm>

namespace tandem::ir {
namespace {

using Op = Predecoded::Op;

const HandlerTable kHandlers = [] {
    HandlerTable table{};
    add_integer_handlers(table);
    add_memory_handlers(table);
    add_control_handlers(table);
    return table;
}();

const HandlerRow &row_of(Opcode op) {
    return kHandlers[static_cast<unsigned>(op)];
}

/// Index of the handlers for a result's width: 4, 8 or 16 bytes.
constexpr unsigned width_index(Type type) {
    switch (type) {
    case Type::Flags: return 0;
    case Type::Void:
    case Type::I1:
    case Type::I32:
    case Type::I64: return 1;
    default: return 2;
    }
}
constexpr std::array<u32, 3> kWidths{4, 8, 16};

/// May control leave the block here, or other code see the state?
bool observes_state(const Inst &inst, Action action, std::span<const Helper> helpers) {
    switch (action) {
    case Action::Memory:
    case Action::ExitIf:
    case Action::RaiseIf:
    case Action::Exit: return true;
    case Action::Call: {
        const Helper &helper = helpers[inst.imm & 0xffff];
        return helper.accesses_state || helper.may_exit;
    }
    default: return false;
    }
}

} // namespace

// Not the executors' own members: pc is written behind the IR's back, fpsr by FP operations,
// interrupt_lines by other threads.
bool Predecoder::Piece::is_operand() const {
    const bool is_guests = offset < sizeof(ExecContext::gpr) ||
                           offset == __builtin_offsetof(ExecContext, flags) ||
                           offset >= sizeof(ExecContext);
    return is_guests && offset % kOperandUnit == 0 &&
           offset / kOperandUnit < (kStateOperand ^ kNowhere);
}

Predecoder::Piece Predecoder::piece_of(const Inst &inst) {
    switch (inst.op) {
    case Opcode::GetStateF16: return {inst.imm, 2};
    case Opcode::GetState64:
    case Opcode::GetStateF64:
    case Opcode::SetState64: return {inst.imm, 8};
    case Opcode::GetStateV128:
    case Opcode::SetStateV128: return {inst.imm, 16};
    default: return {inst.imm, 4};
    }
}

bool Predecoder::is_constant(ValueId id) const {
    return row_of(inst(id).op).action == Action::Constant;
}

u64 Predecoder::constant(ValueId id) const {
    const Inst &in = inst(id);
    return in.op == Opcode::Const64 ? in.imm : in.imm & 0xffffffff;
}

std::span<const Op> Predecoder::predecode(const Block &block) {
    block_ = &block;
    ops_.clear();
    residents_.clear();
    next_slot_ = kZeroOperand;
    insn_ = 0;
    scan();
    for (std::size_t i = 0; i < block.insts.size(); ++i) emit(static_cast<u16>(i));
    return ops_;
}

// --- backward

void Predecoder::scan() {
    const std::size_t count = block_->insts.size();
    values_.assign(count, Value{kNoValue, 0, 0, 0, 0, kNowhere, false, false});
    pending_.clear();
    for (std::size_t i = count; i-- > 0;) {
        const Inst &in = block_->insts[i];
        const auto index = static_cast<u16>(i);
        const Action action = row_of(in.op).action;
        Value &value = values_[i];
        value.root = index;
        if (action == Action::Skip || action == Action::Mark) continue;
        if (observes_state(in, action, helpers_)) observe(index);
        // What a folded value needs is needed where it is used.
        u16 needed_at = index;
        if (is_rename(in)) {
            needed_at = std::max(index, value.last_use);
        } else if (action == Action::Get) {
            cancel_overlapping(piece_of(in), index);
        } else if (action == Action::Set) {
            scan_set(index);
        } else if ((value.decides_exit && value.uses == 1 && row_of(in.op).exit_if != nullptr) ||
                   folds_into_address(in, value)) {
            value.is_folded = true;
            needed_at = value.last_use;
        }
        const bool is_conditional = action == Action::ExitIf || action == Action::RaiseIf;
        for (unsigned a = 0; a < arg_count(in.op); ++a) {
            Value &arg = values_[in.args[a]];
            arg.last_use = std::max(arg.last_use, needed_at);
            if (arg.uses != 0xffff) ++arg.uses;
            if (action == Action::Memory && a == 0) ++arg.address_uses;
            if (is_conditional) arg.decides_exit = true;
        }
    }
}

/// Has the result the storage of its argument?
bool Predecoder::is_rename(const Inst &in) const {
    const Action action = row_of(in.op).action;
    if (action == Action::Rename) return true;
    if (action != Action::Extend) return false;
    // Producers extend with zeros; what is read from state, or is a part of something, has more
    // above it. Of a constant there is nothing above either.
    const Inst &argument = inst(in.args[0]);
    const Action producer = row_of(argument.op).action;
    return producer != Action::Get && producer != Action::Rename;
}

bool Predecoder::folds_into_address(const Inst &in, const Value &value) const {
    return in.op == Opcode::Add64 && value.uses != 0 && value.uses == value.address_uses &&
           is_constant(in.args[1]) && MemoryImm::fits(constant(in.args[1]));
}

/// The Set of a value may be its producer's work if nothing between could tell.
void Predecoder::scan_set(u16 index) {
    const Inst &in = inst(index);
    const Piece piece = piece_of(in);
    cancel_overlapping(piece, index);
    if (!piece.is_operand()) return;
    ValueId root = in.args[0];
    while (is_rename(inst(root))) root = inst(root).args[0];
    const Inst &producer = inst(root);
    switch (row_of(producer.op).action) {
    case Action::Extend:
    case Action::Plain:
    case Action::Thunk:
    case Action::Memory:
    case Action::Second:
    case Action::Call: break;
    default: return;
    }
    if (kWidths[width_index(result_type(producer.op))] != piece.size) return;
    values_[root].set = index;
    pending_.push_back({piece, root, index});
}

/// Sets after `index` must not be done before it.
void Predecoder::observe(u16 index) {
    for (const PendingSet &pending : pending_)
        if (pending.root < index && values_[pending.root].set == pending.set)
            values_[pending.root].set = 0;
    pending_.clear();
}

void Predecoder::cancel_overlapping(const Piece &piece, u16 index) {
    for (const PendingSet &pending : pending_)
        if (pending.root < index && pending.piece.overlaps(piece) &&
            values_[pending.root].set == pending.set)
            values_[pending.root].set = 0;
}

// --- forward

Op &Predecoder::append(Predecoded::Handler handler) {
    Op &op = ops_.emplace_back();
    op.handler = handler;
    return op;
}

Operand Predecoder::new_slot() {
    next_slot_ = static_cast<Operand>(next_slot_ + sizeof(Vec) / kOperandUnit);
    return next_slot_;
}

Operand Predecoder::operand(ValueId id) {
    const ValueId root = values_[id].root;
    Value &value = values_[root];
    if (value.where != kNowhere) return value.where;
    CHECK(is_constant(root));
    if (constant(root) == 0) return kZeroOperand;
    value.where = new_slot();
    Op &op = append(kNamedHandlers.constant);
    op.dst = value.where;
    op.imm = constant(root);
    return value.where;
}

Operand Predecoder::destination(u16 index) {
    Value &value = values_[index];
    if (value.set != 0) {
        const Piece piece = piece_of(inst(value.set));
        const bool is_in_use = std::ranges::any_of(residents_, [&](const Resident &r) {
            return r.piece.overlaps(piece) && is_needed_after(r.value, index);
        });
        if (!is_in_use) {
            displace(piece, index);
            residents_.push_back({piece, index});
            return value.where = piece.operand();
        }
        value.set = 0;
    }
    return value.where = new_slot();
}

void Predecoder::displace(const Piece &piece, u16 index) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < residents_.size(); ++i) {
        const Resident resident = residents_[i];
        if (!is_needed_after(resident.value, index)) continue;
        if (resident.piece.overlaps(piece))
            move_out(resident);
        else
            residents_[kept++] = resident;
    }
    residents_.resize(kept);
}

void Predecoder::displace_all(u16 index) {
    for (const Resident &resident : residents_)
        if (is_needed_after(resident.value, index)) move_out(resident);
    residents_.clear();
}

void Predecoder::move_out(const Resident &resident) {
    Value &value = values_[resident.value];
    // As much as its consumers may read: there is no more, perhaps, in the state.
    const unsigned width = resident.piece.size <= 4 ? 0 : resident.piece.size == 8 ? 1 : 2;
    Op &op = append(kNamedHandlers.copies[width]);
    op.args[0] = value.where;
    op.dst = value.where = new_slot();
}

void Predecoder::emit(u16 index) {
    const Inst &in = inst(index);
    Value &value = values_[index];
    if (value.is_folded) return;
    const HandlerRow &row = row_of(in.op);
    switch (row.action) {
    case Action::Skip:
    case Action::Constant:
    case Action::Second: return; // the pair load has chosen its place
    case Action::Mark: insn_ = in.imm; return;
    case Action::Get: return emit_get(index);
    case Action::Set: return emit_set(index);
    case Action::Rename:
    case Action::Extend:
        if (is_rename(in)) {
            value.root = values_[in.args[0]].root;
            return;
        }
        [[fallthrough]];
    case Action::Plain:
    case Action::Thunk: return emit_plain(index);
    case Action::Memory: return emit_memory(index);
    case Action::Call: return emit_call(index);
    case Action::ExitIf:
    case Action::RaiseIf: return emit_conditional(index);
    case Action::Exit: return emit_exit(index);
    }
}

void Predecoder::emit_get(u16 index) {
    const Inst &in = inst(index);
    const Piece piece = piece_of(in);
    if (piece.is_operand()) {
        values_[index].where = piece.operand();
        residents_.push_back({piece, index});
        return;
    }
    Op &op = append(row_of(in.op).handler);
    op.imm = in.imm;
    op.dst = values_[index].where = new_slot();
}

void Predecoder::emit_set(u16 index) {
    const Inst &in = inst(index);
    const ValueId root = values_[in.args[0]].root;
    Value &value = values_[root];
    if (value.set == index) return; // the producer has done it
    const Piece piece = piece_of(in);
    displace(piece, index);
    if (is_constant(root) && piece.size <= 8) {
        const bool is_small = piece.size == 4;
        if (piece.is_operand()) {
            Op &op = append(is_small ? kNamedHandlers.flags_constant : kNamedHandlers.constant);
            op.dst = piece.operand();
            op.imm = constant(root);
            return;
        }
        if (is_small && piece.offset >> 32 == 0) {
            append(kNamedHandlers.state_constant).imm = constant(root) | piece.offset << 32;
            return;
        }
    }
    const Operand from = operand(root);
    Op &op = append(row_of(in.op).handler);
    op.args[0] = from;
    op.imm = in.imm;
}

void Predecoder::emit_plain(u16 index) {
    const Inst &in = inst(index);
    const HandlerRow &row = row_of(in.op);
    const unsigned count = arg_count(in.op);
    CHECK(count <= 3);
    const ValueId last = count == 0 ? kNoValue : values_[in.args[count - 1]].root;
    const bool folds = row.last_is_imm != nullptr && is_constant(last);
    std::array<Operand, 3> args{};
    for (unsigned a = 0; a < count - (folds ? 1u : 0u); ++a) args[a] = operand(in.args[a]);
    const Operand dst = result_type(in.op) == Type::Void ? kZeroOperand : destination(index);
    if (row.handler == nullptr) {
        Op &op = append(kNamedHandlers.thunks[width_index(result_type(in.op))]);
        op.dst = dst;
        op.args = args;
        op.imm = in.imm;
        const semantics::Thunk thunk = semantics::thunk(in.op);
        CHECK(thunk != nullptr);
        append(nullptr).imm = reinterpret_cast<u64>(thunk);
        return;
    }
    Op &op = append(folds ? row.last_is_imm : row.handler);
    op.dst = dst;
    op.args = args;
    op.imm = folds ? constant(last) : in.imm;
}

void Predecoder::emit_memory(u16 index) {
    const Inst &in = inst(index);
    ValueId address = in.args[0];
    u64 displacement = 0;
    if (values_[address].is_folded) {
        displacement = constant(inst(address).args[1]);
        address = inst(address).args[0];
    }
    std::array<Operand, 3> args{operand(address)};
    for (unsigned a = 1; a < arg_count(in.op); ++a) args[a] = operand(in.args[a]);
    Operand dst = kZeroOperand;
    if (result_type(in.op) != Type::Void) {
        dst = destination(index);
        const std::size_t next = index + 1u;
        if (next < block_->insts.size() && row_of(block_->insts[next].op).action == Action::Second)
            args[1] = destination(static_cast<u16>(next));
    }
    Op &op = append(row_of(in.op).handler);
    op.dst = dst;
    op.args = args;
    op.imm = MemoryImm::pack(in.imm & 0xffff, Mark::of(insn_), displacement).value;
}

void Predecoder::emit_call(u16 index) {
    const Inst &in = inst(index);
    const Helper &helper = helpers_[in.imm & 0xffff];
    if (helper.may_exit) append(kNamedHandlers.begin).imm = Mark::of(insn_).value;
    if (helper.accesses_state) displace_all(index);
    std::array<Operand, 4> args{};
    for (unsigned a = 0; a < arg_count(in.op); ++a) args[a] = operand(in.args[a]);
    const Operand dst = destination(index);
    Op &op = append(row_of(in.op).handler);
    op.dst = dst;
    std::copy_n(args.begin(), 3, op.args.begin());
    op.imm = in.imm;
    append(nullptr).args[0] = args[3];
}

void Predecoder::emit_conditional(u16 index) {
    const Inst &in = inst(index);
    const bool is_exit = row_of(in.op).action == Action::ExitIf;
    const HandlerRow *row = &row_of(in.op);
    ValueId condition = in.args[0];
    Predecoded::Handler handler = row->handler;
    u64 folded_imm = 0;
    if (values_[condition].is_folded) {
        const Inst &folded = inst(condition);
        handler = is_exit ? row_of(folded.op).exit_if : row_of(folded.op).raise_if;
        folded_imm = folded.imm;
        condition = folded.args[0];
    }
    const Operand from = operand(condition);
    Op &op = append(handler);
    op.args[0] = from;
    op.args[1] = static_cast<u16>(folded_imm);
    if (is_exit) {
        CHECK(sign_extend(in.imm, ExitImm::kTargetBits) == static_cast<i64>(in.imm));
        op.imm = ExitImm::pack(in.imm, insn_index(insn_) + 1).value;
    } else {
        const Mark mark = Mark::of(insn_);
        op.dst = static_cast<u16>(mark.value);
        op.args[2] = static_cast<u16>(mark.value >> 16);
        op.imm = in.imm;
    }
}

void Predecoder::emit_exit(u16 index) {
    const Inst &in = inst(index);
    const Operand target = arg_count(in.op) == 0 ? kZeroOperand : operand(in.args[0]);
    Op &op = append(row_of(in.op).handler);
    op.args[0] = target;
    const u64 offset = in.op == Opcode::Exit ? in.imm : 0;
    CHECK(sign_extend(offset, ExitImm::kTargetBits) == static_cast<i64>(offset));
    op.imm = ExitImm::pack(offset, insn_index(insn_) + 1).value;
}

} // namespace tandem::ir
