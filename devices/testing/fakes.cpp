#include "devices/testing/fakes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace tandem::devices::testing {

bool FakeMemory::contains(u64 address, u64 length) const {
    return address >= base_ && address - base_ <= bytes_.size() &&
           length <= bytes_.size() - (address - base_);
}

bool FakeMemory::read(GuestPhysAddr address, std::span<std::byte> target) {
    if (!contains(address.value(), target.size())) return false;
    std::memcpy(target.data(), bytes_.data() + (address.value() - base_), target.size());
    return true;
}

bool FakeMemory::write(GuestPhysAddr address, std::span<const std::byte> source) {
    if (!contains(address.value(), source.size())) return false;
    std::memcpy(bytes_.data() + (address.value() - base_), source.data(), source.size());
    return true;
}

std::byte *FakeMemory::map(GuestPhysAddr address, u64 length, DmaAccess) {
    return contains(address.value(), length) ? bytes_.data() + (address.value() - base_) : nullptr;
}

void FakeMemory::discard(GuestPhysAddr address, u64 length) {
    static constexpr u64 kPage = 4096;
    ++discards_;
    if (!contains(address.value(), length)) return;
    const u64 first = align_up(address.value(), kPage);
    const u64 end = align_down(address.value() + length, kPage);
    if (first < end) std::memset(bytes_.data() + (first - base_), 0, end - first);
}

void FakeMemory::written(GuestPhysAddr, u64 length) {
    reported_bytes_ += length;
}

class FakeClock::FakeTimer final : public Timer {
public:
    FakeTimer(FakeClock &clock, TimerListener &listener) : clock_(clock), listener_(listener) {
        clock_.timers_.push_back(this);
    }
    ~FakeTimer() override { std::erase(clock_.timers_, this); }
    void arm(u64 deadline_ns) override {
        deadline_ = deadline_ns;
        armed_ = true;
    }
    void cancel() override { armed_ = false; }
    void fire_if_due(u64 now) {
        if (!armed_ || deadline_ > now) return;
        armed_ = false;
        listener_.timer_expired();
    }

private:
    FakeClock &clock_;
    TimerListener &listener_;
    u64 deadline_ = 0;
    bool armed_ = false;
};

std::unique_ptr<Timer> FakeClock::create_timer(TimerListener &listener) {
    return std::make_unique<FakeTimer>(*this, listener);
}

void FakeClock::advance(u64 nanoseconds) {
    now_ += nanoseconds;
    for (FakeTimer *timer : timers_) timer->fire_if_due(now_);
}

std::size_t FakeChar::write(std::span<const std::byte> bytes) {
    const std::size_t count = std::min(bytes.size(), room_);
    output_.append(reinterpret_cast<const char *>(bytes.data()), count);
    room_ -= count;
    return count;
}

std::size_t FakeChar::read(std::span<std::byte> target) {
    std::size_t count = 0;
    while (count < target.size() && !input_.empty()) {
        target[count++] = static_cast<std::byte>(input_.front());
        input_.pop_front();
    }
    return count;
}

void FakeChar::adopt(const FakeChar &other) {
    input_ = other.input_;
    output_ = other.output_;
    room_ = other.room_;
    is_connected_ = other.is_connected_;
}

void FakeChar::set_connected(bool connected) {
    if (std::exchange(is_connected_, connected) == connected) return;
    if (listener_ != nullptr) listener_->connection_changed();
}

void FakeChar::type(std::string_view text) {
    input_.insert(input_.end(), text.begin(), text.end());
    if (listener_ != nullptr) listener_->readable();
}

void FakeChar::set_room(std::size_t room) {
    room_ = room;
    if (listener_ != nullptr && room != 0) listener_->writable();
}

void FakeBlock::run(const BlockRequest &request) {
    u64 at = request.offset;
    switch (request.operation) {
    case BlockOperation::Read:
        for (const std::span<std::byte> buffer : request.buffers) {
            std::memcpy(buffer.data(), bytes_.data() + at, buffer.size());
            at += buffer.size();
        }
        break;
    case BlockOperation::Write:
        for (const std::span<std::byte> buffer : request.buffers) {
            std::memcpy(bytes_.data() + at, buffer.data(), buffer.size());
            at += buffer.size();
        }
        break;
    case BlockOperation::Flush: ++flushes; break;
    case BlockOperation::Discard:
    case BlockOperation::WriteZeroes: std::memset(bytes_.data() + at, 0, request.length); break;
    }
}

void FakeBlock::submit(std::span<BlockRequest *const> requests) {
    pending_.insert(pending_.end(), requests.begin(), requests.end());
    if (!holds_requests) complete_all();
}

void FakeBlock::complete_all() {
    const std::vector<BlockRequest *> requests = std::exchange(pending_, {});
    for (BlockRequest *request : requests) {
        if (answer == BlockStatus::Ok) run(*request);
        request->complete(answer);
    }
}

void FakeVsock::note(std::string_view call, VsockPorts ports) {
    if (calls.size() == 64) calls.erase(calls.begin());
    calls.push_back(fmt::format("{} {}<{}", call, ports.host, ports.guest));
}

FdtNode &FakeFdtNode::child(std::string_view name) {
    return children_.emplace_back(std::string(name), FakeFdtNode()).second;
}

void FakeFdtNode::flag(std::string_view property) {
    properties_ += fmt::format("{}; ", property);
}

void FakeFdtNode::cells(std::string_view property, std::initializer_list<u32> values) {
    cells(property, std::span<const u32>(values.begin(), values.size()));
}

void FakeFdtNode::cells(std::string_view property, std::span<const u32> values) {
    properties_ += fmt::format("{} = <{:#x}>; ", property, fmt::join(values, " "));
}

void FakeFdtNode::strings(std::string_view property,
                          std::initializer_list<std::string_view> values) {
    properties_ += fmt::format("{} = \"{}\"; ", property, fmt::join(values, "\", \""));
}

std::string FakeFdtNode::text() const {
    std::string text = properties_;
    for (const auto &[name, node] : children_)
        text += fmt::format("{} {{ {}}} ", name, node.text());
    return text;
}

} // namespace tandem::devices::testing
