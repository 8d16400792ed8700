#include "machine/host/host_char.h"

#include "support/check.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>

namespace tandem::machine {

HostChar::HostChar(Unheard unheard)
    : stop_event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), unheard_(unheard) {
    CHECK(stop_event_.is_open());
}

HostChar::~HostChar() {
    CHECK(!input_thread_.joinable() && !output_thread_.joinable());
}

void HostChar::start(Peer first) {
    connect(first);
    input_thread_ = std::thread([this, first] { input_loop(first); });
    output_thread_ = std::thread([this] { output_loop(); });
}

void HostChar::stop() {
    if (!input_thread_.joinable()) return;
    flush();
    stopping_ = true;
    ::eventfd_write(stop_event_.get(), 1);
    {
        const std::lock_guard lock(mutex_);
        output_changed_.notify_all();
        input_room_.notify_all();
    }
    input_thread_.join();
    output_thread_.join();
}

std::size_t HostChar::write(std::span<const std::byte> bytes) {
    const std::lock_guard lock(mutex_);
    const bool was_empty = output_.empty();
    if (!has_output_) {
        if (unheard_ == Unheard::Lost) return bytes.size();
        const auto last = bytes.last(std::min(bytes.size(), kRingSize));
        output_.drop(last.size() - std::min(last.size(), output_.room()));
        output_.push(last);
        return bytes.size();
    }
    const std::size_t taken = output_.push(bytes);
    if (taken < bytes.size()) writer_wants_notice_ = true;
    if (was_empty && !output_busy_) output_changed_.notify_one();
    return taken;
}

std::size_t HostChar::read(std::span<std::byte> bytes) {
    const std::lock_guard lock(mutex_);
    const bool was_full = input_.room() == 0;
    const std::size_t count = input_.pop(bytes);
    if (was_full && count != 0) input_room_.notify_one();
    return count;
}

bool HostChar::is_connected() const {
    const std::lock_guard lock(mutex_);
    return has_output_;
}

void HostChar::set_listener(devices::CharListener *listener) {
    const std::lock_guard lock(listener_mutex_);
    listener_ = listener;
}

void HostChar::flush() {
    std::unique_lock lock(mutex_);
    output_empty_.wait_for(lock, std::chrono::milliseconds(kFlushMilliseconds),
                           [this] { return !has_output_ || (output_.empty() && !output_busy_); });
}

void HostChar::write_now(std::string_view text) {
    int fd = -1;
    {
        const std::lock_guard lock(mutex_);
        fd = output_fd_;
    }
    if (fd >= 0) write_all(fd, std::as_bytes(std::span(text)));
}

void HostChar::connect(Peer peer) {
    const std::lock_guard lock(mutex_);
    output_fd_ = peer.output;
    has_output_ = peer.output >= 0;
    output_changed_.notify_one();
}

void HostChar::tell_connection() {
    const std::lock_guard lock(listener_mutex_);
    if (listener_ != nullptr) listener_->connection_changed();
}

void HostChar::input_loop(Peer peer) {
    for (;; peer = {}) {
        if (peer.input < 0 && peer.output < 0) {
            peer = next_peer();
            if (peer.input < 0 && peer.output < 0) return;
            connect(peer);
            tell_connection();
        }
        if (peer.input < 0) return; // output only: it stays until the end
        read_peer(peer.input);
        if (stopping_ || peer.output != peer.input) return; // standard input ended, not the output
        disconnect();
    }
}

void HostChar::disconnect() {
    bool notify = false;
    {
        std::unique_lock lock(mutex_);
        has_output_ = false;
        output_fd_ = -1;
        // The output thread must let go of the descriptor before the next peer may replace it.
        output_empty_.wait(lock, [this] { return !output_busy_; });
        if (unheard_ == Unheard::Lost) output_.drop(output_.size());
        notify = std::exchange(writer_wants_notice_, false);
    }
    tell_connection();
    if (!notify) return;
    const std::lock_guard lock(listener_mutex_);
    if (listener_ != nullptr) listener_->writable();
}

void HostChar::read_peer(int fd) {
    std::array<std::byte, 4096> buffer{};
    std::vector<std::byte> bytes;
    while (!stopping_) {
        std::array<pollfd, 2> fds{{{fd, POLLIN, 0}, {stop_event_.get(), POLLIN, 0}}};
        if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return;
        if (fds[1].revents != 0) return;
        if (fds[0].revents == 0) continue;
        const ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got <= 0) return;
        bytes.assign(buffer.begin(), buffer.begin() + got);
        filter_input(bytes);
        deliver(bytes);
    }
}

void HostChar::deliver(std::span<const std::byte> bytes) {
    while (!bytes.empty() && !stopping_) {
        bool was_empty = false;
        {
            std::unique_lock lock(mutex_);
            input_room_.wait(lock, [this] { return input_.room() != 0 || stopping_; });
            was_empty = input_.empty();
            bytes = bytes.subspan(input_.push(bytes));
        }
        if (!was_empty) continue;
        const std::lock_guard lock(listener_mutex_);
        if (listener_ != nullptr) listener_->readable();
    }
}

void HostChar::output_loop() {
    std::array<std::byte, 16 * 1024> batch{};
    std::unique_lock lock(mutex_);
    for (;;) {
        output_changed_.wait(lock,
                             [this] { return stopping_ || (has_output_ && !output_.empty()); });
        if (stopping_) return;
        const std::size_t count = output_.pop(batch);
        const bool notify = std::exchange(writer_wants_notice_, false);
        const int fd = output_fd_;
        output_busy_ = true;
        lock.unlock();
        write_all(fd, std::span(batch).first(count));
        if (notify) {
            const std::lock_guard listener_lock(listener_mutex_);
            if (listener_ != nullptr) listener_->writable();
        }
        lock.lock();
        output_busy_ = false;
        if (output_.empty() || !has_output_) output_empty_.notify_all();
    }
}

void HostChar::write_all(int fd, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        // Polling first lets stop() interrupt a wait for a terminal that is held with Ctrl-S.
        std::array<pollfd, 2> fds{{{fd, POLLOUT, 0}, {stop_event_.get(), POLLIN, 0}}};
        if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return;
        if (fds[0].revents == 0) {
            if (fds[1].revents != 0) return;
            continue;
        }
        if ((fds[0].revents & (POLLHUP | POLLERR)) != 0) return; // as below
        const ssize_t written =
            ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), 4096));
        if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (written <= 0) return; // the reader is gone: what is left is lost, as on a real line
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
}

} // namespace tandem::machine
