#include "machine/host/net/queued_net.h"

#include <fmt/format.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace tandem::machine {

Result<> QueuedNet::open_wake(std::string_view kind) {
    wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (wake_.is_open()) return {};
    return failure(
        fmt::format("--net {}: {}; free some file descriptors", kind, std::strerror(errno)));
}

void QueuedNet::start_thread() {
    thread_ = std::thread([this] {
        // A peer that closes its end must not end the machine.
        sigset_t pipe;
        sigemptyset(&pipe);
        sigaddset(&pipe, SIGPIPE);
        ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
        serve();
    });
}

void QueuedNet::stop_thread() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake();
    thread_.join();
}

void QueuedNet::wake() {
    ::eventfd_write(wake_.get(), 1);
}

void QueuedNet::clear_wake() {
    eventfd_t ignored = 0;
    ::eventfd_read(wake_.get(), &ignored);
}

bool QueuedNet::is_stopping() {
    const std::lock_guard lock(mutex_);
    return stopping_;
}

void QueuedNet::send(std::span<const std::byte> frame) {
    {
        const std::lock_guard lock(mutex_);
        if (from_guest_.size() >= kMaxWaiting) return;
        from_guest_.emplace_back(frame.begin(), frame.end());
        if (from_guest_.size() != 1) return; // the thread is awake, or about to be
    }
    wake();
}

std::deque<QueuedNet::Frame> QueuedNet::take_from_guest() {
    const std::lock_guard lock(mutex_);
    return std::exchange(from_guest_, {});
}

void QueuedNet::give_to_guest(std::span<const std::byte> frame) {
    const std::lock_guard lock(mutex_);
    if (to_guest_.size() >= kMaxWaiting || frame.size() > kMaxFrame) return;
    to_guest_.emplace_back(frame.begin(), frame.end());
    untold_ = true;
}

std::size_t QueuedNet::receive(std::span<std::byte> target) {
    const std::lock_guard lock(mutex_);
    if (to_guest_.empty()) return 0;
    const Frame &frame = to_guest_.front();
    const std::size_t size = frame.size();
    std::copy_n(frame.begin(), std::min(size, target.size()), target.begin());
    to_guest_.pop_front();
    return size;
}

void QueuedNet::set_listener(devices::NetListener *listener) {
    const std::lock_guard lock(listener_mutex_);
    listener_ = listener;
}

void QueuedNet::tell_listener() {
    {
        const std::lock_guard lock(mutex_);
        if (!std::exchange(untold_, false)) return;
    }
    const std::lock_guard lock(listener_mutex_);
    if (listener_ != nullptr) listener_->frames_wait();
}

} // namespace tandem::machine
