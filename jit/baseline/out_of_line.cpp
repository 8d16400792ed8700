// What cold paths of translated code call.
#include "jit/baseline/out_of_line.h"

#include "ir/memory_access.h"
#include "ir/semantics/thunk.h"
#include "support/check.h"

namespace tandem::jit {

using ir::ExecContext;
using ir::MemoryOp;
using ir::Opcode;
using ir::Vec;

void out_of_line_memory(ExecContext &ctx, Opcode opcode, u64 imm, const Vec *args, Vec *result) {
    ir::MemoryAccess &memory = *ctx.memory;
    const MemoryOp op = MemoryOp::unpack(imm);
    const u64 va = args[0].d[0];
    const auto load = [&](unsigned size_log2) {
        result[0] = Vec{{memory.load(ctx, va, size_log2, op), 0}};
    };
    const auto store = [&](unsigned size_log2) {
        memory.store(ctx, va, size_log2, args[1].d[0] & ones(8u << size_log2), op);
    };
    const auto failed = [&] { return ctx.pending_exit != ir::PendingExit::None; };
    const auto load_pair = [&](unsigned size_log2) {
        load(size_log2);
        if (!failed())
            result[1] = Vec{{memory.load(ctx, va + (1u << size_log2), size_log2, op), 0}};
    };
    const auto store_pair = [&](unsigned size_log2) {
        store(size_log2);
        if (!failed())
            memory.store(ctx, va + (1u << size_log2), size_log2,
                         args[2].d[0] & ones(8u << size_log2), op);
    };
    switch (opcode) {
    case Opcode::Load8: return load(0);
    case Opcode::Load16:
    case Opcode::LoadF16: return load(1);
    case Opcode::Load32:
    case Opcode::LoadF32: return load(2);
    case Opcode::Load64:
    case Opcode::LoadF64: return load(3);
    case Opcode::LoadV128: result[0] = memory.load128(ctx, va, op); return;
    case Opcode::LoadPair32:
    case Opcode::LoadPair64: {
        const Vec pair = memory.load_pair(ctx, va, opcode == Opcode::LoadPair64 ? 3 : 2, op);
        result[0] = Vec{{pair.d[0], 0}};
        result[1] = Vec{{pair.d[1], 0}};
        return;
    }
    case Opcode::LoadPairF32: return load_pair(2);
    case Opcode::LoadPairF64: return load_pair(3);
    case Opcode::LoadPairV128:
        result[0] = memory.load128(ctx, va, op);
        if (!failed()) result[1] = memory.load128(ctx, va + 16, op);
        return;
    case Opcode::Store8: return store(0);
    case Opcode::Store16:
    case Opcode::StoreF16: return store(1);
    case Opcode::Store32:
    case Opcode::StoreF32: return store(2);
    case Opcode::Store64:
    case Opcode::StoreF64: return store(3);
    case Opcode::StoreV128: return memory.store128(ctx, va, args[1], op);
    case Opcode::StorePair32:
    case Opcode::StorePair64: {
        const Vec pair{{args[1].d[0], args[2].d[0]}};
        return memory.store_pair(ctx, va, opcode == Opcode::StorePair64 ? 3 : 2, pair, op);
    }
    case Opcode::StorePairF32: return store_pair(2);
    case Opcode::StorePairF64: return store_pair(3);
    case Opcode::StorePairV128:
        memory.store128(ctx, va, args[1], op);
        if (!failed()) memory.store128(ctx, va + 16, args[2], op);
        return;
    case Opcode::AtomicRmw: result[0] = Vec{{memory.atomic(ctx, va, args[1].d[0], op), 0}}; return;
    case Opcode::CompareSwap:
        result[0] = Vec{{memory.compare_swap(ctx, va, args[1].d[0], args[2].d[0], op), 0}};
        return;
    case Opcode::CompareSwap128:
        result[0] = memory.compare_swap128(ctx, va, args[1], args[2], op);
        return;
    case Opcode::LoadExclusive:
    case Opcode::LoadExclusive128: result[0] = memory.load_exclusive(ctx, va, op); return;
    case Opcode::StoreExclusive:
        result[0] = Vec{{memory.store_exclusive(ctx, va, Vec{{args[1].d[0], 0}}, op), 0}};
        return;
    case Opcode::StoreExclusive128:
        result[0] = Vec{{memory.store_exclusive(ctx, va, args[1], op), 0}};
        return;
    case Opcode::ClearExclusive: return memory.clear_exclusive(ctx);
    default: CHECK(false);
    }
}

void out_of_line_thunk(ExecContext &ctx, Opcode opcode, u64 imm, const Vec *args, Vec *result) {
    const ir::semantics::Thunk thunk = ir::semantics::thunk(opcode);
    thunk(ctx.fpsr, result, args, args + 1, args + 2, args + 3, imm);
}

} // namespace tandem::jit
