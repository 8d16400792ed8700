#include "machine/display/sdl/scancodes.h"

#include "devices/virtio/input/input_kinds.h"

#include <SDL2/SDL_scancode.h>
#include <gtest/gtest.h>

namespace tandem::machine {
namespace {

TEST(Scancodes, AreKeysOfOurKeyboard) {
    EXPECT_EQ(key_of_scancode(SDL_SCANCODE_A), KEY_A);
    EXPECT_EQ(key_of_scancode(SDL_SCANCODE_RETURN), KEY_ENTER);
    EXPECT_EQ(key_of_scancode(SDL_SCANCODE_RALT), KEY_RIGHTALT);
    EXPECT_FALSE(key_of_scancode(SDL_SCANCODE_UNKNOWN).has_value());
    EXPECT_FALSE(key_of_scancode(-1).has_value());
    const auto keys = devices::codes_of(devices::profile_of(devices::InputKind::Keyboard), EV_KEY);
    int known = 0;
    for (int place = 0; place < SDL_NUM_SCANCODES; ++place) {
        const auto code = key_of_scancode(place);
        known += code.has_value() ? 1 : 0;
        EXPECT_TRUE(!code.has_value() || keys.test(*code)) << place;
    }
    EXPECT_GT(known, 104);
}

} // namespace
} // namespace tandem::machine
