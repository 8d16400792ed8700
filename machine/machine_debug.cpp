#include "machine/machine_debug.h"

#include "machine/control/human_monitor.h"

#include <algorithm>

namespace tandem::machine {

Board *Machine::Debugged::current_board() const {
    // A deterministic machine is reset when it goes on.
    const bool is_resetting = machine_.reset_by_control_ && machine_.session_ == nullptr;
    return is_resetting ? nullptr : machine_.board_;
}

bool Machine::Debugged::wait_for_board() const {
    std::unique_lock lock(machine_.mutex_);
    machine_.changed_.wait(lock,
                           [this] { return current_board() != nullptr || machine_.has_ended_; });
    return !machine_.has_ended_;
}

template <typename F>
bool Machine::Debugged::with_board(F f) {
    std::unique_lock control(machine_.control_mutex_, std::defer_lock);
    Board *board = nullptr;
    while (board == nullptr) {
        // Not with control, which replacing the board takes.
        if (!wait_for_board()) return false;
        control.lock();
        {
            const std::lock_guard lock(machine_.mutex_);
            board = current_board();
        }
        if (board == nullptr) control.unlock();
    }
    if (board->debug() == nullptr) return false;
    machine_.pause_board();
    f(*board);
    return true;
}

void Machine::Debugged::equip(Board &board) {
    if (AcceleratorDebug *accelerator = board.debug(); accelerator != nullptr)
        if (registers_.features.empty()) registers_ = accelerator->registers();
    board.on_cpu_stop(
        [this](u32 cpu, const CpuStop &stop) {
            return machine_.timeline_ != nullptr && machine_.timeline_->passes(cpu, stop);
        },
        [this](u32 cpu, const CpuStop &stop) {
            DebugClient *client = client_;
            if (client == nullptr || stop_is_told_.exchange(true)) return false;
            client->cpu_stopped(run_, cpu, stop);
            stop_is_told_.notify_all();
            return true;
        });
    apply(board);
}

void Machine::Debugged::apply(Board &board) {
    if (AcceleratorDebug *accelerator = board.debug(); accelerator != nullptr)
        accelerator->set_points(points_);
}

void Machine::Debugged::attach(DebugClient &client) {
    with_board([&](Board &) { client_ = &client; });
}

void Machine::Debugged::detach(AfterDetach then) {
    with_board([&](Board &board) {
        client_ = nullptr;
        points_.clear();
        apply(board);
        for (u32 cpu = 0; cpu < cpu_count(); ++cpu) board.debug()->cpu(cpu).set_plan({});
        if (machine_.timeline_ != nullptr) machine_.timeline_->go_on();
        if (then == AfterDetach::Runs) machine_.resume_board(GuestClock::Runs);
    });
    client_ = nullptr;
}

bool Machine::Debugged::is_cpu_on(u32 cpu) {
    bool is_on = false;
    with_board([&](Board &board) { is_on = board.is_cpu_on(cpu); });
    return is_on;
}

bool Machine::Debugged::is_running() const {
    const std::lock_guard lock(machine_.mutex_);
    return machine_.board_ != nullptr && !machine_.paused_;
}

u64 Machine::Debugged::position(u32 cpu) {
    u64 position = 0;
    with_board([&](Board &board) { position = board.debug()->cpu(cpu).position(); });
    return position;
}

const RegisterFile &Machine::Debugged::registers() const {
    wait_for_board(); // the first one has brought them
    return registers_;
}

void Machine::Debugged::read_register(u32 cpu, std::size_t number, std::span<std::byte> out) {
    if (!with_board([&](Board &board) { board.debug()->cpu(cpu).read_register(number, out); }))
        std::ranges::fill(out, std::byte{0});
}

Result<> Machine::Debugged::write_register(u32 cpu, std::size_t number,
                                           std::span<const std::byte> in) {
    Result<> result = failure("the machine has ended; start it again");
    with_board([&](Board &board) { result = board.debug()->cpu(cpu).write_register(number, in); });
    return result;
}

template <typename F>
std::size_t Machine::Debugged::for_each_piece(Board &board, AddressSpace space, u64 address,
                                              std::size_t size, F f) {
    std::size_t done = 0;
    while (done < size) {
        const u64 at = address + done;
        const std::size_t length = std::min<std::size_t>(size - done, 4096 - (at & 0xfff));
        const std::optional<u64> physical =
            space.cpu.has_value() ? board.debug()->cpu(*space.cpu).translate(at) : at;
        if (!physical.has_value()) break;
        const std::size_t got = f(*physical, done, length);
        done += got;
        if (got < length) break;
    }
    return done;
}

std::size_t Machine::Debugged::read_memory(AddressSpace space, u64 address,
                                           std::span<std::byte> out) {
    std::size_t done = 0;
    with_board([&](Board &board) {
        done = for_each_piece(board, space, address, out.size(),
                              [&](u64 physical, std::size_t offset, std::size_t length) {
                                  return board.read_memory(physical, out.subspan(offset, length));
                              });
    });
    return done;
}

std::size_t Machine::Debugged::write_memory(AddressSpace space, u64 address,
                                            std::span<const std::byte> in) {
    std::size_t done = 0;
    with_board([&](Board &board) {
        done = for_each_piece(board, space, address, in.size(),
                              [&](u64 physical, std::size_t offset, std::size_t length) {
                                  return board.write_memory(physical, in.subspan(offset, length));
                              });
    });
    return done;
}

std::optional<u64> Machine::Debugged::read_device(u64 physical, unsigned size_log2) {
    std::optional<u64> result;
    with_board([&](Board &board) {
        u64 value = 0;
        if (board.read_device(physical, size_log2, value)) result = value;
    });
    return result;
}

std::optional<u64> Machine::Debugged::translate(u32 cpu, u64 address) {
    std::optional<u64> physical;
    with_board([&](Board &board) { physical = board.debug()->cpu(cpu).translate(address); });
    return physical;
}

std::vector<PlacedRegion> Machine::Debugged::layout() {
    std::vector<PlacedRegion> regions;
    with_board([&](Board &board) {
        for (const PhysicalMap::Placed &placed : board.layout())
            regions.push_back({placed.base, placed.size, std::string(placed.name)});
    });
    return regions;
}

void Machine::Debugged::set_points(std::span<const DebugPoint> points) {
    with_board([&](Board &) { points_.assign(points.begin(), points.end()); });
}

void Machine::Debugged::pause() {
    with_board([](Board &) {});
}

u64 Machine::Debugged::resume(std::span<const CpuPlan> plans, GuestClock clock) {
    with_board([&](Board &board) {
        start_run(board);
        for (u32 cpu = 0; cpu < cpu_count(); ++cpu) board.debug()->cpu(cpu).set_plan(plans[cpu]);
        if (machine_.timeline_ != nullptr) machine_.timeline_->go_on();
        machine_.resume_board(clock);
    });
    return run_;
}

void Machine::Debugged::start_run(Board &board) {
    apply(board);
    for (u32 cpu = 0; cpu < cpu_count(); ++cpu) board.debug()->cpu(cpu).set_plan({});
    ++run_;
    stop_is_told_ = false;
}

std::optional<DebugTarget::Moment> Machine::Debugged::moment() {
    std::optional<Moment> moment;
    with_board([&](Board &) {
        if (const replay::Session *session = machine_.session_.get(); session != nullptr)
            moment = {session->position(), session->now_ns()};
    });
    return moment;
}

u64 Machine::Debugged::resume_backwards(Backwards how) {
    with_board([&](Board &board) {
        start_run(board);
        if (how == Backwards::Step)
            machine_.timeline_->step_back();
        else
            machine_.timeline_->run_back();
        machine_.resume_board(GuestClock::Runs);
    });
    return run_;
}

void Machine::Debugged::go_to(u64 position) {
    if (!with_board([&](Board &board) {
            start_run(board);
            machine_.timeline_->go_to(position);
            machine_.resume_board(GuestClock::Runs);
        }))
        return;
    wait_for_stop();
}

void Machine::Debugged::wait_for_stop() {
    stop_is_told_.wait(false);
    pause();
}

void Machine::Debugged::visit(const std::function<void(Board &)> &f) {
    with_board(f);
}

void Machine::Debugged::run_to_stop() {
    const std::vector<CpuPlan> plans(cpu_count());
    if (resume(plans, GuestClock::Runs) != 0) wait_for_stop();
}

void Machine::Debugged::step_to_stop(u32 cpu) {
    std::vector<CpuPlan> plans(cpu_count());
    plans[cpu].kind = CpuPlan::Kind::Step;
    if (resume(plans, GuestClock::Runs) != 0) wait_for_stop();
}

std::string Machine::Debugged::run_monitor_command(const std::string &line, u32 cpu) {
    return machine::run_monitor_command(*machine_.control_, line, cpu);
}

} // namespace tandem::machine
