#include "machine/replay/gated_net.h"

#include <algorithm>

namespace tandem::machine::replay {

GatedNet::GatedNet(Gate &gate, devices::Net &host)
    : gate_(gate), host_(host), port_(gate.add(*this)), frame_(kMaxFrame) {
    host_.set_listener(this);
}

GatedNet::~GatedNet() {
    host_.set_listener(nullptr);
}

void GatedNet::send(std::span<const std::byte> frame) {
    gate_.sent(port_, frame);
    host_.send(frame);
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

void GatedNet::admit() {
    while (waiting_.size() < kMaxWaiting) {
        const std::size_t size = host_.receive(frame_);
        if (size == 0) break;
        waiting_.emplace_back(frame_.begin(), frame_.begin() + static_cast<std::ptrdiff_t>(size));
        if (waiting_.size() == 1 && listener_ != nullptr) listener_->frames_wait();
    }
}

} // namespace tandem::machine::replay
