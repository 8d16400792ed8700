#pragma once
/// The window of one screen. SDL's thread.
#include "machine/display/display_wiring.h"
#include "machine/screen/picture.h"
#include "machine/screen/screen_watch.h"
#include "support/result.h"

#include <SDL2/SDL.h>

#include <memory>
#include <string>

namespace tandem::machine {

class Window {
public:
    [[nodiscard]] static Result<std::unique_ptr<Window>>
    create(const DisplayWiring &, std::size_t output, unsigned scale, bool is_full_screen);

    [[nodiscard]] SDL_Window *handle() const { return window_.get(); }
    [[nodiscard]] u32 id() const { return ::SDL_GetWindowID(window_.get()); }
    [[nodiscard]] const Picture &picture() const { return copy_; }

    /// Takes over what the screen shows, if it has changed.
    void follow(ScreenWatch &);
    /// The pointer is drawn into the picture, or the host's looks like it.
    void draw_cursor(bool is_drawn);
    void set_title(const std::string &);
    /// What is shown is to be drawn again.
    void expose() { is_stale_ = true; }
    void draw();
    void toggle_full_screen();
    /// The size that the screen would fill the window with.
    [[nodiscard]] devices::DisplayMode wanted_mode() const;

private:
    template <auto Destroy>
    struct Destroyer {
        template <typename T>
        void operator()(T *object) const {
            Destroy(object);
        }
    };
    template <typename T, auto Destroy>
    using Owned = std::unique_ptr<T, Destroyer<Destroy>>;

    Window(const DisplayWiring &wiring, std::size_t output, unsigned scale)
        : wiring_(wiring), output_(output), scale_(scale) {}
    void set_picture();
    void follow_cursor();

    const DisplayWiring &wiring_;
    const std::size_t output_;
    const unsigned scale_;
    Owned<SDL_Window, ::SDL_DestroyWindow> window_;
    Owned<SDL_Renderer, ::SDL_DestroyRenderer> renderer_;
    Owned<SDL_Texture, ::SDL_DestroyTexture> texture_, cursor_picture_;
    Owned<SDL_Cursor, ::SDL_FreeCursor> cursor_;
    SDL_Rect cursor_place_{};
    bool draws_cursor_ = false;
    bool is_stale_ = true;
    std::string title_;
    Picture copy_;
};

} // namespace tandem::machine
