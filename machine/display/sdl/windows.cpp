#include "machine/display/sdl/windows.h"

#include "machine/display/sdl/desktop_loss.h"
#include "machine/display/sdl/scancodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tandem::machine {

namespace {

/// A picture is drawn at most so often. A device that has changed the screen does not wake SDL,
/// which may have to wait for the host's desktop.
constexpr int kFrameMs = 16;

constexpr std::pair<u8, InputButton> kMouseButtons[] = {{SDL_BUTTON_LEFT, InputButton::Left},
                                                        {SDL_BUTTON_MIDDLE, InputButton::Middle},
                                                        {SDL_BUTTON_RIGHT, InputButton::Right},
                                                        {SDL_BUTTON_X1, InputButton::Side},
                                                        {SDL_BUTTON_X2, InputButton::Extra}};

/// Of the title; empty while it runs.
std::string_view state_name(RunState state) {
    switch (state) {
    case RunState::Running: return "";
    case RunState::Prelaunch: return " (not started)";
    case RunState::Paused: return " (paused)";
    case RunState::Shutdown: return " (ended)";
    case RunState::InMigrate: return " (waits for its move)";
    case RunState::FinishMigrate: return " (moves)";
    case RunState::PostMigrate: return " (moved)";
    }
    return "";
}

} // namespace

Result<std::unique_ptr<WindowService>> Windows::create(const SdlConfig &config,
                                                       const DisplayWiring &wiring) {
    std::promise<Result<>> promise;
    std::future<Result<>> opened = promise.get_future();
    std::unique_ptr<WindowService> windows{new Windows(config, wiring, std::move(promise))};
    TRY(opened.get());
    return windows;
}

Windows::Windows(const SdlConfig &config, const DisplayWiring &wiring,
                 std::promise<Result<>> opened)
    : config_(config), wiring_(wiring), pointer_(wiring.inputs),
      thread_([this, promise = std::move(opened)]() mutable { run(std::move(promise)); }) {}

Windows::~Windows() {
    stops_ = true;
    thread_.join();
}

Result<> Windows::open() {
    // The machine has its own way with signals.
    ::SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
    ::SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
    ::SDL_SetHint(SDL_HINT_MOUSE_FOCUS_CLICKTHROUGH, "1");
    if (::SDL_InitSubSystem(SDL_INIT_VIDEO) != 0)
        return failure(fmt::format("--display sdl: {}; set DISPLAY to that of a desktop, or use "
                                   "--display vnc",
                                   ::SDL_GetError()));
    for (std::size_t i = 0; i < wiring_.screens.size(); ++i)
        windows_.push_back(TRY(Window::create(wiring_, i, config_.scale, config_.is_full_screen)));
    set_titles();
    return {};
}

void Windows::run(std::promise<Result<>> opened) {
    const auto result = open();
    const bool is_open = result.has_value();
    opened.set_value(result);
    if (is_open) show();
    if (is_desktop_lost_) {
        // What SDL has of it stays as it is.
        for (auto &window : windows_) static_cast<void>(window.release());
        windows_.clear();
        release_all();
        fmt::print(stderr, "tandem: --display sdl: the desktop has gone; the machine goes on "
                           "without a window\r\n");
        return;
    }
    windows_.clear();
    ::SDL_QuitSubSystem(SDL_INIT_VIDEO);
}

void Windows::show() {
    watch_for_loss(windows_.front()->handle(), is_desktop_lost_);
    ScreenWatch watch(wiring_.machine.screen(), [this] { has_changes_ = true; });
    while (!stops_ && !is_desktop_lost_) {
        SDL_Event event;
        for (int got = ::SDL_WaitEventTimeout(&event, kFrameMs); got != 0 && !is_desktop_lost_;
             got = ::SDL_PollEvent(&event))
            handle(event);
        if (has_changes_.exchange(false))
            for (const auto &window : windows_) window->follow(watch);
        set_titles();
        for (const auto &window : windows_) window->draw();
    }
}

Window *Windows::window_with(u32 id) const {
    const auto found =
        std::ranges::find(windows_, id, [](const auto &window) { return window->id(); });
    return found != windows_.end() ? found->get() : nullptr;
}

void Windows::set_titles() {
    for (std::size_t i = 0; i < windows_.size(); ++i)
        windows_[i]->set_title(fmt::format("{}{}{}{}", wiring_.title,
                                           windows_.size() > 1 ? fmt::format(" {}", i) : "",
                                           state_name(wiring_.machine.run_state()),
                                           is_grabbed_ ? " - Ctrl+Alt+G lets the mouse go" : ""));
}

void Windows::send(std::span<const InputAction> actions) {
    // A guest that has stopped to listen misses it, as with real hands.
    if (!actions.empty()) static_cast<void>(wiring_.machine.send_input(actions));
}

void Windows::handle(const SDL_Event &event) {
    switch (event.type) {
    case SDL_WINDOWEVENT: handle_window(event.window); break;
    case SDL_KEYDOWN:
    case SDL_KEYUP: handle_key(event.key); break;
    case SDL_MOUSEMOTION: move(event.motion); break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP: press(event.button); break;
    case SDL_MOUSEWHEEL: turn_wheel(event.wheel); break;
    case SDL_RENDER_TARGETS_RESET:
    case SDL_RENDER_DEVICE_RESET:
        for (const auto &window : windows_) window->expose();
        break;
    default: break;
    }
}

