#include "machine/replay/gated_char.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tandem::machine::replay {
namespace {

struct LineState {
    static constexpr u32 kVersion = 1;

    std::vector<u8> waiting;
    u64 written = 0;
    bool is_connected = false;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.waiting, self.written, self.is_connected);
    }
};

} // namespace

GatedChar::GatedChar(Gate &gate, devices::Char &host, Presence presence)
    : gate_(gate), host_(host), port_(gate.add(*this)), presence_(presence),
      is_connected_(presence == Presence::Ignored) {
    host_.set_listener(this);
    if (presence_ == Presence::Told && host_.is_connected()) gate_.arrived();
}

GatedChar::~GatedChar() {
    host_.set_listener(nullptr);
}

std::size_t GatedChar::write(std::span<const std::byte> bytes) {
    gate_.sent(port_, bytes);
    const u64 known = std::min<u64>(passed_on_ - written_, bytes.size());
    written_ += bytes.size();
    passed_on_ = std::max(passed_on_, written_);
    for (Watch &watch : watches_)
        if (watch.text.is_in(bytes.subspan(known))) watch.seen();
    // The guest's time stands still while the host takes them: when it does is no business of the
    // guest's.
    for (auto rest = bytes.subspan(known); !rest.empty();) {
        rest = rest.subspan(host_.write(rest));
        if (rest.empty()) break;
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return std::exchange(has_room_, false) || has_given_up_; });
        if (has_given_up_) break;
    }
    return bytes.size();
}

void GatedChar::watch(std::string text, std::function<void()> seen) {
    watches_.push_back({TextWatch(std::move(text)), std::move(seen)});
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

void GatedChar::save(devices::StateWriter &writer) const {
    LineState state{.waiting = {}, .written = written_, .is_connected = is_connected_};
    for (const std::byte byte : waiting_) state.waiting.push_back(static_cast<u8>(byte));
    devices::save_state(writer, "line", state);
}

Result<> GatedChar::restore(devices::StateReader &reader) {
    LineState state;
    TRY(devices::restore_state(reader, "line", state));
    waiting_.clear();
    for (const u8 byte : state.waiting) waiting_.push_back(std::byte{byte});
    written_ = state.written;
    passed_on_ = std::max(passed_on_, written_); // of another process: it has passed on none
    is_connected_ = state.is_connected;
    return {};
}

bool GatedChar::fetch(std::vector<std::byte> &piece) {
    // A piece without bytes says that somebody has come or left: come before what he says, left
    // after it.
    const bool has_changed = presence_ == Presence::Told && host_.is_connected() != is_connected_;
    piece.clear();
    if (has_changed && !is_connected_) return true;
    const std::size_t room = kMaxWaiting - std::min(kMaxWaiting, waiting_.size());
    piece.resize(room);
    piece.resize(host_.read(piece));
    return !piece.empty() || (has_changed && room != 0);
}

void GatedChar::enter(std::span<const std::byte> piece) {
    if (piece.empty() && presence_ == Presence::Told) {
        is_connected_ = !is_connected_;
        if (listener_ != nullptr) listener_->connection_changed();
        return;
    }
    waiting_.insert(waiting_.end(), piece.begin(), piece.end());
    if (listener_ != nullptr) listener_->readable();
}

} // namespace tandem::machine::replay
