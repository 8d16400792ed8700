#include "devices/virtio/core/request_runner.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace tandem::devices {

namespace {
/// Requests handed to the back end at once.
constexpr std::size_t kBatch = 64;
} // namespace

class RequestRunner::Request final : public Task {
public:
    explicit Request(RequestRunner &runner) : runner_(runner) {}
    void run() override { runner_.run(*this); }

    u32 queue = 0;
    DescriptorChain chain;

private:
    RequestRunner &runner_;
};

RequestRunner::RequestRunner(RequestHandler &handler, TaskQueue &tasks)
    : handler_(handler), tasks_(tasks) {}

RequestRunner::~RequestRunner() = default;

void RequestRunner::notify(u32 index) {
    std::array<Task *, kBatch> batch;
    for (bool more = true; more;) {
        std::size_t count = 0;
        {
            const std::scoped_lock lock(transport_->mutex());
            while (count < kBatch) {
                more = transport_->is_running();
                if (!more) break;
                if (idle_.empty()) {
                    requests_.push_back(std::make_unique<Request>(*this));
                    idle_.reserve(requests_.size()); // so that run() never allocates
                    idle_.push_back(requests_.back().get());
                }
                Request &request = *idle_.back();
                const Virtqueue::Pop pop = transport_->queue(index).pop(request.chain);
                if (pop == Virtqueue::Pop::Broken) transport_->fail();
                more = pop == Virtqueue::Pop::Chain;
                if (!more) break;
                idle_.pop_back();
                request.queue = index;
                ++in_flight_;
                batch[count++] = &request;
            }
        }
        if (count != 0) tasks_.submit(std::span(batch).first(count));
    }
}

void RequestRunner::run(Request &request) {
    const std::optional<u64> written = handler_.answer(request.queue, request.chain);
    const std::scoped_lock lock(transport_->mutex());
    if (written.has_value()) {
        request.chain.report_written(transport_->memory(), *written);
        transport_->queue(request.queue)
            .push(request.chain, static_cast<u32>(std::min<u64>(*written, ~u32{0})));
        transport_->signal_used(request.queue);
    } else {
        transport_->fail();
    }
    idle_.push_back(&request);
    if (--in_flight_ == 0) none_in_flight_.notify_all();
}

void RequestRunner::quiesce() {
    std::unique_lock lock(transport_->mutex());
    while (in_flight_ != 0) {
        lock.unlock();
        tasks_.drain();
        lock.lock();
        // A request that another thread has popped but not submitted yet escapes drain().
        none_in_flight_.wait_for(lock, std::chrono::milliseconds(1),
                                 [this] { return in_flight_ == 0; });
    }
}

} // namespace tandem::devices