void Windows::handle_window(const SDL_WindowEvent &event) {
    switch (event.event) {
    case SDL_WINDOWEVENT_CLOSE:
        if (std::exchange(has_pressed_power_, true))
            wiring_.machine.quit();
        else
            wiring_.machine.press_power_key();
        break;
    case SDL_WINDOWEVENT_FOCUS_LOST:
        // What is let go elsewhere is not heard of.
        release_all();
        grab(false);
        break;
    default:
        if (Window *window = window_with(event.windowID); window != nullptr) window->expose();
        break;
    }
}

// --------------------------------------------------------------------------------------- keyboard

void Windows::release_all() {
    release_keys();
    buttons_ = 0;
    send(pointer_.release());
}

void Windows::release_keys() {
    for (std::size_t code = 0; code < pressed_.size(); ++code) {
        if (!pressed_.test(code)) continue;
        const InputAction action = KeyAction{static_cast<u16>(code), false};
        send(std::span(&action, 1));
    }
    pressed_.reset();
}

bool Windows::command(SDL_Scancode scancode) {
    Window *window = window_with(::SDL_GetWindowID(::SDL_GetKeyboardFocus()));
    if (window == nullptr) return false;
    switch (scancode) {
    case SDL_SCANCODE_F: window->toggle_full_screen(); return true;
    case SDL_SCANCODE_G: grab(!is_grabbed_); return true;
    case SDL_SCANCODE_R:
        for (std::size_t i = 0; i < windows_.size(); ++i)
            if (windows_[i].get() == window)
                static_cast<void>(
                    wiring_.machine.set_screen(static_cast<u32>(i), window->wanted_mode()));
        return true;
    default: return false;
    }
}

void Windows::handle_key(const SDL_KeyboardEvent &event) {
    const bool is_down = event.type == SDL_KEYDOWN;
    const auto mod = event.keysym.mod;
    if (is_down && event.repeat == 0 && (mod & KMOD_CTRL) != 0 && (mod & KMOD_ALT) != 0 &&
        command(event.keysym.scancode)) {
        release_keys();
        return;
    }
    const auto code = key_of_scancode(event.keysym.scancode);
    if (!code.has_value() || pressed_.test(*code) == is_down) return;
    pressed_.set(*code, is_down);
    const InputAction action = KeyAction{*code, is_down};
    send(std::span(&action, 1));
}

// ---------------------------------------------------------------------------------------- pointer

void Windows::grab(bool is_wanted) {
    const bool is_grabbed = is_wanted && pointer_.is_relative();
    if (is_grabbed == is_grabbed_) return;
    is_grabbed_ = is_grabbed;
    ::SDL_SetRelativeMouseMode(is_grabbed ? SDL_TRUE : SDL_FALSE);
    for (const auto &window : windows_) window->draw_cursor(is_grabbed);
}

void Windows::point(u32 id, int x, int y) {
    const Window *window = window_with(id);
    if (window == nullptr || pointer_.is_relative()) return;
    const Picture &picture = window->picture();
    send(pointer_.place(static_cast<u32>(std::max(x, 0)), static_cast<u32>(std::max(y, 0)),
                        picture.width, picture.height, buttons_));
}

void Windows::move(const SDL_MouseMotionEvent &event) {
    if (is_grabbed_)
        send(pointer_.move(event.xrel, event.yrel, buttons_));
    else
        point(event.windowID, event.x, event.y);
}

void Windows::press(const SDL_MouseButtonEvent &event) {
    const bool is_down = event.type == SDL_MOUSEBUTTONDOWN;
    if (pointer_.is_relative() && !is_grabbed_) {
        if (is_down) grab(true);
        return;
    }
    for (const auto &[number, button] : kMouseButtons)
        if (number == event.button)
            buttons_ = is_down ? buttons_ | PointerMapper::bit(button)
                               : buttons_ & ~PointerMapper::bit(button);
    if (is_grabbed_)
        send(pointer_.move(0, 0, buttons_));
    else
        point(event.windowID, event.x, event.y);
}

void Windows::turn_wheel(const SDL_MouseWheelEvent &event) {
    static constexpr int kMaxSteps = 10;
    if (pointer_.is_relative() && !is_grabbed_) return;
    const auto turn = [&](int steps, InputButton back, InputButton on) {
        const auto wheel = PointerMapper::bit(steps < 0 ? back : on);
        for (int i = 0; i < std::min(std::abs(steps), kMaxSteps); ++i) {
            send(pointer_.press(buttons_ | wheel));
            send(pointer_.press(buttons_));
        }
    };
    turn(event.y, InputButton::WheelDown, InputButton::WheelUp);
    turn(event.x, InputButton::WheelLeft, InputButton::WheelRight);
}

} // namespace tandem::machine

extern "C" __attribute__((visibility("default"))) void
tandem_open_windows(const tandem::machine::SdlConfig &config,
                    const tandem::machine::DisplayWiring &wiring,
                    tandem::Result<std::unique_ptr<tandem::machine::WindowService>> &opened) {
    opened = tandem::machine::Windows::create(config, wiring);
}
