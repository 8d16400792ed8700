#pragma once
/// Runs guest code: finds, translates and promotes blocks, and keeps exact count. One engine serves
/// all vCPUs of a machine, each run by a host thread of its own (or several by one thread in turn).
#include "ir/frontend.h"
#include "ir/tlb_control.h"
#include "jit/runtime/activity.h"
#include "jit/runtime/perf_map.h"
#include "jit/runtime/statistics.h"
#include "jit/softmmu/debug_points.h"
#include "jit/softmmu/exclusive_monitor.h"
#include "jit/tiering/observer.h"
#include "support/result.h"

#include <memory>
#include <span>
#include <string>

namespace tandem::jit {

enum class ExitReason : u8 {
    BudgetUsed, ///< exactly the given number of instructions has retired
    Kicked,     ///< kick() was called
    Halt,       ///< the guest waits for an event (PendingExit::Halt)
    Stop,       ///< PendingExit::Stop
    Breakpoint, ///< before the instruction at a debugger's breakpoint
    Watchpoint, ///< before an instruction that hits a debugger's watchpoint: see watch_hit()
};

/// How literally a budget is meant.
enum class StopAt : u8 {
    Exactly, ///< the tail of the budget runs in T0, up to some hundred microseconds
    Nearly,  ///< up to ir::kMaxBlockInstructions fewer instructions, or if the budget is smaller
             ///< than that, more
};

/// For a debugger that runs a CPU instruction by instruction.
struct StepControl {
    bool holds_interrupts = false; ///< poll_interrupts is not called
    bool passes_points = false;    ///< breakpoints and watchpoints do not stop it
};

class DiskCache;

/// When T2 compiles.
enum class Optimise : u8 {
    Never,
    Hot,    ///< loops that take much time, in the background
    Always, ///< each block as soon as T1 has, at once; for tests
};

struct EngineOptions {
    bool compile = true;        ///< false: T0 alone
    u32 compile_threshold = 12; ///< runs of a block in T0 before T1 compiles it
    std::size_t code_cache_size = std::size_t{256} << 20; ///< bytes; with T2, a quarter is its
    std::size_t block_memory = std::size_t{512} << 20;    ///< bytes of blocks and T0 code
    Optimise optimise = Optimise::Never;
    std::string region_compiler; ///< path of T2's module (jit/llvm)
    /// Slices ending in a block before T2 is asked for its loop.
    u32 promotion_samples = 1024;
    unsigned host_level = 4; ///< x86-64 micro-architecture level to use at most
    bool verify = false;     ///< run the IR verifier on every block
    /// An instruction that accesses a device runs alone, in T0: the access is made at the same
    /// count in every tier, and an interrupt that it causes comes before the next instruction.
    bool isolate_devices = false;
    /// Called by the vCPU's thread between blocks while ExecContext::interrupt_lines is not 0:
    /// takes an interrupt (changes pc and mode) if one is deliverable.
    void (*poll_interrupts)(ir::ExecContext &) = nullptr;
    TranslationObserver *observer = nullptr; ///< outlives the engine, as do the next
    PerfMap *perf_map = nullptr;
    bool index_code = false;         ///< for Engine::position()
    DiskCache *disk_cache = nullptr; ///< of T2's code; null: none
};

/// Where a vCPU's thread is, in its guest's terms.
struct Position {
    Activity activity = Activity::Outside;
    u64 pc = 0; ///< of the guest; in code of T1 its block's, in code of T2 its region's
};

class Engine {
public:
    /// The arguments must outlive the engine.
    static Result<std::unique_ptr<Engine>> create(const ir::Frontend &frontend,
                                                  ir::AddressTranslator &translator,
                                                  ir::PhysicalBus &bus,
                                                  const EngineOptions &options);
    ~Engine();
    Engine(const Engine &) = delete;
    Engine &operator=(const Engine &) = delete;

    /// Gives a context its TLBs, jump cache and `memory`, in address space 0. Contexts are attached
    /// and detached while none runs, and are attached for as long as they run.
    void attach(ir::ExecContext &context);
    void detach(ir::ExecContext &context);

    /// Runs at most `budget` instructions, and exactly that many if the reason is BudgetUsed and
    /// `stop` is Exactly; an instruction that faults, or whose fetch does, counts as one.
    /// Afterwards ExecContext::pc is the next instruction, pending_exit is None, and
    /// ExecContext::retired has grown by the number of instructions retired.
    [[nodiscard]] ExitReason run(ir::ExecContext &context, i64 budget,
                                 StopAt stop = StopAt::Exactly, StepControl = {});

    /// While no vCPU runs: replaces a debugger's breakpoints and watchpoints. Cheap if they are the
    /// same as before.
    void set_breakpoints(std::span<const u64> addresses);
    void set_watchpoints(std::span<const Watchpoint>);
    /// After ExitReason::Watchpoint.
    [[nodiscard]] static WatchHit watch_hit(ir::ExecContext &context);

    /// While the context does not run: part of its state.
    [[nodiscard]] static ExclusiveMonitor &exclusive_monitor(const ir::ExecContext &context);

    /// Any thread: run() of this context returns soon (Kicked), at once if it is entered later.
    static void kick(ir::ExecContext &context);

    /// Async-signal-safe, on the thread that runs the context, or while none does: what that thread
    /// was doing when its registers were these. Needs EngineOptions::index_code. Guest registers in
    /// the context are those at the start of the block or later; in code of T2, of the region.
    [[nodiscard]] static Position position(const ir::ExecContext &context, const void *host_pc,
                                           const void *host_sp);

    /// What the frontend calls when its guest maintains TLBs.
    [[nodiscard]] ir::TlbControl &tlb_control();

    /// Any thread: physical memory was written by something other than a vCPU (DMA, a loader, a
    /// debugger): code translated from it is dropped. Cheap if there is none. Call after the write.
    void invalidate_physical(u64 physical, u64 length);

    /// Any thread but those that run contexts: every page asks PhysicalBus::tracks_stores_to()
    /// before it is stored to again. Returns when all stores that began before have been made.
    void slow_down_writes();

    /// Any thread: PhysicalBus::page() would answer differently now; forget what it answered.
    void physical_map_changed();

    /// The sum over all vCPUs; approximate while they run.
    [[nodiscard]] Statistics statistics() const;
    /// Multi-line report for --stats.
    [[nodiscard]] std::string statistics_report() const;

private:
    class Impl;
    explicit Engine(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace tandem::jit
