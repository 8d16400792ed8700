#include "machine/replay/gated_char.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tandem::machine::replay {

GatedChar::GatedChar(Gate &gate, devices::Char &host)
    : gate_(gate), host_(host), port_(gate.add(*this)) {
    host_.set_listener(this);
}

GatedChar::~GatedChar() {
    host_.set_listener(nullptr);
}

std::size_t GatedChar::write(std::span<const std::byte> bytes) {
    gate_.sent(port_, bytes);
    // The guest's time stands still while the host takes them: when it does is no business of the
    // guest's.
    for (auto rest = bytes; !rest.empty();) {
        rest = rest.subspan(host_.write(rest));
        if (rest.empty()) break;
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return std::exchange(has_room_, false) || has_given_up_; });
        if (has_given_up_) break;
    }
    return bytes.size();
}

void GatedChar::writable() {
    {
        const std::lock_guard lock(mutex_);
        has_room_ = true;
    }
    changed_.notify_one();
}

void GatedChar::give_up() {
    {
        const std::lock_guard lock(mutex_);
        has_given_up_ = true;
    }
    changed_.notify_one();
}

std::size_t GatedChar::read(std::span<std::byte> target) {
    const std::size_t count = std::min(target.size(), waiting_.size());
    std::copy_n(waiting_.begin(), count, target.begin());
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
    // There may be more with the host.
    if (count != 0 && waiting_.empty()) gate_.arrived();
    return count;
}

bool GatedChar::fetch(std::vector<std::byte> &piece) {
    piece.resize(kMaxWaiting - std::min(kMaxWaiting, waiting_.size()));
    piece.resize(host_.read(piece));
    return !piece.empty();
}

void GatedChar::enter(std::span<const std::byte> piece) {
    waiting_.insert(waiting_.end(), piece.begin(), piece.end());
    if (listener_ != nullptr) listener_->readable();
}

} // namespace tandem::machine::replay
