#include "machine/replay/gated_net.h"

#include <algorithm>

namespace tandem::machine::replay {
namespace {

struct Frame {
    std::vector<u8> bytes;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.bytes);
    }
};

struct NetState {
    static constexpr u32 kVersion = 1;

    std::vector<Frame> waiting;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.waiting);
    }
};

} // namespace

GatedNet::GatedNet(Gate &gate, devices::Net &host)
    : gate_(gate), host_(host), port_(gate.add(*this)) {
    host_.set_listener(this);
}

GatedNet::~GatedNet() {
    host_.set_listener(nullptr);
}

void GatedNet::send(std::span<const std::byte> frame) {
    gate_.sent(port_, frame);
    if (gate_.is_live()) host_.send(frame);
}

std::size_t GatedNet::receive(std::span<std::byte> target) {
    if (waiting_.empty()) return 0;
    const std::vector<std::byte> frame = std::move(waiting_.front());
    waiting_.pop_front();
    // There may be more with the host.
    if (waiting_.empty()) gate_.arrived();
    std::copy_n(frame.begin(), std::min(frame.size(), target.size()), target.begin());
    return frame.size();
}

void GatedNet::save(devices::StateWriter &writer) const {
    NetState state;
    for (const auto &frame : waiting_) {
        const auto *bytes = reinterpret_cast<const u8 *>(frame.data());
        state.waiting.push_back({{bytes, bytes + frame.size()}});
    }
    devices::save_state(writer, "net", state);
}

Result<> GatedNet::restore(devices::StateReader &reader) {
    NetState state;
    TRY(devices::restore_state(reader, "net", state));
    waiting_.clear();
    for (const Frame &frame : state.waiting) {
        const auto bytes = std::as_bytes(std::span(frame.bytes));
        waiting_.emplace_back(bytes.begin(), bytes.end());
    }
    return {};
}

bool GatedNet::fetch(std::vector<std::byte> &piece) {
    if (waiting_.size() >= kMaxWaiting) return false;
    piece.resize(kMaxFrame);
    piece.resize(host_.receive(piece));
    return !piece.empty();
}

void GatedNet::enter(std::span<const std::byte> piece) {
    if (piece.empty() || piece.size() > kMaxFrame) return;
    waiting_.emplace_back(piece.begin(), piece.end());
    if (waiting_.size() == 1 && listener_ != nullptr) listener_->frames_wait();
}

} // namespace tandem::machine::replay
