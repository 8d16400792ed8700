#include "machine/replay/gated_disk.h"

#include <algorithm>

namespace tandem::machine::replay {
namespace {

using devices::BlockOperation;
using devices::BlockRequest;
using devices::BlockStatus;

/// What a request takes, in guest time: as long as with a host that has the file in its cache.
constexpr u64 kBytesPerNanosecond = 4;
constexpr u64 base_latency(BlockOperation operation) {
    switch (operation) {
    case BlockOperation::Read: return 40'000;
    case BlockOperation::Write: return 30'000;
    case BlockOperation::Flush: return 100'000;
    case BlockOperation::Discard:
    case BlockOperation::WriteZeroes: return 60'000;
    }
    __builtin_unreachable();
}
/// More than this is moved at the moment of completion, straight from and to guest memory: what a
/// guest can ask for at once has no bound.
constexpr u64 kMaxBuffered = u64{4} << 20;

constexpr u64 latency_of(const BlockRequest &request) {
    const bool moves_data =
        request.operation == BlockOperation::Read || request.operation == BlockOperation::Write;
    return base_latency(request.operation) +
           (moves_data ? request.length / kBytesPerNanosecond : 0);
}

} // namespace

/// A request on its way through the host, with the data in between.
class GatedDisk::Transfer final : public BlockRequest {
public:
    void begin(BlockRequest &request, u64 due) {
        request_ = &request;
        due_ = due;
        operation = request.operation;
        may_unmap = request.may_unmap;
        offset = request.offset;
        length = request.length;
        is_done_ = false;
        const bool moves_data =
            operation == BlockOperation::Read || operation == BlockOperation::Write;
        is_direct_ = moves_data && length > kMaxBuffered;
        buffers = request.buffers;
        if (!moves_data || is_direct_) return;
        data_.resize(length);
        span_ = data_;
        buffers = std::span(&span_, 1);
        if (operation != BlockOperation::Write) return;
        auto at = data_.begin();
        for (const auto &buffer : request.buffers) at = std::ranges::copy(buffer, at).out;
    }

    void complete(BlockStatus status) override {
        // Notified under the mutex: whoever waits may let the transfer go right after.
        const std::lock_guard lock(mutex_);
        status_ = status;
        is_done_ = true;
        changed_.notify_one();
    }
    BlockStatus wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return is_done_; });
        return status_;
    }
    /// Hands over what was read, and the status.
    void finish(BlockStatus status) {
        if (operation == BlockOperation::Read && !is_direct_ && status == BlockStatus::Ok) {
            auto from = data_.cbegin();
            for (const auto &buffer : request_->buffers) {
                std::copy_n(from, buffer.size(), buffer.begin());
                from += static_cast<std::ptrdiff_t>(buffer.size());
            }
        }
        request_->complete(status);
    }

    [[nodiscard]] u64 due() const { return due_; }
    [[nodiscard]] bool is_direct() const { return is_direct_; }
    /// The host might give them another order, and that would show.
    [[nodiscard]] bool must_follow(const Transfer &before) const {
        if (operation == BlockOperation::Flush || before.operation == BlockOperation::Flush)
            return false;
        if (operation == BlockOperation::Read && before.operation == BlockOperation::Read)
            return false;
        return offset < before.offset + before.length && before.offset < offset + length;
    }

private:
    BlockRequest *request_ = nullptr;
    u64 due_ = 0;
    bool is_direct_ = false;
    std::vector<std::byte> data_;
    std::span<std::byte> span_;
    std::mutex mutex_; ///< guards what follows
    std::condition_variable changed_;
    BlockStatus status_ = BlockStatus::Ok;
    bool is_done_ = false;
};

GatedDisk::GatedDisk(Gate &gate, devices::Clock &clock, devices::Block &host)
    : gate_(gate), clock_(clock), host_(host), port_(gate.add(*this)),
      timer_(clock.create_timer(*this)) {}

GatedDisk::~GatedDisk() {
    drain();
}

std::unique_ptr<GatedDisk::Transfer> GatedDisk::take_idle() {
    if (idle_.empty()) return std::make_unique<Transfer>();
    auto transfer = std::move(idle_.back());
    idle_.pop_back();
    return transfer;
}

void GatedDisk::submit(std::span<BlockRequest *const> requests) {
    for (BlockRequest *request : requests) {
        auto transfer = take_idle();
        transfer->begin(*request, clock_.now_ns() + latency_of(*request));
        for (const auto &before : under_way_)
            if (!before->is_direct() && transfer->must_follow(*before))
                static_cast<void>(before->wait());
        BlockRequest *const to_host = transfer.get();
        const bool is_direct = transfer->is_direct();
        const auto later = std::ranges::upper_bound(under_way_, transfer->due(), {},
                                                    [](const auto &each) { return each->due(); });
        under_way_.insert(later, std::move(transfer));
        if (!is_direct) host_.submit(std::span(&to_host, 1));
    }
    if (!under_way_.empty()) timer_->arm(under_way_.front()->due());
}

void GatedDisk::complete_first() {
    auto transfer = std::move(under_way_.front());
    under_way_.pop_front();
    if (transfer->is_direct()) {
        for (const auto &other : under_way_)
            if (!other->is_direct()) static_cast<void>(other->wait());
        BlockRequest *const to_host = transfer.get();
        host_.submit(std::span(&to_host, 1));
    }
    const u8 status = gate_.answer(port_, static_cast<u8>(transfer->wait()));
    transfer->finish(status <= static_cast<u8>(BlockStatus::Unsupported)
                         ? static_cast<BlockStatus>(status)
                         : BlockStatus::IoError);
    idle_.push_back(std::move(transfer));
}

void GatedDisk::timer_expired() {
    while (!under_way_.empty() && under_way_.front()->due() <= clock_.now_ns()) complete_first();
    if (!under_way_.empty()) timer_->arm(under_way_.front()->due());
}

void GatedDisk::drain() {
    while (!under_way_.empty()) complete_first();
    timer_->cancel();
}

} // namespace tandem::machine::replay
