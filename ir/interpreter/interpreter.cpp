#include "ir/interpreter/interpreter.h"

#include "ir/interpreter/op.h"
#include "ir/interpreter/predecoder.h"

#include <algorithm>

namespace tandem::ir {

Predecoded::Predecoded(const Block &block, std::span<const Helper> helpers) {
    Arena arena;
    Predecoder predecoder(helpers, arena);
    *this = Predecoded(block, predecoder);
}

Predecoded::Predecoded(const Block &block, Predecoder &predecoder)
    : helpers_(predecoder.helpers().data()) {
    const std::span<const Op> ops = predecoder.predecode(block);
    op_count_ = static_cast<u32>(ops.size());
    ops_ = make_arena_array<Op>(predecoder.arena(), op_count_);
    std::copy(ops.begin(), ops.end(), ops_.get());
}

Predecoded::Predecoded() = default;
Predecoded::~Predecoded() = default;
Predecoded::Predecoded(Predecoded &&) noexcept = default;
Predecoded &Predecoded::operator=(Predecoded &&) noexcept = default;

std::size_t Predecoded::byte_size() const {
    return op_count_ * sizeof(Op);
}

void Predecoded::prefetch() const {
    // The lines after these are the hardware's business.
    const auto *first = reinterpret_cast<const std::byte *>(ops_.get());
    for (unsigned line = 0; line < 4; ++line) __builtin_prefetch(first + line * 64);
}

u32 Predecoded::run(ExecContext &ctx) const {
    // Raw memory, because a Vec would be cleared: every slot but that of zero is written before it
    // is read.
    alignas(Vec) u64 slots[(kMaxBlockInsts + 1) * 2];
    slots[0] = slots[1] = 0;
    Frame frame{ctx, helpers_, slots};
    for (const Op *op = ops_.get(); op != nullptr;) op = op->handler(frame, op);
    ctx.budget = frame.budget;
    return frame.retired;
}

} // namespace tandem::ir
