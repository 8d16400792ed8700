#pragma once
/// T0: executes IR blocks, predecoded into an array of handlers. The definition of the IR's
/// behaviour, the engine for exact stops, and the first tier of every block.
#include "ir/block.h"
#include "ir/exec_context.h"
#include "support/arena.h"

#include <span>

namespace tandem::ir {

class Predecoder;

/// A block ready for execution. Immutable: any number of threads may run one at the same time.
class Predecoded {
public:
    struct Op;
    struct Frame;
    /// Executes one operation; returns the next one, or null to leave the block.
    using Handler = const Op *(*)(Frame &, const Op *);

    /// Nothing to run.
    Predecoded();
    explicit Predecoded(const Block &block, std::span<const Helper> helpers);
    /// The same, with working memory that is used again, in the predecoder's arena.
    Predecoded(const Block &block, Predecoder &predecoder);
    ~Predecoded();
    Predecoded(Predecoded &&) noexcept;
    Predecoded &operator=(Predecoded &&) noexcept;

    [[nodiscard]] bool exists() const { return ops_ != nullptr; }
    /// Bytes allocated.
    [[nodiscard]] std::size_t byte_size() const;
    /// Brings what will be run first to the caches.
    void prefetch() const;

    /// Runs the block once. ExecContext::pc_page must be the page of the block; afterwards
    /// ExecContext::pc is the next instruction. Returns the number of instructions retired: all up
    /// to the exit taken, including an instruction that raised an exception (pending_exit is set
    /// then). ExecContext::budget is the instructions left during the run, and what it was
    /// afterwards.
    u32 run(ExecContext &ctx) const;

private:
    ArenaArray<Op> ops_;
    const Helper *helpers_ = nullptr;
    u32 op_count_ = 0;
};

} // namespace tandem::ir
