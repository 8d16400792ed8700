#include "machine/display/sdl/desktop_loss.h"

#include <SDL2/SDL_syswm.h>
#include <X11/Xlib.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace tandem::machine {

namespace {

void lose(Display *, void *is_lost) {
    static_cast<std::atomic<bool> *>(is_lost)->store(true);
    // Xlib's lock stays with the call that has failed, and libGL's finaliser would wait for it.
    ::on_exit(
        [](int status, void *) {
            std::fflush(nullptr);
            ::_exit(status);
        },
        nullptr);
}

} // namespace

void watch_for_loss(SDL_Window *window, std::atomic<bool> &is_lost) {
    SDL_SysWMinfo info;
    SDL_VERSION(&info.version);
    if (::SDL_GetWindowWMInfo(window, &info) != SDL_TRUE || info.subsystem != SDL_SYSWM_X11) return;
    // Its text would not be ours.
    ::XSetIOErrorHandler([](Display *) { return 0; });
    // In place of exit(); the call that has failed returns.
    ::XSetIOErrorExitHandler(info.info.x11.display, lose, &is_lost);
}

} // namespace tandem::machine
