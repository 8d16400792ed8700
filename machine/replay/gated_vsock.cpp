#include "machine/replay/gated_vsock.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace tandem::machine::replay {

using devices::VsockEvent;
using devices::VsockPorts;

namespace {

/// An event in a recording; bytes of data follow.
struct RecordedEvent {
    u32 kind = 0;
    u32 host_port = 0, guest_port = 0;
    u32 count = 0;
};

std::vector<std::byte> pack(const VsockEvent &event) {
    const RecordedEvent head{static_cast<u32>(event.kind), event.ports.host, event.ports.guest,
                             event.count};
    std::vector<std::byte> piece(sizeof head + event.bytes.size());
    std::memcpy(piece.data(), &head, sizeof head);
    std::ranges::copy(event.bytes, piece.begin() + sizeof head);
    return piece;
}

/// False if it is none.
bool unpack(std::span<const std::byte> piece, VsockEvent &event) {
    RecordedEvent head;
    if (piece.size() < sizeof head) return false;
    std::memcpy(&head, piece.data(), sizeof head);
    const auto bytes = piece.subspan(sizeof head);
    if (head.kind > static_cast<u32>(VsockEvent::kLastKind) || bytes.size() > VsockEvent::kMaxBytes)
        return false;
    event = {.kind = static_cast<VsockEvent::Kind>(head.kind),
             .ports = {head.host_port, head.guest_port},
             .count = head.count,
             .bytes = {bytes.begin(), bytes.end()}};
    return true;
}

struct Piece {
    std::vector<u8> bytes;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.bytes);
    }
};

struct VsockState {
    static constexpr u32 kVersion = 2;

    std::vector<Piece> waiting;
    std::vector<VsockPorts> streams;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.waiting, self.streams);
    }
};

} // namespace

GatedVsock::GatedVsock(Gate &gate, devices::Vsock &host)
    : gate_(gate), host_(host), port_(gate.add(*this)) {
    host_.set_listener(this);
}

GatedVsock::~GatedVsock() {
    host_.set_listener(nullptr);
}

void GatedVsock::note(u8 what, VsockPorts ports) {
    const std::array<u32, 3> message{what, ports.host, ports.guest};
    gate_.sent(port_, std::as_bytes(std::span(message)));
}

void GatedVsock::open(VsockPorts ports) {
    note(1, ports);
    streams_.insert(ports);
    if (gate_.is_live()) host_.open(ports);
}

void GatedVsock::accept(VsockPorts ports) {
    note(2, ports);
    if (gate_.is_live()) host_.accept(ports);
}

void GatedVsock::send(VsockPorts ports, std::span<const std::byte> bytes) {
    note(3, ports);
    gate_.sent(port_, bytes);
    if (gate_.is_live()) host_.send(ports, bytes);
}

void GatedVsock::finish(VsockPorts ports) {
    note(4, ports);
    if (gate_.is_live()) host_.finish(ports);
}

void GatedVsock::close(VsockPorts ports) {
    note(5, ports);
    streams_.erase(ports);
    if (gate_.is_live()) host_.close(ports);
    std::erase_if(waiting_, [&](const VsockEvent &event) { return event.ports == ports; });
}

void GatedVsock::close_all() {
    if (gate_.is_live()) host_.close_all();
    streams_.clear();
    waiting_.clear();
}

bool GatedVsock::receive(VsockEvent &event) {
    if (waiting_.empty()) return false;
    event = std::move(waiting_.front());
    waiting_.pop_front();
    // There may be more with the host.
    if (waiting_.empty()) gate_.arrived();
    return true;
}

void GatedVsock::save(devices::StateWriter &writer) const {
    VsockState state{.waiting = {}, .streams = {streams_.begin(), streams_.end()}};
    for (const VsockEvent &event : waiting_) {
        const std::vector<std::byte> piece = pack(event);
        const auto *bytes = reinterpret_cast<const u8 *>(piece.data());
        state.waiting.push_back({{bytes, bytes + piece.size()}});
    }
    devices::save_state(writer, "vsock", state);
}

Result<> GatedVsock::restore(devices::StateReader &reader) {
    VsockState state;
    TRY(devices::restore_state(reader, "vsock", state));
    streams_ = {state.streams.begin(), state.streams.end()};
    waiting_.clear();
    for (const Piece &piece : state.waiting)
        if (VsockEvent event; unpack(std::as_bytes(std::span(piece.bytes)), event))
            waiting_.push_back(std::move(event));
    return {};
}

bool GatedVsock::fetch(std::vector<std::byte> &piece) {
    VsockEvent event;
    if (waiting_.size() >= kMaxWaiting || !host_.receive(event)) return false;
    piece = pack(event);
    return true;
}

void GatedVsock::enter(std::span<const std::byte> piece) {
    VsockEvent event;
    if (!unpack(piece, event)) return;
    if (event.kind == VsockEvent::Kind::Opening) streams_.insert(event.ports);
    waiting_.push_back(std::move(event));
    if (waiting_.size() == 1 && listener_ != nullptr) listener_->events_wait();
}

void GatedVsock::went_live() {
    const bool were_waiting = !waiting_.empty();
    for (const VsockPorts ports : streams_)
        waiting_.push_back(
            {.kind = VsockEvent::Kind::Closed, .ports = ports, .count = 0, .bytes = {}});
    if (!were_waiting && !waiting_.empty() && listener_ != nullptr) listener_->events_wait();
}

} // namespace tandem::machine::replay
