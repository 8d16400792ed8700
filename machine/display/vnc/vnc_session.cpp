#include "machine/display/vnc/vnc_session.h"

#include "devices/virtio/gpu/edid.h"
#include "machine/display/vnc/keysyms.h"
#include "machine/input/key_codes.h"

#include <fcntl.h>
#include <poll.h>
#include <rfb/rfb.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace tandem::machine {

using devices::DisplayRectangle;

namespace {

using namespace std::chrono_literals;

/// Who has not been let in by then is gone.
constexpr auto kHandshakeTime = 10s;
/// The server speaks first (RFC 6143 §7.1.1): who says something sooner is a browser, and any page
/// that it shows would be let in.
constexpr int kSilenceMs = 50;
/// How long a client may take to read, or to send the rest of a message.
constexpr int kStallMs = 10'000;
/// A guess at a password costs this.
constexpr int kWrongPasswordMs = 1000;
/// At most so often is a picture sent: what is drawn meanwhile goes with the next.
constexpr auto kUpdatePace = 10ms;
/// RFB has 16 bits for a side.
constexpr u32 kMaxSide = 0xffff;
/// RFC 6143 §7.2.2, §7.1.1
constexpr std::size_t kChallengeSize = 16;
constexpr int kVersionSize = 12;
/// Alpha from which on a pixel of the pointer is seen: RFB has one bit for it.
constexpr u32 kSeenAlpha = 0x80;

// The community's RFB specification: "QEMU Extended Key Event", "ExtendedDesktopSize".
constexpr u8 kQemuMessage = 255, kQemuKeyEvent = 0;
constexpr int kQemuKeyEncoding = -258;
constexpr int kResizeDone = 0, kResizeProhibited = 1, kResizeInvalid = 3, kResizeForwarded = 4;

/// The handshake uses a list of the library and a generator of random numbers that are the
/// process's.
std::mutex &handshake_mutex() {
    static std::mutex mutex;
    return mutex;
}

/// The library's challenges are of random(), whose seed it takes from the clock: nobody shall
/// guess what the next one is.
void seed_challenge() {
    unsigned seed = 0;
    if (::getrandom(&seed, sizeof seed, 0) != sizeof seed) return;
    static const bool is_primed = [] {
        std::array<unsigned char, kChallengeSize> unused{};
        ::rfbRandomBytes(unused.data()); // seeds at its first call
        return true;
    }();
    static_cast<void>(is_primed);
    ::srandom(seed);
}

/// RFC 6143 §7.5.5; bits 5 and 6 as every client has them.
constexpr std::pair<u32, InputButton> kButtonBits[] = {
    {1u << 0, InputButton::Left},      {1u << 1, InputButton::Middle},
    {1u << 2, InputButton::Right},     {1u << 3, InputButton::WheelUp},
    {1u << 4, InputButton::WheelDown}, {1u << 5, InputButton::WheelLeft},
    {1u << 6, InputButton::WheelRight}};

} // namespace

// ------------------------------------------------------------------------- called by the library

struct VncHooks {
    static VncSession &session(rfbClientPtr client) {
        return *static_cast<VncSession *>(client->screen->screenData);
    }
    static rfbNewClientAction connected(rfbClientPtr client) {
        // A browser that was slow to speak.
        return client->wsctx != nullptr || client->sslctx != nullptr ? RFB_CLIENT_REFUSE
                                                                     : RFB_CLIENT_ACCEPT;
    }
    static rfbBool check_password(rfbClientPtr client, const char *response, int size) {
        return static_cast<rfbBool>(
            session(client).is_password(response, static_cast<std::size_t>(size)));
    }
    static void key(rfbBool down, rfbKeySym keysym, rfbClientPtr client) {
        session(client).press(key_of_keysym(keysym), down != 0);
    }
    static void point(int buttons, int x, int y, rfbClientPtr client) {
        session(client).point(static_cast<u32>(buttons), static_cast<u32>(std::max(x, 0)),
                              static_cast<u32>(std::max(y, 0)));
    }
    static int resize(int width, int height, int screens, rfbExtDesktopScreen *,
                      rfbClientPtr client) {
        return session(client).ask_for_size(width, height, screens);
    }
    static rfbBool has_encoding(rfbClientPtr client, void **, int encoding) {
        if (encoding == kQemuKeyEncoding) session(client).announces_keys_ = true;
        return TRUE;
    }
    static rfbBool message(rfbClientPtr client, void *, const rfbClientToServerMsg *message) {
        return static_cast<rfbBool>(message->type == kQemuMessage && session(client).receive_key());
    }
    /// Of the process, once.
    static void add_extension() {
        static int encodings[] = {kQemuKeyEncoding, 0};
        static rfbProtocolExtension extension{.newClient = nullptr,
                                              .init = nullptr,
                                              .pseudoEncodings = encodings,
                                              .enablePseudoEncoding = has_encoding,
                                              .handleMessage = message,
                                              .close = nullptr,
                                              .usage = nullptr,
                                              .processArgument = nullptr,
                                              .next = nullptr};
        static const bool is_added = [] {
            ::rfbRegisterProtocolExtension(&extension);
            return true;
        }();
        static_cast<void>(is_added);
    }
};

