#include "machine/display/vnc/vnc_screens.h"

#include "support/check.h"

#include <rfb/rfb.h>

namespace tandem::machine {

namespace {

/// What clients do is no news for whoever started the machine.
void say_nothing(const char * /*format*/, ...) {}

} // namespace

VncScreens::VncScreens(std::size_t count) {
    rfbLog = say_nothing;
    rfbErr = say_nothing;
    for (std::size_t i = 0; i < count; ++i) {
        // The size until a client is let in; 8 bits for each of 3 colours, in 4 bytes.
        static constexpr int kSide = 16;
        rfbScreenInfo *screen = ::rfbGetScreen(nullptr, nullptr, kSide, kSide, 8, 3, 4);
        CHECK(screen != nullptr);
        screen->cursor = nullptr; // the library's own, which nobody asked for
        free_.push_back(screen);
    }
}

VncScreens::~VncScreens() {
    for (rfbScreenInfo *screen : free_) ::rfbScreenCleanup(screen);
}

rfbScreenInfo *VncScreens::take() {
    const std::lock_guard lock(mutex_);
    CHECK(!free_.empty());
    rfbScreenInfo *screen = free_.back();
    free_.pop_back();
    return screen;
}

void VncScreens::give_back(rfbScreenInfo *screen) {
    ::rfbSetCursor(screen, nullptr);
    screen->frameBuffer = nullptr;
    // Copies that clients had at another scale show what is gone.
    while (screen->scaledScreenNext != nullptr) {
        rfbScreenInfo *scaled = screen->scaledScreenNext;
        screen->scaledScreenNext = scaled->scaledScreenNext;
        std::free(scaled->frameBuffer);
        std::free(scaled);
    }
    const std::lock_guard lock(mutex_);
    free_.push_back(screen);
}

} // namespace tandem::machine
