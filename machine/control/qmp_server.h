#pragma once
/// The control socket: a thread that serves QMP to a few clients at a time.
#include "devices/panic/pv_panic.h"
#include "machine/control/machine_control.h"
#include "machine/control/qmp_session.h"
#include "support/result.h"
#include "support/scoped_fd.h"

#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

namespace tandem::machine {

class QmpServer final : public MachineObserver {
public:
    /// Serves at `path` until it is destroyed; the machine outlives it.
    [[nodiscard]] static Result<std::unique_ptr<QmpServer>> create(const std::string &path,
                                                                   MachineControl &);
    /// Clients get what was sent before, for a moment.
    ~QmpServer() override;

    void machine_event(MachineEvent, EventCause) override;
    /// `action` is what follows (qapi/run-state.json, WatchdogAction).
    void watchdog_event(std::string_view action);
    void panic_event(devices::GuestPanic, PanicAction);
    /// The guest has opened or closed a port of the console.
    void port_event(std::string_view name, bool is_open);
    void balloon_event(u64 actual);
    /// Any thread; returns at once, as does the next.
    void move_event(MoveState);
    void device_event(DeviceEvent, const std::string &id);

private:
    static constexpr std::size_t kMaxClients = 8;
    /// A client that does not read is dropped when this much waits for it.
    static constexpr std::size_t kMaxWaiting = 4 << 20;
    static constexpr int kFarewellMs = 500;

    struct Client {
        ScopedFd fd;
        QmpSession session;
    };

    QmpServer(std::string path, ScopedFd listener, ScopedFd wake, MachineControl &);
    void run();
    void tell(const char *event, nlohmann::json data);
    /// One round of waiting and serving; false if nothing came in time.
    bool serve(int timeout_ms, bool takes_input);
    void accept_client();
    /// False: the client is gone.
    [[nodiscard]] bool receive(Client &);
    [[nodiscard]] bool send(Client &);
    void pass_events();

    std::string path_;
    ScopedFd listener_, wake_;
    std::list<Client> clients_; ///< the thread's
    std::mutex mutex_;          ///< guards what follows
    std::deque<nlohmann::json> events_;
    bool stopping_ = false;
    Jobs jobs_; ///< what they tell goes to events_
    QmpTarget target_;
    std::thread thread_;
};

} // namespace tandem::machine
