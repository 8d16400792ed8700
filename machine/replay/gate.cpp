#include "machine/replay/gate.h"

#include "machine/host/monotonic.h"

#include <algorithm>
#include <chrono>

namespace tandem::machine::replay {
namespace {

struct GateState {
    static constexpr u32 kVersion = 1;

    u64 last_admission = 0, outputs = 0;
    JournalReader::Position next;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.last_admission, self.outputs, self.next);
    }
};

} // namespace

PortId Gate::add(GatePort &port) {
    ports_.push_back(&port);
    return static_cast<PortId>(ports_.size() - 1);
}

void Gate::arrived() {
    if (!is_live_) return;
    has_arrived_ = true;
    if (alarm_) alarm_();
    wake();
}

void Gate::wake() {
    {
        const std::lock_guard lock(mutex_);
        is_woken_ = true;
    }
    changed_.notify_one();
}

void Gate::admit() {
    const u64 now = clock_.now_ns();
    if (std::exchange(last_admission_, now) == now) return;
    if (replayed_ != nullptr) return admit_recorded();
    if (!has_arrived_.exchange(false)) return;
    for (std::size_t port = 0; port < ports_.size(); ++port)
        while (ports_[port]->fetch(piece_)) {
            if (recorder_ != nullptr) recorder_->input(now, static_cast<PortId>(port), piece_);
            ports_[port]->enter(piece_);
        }
}

void Gate::admit_recorded() {
    for (const InputEntry *input = next_input(); input != nullptr; input = next_input()) {
        const auto port = static_cast<std::size_t>(input->port);
        if (port < ports_.size()) ports_[port]->enter(input->bytes);
        replayed_->advance();
    }
}

const InputEntry *Gate::next_input() const {
    if (next_moment() != clock_.now_ns()) return nullptr;
    return std::get_if<InputEntry>(&replayed_->next().what);
}

u64 Gate::next_moment() const {
    return replayed_ == nullptr ? kNever : replayed_->next().moment;
}

bool Gate::is_over() const {
    if (next_moment() > clock_.now_ns() || replayed_ == nullptr) return false;
    const auto &what = replayed_->next().what;
    return std::holds_alternative<EndEntry>(what) || std::holds_alternative<CutEntry>(what);
}

void Gate::go_live() {
    replayed_ = nullptr;
    is_live_ = true;
    // Whoever came before was not heard.
    has_arrived_ = true;
}

u64 Gate::wait(u64 ns) {
    if (replayed_ != nullptr || (!is_paced_ && ns != kNever)) return ns;
    if (recorder_ != nullptr) recorder_->rest();
    const u64 began = monotonic_ns();
    std::unique_lock lock(mutex_);
    const auto is_over = [this] { return std::exchange(is_woken_, false); };
    if (ns == kNever)
        changed_.wait(lock, is_over);
    else
        changed_.wait_for(lock, std::chrono::nanoseconds(std::min(ns, u64{1} << 60)), is_over);
    return std::clamp<u64>(monotonic_ns() - began, 1, ns);
}

void Gate::sent(PortId port, std::span<const std::byte> bytes) {
    // In pieces of any size: only the bytes and their order count.
    for (const std::byte byte : bytes)
        outputs_ =
            (outputs_ ^ static_cast<u64>(byte) ^ static_cast<u64>(port) << 8) * 0x9e3779b97f4a7c15;
}

void Gate::save(devices::StateWriter &writer) const {
    GateState state{.last_admission = last_admission_, .outputs = outputs_, .next = {}};
    if (replayed_ != nullptr) state.next = replayed_->position();
    devices::save_state(writer, "gate", state);
}

Result<> Gate::restore(devices::StateReader &reader) {
    GateState state;
    TRY(devices::restore_state(reader, "gate", state));
    last_admission_ = state.last_admission;
    outputs_ = state.outputs;
    // That of a machine that was recorded is nowhere.
    if (replayed_ != nullptr && state.next.chunk != 0) replayed_->go_to(state.next);
    return {};
}

u8 Gate::answer(PortId port, u8 of_host) {
    if (replayed_ != nullptr) {
        const InputEntry *input = next_input();
        if (input == nullptr || input->port != port || input->bytes.size() != 1) return of_host;
        const auto recorded = static_cast<u8>(input->bytes[0]);
        replayed_->advance();
        return recorded;
    }
    if (of_host != 0 && recorder_ != nullptr)
        recorder_->input(clock_.now_ns(), port, std::as_bytes(std::span(&of_host, 1)));
    return of_host;
}

void Gate::take(PortId port, std::span<std::byte> bytes, const std::function<void()> &ask_host) {
    if (replayed_ != nullptr) {
        std::ranges::fill(bytes, std::byte{0});
        const InputEntry *input = next_input();
        if (input == nullptr || input->port != port) return;
        if (input->bytes.size() == bytes.size()) std::ranges::copy(input->bytes, bytes.begin());
        replayed_->advance();
        return;
    }
    ask_host();
    if (recorder_ == nullptr) return;
    // Zeros go without saying, but not that they were asked for: there may be more in this moment.
    const bool is_empty = std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
    recorder_->input(clock_.now_ns(), port, is_empty ? std::span<std::byte>{} : bytes);
}

} // namespace tandem::machine::replay
