#pragma once
/// All windows of a machine, and the thread that SDL wants for them.
#include "machine/display/pointer_mapper.h"
#include "machine/display/sdl/window.h"
#include "machine/display/window_service.h"

#include <linux/input-event-codes.h>

#include <atomic>
#include <bitset>
#include <future>
#include <memory>
#include <thread>
#include <vector>

namespace tandem::machine {

class Windows final : public WindowService {
public:
    [[nodiscard]] static Result<std::unique_ptr<WindowService>> create(const SdlConfig &,
                                                                       const DisplayWiring &);
    ~Windows() override;

private:
    Windows(const SdlConfig &, const DisplayWiring &, std::promise<Result<>> opened);

    void run(std::promise<Result<>> opened);
    [[nodiscard]] Result<> open();
    /// Until the machine ends, or the desktop.
    void show();
    void handle(const SDL_Event &);
    void handle_window(const SDL_WindowEvent &);
    void handle_key(const SDL_KeyboardEvent &);
    /// Ctrl-Alt and a key; false: it is the guest's.
    [[nodiscard]] bool command(SDL_Scancode);
    void move(const SDL_MouseMotionEvent &);
    void press(const SDL_MouseButtonEvent &);
    void turn_wheel(const SDL_MouseWheelEvent &);
    void point(u32 window, int x, int y);
    void grab(bool);
    void release_all();
    void release_keys();
    void set_titles();
    void send(std::span<const InputAction>);
    [[nodiscard]] Window *window_with(u32 id) const;

    const SdlConfig config_;
    const DisplayWiring wiring_;
    std::vector<std::unique_ptr<Window>> windows_; ///< by output
    PointerMapper pointer_;
    PointerMapper::Buttons buttons_ = 0;
    bool is_grabbed_ = false;
    bool has_pressed_power_ = false;
    std::bitset<KEY_CNT> pressed_;
    std::atomic<bool> has_changes_ = true; ///< of a screen
    std::atomic<bool> stops_ = false;
    std::atomic<bool> is_desktop_lost_ = false;
    std::thread thread_;
};

} // namespace tandem::machine
