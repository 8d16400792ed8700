#pragma once
/// A serial line's host end on file descriptors: a ring for each direction, a thread for each, so
/// that the guest never waits for the host and a blocked output does not stop the input.
#include "devices/backend/char.h"
#include "machine/host/byte_ring.h"
#include "support/scoped_fd.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace tandem::machine {

class HostChar : public devices::Char {
public:
    /// The descriptors of one peer; -1: no such direction. They stay open until the next peer or
    /// the end.
    struct Peer {
        int input = -1;
        int output = -1;
    };

    /// What becomes of output while no peer is there: everything is taken, because a line without
    /// a reader must not hold the guest up.
    enum class Unheard : u8 {
        Kept, ///< the last kRingSize bytes, for whoever comes
        Lost, ///< a new peer gets nothing that was meant for another
    };

    explicit HostChar(Unheard = Unheard::Kept);
    ~HostChar() override;

    std::size_t write(std::span<const std::byte> bytes) override;
    std::size_t read(std::span<std::byte>) override;
    [[nodiscard]] bool is_connected() const override;
    void set_listener(devices::CharListener *) override;

    /// Waits (briefly) until everything written has left.
    void flush();

protected:
    /// Starts the threads; called at the end of constructors of derived classes. `first` is the
    /// peer that is there already; without it, next_peer() is asked.
    void start(Peer first);
    /// Ends the threads; called by destructors of derived classes, while their members still live.
    void stop();
    /// Asked by the input thread when there is no peer, or no longer. Blocks, but for no longer
    /// than until stop_fd() is readable; both -1: there will be none.
    virtual Peer next_peer() { return {}; }
    /// Looks at input before the guest gets it; may remove bytes. Runs on the input thread.
    virtual void filter_input(std::vector<std::byte> &) {}
    [[nodiscard]] int stop_fd() const { return stop_event_.get(); }
    /// Writes past the guest's queue; for messages to the user.
    void write_now(std::string_view text);

private:
    static constexpr std::size_t kRingSize = 64 * 1024;
    static constexpr int kFlushMilliseconds = 500;

    void input_loop(Peer peer);
    void connect(Peer peer);
    void disconnect();
    void tell_connection();
    void output_loop();
    /// Reads from one peer until it hangs up.
    void read_peer(int fd);
    void deliver(std::span<const std::byte> bytes);
    void write_all(int fd, std::span<const std::byte> bytes);

    ScopedFd stop_event_; ///< readable for ever once stopping
    const Unheard unheard_;
    mutable std::mutex mutex_; ///< guards all below
    std::condition_variable output_changed_, output_empty_, input_room_;
    ByteRing input_{kRingSize};
    ByteRing output_{kRingSize};
    bool writer_wants_notice_ = false; ///< write() took less than it was given
    bool output_busy_ = false;         ///< a batch is being written
    bool has_output_ = false;          ///< a peer that takes output is there
    int output_fd_ = -1;
    std::atomic<bool> stopping_ = false;
    std::mutex listener_mutex_; ///< held during listener calls; never together with mutex_
    devices::CharListener *listener_ = nullptr;
    std::thread input_thread_, output_thread_;
};

} // namespace tandem::machine
