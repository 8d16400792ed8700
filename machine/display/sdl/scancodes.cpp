#include "machine/display/sdl/scancodes.h"

#include <SDL2/SDL_scancode.h>
#include <linux/input-event-codes.h>

#include <algorithm>
#include <iterator>

namespace tandem::machine {

namespace {

struct Scancode {
    int place = 0;
    u16 code = 0;
};

constexpr Scancode kScancodes[] = {
#define SCANCODE(place, code) {SDL_SCANCODE_##place, code},
#include "machine/display/sdl/scancodes.inc"
};

} // namespace

std::optional<u16> key_of_scancode(int scancode) {
    const auto *found = std::ranges::find(kScancodes, scancode, &Scancode::place);
    if (found == std::end(kScancodes)) return std::nullopt;
    return found->code;
}

} // namespace tandem::machine