// --------------------------------------------------------------------------------------- session

VncSession::VncSession(const Server &server, ScopedFd socket, ScopedFd wake, VncPeer peer)
    : server_(server), socket_(std::move(socket)), wake_(std::move(wake)), peer_(std::move(peer)),
      screen_(server.screens.take()), pointer_(server.wiring.inputs) {
    VncHooks::add_extension();
    screen_->screenData = this;
    screen_->desktopName = server_.wiring.title.c_str();
    screen_->alwaysShared = TRUE;
    screen_->maxClientWait = kStallMs;
    screen_->deferUpdateTime = 0; // send_update() waits
    screen_->newClientHook = VncHooks::connected;
    screen_->passwordCheck = VncHooks::check_password;
    screen_->authPasswdData = server_.has_password ? this : nullptr; // whether there is one
    screen_->kbdAddEvent = VncHooks::key;
    screen_->ptrAddEvent = VncHooks::point;
    screen_->setDesktopSizeHook = VncHooks::resize;
    set_format();
    thread_ = std::thread([this] { serve(); });
}

VncSession::~VncSession() {
    stop();
    thread_.join();
    server_.screens.give_back(screen_);
}

void VncSession::stop() {
    stops_ = true;
    ::shutdown(socket_.get(), SHUT_RDWR);
    ::eventfd_write(wake_.get(), 1);
}

void VncSession::serve() {
    // The library's sets for select() have room for so many.
    const int fd = ::fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0);
    pollfd first{socket_.get(), POLLIN, 0};
    if (fd >= FD_SETSIZE || ::poll(&first, 1, kSilenceMs) != 0)
        ScopedFd{fd}.reset();
    else if (fd >= 0)
        client_ = ::rfbNewClient(screen_, fd);
    if (client_ != nullptr) {
        talk();
        watch_.reset();
        if (client_->sock >= 0) ::rfbCloseClient(client_);
        ::rfbClientConnectionGone(client_);
    }
    ::shutdown(socket_.get(), SHUT_RDWR);
    release_all();
    is_let_in_ = false;
    is_over_ = true;
    server_.session_over();
}

int VncSession::wait_ms(Clock::time_point deadline) const {
    if (is_let_in_ && !update_is_due_) return -1;
    const Clock::time_point until = is_let_in_ ? next_update_ : deadline;
    return static_cast<int>(std::max<i64>(
        std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count(), 0));
}

