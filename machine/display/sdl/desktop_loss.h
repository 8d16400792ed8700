#pragma once
/// A desktop that goes away while windows are on it: Xlib would end the process.
#include <SDL2/SDL.h>

#include <atomic>

namespace tandem::machine {

/// `is_lost` becomes true when the desktop of that window has gone; SDL must not be called any more
/// then. It outlives the window.
void watch_for_loss(SDL_Window *, std::atomic<bool> &is_lost);

} // namespace tandem::machine
