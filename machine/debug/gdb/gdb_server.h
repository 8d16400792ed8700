#pragma once
/// Listens for a debugger and serves one at a time, on a thread of its own.
#include "machine/debug/gdb/gdb_address.h"
#include "machine/debug/gdb/gdb_session.h"
#include "support/scoped_fd.h"

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace tandem::machine {

class GdbServer final : public MachineObserver, private DebugClient {
public:
    /// Serves there until it is destroyed, which detaches a client; the target outlives it.
    [[nodiscard]] static Result<std::unique_ptr<GdbServer>> create(const GdbAddress &,
                                                                   DebugTarget &);
    /// The client gets what was sent before, for a moment.
    ~GdbServer() override;

    void machine_event(MachineEvent, EventCause) override;
    [[nodiscard]] bool is_own_thread() const {
        return std::this_thread::get_id() == thread_.get_id();
    }

private:
    static constexpr int kFarewellMs = 500;
    static constexpr std::size_t kMaxRefused = 4;
    /// A client that does not read is dropped when this much waits for it.
    static constexpr std::size_t kMaxWaiting = 4 << 20;

    GdbServer(std::string path, ScopedFd listener, ScopedFd wake, DebugTarget &);
    void cpu_stopped(u64 run, u32 cpu, const CpuStop &) override;
    void post(std::function<void(GdbSession &)> event);
    void run();
    /// One round of waiting and serving; false if nothing came in time.
    bool serve(int timeout_ms);
    void accept_client();
    /// One that is one too many: hears so in answer to its first packet.
    void refuse(ScopedFd &fd);
    void pass_events();
    [[nodiscard]] bool receive();
    [[nodiscard]] bool send();
    void drop_client();

    std::string path_; ///< of a Unix socket
    ScopedFd listener_, wake_;
    DebugTarget &target_;
    // The thread's.
    ScopedFd client_;
    std::optional<GdbSession> session_;
    std::list<ScopedFd> refused_;
    std::mutex mutex_; ///< guards what follows
    std::deque<std::function<void(GdbSession &)>> events_;
    bool stopping_ = false;
    std::thread thread_;
};

} // namespace tandem::machine
