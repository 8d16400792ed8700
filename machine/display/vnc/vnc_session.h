#pragma once
/// One client of the VNC server, served by a thread of its own.
#include "machine/display/display_wiring.h"
#include "machine/display/pointer_mapper.h"
#include "machine/display/vnc/vnc_screens.h"
#include "machine/display/vnc_service.h"
#include "machine/screen/picture.h"
#include "machine/screen/screen_watch.h"
#include "support/scoped_fd.h"

#include <linux/input-event-codes.h>

#include <atomic>
#include <bitset>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

struct _rfbClientRec;
struct _rfbScreenInfo;

namespace tandem::machine {

class VncSession {
public:
    /// What all clients of a server have in common; it outlives them.
    struct Server {
        const DisplayWiring &wiring;
        unsigned head = 0;
        bool has_password = false;
        std::function<std::string()> password; ///< empty: none is let in
        std::function<void()> session_over;    ///< any thread; returns at once
        VncScreens &screens;
    };

    VncSession(const Server &, ScopedFd socket, ScopedFd wake, VncPeer);
    ~VncSession();
    VncSession(const VncSession &) = delete;
    VncSession &operator=(const VncSession &) = delete;

    // Any thread.
    void stop();
    [[nodiscard]] bool is_over() const { return is_over_; }
    [[nodiscard]] bool is_let_in() const { return is_let_in_; }
    [[nodiscard]] const VncPeer &peer() const { return peer_; }

private:
    using Clock = std::chrono::steady_clock;
    friend struct VncHooks;

    void serve();
    void talk();
    /// Handles what the client has sent.
    void receive();
    /// From now on: it has said the password, if there is one.
    void show_screen();
    void follow_screen();
    void follow_cursor();
    void set_picture();
    void send_update();
    void set_format();
    [[nodiscard]] int wait_ms(Clock::time_point deadline) const;
    [[nodiscard]] bool is_password(const char *response, std::size_t size);
    [[nodiscard]] int ask_for_size(int width, int height, int screens);
    void press(std::optional<u16> code, bool down);
    void point(u32 buttons, u32 x, u32 y);
    [[nodiscard]] bool receive_key();
    void acknowledge_keys();
    void release_all();

    const Server &server_;
    const ScopedFd socket_; ///< to end it; the library has a descriptor of its own
    const ScopedFd wake_;
    const VncPeer peer_;
    _rfbScreenInfo *screen_;
    _rfbClientRec *client_ = nullptr;
    std::optional<ScreenWatch> watch_; ///< once it may see the screen
    Picture copy_;
    bool has_cursor_ = false;     ///< the guest has had one
    bool announces_keys_ = false; ///< the client has asked whether it may send QEMU's key events
    bool update_is_due_ = false;
    Clock::time_point next_update_;
    PointerMapper pointer_;
    std::bitset<KEY_CNT> pressed_;
    std::atomic<bool> stops_ = false, is_over_ = false, is_let_in_ = false;
    std::thread thread_;
};

} // namespace tandem::machine
