#include "machine/display/vnc/keysyms.h"

#include "devices/virtio/input/input_kinds.h"

#include <gtest/gtest.h>

namespace tandem::machine {
namespace {

TEST(Keysyms, AreKeys) {
    EXPECT_EQ(key_of_keysym('a'), KEY_A);
    EXPECT_EQ(key_of_keysym('A'), KEY_A);
    EXPECT_EQ(key_of_keysym('!'), KEY_1);
    EXPECT_EQ(key_of_keysym(' '), KEY_SPACE);
    EXPECT_EQ(key_of_keysym(0xff0d), KEY_ENTER);
    EXPECT_EQ(key_of_keysym(0xffbe), KEY_F1);
    EXPECT_EQ(key_of_keysym(0xffff), KEY_DELETE);
    for (const u32 none : {0u, 0xe4u /* adiaeresis */, 0xffffffffu})
        EXPECT_FALSE(key_of_keysym(none).has_value()) << none;
}

TEST(Keysyms, AreOnOurKeyboard) {
    const auto keys = devices::codes_of(devices::profile_of(devices::InputKind::Keyboard), EV_KEY);
    for (u32 keysym = ' '; keysym <= '~'; ++keysym) {
        const auto code = key_of_keysym(keysym);
        ASSERT_TRUE(code.has_value()) << keysym;
        EXPECT_TRUE(keys.test(*code)) << keysym;
    }
    for (u32 keysym = 0xfe00; keysym <= 0xffff; ++keysym) {
        const auto code = key_of_keysym(keysym);
        EXPECT_TRUE(!code.has_value() || keys.test(*code)) << std::hex << keysym;
    }
}

} // namespace
} // namespace tandem::machine
