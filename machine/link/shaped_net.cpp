#include "machine/link/shaped_net.h"

#include <algorithm>

namespace tandem::machine {

struct ShapedNet::SavedDirection {
    LinkDirection settings;
    u64 free_at_ns = 0, last_due_ns = 0;
    std::vector<Frame> frames;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.settings, self.free_at_ns, self.last_due_ns, self.frames);
    }
};

struct ShapedNet::SavedState {
    static constexpr u32 kVersion = 1;

    replay::Random random{0};
    SavedDirection up, down;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.random, self.up, self.down);
    }
};

ShapedNet::ShapedNet(devices::Net &host, devices::Clock &clock, u64 seed)
    : host_(host), clock_(clock), random_(seed), frame_(kMaxFrame),
      timer_(clock.create_timer(*this)) {
    host_.set_listener(this);
}

ShapedNet::~ShapedNet() {
    host_.set_listener(nullptr);
}

void ShapedNet::set_link(const LinkConfig &link) {
    {
        const std::lock_guard lock(mutex_);
        for (const auto &[direction, settings] :
             {std::pair{&up_, &link.up}, {&down_, &link.down}}) {
            direction->settings = *settings;
            direction->free_at_ns = 0;
        }
    }
    frames_wait(); // what the device left with the host, for as long as it passed at once
}

LinkConfig ShapedNet::link() const {
    const std::lock_guard lock(mutex_);
    return {.up = up_.settings, .down = down_.settings};
}

void ShapedNet::accept(Direction &direction, std::span<const std::byte> frame) {
    const LinkDirection &link = direction.settings;
    static constexpr u64 kMillion = 1'000'000, kSecond = 1'000'000'000;
    if (link.loss_per_million != 0 && random_.below(kMillion) < link.loss_per_million) return;
    const u64 now = clock_.now_ns();
    const u64 start = std::max(now, direction.free_at_ns);
    if (start - now > kMaxQueueNs || direction.frames.size() >= kMaxFrames ||
        direction.bytes + frame.size() > kMaxBytes)
        return;
    const u64 on_wire =
        link.bits_per_second == 0 ? 0 : frame.size() * 8 * kSecond / link.bits_per_second;
    direction.free_at_ns = start + on_wire;
    u64 travels = link.latency_ns;
    if (link.jitter_ns != 0) {
        travels += random_.below(2 * link.jitter_ns + 1);
        travels -= std::min(travels, link.jitter_ns);
    }
    direction.last_due_ns = std::max(direction.free_at_ns + travels, direction.last_due_ns);
    const auto *bytes = reinterpret_cast<const u8 *>(frame.data());
    direction.frames.push_back({direction.last_due_ns, {bytes, bytes + frame.size()}});
    direction.bytes += frame.size();
}

void ShapedNet::send(std::span<const std::byte> frame) {
    const std::lock_guard lock(mutex_);
    if (up_.passes_at_once()) return host_.send(frame);
    accept(up_, frame);
    send_what_is_due();
    arm_timer();
}

std::size_t ShapedNet::receive(std::span<std::byte> target) {
    const std::lock_guard lock(mutex_);
    if (down_.passes_at_once()) return host_.receive(target);
    if (down_.frames.empty() || down_.frames.front().due_ns > clock_.now_ns()) return 0;
    const Frame frame = std::move(down_.frames.front());
    down_.frames.pop_front();
    down_.bytes -= frame.bytes.size();
    arm_timer();
    const auto bytes = std::as_bytes(std::span(frame.bytes));
    std::copy_n(bytes.begin(), std::min(bytes.size(), target.size()), target.begin());
    return frame.bytes.size();
}

void ShapedNet::set_listener(devices::NetListener *listener) {
    const std::lock_guard lock(listener_mutex_);
    listener_ = listener;
}

void ShapedNet::take_from_host() {
    if (down_.passes_at_once()) return; // the device takes them itself
    while (const std::size_t size = host_.receive(frame_))
        accept(down_, std::span(frame_).first(std::min(size, frame_.size())));
}

void ShapedNet::send_what_is_due() {
    const u64 now = clock_.now_ns();
    while (!up_.frames.empty() && up_.frames.front().due_ns <= now) {
        const Frame &frame = up_.frames.front();
        host_.send(std::as_bytes(std::span(frame.bytes)));
        up_.bytes -= frame.bytes.size();
        up_.frames.pop_front();
    }
}

void ShapedNet::arm_timer() {
    // A frame that is due and that the device has no room for waits for the device to ask.
    const u64 now = clock_.now_ns();
    u64 next = ~u64{0};
    for (const Direction *direction : {&up_, &down_})
        if (!direction->frames.empty() && direction->frames.front().due_ns > now)
            next = std::min(next, direction->frames.front().due_ns);
    if (next != ~u64{0})
        timer_->arm(next);
    else
        timer_->cancel();
}

void ShapedNet::frames_wait() {
    bool has_some = false;
    {
        const std::lock_guard lock(mutex_);
        take_from_host();
        arm_timer();
        has_some = down_.passes_at_once() ||
                   (!down_.frames.empty() && down_.frames.front().due_ns <= clock_.now_ns());
    }
    if (!has_some) return;
    const std::lock_guard lock(listener_mutex_);
    if (listener_ != nullptr) listener_->frames_wait();
}

void ShapedNet::timer_expired() {
    {
        const std::lock_guard lock(mutex_);
        send_what_is_due();
    }
    frames_wait();
}

void ShapedNet::save(devices::StateWriter &writer) const {
    const std::lock_guard lock(mutex_);
    const auto saved = [](const Direction &direction) {
        return SavedDirection{direction.settings,
                              direction.free_at_ns,
                              direction.last_due_ns,
                              {direction.frames.begin(), direction.frames.end()}};
    };
    devices::save_state(writer, "link", SavedState{random_, saved(up_), saved(down_)});
}

Result<> ShapedNet::restore(devices::StateReader &reader) {
    SavedState state;
    TRY(devices::restore_state(reader, "link", state));
    const std::lock_guard lock(mutex_);
    random_ = state.random;
    for (const auto &[direction, saved] : {std::pair{&up_, &state.up}, {&down_, &state.down}}) {
        *direction = {.settings = saved->settings,
                      .free_at_ns = saved->free_at_ns,
                      .last_due_ns = saved->last_due_ns,
                      .frames = {},
                      .bytes = 0};
        for (Frame &frame : saved->frames) {
            if (frame.bytes.empty() || frame.bytes.size() > kMaxFrame) continue;
            direction->bytes += frame.bytes.size();
            direction->frames.push_back(std::move(frame));
        }
    }
    arm_timer();
    return {};
}

} // namespace tandem::machine