void VncSession::talk() {
    const Clock::time_point deadline = Clock::now() + kHandshakeTime;
    while (!stops_ && client_->sock >= 0) {
        if (!is_let_in_) {
            if (Clock::now() >= deadline) return;
            // The library does not wait for the rest of what a client sends in parts.
            const int whole = client_->state == rfbClientRec::RFB_PROTOCOL_VERSION ? kVersionSize
                              : client_->state == rfbClientRec::RFB_AUTHENTICATION
                                  ? static_cast<int>(kChallengeSize)
                                  : 1;
            ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVLOWAT, &whole, sizeof whole);
        }
        std::array<pollfd, 2> polled{{{client_->sock, POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
        if (::poll(polled.data(), polled.size(), wait_ms(deadline)) < 0 && errno != EINTR) return;
        if (polled[1].revents != 0) {
            eventfd_t ignored = 0;
            ::eventfd_read(wake_.get(), &ignored);
            follow_screen();
        }
        if (polled[0].revents != 0) receive();
        if (client_->sock >= 0) send_update();
    }
}

void VncSession::receive() {
    const bool shakes_hands = client_->state == rfbClientRec::RFB_PROTOCOL_VERSION ||
                              client_->state == rfbClientRec::RFB_SECURITY_TYPE;
    {
        std::unique_lock lock(handshake_mutex(), std::defer_lock);
        if (shakes_hands) {
            lock.lock();
            seed_challenge();
        }
        ::rfbProcessClientMessage(client_);
    }
    update_is_due_ = true;
    if (client_->sock < 0) return;
    const bool is_let_in = client_->state == rfbClientRec::RFB_NORMAL;
    if (!watch_.has_value() && (is_let_in || client_->state == rfbClientRec::RFB_INITIALISATION))
        show_screen();
    is_let_in_ = is_let_in;
    // Until the guest has one of its own, clients show theirs.
    if (!has_cursor_) client_->cursorWasChanged = FALSE;
    if (std::exchange(announces_keys_, false)) acknowledge_keys();
}

void VncSession::show_screen() {
    watch_.emplace(server_.wiring.machine.screen(), [this] { ::eventfd_write(wake_.get(), 1); });
    follow_screen();
}

// --------------------------------------------------------------------------------------- picture

void VncSession::set_format() {
    screen_->serverFormat.depth = 24;
    screen_->serverFormat.redShift = 16;
    screen_->serverFormat.greenShift = 8;
    screen_->serverFormat.blueShift = 0;
}

void VncSession::set_picture() {
    const bool can_be_shown =
        !copy_.is_empty() && copy_.width <= kMaxSide && copy_.height <= kMaxSide;
    if (!can_be_shown) {
        const devices::DisplayMode &mode = server_.wiring.screens[server_.head];
        copy_ = {mode.width, mode.height, std::vector<u32>(std::size_t{mode.width} * mode.height)};
    }
    // The library's copy at another scale is of the old size.
    if (client_->scaledScreen != screen_) {
        ::rfbCloseClient(client_);
        return;
    }
    ::rfbNewFramebuffer(screen_, reinterpret_cast<char *>(copy_.pixels.data()),
                        static_cast<int>(copy_.width), static_cast<int>(copy_.height), 8, 3, 4);
    set_format();
    screen_->setTranslateFunction(client_);
}

void VncSession::follow_screen() {
    if (!watch_.has_value()) return;
    update_is_due_ = true;
    const ScreenChanges changes = watch_->look(server_.head, copy_);
    if (changes.size) {
        set_picture();
        if (client_->sock < 0) return;
    } else {
        for (const DisplayRectangle &part : changes.parts)
            ::rfbMarkRectAsModified(screen_, static_cast<int>(part.x), static_cast<int>(part.y),
                                    static_cast<int>(part.x + part.width),
                                    static_cast<int>(part.y + part.height));
    }
    if (changes.cursor || changes.cursor_place) follow_cursor();
}

void VncSession::follow_cursor() {
    const Cursor shown = server_.wiring.machine.screen().cursor(server_.head);
    // Where it is drawn for clients that do not draw it themselves.
    screen_->cursorX = static_cast<int>(std::min<u32>(shown.x, copy_.width - 1));
    screen_->cursorY = static_cast<int>(std::min<u32>(shown.y, copy_.height - 1));
    const Picture &picture = shown.picture;
    if (picture.is_empty()) {
        if (has_cursor_) ::rfbSetCursor(screen_, nullptr);
        return;
    }
    has_cursor_ = true;
    const std::size_t row = (picture.width + 7) / 8;
    // The library frees them.
    auto *cursor = static_cast<rfbCursor *>(std::calloc(1, sizeof(rfbCursor)));
    auto *colours = static_cast<unsigned char *>(std::calloc(picture.pixels.size(), sizeof(u32)));
    auto *mask = static_cast<unsigned char *>(std::calloc(row, picture.height));
    if (cursor == nullptr || colours == nullptr || mask == nullptr) {
        std::free(cursor), std::free(colours), std::free(mask);
        return;
    }
    for (std::size_t i = 0; i < picture.pixels.size(); ++i) {
        const u32 colour = plain_colour(picture.pixels[i]);
        std::memcpy(colours + i * sizeof colour, &colour, sizeof colour);
        const std::size_t x = i % picture.width, y = i / picture.width;
        if (picture.pixels[i] >> 24 >= kSeenAlpha)
            mask[y * row + x / 8] =
                static_cast<unsigned char>(mask[y * row + x / 8] | 0x80 >> x % 8);
    }
    cursor->cleanup = cursor->cleanupRichSource = cursor->cleanupMask = TRUE;
    cursor->width = static_cast<unsigned short>(picture.width);
    cursor->height = static_cast<unsigned short>(picture.height);
    cursor->xhot = static_cast<unsigned short>(shown.hot_x);
    cursor->yhot = static_cast<unsigned short>(shown.hot_y);
    cursor->richSource = colours;
    cursor->mask = mask;
    ::rfbSetCursor(screen_, cursor);
}

void VncSession::send_update() {
    if (!is_let_in_ || !update_is_due_ || Clock::now() < next_update_) return;
    update_is_due_ = false;
    if (client_->state != rfbClientRec::RFB_NORMAL) return;
    // Its size goes alone.
    const bool had_size = client_->newFBSizePending != 0;
    ::rfbUpdateClient(client_);
    next_update_ = Clock::now() + kUpdatePace;
    if (had_size && client_->newFBSizePending == 0) update_is_due_ = true;
}

int VncSession::ask_for_size(int width, int height, int screens) {
    devices::DisplayMode mode = server_.wiring.screens[server_.head];
    const auto is_side = [](int side) {
        return std::in_range<u32>(side) && static_cast<u32>(side) >= devices::kMinScreenSide &&
               static_cast<u32>(side) <= devices::kMaxScreenSide;
    };
    if (screens != 1 || !is_side(width) || !is_side(height)) return kResizeInvalid;
    mode.width = static_cast<u32>(width);
    mode.height = static_cast<u32>(height);
    if (mode.width == copy_.width && mode.height == copy_.height) {
        client_->newFBSizePending = TRUE; // the answer
        return kResizeDone;
    }
    const auto asked = server_.wiring.machine.set_screen(server_.head, mode);
    return asked.has_value() ? kResizeForwarded : kResizeProhibited;
}

// ------------------------------------------------------------------------------ password and hands

bool VncSession::is_password(const char *response, std::size_t size) {
    std::string password = server_.password();
    std::array<unsigned char, kChallengeSize> expected{};
    std::copy_n(client_->authChallenge, expected.size(), expected.begin());
    ::rfbEncryptBytes(expected.data(), password.data());
    unsigned difference = size != expected.size() || password.empty() ? 1 : 0;
    for (std::size_t i = 0; i < std::min(size, expected.size()); ++i)
        difference |= expected[i] ^ static_cast<unsigned char>(response[i]);
    if (difference == 0) return true;
    pollfd stop{wake_.get(), POLLIN, 0};
    ::poll(&stop, 1, kWrongPasswordMs);
    return false;
}

void VncSession::press(std::optional<u16> code, bool down) {
    if (!code.has_value() || pressed_.test(*code) == down) return;
    pressed_.set(*code, down);
    const InputAction action = KeyAction{*code, down};
    // A guest that has stopped to listen misses keys, as with a real keyboard.
    static_cast<void>(server_.wiring.machine.send_input(std::span(&action, 1)));
}

void VncSession::point(u32 buttons, u32 x, u32 y) {
    PointerMapper::Buttons held = 0;
    for (const auto &[bit, button] : kButtonBits)
        if ((buttons & bit) != 0) held |= PointerMapper::bit(button);
    const auto actions = pointer_.place(x, y, copy_.width, copy_.height, held);
    if (!actions.empty()) static_cast<void>(server_.wiring.machine.send_input(actions));
}

bool VncSession::receive_key() {
    // After the type: submessage, down (16 bits), keysym and key number (32 bits each).
    std::array<unsigned char, 11> rest{};
    if (::rfbReadExact(client_, reinterpret_cast<char *>(rest.data()), rest.size()) <= 0 ||
        rest[0] != kQemuKeyEvent)
        return false;
    const auto number = [&](std::size_t at) {
        return u32{rest[at]} << 24 | u32{rest[at + 1]} << 16 | u32{rest[at + 2]} << 8 |
               u32{rest[at + 3]};
    };
    std::optional<u16> code = key_numbered(number(7));
    if (!code.has_value()) code = key_of_keysym(number(3));
    press(code, (rest[1] | rest[2]) != 0);
    return true;
}

void VncSession::acknowledge_keys() {
    // RFC 6143 §7.6.1: an update of one rectangle, which is nowhere and has this encoding.
    static constexpr std::array<unsigned char, 16> kAnswer{0, 0, 0, 1, 0,    0,    0,    0,
                                                           0, 0, 0, 0, 0xff, 0xff, 0xfe, 0xfe};
    if (::rfbWriteExact(client_, reinterpret_cast<const char *>(kAnswer.data()), kAnswer.size()) <
        0)
        ::rfbCloseClient(client_);
}

void VncSession::release_all() {
    for (std::size_t code = 0; code < pressed_.size(); ++code)
        if (pressed_.test(code)) press(static_cast<u16>(code), false);
    const auto actions = pointer_.release();
    if (!actions.empty()) static_cast<void>(server_.wiring.machine.send_input(actions));
}

} // namespace tandem::machine
