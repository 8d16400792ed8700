#pragma once
/// A whole machine as a debugger's protocol sees it. A live machine is one; one that is replayed
/// can be another, which then also goes backwards.
#include "machine/debug/debug_types.h"
#include "machine/debug/register_file.h"
#include "support/result.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tandem::machine {

/// Told of what happens by itself. Any thread; returns at once.
class DebugClient {
public:
    virtual ~DebugClient() = default;
    /// A CPU has stopped the machine in the run that resume() gave this number.
    virtual void cpu_stopped(u64 run, u32 cpu, const CpuStop &) = 0;
};

/// What an address names: without a CPU, physical memory.
struct AddressSpace {
    std::optional<u32> cpu;
};

struct PlacedRegion {
    u64 base = 0;
    u64 size = 0;
    std::string name;
};

/// Any thread. What reads or changes the machine stops it first if it runs, and does nothing (and
/// reads zeros) when it has ended.
class DebugTarget {
public:
    virtual ~DebugTarget() = default;

    /// One client at a time. Stops the machine; from now on a reset stops it as well.
    virtual void attach(DebugClient &) = 0;
    /// Takes the client's points away, and has the machine go on unless it shall stay stopped.
    enum class AfterDetach : u8 { Runs, StaysStopped };
    virtual void detach(AfterDetach) = 0;

    [[nodiscard]] virtual u32 cpu_count() const = 0;
    [[nodiscard]] virtual bool is_cpu_on(u32 cpu) = 0;
    [[nodiscard]] virtual bool is_running() const = 0;
    /// Instructions a CPU has retired since the machine's last reset.
    [[nodiscard]] virtual u64 position(u32 cpu) = 0;

    [[nodiscard]] virtual const RegisterFile &registers() const = 0;
    virtual void read_register(u32 cpu, std::size_t number, std::span<std::byte> out) = 0;
    [[nodiscard]] virtual Result<> write_register(u32 cpu, std::size_t number,
                                                  std::span<const std::byte> in) = 0;

    /// Memory alone, no device: how many bytes, up to the first that is not there.
    [[nodiscard]] virtual std::size_t read_memory(AddressSpace, u64 address,
                                                  std::span<std::byte> out) = 0;
    [[nodiscard]] virtual std::size_t write_memory(AddressSpace, u64 address,
                                                   std::span<const std::byte> in) = 0;
    /// One access to a device by physical address, with all that comes of it.
    [[nodiscard]] virtual std::optional<u64> read_device(u64 physical, unsigned size_log2) = 0;
    [[nodiscard]] virtual std::optional<u64> translate(u32 cpu, u64 address) = 0;
    /// The physical address space.
    [[nodiscard]] virtual std::vector<PlacedRegion> layout() = 0;

    /// Replaces all breakpoints and watchpoints, from the next resume() on.
    virtual void set_points(std::span<const DebugPoint>) = 0;
    virtual void pause() = 0;
    /// A plan for each CPU; returns the run's number.
    virtual u64 resume(std::span<const CpuPlan>, GuestClock) = 0;
    virtual void quit() = 0;

    /// Where in its history a deterministic machine stands.
    struct Moment {
        u64 position = 0; ///< instructions executed by all CPUs
        u64 time_ns = 0;  ///< guest time
    };
    [[nodiscard]] virtual std::optional<Moment> moment() = 0;
    /// A replayed machine does; the others' resume_backwards() and go_to() must not be called.
    [[nodiscard]] virtual bool goes_backwards() const = 0;
    /// One instruction of the machine, or to the last breakpoint or watchpoint before this moment;
    /// returns the run's number.
    enum class Backwards : u8 { Step, Run };
    virtual u64 resume_backwards(Backwards) = 0;
    /// Returns when the machine stands there, or where its history ends.
    virtual void go_to(u64 position) = 0;
    /// What the monitor (machine/control) answers; `cpu` is its current one.
    [[nodiscard]] virtual std::string run_monitor_command(const std::string &line, u32 cpu) = 0;
};

} // namespace tandem::machine
