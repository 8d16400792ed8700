#pragma once
/// Part of Machine: what a debugger sees of it.
#include "machine/debug/target.h"
#include "machine/machine.h"

#include <atomic>
#include <functional>

namespace tandem::machine {

class Machine::Debugged final : public DebugTarget {
public:
    explicit Debugged(Machine &machine) : machine_(machine) {}

    /// Before a board runs: it gets what a debugger has set.
    void equip(Board &);
    /// Calls f while the machine stands still, unless it has ended.
    void visit(const std::function<void(Board &)> &f);
    // Of a client that has no business of its own with stops: they return when the machine stands.
    /// Runs on.
    void run_to_stop();
    /// Has a CPU execute an instruction, or begin to handle an interrupt.
    void step_to_stop(u32 cpu);
    /// The machine has ended: nobody waits for a stop any more.
    void give_up() {
        stop_is_told_ = true;
        stop_is_told_.notify_all();
    }
    [[nodiscard]] bool is_attached() const { return client_ != nullptr; }

    void attach(DebugClient &) override;
    void detach(AfterDetach) override;
    u32 cpu_count() const override { return machine_.config_.cpus; }
    bool is_cpu_on(u32 cpu) override;
    bool is_running() const override;
    u64 position(u32 cpu) override;
    const RegisterFile &registers() const override;
    void read_register(u32 cpu, std::size_t number, std::span<std::byte> out) override;
    Result<> write_register(u32 cpu, std::size_t number, std::span<const std::byte> in) override;
    std::size_t read_memory(AddressSpace, u64 address, std::span<std::byte> out) override;
    std::size_t write_memory(AddressSpace, u64 address, std::span<const std::byte> in) override;
    std::optional<u64> read_device(u64 physical, unsigned size_log2) override;
    std::optional<u64> translate(u32 cpu, u64 address) override;
    std::vector<PlacedRegion> layout() override;
    void set_points(std::span<const DebugPoint>) override;
    void pause() override;
    u64 resume(std::span<const CpuPlan>, GuestClock) override;
    std::optional<Moment> moment() override;
    bool goes_backwards() const override { return machine_.timeline_ != nullptr; }
    u64 resume_backwards(Backwards) override;
    void go_to(u64 position) override;
    void quit() override { machine_.stop({StopReason::Quit, 0}, EventCause::ControlQuit); }
    std::string run_monitor_command(const std::string &line, u32 cpu) override;

private:
    /// With the machine's mutex_ held: null between two boards, from when a reset was asked for.
    [[nodiscard]] Board *current_board() const;
    /// False: the machine has ended.
    bool wait_for_board() const;
    /// Calls f(Board &) while the machine stands still. False: it has ended.
    template <typename F>
    bool with_board(F f);
    /// Calls f(physical, offset, length) for each piece of [address, address + size) that is
    /// contiguous in physical memory, until it returns less than the length; returns the sum.
    template <typename F>
    std::size_t for_each_piece(Board &, AddressSpace, u64 address, std::size_t size, F f);
    void apply(Board &);
    /// The machine stands still: it gets the points, and CPUs have nothing but to run.
    void start_run(Board &);
    void wait_for_stop();

    Machine &machine_;
    RegisterFile registers_; ///< of all boards; written before there is one to be seen
    // Guarded by the machine's control_mutex_, but for what a CPU's stop reads while none is held.
    std::atomic<DebugClient *> client_ = nullptr;
    std::vector<DebugPoint> points_;
    std::atomic<u64> run_ = 0;
    std::atomic<bool> stop_is_told_ = false; ///< in this run
};

} // namespace tandem::machine
