#include "machine/control/qmp_server.h"

#include "machine/host/unix_socket.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace tandem::machine {
namespace {

using nlohmann::json;

const char *event_name(MachineEvent event) {
    switch (event) {
    case MachineEvent::Stop: return "STOP";
    case MachineEvent::Resume: return "RESUME";
    case MachineEvent::PowerDown: return "POWERDOWN";
    case MachineEvent::Reset: return "RESET";
    case MachineEvent::Shutdown: return "SHUTDOWN";
    }
    return "";
}

/// QEMU's ShutdownCause (qapi/run-state.json).
const char *reason_name(EventCause cause) {
    switch (cause) {
    case EventCause::GuestShutdown: return "guest-shutdown";
    case EventCause::GuestReset: return "guest-reset";
    case EventCause::GuestPanic: return "guest-panic";
    case EventCause::ControlQuit: return "host-qmp-quit";
    case EventCause::ControlReset: return "host-qmp-system-reset";
    case EventCause::Signal: return "host-signal";
    case EventCause::HostError: return "host-error";
    case EventCause::Console: return "host-ui";
    case EventCause::None: break;
    }
    return "none";
}

} // namespace

Result<std::unique_ptr<QmpServer>> QmpServer::create(const std::string &path,
                                                     MachineControl &machine) {
    ScopedFd listener = TRY(listen_at(path, "--qmp"));
    ScopedFd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!wake.is_open())
        return failure(fmt::format("--qmp: {}; free some file descriptors", std::strerror(errno)));
    return std::unique_ptr<QmpServer>{
        new QmpServer(path, std::move(listener), std::move(wake), machine)};
}

QmpServer::QmpServer(std::string path, ScopedFd listener, ScopedFd wake, MachineControl &machine)
    : path_(std::move(path)), listener_(std::move(listener)), wake_(std::move(wake)),
      jobs_([this](const char *event, json data) { tell(event, std::move(data)); }),
      target_{machine, jobs_}, thread_([this] { run(); }) {}

QmpServer::~QmpServer() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    ::eventfd_write(wake_.get(), 1);
    thread_.join();
    ::unlink(path_.c_str());
}

void QmpServer::machine_event(MachineEvent event, EventCause cause) {
    json data;
    if (event == MachineEvent::Reset || event == MachineEvent::Shutdown)
        data = {{"guest", cause == EventCause::GuestShutdown || cause == EventCause::GuestReset ||
                              cause == EventCause::GuestPanic},
                {"reason", reason_name(cause)}};
    tell(event_name(event), std::move(data));
}

void QmpServer::watchdog_event(std::string_view action) {
    tell("WATCHDOG", {{"action", action}});
}

void QmpServer::panic_event(devices::GuestPanic event, PanicAction action) {
    // qapi/run-state.json, GuestPanicAction.
    const char *follows = action == PanicAction::Pause  ? "pause"
                          : action == PanicAction::None ? "run"
                                                        : "poweroff";
    tell(event == devices::GuestPanic::Panicked ? "GUEST_PANICKED" : "GUEST_CRASHLOADED",
         {{"action", follows}});
}

void QmpServer::port_event(std::string_view name, bool is_open) {
    tell("VSERPORT_CHANGE", {{"id", name}, {"open", is_open}});
}

void QmpServer::balloon_event(u64 actual) {
    tell("BALLOON_CHANGE", {{"actual", actual}});
}

void QmpServer::move_event(MoveState state) {
    tell("MIGRATION", {{"status", status_name(state)}});
}

void QmpServer::device_event(DeviceEvent event, const std::string &id) {
    tell(event == DeviceEvent::Deleted ? "DEVICE_DELETED" : "DEVICE_UNPLUG_GUEST_ERROR",
         {{"device", id}, {"path", "/machine/peripheral/" + id}});
}

void QmpServer::tell(const char *event, json data) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
    json message{
        {"event", event},
        {"timestamp",
         {{"seconds", microseconds / 1'000'000}, {"microseconds", microseconds % 1'000'000}}}};
    if (!data.is_null()) message["data"] = std::move(data);
    {
        const std::lock_guard lock(mutex_);
        events_.push_back(std::move(message));
    }
    ::eventfd_write(wake_.get(), 1);
}

void QmpServer::run() {
    for (;;) {
        serve(-1, true);
        const std::lock_guard lock(mutex_);
        if (stopping_) break;
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kFarewellMs);
    const auto waits = [](const Client &client) { return !client.session.output.empty(); };
    pass_events();
    while (std::ranges::any_of(clients_, waits) && std::chrono::steady_clock::now() < end)
        serve(kFarewellMs / 10, false);
}

void QmpServer::pass_events() {
    std::deque<json> events;
    {
        const std::lock_guard lock(mutex_);
        events.swap(events_);
    }
    for (const json &event : events)
        for (Client &client : clients_) client.session.notify(event);
}

bool QmpServer::serve(int timeout_ms, bool takes_input) {
    std::vector<pollfd> polled{{wake_.get(), POLLIN, 0}};
    polled.push_back({clients_.size() < kMaxClients ? listener_.get() : -1, POLLIN, 0});
    for (const Client &client : clients_) {
        int wanted = takes_input ? POLLIN : 0;
        if (!client.session.output.empty()) wanted |= POLLOUT;
        polled.push_back({client.fd.get(), static_cast<short>(wanted), 0});
    }
    if (::poll(polled.data(), polled.size(), timeout_ms) <= 0) return false;
    eventfd_t ignored = 0;
    ::eventfd_read(wake_.get(), &ignored);
    std::size_t index = 2;
    for (auto client = clients_.begin(); client != clients_.end(); ++index) {
        const int got = polled[index].revents;
        const bool stays =
            (got & (POLLIN | POLLHUP | POLLERR)) == 0 || !takes_input || receive(*client);
        client = stays ? std::next(client) : clients_.erase(client);
    }
    pass_events();
    // At once: a client waits for its answer.
    for (auto client = clients_.begin(); client != clients_.end();)
        client = send(*client) ? std::next(client) : clients_.erase(client);
    if (takes_input && (polled[1].revents & POLLIN) != 0) accept_client();
    return true;
}

void QmpServer::accept_client() {
    ScopedFd fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (!fd.is_open()) return;
    clients_.push_back({std::move(fd), QmpSession(target_)});
    if (!send(clients_.back())) clients_.pop_back();
}

bool QmpServer::receive(Client &client) {
    std::array<char, 16 * 1024> buffer{};
    const ssize_t got = ::recv(client.fd.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) return errno == EINTR || errno == EAGAIN;
    if (got == 0) return false;
    client.session.receive({buffer.data(), static_cast<std::size_t>(got)});
    return true;
}

bool QmpServer::send(Client &client) {
    std::string &output = client.session.output;
    while (!output.empty()) {
        const ssize_t sent = ::send(client.fd.get(), output.data(), output.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return errno == EAGAIN && output.size() <= kMaxWaiting;
        output.erase(0, static_cast<std::size_t>(sent));
    }
    return true;
}

} // namespace tandem::machine
