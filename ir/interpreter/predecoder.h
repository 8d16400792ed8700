#pragma once
/// Turns a block into T0's operations. Most of what IR spells out needs no operation of its own:
/// - a read of state is its consumers' operand, for as long as the state keeps the value;
/// - a write of state is its producer's result, if nothing in between could see the difference;
/// - constants, displacements of addresses and conditions of exits are part of their consumer;
/// - instruction markers are part of the operations that may raise an exception, and of exits.
#include "ir/interpreter/op.h"

#include <span>
#include <vector>

namespace tandem::ir {

/// Not thread-safe: one per translating thread; it reuses its memory.
class Predecoder {
public:
    /// Predecoded blocks will be in the arena.
    Predecoder(std::span<const Helper> helpers, Arena &arena) : helpers_(helpers), arena_(arena) {}

    [[nodiscard]] std::span<const Helper> helpers() const { return helpers_; }
    [[nodiscard]] Arena &arena() { return arena_; }

    /// Valid until the next call.
    [[nodiscard]] std::span<const Predecoded::Op> predecode(const Block &block);

private:
    /// What is known of an instruction's value.
    struct Value {
        ValueId root;     ///< the value that has the same storage
        u16 last_use;     ///< index of the last instruction that needs it
        u16 set;          ///< of the Set that its producer may do, or 0
        u16 uses;         ///< by distinct instructions
        u16 address_uses; ///< of these, as a memory operation's address
        Operand where;
        bool decides_exit; ///< its last use is an ExitIf or RaiseIf
        bool is_folded;    ///< into its consumers: there is no storage
    };
    static constexpr Operand kNowhere = 0xffff;

    /// A piece of state.
    struct Piece {
        u64 offset;
        u32 size;
        [[nodiscard]] bool overlaps(const Piece &other) const {
            return offset < other.offset + other.size && other.offset < offset + size;
        }
        /// Can it be an operand?
        [[nodiscard]] bool is_operand() const;
        [[nodiscard]] Operand operand() const {
            return static_cast<Operand>(kStateOperand | offset / kOperandUnit);
        }
    };
    struct PendingSet {
        Piece piece;
        ValueId root;
        u16 set;
    };
    struct Resident {
        Piece piece;
        ValueId value;
    };

    [[nodiscard]] static Piece piece_of(const Inst &inst);
    [[nodiscard]] const Inst &inst(ValueId id) const { return block_->insts[id]; }
    [[nodiscard]] bool is_constant(ValueId id) const;
    [[nodiscard]] u64 constant(ValueId id) const;

    // The backward pass: uses, and which producers may write state.
    void scan();
    [[nodiscard]] bool is_rename(const Inst &inst) const;
    [[nodiscard]] bool folds_into_address(const Inst &inst, const Value &value) const;
    void scan_set(u16 index);
    void observe(u16 index);
    void cancel_overlapping(const Piece &piece, u16 index);

    // The forward pass.
    void emit(u16 index);
    Predecoded::Op &append(Predecoded::Handler handler);
    [[nodiscard]] Operand new_slot();
    /// Where the value is, which is a constant perhaps still nowhere.
    Operand operand(ValueId id);
    /// Where the instruction's result goes.
    Operand destination(u16 index);
    /// State there is about to change: values that live in it and are needed later move out.
    void displace(const Piece &piece, u16 index);
    void displace_all(u16 index);
    void move_out(const Resident &resident);
    [[nodiscard]] bool is_needed_after(ValueId id, u16 index) const {
        return values_[id].last_use > index;
    }
    void emit_get(u16 index);
    void emit_set(u16 index);
    void emit_plain(u16 index);
    void emit_memory(u16 index);
    void emit_call(u16 index);
    void emit_conditional(u16 index);
    void emit_exit(u16 index);

    std::span<const Helper> helpers_;
    Arena &arena_;
    const Block *block_ = nullptr;
    std::vector<Value> values_;
    std::vector<Predecoded::Op> ops_;
    std::vector<PendingSet> pending_;
    std::vector<Resident> residents_;
    Operand next_slot_ = 0;
    u64 insn_ = 0; ///< immediate of the current instruction's marker
};

} // namespace tandem::ir
