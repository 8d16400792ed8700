#pragma once
/// A network port whose other end is served by a thread: frames wait for it, and for the device.
#include "devices/backend/net.h"
#include "support/result.h"
#include "support/scoped_fd.h"

#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace tandem::machine {

class QueuedNet : public devices::Net {
public:
    void send(std::span<const std::byte> frame) final;
    std::size_t receive(std::span<std::byte> frame) final;
    void set_listener(devices::NetListener *) final;

protected:
    using Frame = std::vector<std::byte>;
    /// Frames that wait in one direction, at most; more are lost, as on a wire.
    static constexpr std::size_t kMaxWaiting = 1024;

    /// `kind` is what `--net` was given, for errors.
    [[nodiscard]] Result<> open_wake(std::string_view kind);
    /// Starts serve() on a thread of its own; the last step of making one.
    void start_thread();
    /// The first step of its end: returns when serve() has returned.
    void stop_thread();

    // --- the thread ---
    /// Runs until is_stopping(). It waits for wake_fd(), too, and clears it before it looks what
    /// there is to do.
    virtual void serve() = 0;
    [[nodiscard]] bool is_stopping();
    [[nodiscard]] int wake_fd() const { return wake_.get(); }
    void clear_wake();
    [[nodiscard]] std::deque<Frame> take_from_guest();
    /// The listener knows of it after tell_listener().
    void give_to_guest(std::span<const std::byte> frame);
    void tell_listener();

    // --- any thread ---
    void wake();

private:
    ScopedFd wake_;
    std::thread thread_;
    std::mutex mutex_; ///< guards what follows, up to the listener's
    std::deque<Frame> from_guest_, to_guest_;
    bool stopping_ = false;
    bool untold_ = false;       ///< frames have come of which the listener does not know
    std::mutex listener_mutex_; ///< held while the listener is called
    devices::NetListener *listener_ = nullptr;
};

} // namespace tandem::machine
