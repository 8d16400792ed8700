#include "machine/host/net/user_net.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <slirp/libslirp.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

namespace tandem::machine {
namespace {

i64 now_ns() {
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

UserNet *self(void *opaque) {
    return static_cast<UserNet *>(opaque);
}

struct Translation {
    int slirp;
    short poll;
};
constexpr Translation kEvents[] = {{SLIRP_POLL_IN, POLLIN},
                                   {SLIRP_POLL_OUT, POLLOUT},
                                   {SLIRP_POLL_PRI, POLLPRI},
                                   {SLIRP_POLL_ERR, POLLERR},
                                   {SLIRP_POLL_HUP, POLLHUP}};

in_addr address(const char *text) {
    in_addr value{};
    ::inet_pton(AF_INET, text, &value);
    return value;
}

} // namespace

const SlirpCb &UserNet::callbacks() {
    static const SlirpCb kCallbacks = [] {
        SlirpCb table{};
        table.send_packet = [](const void *data, size_t length, void *opaque) -> ssize_t {
            self(opaque)->give_to_guest({static_cast<const std::byte *>(data), length});
            return static_cast<ssize_t>(length);
        };
        // What a guest does wrong is its own affair.
        table.guest_error = [](const char *, void *) {};
        table.clock_get_ns = [](void *) -> i64 { return now_ns(); };
        table.timer_new = [](SlirpTimerCb callback, void *argument, void *opaque) -> void * {
            auto &timers = self(opaque)->timers_;
            timers.push_back(std::make_unique<Timer>(Timer{callback, argument}));
            return timers.back().get();
        };
        table.timer_free = [](void *timer, void *opaque) {
            std::erase_if(self(opaque)->timers_, [timer](auto &t) { return t.get() == timer; });
        };
        table.timer_mod = [](void *timer, i64 due_ms, void *) {
            static_cast<Timer *>(timer)->due_ms = due_ms;
        };
        // Descriptors are asked for before each poll.
        table.register_poll_fd = [](int, void *) {};
        table.unregister_poll_fd = [](int, void *) {};
        table.notify = [](void *opaque) { self(opaque)->wake(); };
        return table;
    }();
    return kCallbacks;
}

Result<std::unique_ptr<UserNet>> UserNet::create(const NetConfig &config, Forwards forwards) {
    std::unique_ptr<UserNet> net{new UserNet(config)};
    TRY(net->start(forwards));
    return net;
}

Result<> UserNet::check_boot_files() const {
    // RFC 2131, section 2: `file` has 128 bytes, the last one a zero.
    static constexpr std::size_t kMaxBootFile = 127;
    if (config_.bootfile.size() > kMaxBootFile)
        return failure(fmt::format("--net bootfile: a name of {} bytes; use {} at most",
                                   config_.bootfile.size(), kMaxBootFile));
    if (config_.tftp.empty()) return {};
    std::error_code error;
    if (!std::filesystem::is_directory(config_.tftp, error))
        return failure(fmt::format("--net tftp={}: {}; name a folder", config_.tftp,
                                   error ? error.message() : "no folder"));
    return {};
}

Result<> UserNet::start(Forwards forwards) {
    TRY(check_boot_files());
    TRY(open_wake("user"));
    // The addresses that QEMU's user network has, which scripts and people know.
    SlirpConfig slirp{};
    slirp.version = 1;
    slirp.in_enabled = true;
    slirp.vnetwork = address("10.0.2.0");
    slirp.vnetmask = address("255.255.255.0");
    slirp.vhost = address("10.0.2.2");
    slirp.vdhcp_start = address("10.0.2.15");
    slirp.vnameserver = address("10.0.2.3");
    slirp.in6_enabled = true;
    ::inet_pton(AF_INET6, "fec0::", &slirp.vprefix_addr6);
    slirp.vprefix_len = 64;
    ::inet_pton(AF_INET6, "fec0::2", &slirp.vhost6);
    ::inet_pton(AF_INET6, "fec0::3", &slirp.vnameserver6);
    slirp.vhostname = "tandem";
    slirp.tftp_path = config_.tftp.empty() ? nullptr : config_.tftp.c_str();
    slirp.bootfile = config_.bootfile.empty() ? nullptr : config_.bootfile.c_str();
    // Frames of the guest may be larger: large TCP segments are taken whole.
    slirp.if_mtu = slirp.if_mru = mtu();
    slirp_ = ::slirp_new(&slirp, &callbacks(), this);
    if (slirp_ == nullptr) return failure("--net user: libslirp does not start; use --net none");
    if (forwards == Forwards::Open)
        for (const HostForward &wanted : config_.forwards) TRY(forward(wanted));
    start_thread();
    return {};
}

Result<> UserNet::forward(const HostForward &wanted) {
    in_addr host{};
    const std::string text = wanted.address.empty() ? "0.0.0.0" : wanted.address;
    if (::inet_pton(AF_INET, text.c_str(), &host) != 1)
        return failure(
            fmt::format("--net hostfwd: {} is no IPv4 address; write it like 127.0.0.1", text));
    const bool udp = wanted.protocol == HostForward::Protocol::Udp;
    if (::slirp_add_hostfwd(slirp_, udp ? 1 : 0, host, wanted.port, in_addr{}, wanted.guest_port) !=
        0)
        return failure(fmt::format("--net hostfwd: cannot listen on {} {}:{}: {}; use another "
                                   "port",
                                   udp ? "udp" : "tcp", text, wanted.port, std::strerror(errno)));
    return {};
}

bool UserNet::end_forward(const HostForward &forward) {
    const bool udp = forward.protocol == HostForward::Protocol::Udp;
    return ::slirp_remove_hostfwd(
               slirp_, udp ? 1 : 0,
               address(forward.address.empty() ? "0.0.0.0" : forward.address.c_str()),
               forward.port) == 0;
}

Result<> UserNet::add_forward(const HostForward &wanted) {
    Result<> result;
    call([&] {
        result = forward(wanted);
        if (result.has_value()) config_.forwards.push_back(wanted);
    });
    return result;
}

Result<> UserNet::remove_forward(const HostForward &unwanted) {
    bool was_there = false;
    call([&] {
        was_there = end_forward(unwanted);
        std::erase_if(config_.forwards, [&](const HostForward &each) {
            return each.protocol == unwanted.protocol && each.address == unwanted.address &&
                   each.port == unwanted.port;
        });
    });
    if (!was_there) return failure("there is no such forward");
    return {};
}

void UserNet::call(const std::function<void()> &function) {
    std::unique_lock lock(mutex_);
    call_ = &function;
    wake();
    call_made_.wait(lock, [this] { return call_ == nullptr; });
}

void UserNet::make_calls() {
    const std::lock_guard lock(mutex_);
    if (call_ == nullptr) return;
    (*std::exchange(call_, nullptr))();
    call_made_.notify_all();
}

void UserNet::close_forwards() {
    call([this] {
        for (const HostForward &each : config_.forwards) static_cast<void>(end_forward(each));
    });
}

Result<> UserNet::open_forwards() {
    Result<> result;
    call([&] {
        for (const HostForward &each : config_.forwards) static_cast<void>(end_forward(each));
        for (std::size_t i = 0; result.has_value() && i < config_.forwards.size(); ++i)
            result = forward(config_.forwards[i]);
        if (!result.has_value())
            for (const HostForward &each : config_.forwards) static_cast<void>(end_forward(each));
    });
    return result;
}

UserNet::~UserNet() {
    stop_thread();
    if (slirp_ != nullptr) ::slirp_cleanup(slirp_);
}

void UserNet::run_timers() {
    const i64 now = now_ns() / 1'000'000;
    // By index: a callback may make or free timers.
    for (std::size_t i = 0; i < timers_.size(); ++i) {
        Timer &timer = *timers_[i];
        if (timer.due_ms < 0 || timer.due_ms > now) continue;
        timer.due_ms = -1;
        timer.callback(timer.argument);
    }
}

void UserNet::pass_to_slirp() {
    for (const Frame &frame : take_from_guest()) {
        ::slirp_input(slirp_, reinterpret_cast<const u8 *>(frame.data()),
                      static_cast<int>(frame.size()));
        tell_listener();
    }
}

void UserNet::serve() {
    while (!is_stopping()) {
        polled_.assign(1, {wake_fd(), POLLIN, 0});
        u32 timeout = 1000;
        ::slirp_pollfds_fill(
            slirp_, &timeout,
            [](int fd, int events, void *opaque) {
                auto &polled = self(opaque)->polled_;
                short wanted = 0;
                for (const Translation &t : kEvents)
                    if ((events & t.slirp) != 0) wanted = static_cast<short>(wanted | t.poll);
                polled.push_back({fd, wanted, 0});
                return static_cast<int>(polled.size() - 1);
            },
            this);
        i64 wait = timeout;
        for (const auto &timer : timers_)
            if (timer->due_ms >= 0)
                wait = std::min(wait, std::max<i64>(0, timer->due_ms - now_ns() / 1'000'000));
        const int ready = ::poll(polled_.data(), polled_.size(), static_cast<int>(wait));
        clear_wake();
        ::slirp_pollfds_poll(
            slirp_, ready < 0 ? 1 : 0,
            [](int index, void *opaque) {
                const short got = self(opaque)->polled_[static_cast<std::size_t>(index)].revents;
                int events = 0;
                for (const Translation &t : kEvents)
                    if ((got & t.poll) != 0) events |= t.slirp;
                return events;
            },
            this);
        make_calls();
        run_timers();
        pass_to_slirp();
        tell_listener();
    }
}

} // namespace tandem::machine
