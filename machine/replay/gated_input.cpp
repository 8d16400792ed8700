#include "machine/replay/gated_input.h"

#include <cstring>

namespace tandem::machine::replay {

using devices::InputEvent;
using devices::InputReport;

namespace {

// A piece of a recording is a report: its events as they are in memory.
static_assert(sizeof(InputEvent) == 8);

struct Report {
    InputReport events;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.events);
    }
};

struct InputState {
    static constexpr u32 kVersion = 1;

    std::vector<Report> waiting;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.waiting);
    }
};

} // namespace

GatedInput::GatedInput(Gate &gate, devices::Input &host)
    : gate_(gate), host_(host), port_(gate.add(*this)) {
    host_.set_listener(this);
}

GatedInput::~GatedInput() {
    host_.set_listener(nullptr);
}

bool GatedInput::receive(InputReport &report) {
    if (waiting_.empty()) return false;
    report = std::move(waiting_.front());
    waiting_.pop_front();
    // There may be more with the host.
    if (waiting_.empty()) gate_.arrived();
    return true;
}

void GatedInput::set_lights(devices::InputLights lights) {
    gate_.sent(port_, std::as_bytes(std::span(&lights, 1)));
    host_.set_lights(lights);
}

void GatedInput::save(devices::StateWriter &writer) const {
    InputState state;
    for (const InputReport &report : waiting_) state.waiting.push_back({report});
    devices::save_state(writer, "input", state);
}

Result<> GatedInput::restore(devices::StateReader &reader) {
    InputState state;
    TRY(devices::restore_state(reader, "input", state));
    waiting_.clear();
    for (Report &report : state.waiting) waiting_.push_back(std::move(report.events));
    return {};
}

bool GatedInput::fetch(std::vector<std::byte> &piece) {
    InputReport report;
    if (waiting_.size() >= kMaxWaiting || !host_.receive(report)) return false;
    const auto bytes = std::as_bytes(std::span(report));
    piece.assign(bytes.begin(), bytes.end());
    return true;
}

void GatedInput::enter(std::span<const std::byte> piece) {
    const std::size_t count = piece.size() / sizeof(InputEvent);
    if (count == 0 || count > devices::kMaxInputReport || piece.size() % sizeof(InputEvent) != 0)
        return;
    InputReport report(count);
    std::memcpy(report.data(), piece.data(), piece.size());
    waiting_.push_back(std::move(report));
    if (waiting_.size() == 1 && listener_ != nullptr) listener_->reports_wait();
}

} // namespace tandem::machine::replay
