#pragma once
/// Tandem's own execution of a case, by the interpreter or by translated code.
#include "frontend-arm/a64/a64_frontend.h"
#include "frontend-arm/state/cpu_model.h"
#include "frontend-arm/state/environment.h"
#include "ir/interpreter/interpreter.h"
#include "jit/baseline/compiler.h"
#include "jit/regions/region_compiler.h"
#include "jit/regions/region_stubs.h"
#include "tests/isa/flat_memory.h"
#include "tests/isa/protocol.h"

#include <atomic>
#include <memory>
#include <random>

namespace tandem::isa {

enum class Tier : u8 {
    Interpreter,
    Baseline,
    Optimising,
    Mixed, ///< any of them, for a random number of instructions each time
};

/// How translated code reaches memory: through its inline TLB check, or always by the slow path.
enum class MemoryPath : u8 { Inline, Slow };

class Subject {
public:
    /// host_level: x86-64 micro-architecture level that translated code may use at most.
    Subject(Tier tier, MemoryPath path, unsigned host_level);
    ~Subject();

    /// Runs at EL0 until the program counter leaves the case's words, or an exception. The case's
    /// memory ranges are filled in when `record` is set (interpreter only), and used otherwise.
    isa_outcome run(isa_case &test, bool record);

    /// Whether the last case left its words at all: a branch to itself does not.
    [[nodiscard]] bool has_ended() const { return has_ended_; }

    /// Whether memory outside the ranges of the cases run so far is as it should be.
    [[nodiscard]] bool memory_is_intact() const { return memory_.is_pristine(); }

private:
    void load(const isa_case &test);
    void step(const isa_case &test);
    [[nodiscard]] u32 ending() const;
    void run_baseline(const ir::Block &block);
    void run_optimised(const ir::Block &block);

    Tier tier_;
    bool has_ended_ = true;
    std::minstd_rand random_;
    arm::CpuModel model_;
    arm::a64::A64Frontend frontend_;
    FlatMemory memory_;
    arm::Environment environment_;
    std::unique_ptr<arm::ArmState> state_;
    struct Board;
    std::unique_ptr<Board> board_;
    std::vector<ir::TlbEntry> tlb_;
    std::vector<ir::JumpCacheEntry> jump_cache_;
    jit::CodeWindow code_;
    std::unique_ptr<jit::Runtime> runtime_;
    std::unique_ptr<jit::Compiler> compiler_;
    std::unique_ptr<jit::RegionStubs> stubs_;
    std::atomic<u64> region_entries_ = 0;
    std::unique_ptr<jit::CodeArena> arena_;
    std::unique_ptr<jit::RegionCompiler> region_compiler_;
};

} // namespace tandem::isa
