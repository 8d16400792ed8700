#pragma once
/// Answers the requests of a device's queues in tasks of its back end: each chain is a request with
/// its answer's place.
#include "devices/backend/task_queue.h"
#include "devices/virtio/core/virtio_device.h"

#include <condition_variable>
#include <memory>
#include <optional>
#include <vector>

namespace tandem::devices {

class RequestHandler {
public:
    virtual ~RequestHandler() = default;
    /// Answers the request in the chain; returns how many bytes of the answer were written.
    /// Nothing: it is no request, the driver broke the rules. Without the mutex; several at once.
    [[nodiscard]] virtual std::optional<u64> answer(u32 queue, const DescriptorChain &) = 0;
};

class RequestRunner {
public:
    RequestRunner(RequestHandler &, TaskQueue &);
    RequestRunner(const RequestRunner &) = delete;
    RequestRunner &operator=(const RequestRunner &) = delete;
    ~RequestRunner();

    void attach(VirtioTransport &transport) { transport_ = &transport; }
    /// VirtioDevice::notify and quiesce.
    void notify(u32 queue);
    void quiesce();

private:
    class Request;

    void run(Request &);

    RequestHandler &handler_;
    TaskQueue &tasks_;
    VirtioTransport *transport_ = nullptr;
    std::vector<std::unique_ptr<Request>> requests_; ///< all that were ever made
    std::vector<Request *> idle_;
    u32 in_flight_ = 0;
    std::condition_variable_any none_in_flight_;
};

} // namespace tandem::devices
