#include "machine/display/sdl/window.h"

#include "devices/virtio/gpu/edid.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem::machine {

namespace {

/// No window and no texture is larger.
constexpr u32 kMaxSide = 8192;
constexpr int kPixelBytes = sizeof(u32);

std::unexpected<Error> no_window() {
    return failure(fmt::format("--display sdl: {}; start it on a desktop, or use --display vnc",
                               ::SDL_GetError()));
}

SDL_Rect rect_of(const devices::DisplayRectangle &part) {
    return {static_cast<int>(part.x), static_cast<int>(part.y), static_cast<int>(part.width),
            static_cast<int>(part.height)};
}

} // namespace

Result<std::unique_ptr<Window>> Window::create(const DisplayWiring &wiring, std::size_t output,
                                               unsigned scale, bool is_full_screen) {
    std::unique_ptr<Window> self{new Window(wiring, output, scale)};
    const devices::DisplayMode &mode = wiring.screens[output];
    const u32 flags = SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI |
                      (is_full_screen ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
    self->window_.reset(::SDL_CreateWindow(
        wiring.title.c_str(), SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED,
        static_cast<int>(mode.width * scale), static_cast<int>(mode.height * scale), flags));
    if (self->window_ == nullptr) return no_window();
    self->renderer_.reset(::SDL_CreateRenderer(self->window_.get(), -1, 0));
    if (self->renderer_ == nullptr) return no_window();
    self->set_picture();
    if (self->texture_ == nullptr) return no_window();
    return self;
}

void Window::set_picture() {
    if (copy_.is_empty() || copy_.width > kMaxSide || copy_.height > kMaxSide) {
        const devices::DisplayMode &mode = wiring_.screens[output_];
        copy_ = {mode.width, mode.height, std::vector<u32>(std::size_t{mode.width} * mode.height)};
    }
    const int width = static_cast<int>(copy_.width), height = static_cast<int>(copy_.height);
    ::SDL_RenderSetLogicalSize(renderer_.get(), width, height);
    if ((::SDL_GetWindowFlags(window_.get()) &
         (SDL_WINDOW_FULLSCREEN_DESKTOP | SDL_WINDOW_MAXIMIZED)) == 0)
        ::SDL_SetWindowSize(window_.get(), width * static_cast<int>(scale_),
                            height * static_cast<int>(scale_));
    texture_.reset(::SDL_CreateTexture(renderer_.get(), SDL_PIXELFORMAT_ARGB8888,
                                       SDL_TEXTUREACCESS_STREAMING, width, height));
    if (texture_ != nullptr)
        ::SDL_UpdateTexture(texture_.get(), nullptr, copy_.pixels.data(), width * kPixelBytes);
}

void Window::follow(ScreenWatch &watch) {
    const ScreenChanges changes = watch.look(output_, copy_);
    if (!changes.any()) return;
    is_stale_ = true;
    if (changes.size) {
        set_picture();
    } else if (texture_ != nullptr) {
        for (const devices::DisplayRectangle &part : changes.parts) {
            const SDL_Rect rect = rect_of(part);
            ::SDL_UpdateTexture(texture_.get(), &rect,
                                &copy_.pixels[std::size_t{part.y} * copy_.width + part.x],
                                static_cast<int>(copy_.width) * kPixelBytes);
        }
    }
    if (changes.cursor || changes.cursor_place) follow_cursor();
}

void Window::follow_cursor() {
    const Cursor shown = wiring_.machine.screen().cursor(output_);
    cursor_.reset();
    cursor_picture_.reset();
    if (shown.picture.is_empty()) return;
    std::vector<u32> pixels = shown.picture.pixels;
    std::ranges::transform(pixels, pixels.begin(), plain_colour);
    const int width = static_cast<int>(shown.picture.width);
    const int height = static_cast<int>(shown.picture.height);
    cursor_place_ = {static_cast<int>(shown.x) - static_cast<int>(shown.hot_x),
                     static_cast<int>(shown.y) - static_cast<int>(shown.hot_y), width, height};
    Owned<SDL_Surface, ::SDL_FreeSurface> surface{::SDL_CreateRGBSurfaceWithFormatFrom(
        pixels.data(), width, height, 32, width * kPixelBytes, SDL_PIXELFORMAT_ARGB8888)};
    if (surface == nullptr) return;
    cursor_.reset(::SDL_CreateColorCursor(surface.get(), static_cast<int>(shown.hot_x),
                                          static_cast<int>(shown.hot_y)));
    cursor_picture_.reset(::SDL_CreateTextureFromSurface(renderer_.get(), surface.get()));
    if (!draws_cursor_ && cursor_ != nullptr) ::SDL_SetCursor(cursor_.get());
}

void Window::draw_cursor(bool is_drawn) {
    if (draws_cursor_ == is_drawn) return;
    draws_cursor_ = is_drawn;
    is_stale_ = true;
}

void Window::set_title(const std::string &title) {
    if (title == title_) return;
    title_ = title;
    ::SDL_SetWindowTitle(window_.get(), title.c_str());
}

void Window::draw() {
    if (!is_stale_) return;
    is_stale_ = false;
    ::SDL_RenderClear(renderer_.get());
    if (texture_ != nullptr) ::SDL_RenderCopy(renderer_.get(), texture_.get(), nullptr, nullptr);
    if (draws_cursor_ && cursor_picture_ != nullptr)
        ::SDL_RenderCopy(renderer_.get(), cursor_picture_.get(), nullptr, &cursor_place_);
    ::SDL_RenderPresent(renderer_.get());
}

void Window::toggle_full_screen() {
    const bool is_full = (::SDL_GetWindowFlags(window_.get()) & SDL_WINDOW_FULLSCREEN_DESKTOP) != 0;
    ::SDL_SetWindowFullscreen(window_.get(), is_full ? 0 : SDL_WINDOW_FULLSCREEN_DESKTOP);
    is_stale_ = true;
}

devices::DisplayMode Window::wanted_mode() const {
    devices::DisplayMode mode = wiring_.screens[output_];
    int width = 0, height = 0;
    ::SDL_GetRendererOutputSize(renderer_.get(), &width, &height);
    const auto side = [this](int pixels) {
        return std::clamp(static_cast<u32>(std::max(pixels, 0)) / scale_, devices::kMinScreenSide,
                          devices::kMaxScreenSide);
    };
    mode.width = side(width);
    mode.height = side(height);
    return mode;
}

} // namespace tandem::machine
