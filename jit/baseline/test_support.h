#pragma once
/// What the baseline tier's tests share: a small machine that runs the same block on T0 and T1, and
/// generators of random operands and blocks.
#include "ir/block.h"
#include "ir/exec_context.h"
#include "ir/memory_access.h"
#include "jit/baseline/compiler.h"

#include <memory>
#include <random>
#include <string>
#include <vector>

namespace tandem::jit::test {

using Random = std::mt19937_64;

/// A CPU with 32 vector registers and some system state.
struct State : ir::ExecContext {
    alignas(16) std::array<ir::Vec, 32> v{};
    std::array<u64, 32> system{};

    /// The atomic members prevent a copy constructor; no other thread sees these states.
    void copy_from(const State &other);
    [[nodiscard]] static u64 v_offset(unsigned n);
    [[nodiscard]] static u64 system_offset(unsigned n);
};

/// Guest memory of four pages from kBase: the TLB has the first two for everything, the third for
/// reads only, the fourth not at all. Everything else faults.
class Memory final : public ir::MemoryAccess {
public:
    static constexpr u64 kBase = 0x7654'3000;
    static constexpr u64 kSize = 4 * 4096;

    Memory();
    void attach(State &state);

    u64 load(ir::ExecContext &, u64 va, unsigned size_log2, ir::MemoryOp) override;
    void store(ir::ExecContext &, u64 va, unsigned size_log2, u64 value, ir::MemoryOp) override;
    ir::Vec load128(ir::ExecContext &, u64 va, ir::MemoryOp) override;
    void store128(ir::ExecContext &, u64 va, ir::Vec value, ir::MemoryOp) override;
    u64 atomic(ir::ExecContext &, u64 va, u64 operand, ir::MemoryOp) override;
    u64 compare_swap(ir::ExecContext &, u64 va, u64 expected, u64 desired, ir::MemoryOp) override;
    ir::Vec compare_swap128(ir::ExecContext &, u64 va, ir::Vec expected, ir::Vec desired,
                            ir::MemoryOp) override;
    ir::Vec load_exclusive(ir::ExecContext &, u64 va, ir::MemoryOp) override;
    u32 store_exclusive(ir::ExecContext &, u64 va, ir::Vec value, ir::MemoryOp) override;
    void clear_exclusive(ir::ExecContext &) override;

    alignas(4096) std::array<u8, kSize> bytes{};

private:
    bool check(ir::ExecContext &, u64 va, unsigned size, ir::MemoryOp);
    std::vector<ir::TlbEntry> tlb_;
};

/// Helpers 0..3 of the random blocks: plain; reads and writes state; may exit; always exits.
[[nodiscard]] std::span<const ir::Helper> helpers();

/// Code memory, runtime and compiler of one feature level.
class Jit {
public:
    explicit Jit(HostFeatures features);
    ~Jit();
    Jit(const Jit &) = delete;
    Jit &operator=(const Jit &) = delete;

    [[nodiscard]] CompileResult compile(const ir::Block &block, Reach reach = {}) {
        return compile_into(block, window_.size, reach);
    }
    /// As if there were only `size` bytes for it.
    [[nodiscard]] CompileResult compile_into(const ir::Block &block, std::size_t size,
                                             Reach reach = {});
    /// Runs what was compiled last.
    [[nodiscard]] ExitInfo run(State &state);
    [[nodiscard]] const CompiledBlock &compiled() const { return compiled_; }
    [[nodiscard]] CodeWindow window() const { return window_; }
    [[nodiscard]] const void *entry() const { return window_.executable; }

private:
    std::byte *memory_ = nullptr;
    std::unique_ptr<Runtime> runtime_;
    std::unique_ptr<Compiler> compiler_;
    CodeWindow window_;
    CompiledBlock compiled_;
};

/// The host's levels worth testing: 2, and 3 and 4 if the host has them.
[[nodiscard]] std::vector<unsigned> levels();

/// A value with a good chance of being special: 0, 1, minimum, maximum, NaN, denormal, infinity.
[[nodiscard]] u64 random_value(Random &);
[[nodiscard]] ir::Vec random_vector(Random &);
/// A valid immediate of the operation.
[[nodiscard]] u64 random_immediate(ir::Opcode, Random &);
void randomise(State &state, Random &);

/// What differs between two states after a block; empty if nothing. Collects FP flags of mxcsr.
[[nodiscard]] std::string compare(State &expected, State &actual);

} // namespace tandem::jit::test
