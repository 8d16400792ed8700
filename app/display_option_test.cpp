#include "app/display_option.h"

#include <gtest/gtest.h>

namespace tandem::app {
namespace {

machine::VncConfig vnc(const std::string &text) {
    const auto parsed = parse_displays({text});
    EXPECT_TRUE(parsed.has_value()) << parsed.error().message;
    return parsed.has_value() && parsed->vnc.has_value() ? *parsed->vnc : machine::VncConfig{};
}

TEST(DisplayOption, SaysWhereVncIs) {
    EXPECT_FALSE(parse_displays({}).value().any());
    EXPECT_FALSE(parse_displays({"none"}).value().any());
    EXPECT_EQ(vnc("vnc").address, "127.0.0.1");
    EXPECT_EQ(vnc("vnc").number, 0u);
    EXPECT_FALSE(vnc("vnc").has_password);
    EXPECT_EQ(vnc("vnc=7").number, 7u);
    EXPECT_EQ(vnc("vnc=:3").address, "127.0.0.1");
    EXPECT_EQ(vnc("vnc=0.0.0.0:3").address, "0.0.0.0");
    EXPECT_EQ(vnc("vnc=[::1]:59635").address, "::1");
    EXPECT_EQ(vnc("vnc=[::1]:59635").number, 59635u);
    EXPECT_EQ(vnc("vnc,head=2").head, 2u);
}

TEST(DisplayOption, SaysWhatThePasswordIs) {
    const auto both = vnc("vnc=:1,password-file=a,b=c,head=1");
    EXPECT_EQ(both.password_file, "a,b=c");
    EXPECT_EQ(both.head, 1u);
    EXPECT_TRUE(both.has_password);
    EXPECT_TRUE(vnc("vnc,password=on").has_password);
    EXPECT_TRUE(vnc("vnc,password=on,password-file=x").has_password);
    EXPECT_FALSE(vnc("vnc,password=off").has_password);
}

TEST(DisplayOption, SaysWhatWindowsAreLike) {
    const auto sdl = parse_displays({"sdl,scale=2,full-screen", "vnc"}).value();
    EXPECT_TRUE(sdl.sdl->is_full_screen && sdl.vnc.has_value());
    EXPECT_EQ(sdl.sdl->scale, 2u);
    EXPECT_EQ(parse_displays({"sdl"}).value().sdl->scale, 1u);
}

TEST(DisplayOption, RefusesWhatMakesNoSense) {
    for (const auto *bad : {"",
                            "fax",
                            "vnc=",
                            "vnc=x",
                            "vnc=-1",
                            "vnc=59636",
                            "vnc=::1:0",
                            "vnc=localhost",
                            "vnc=1,head=x",
                            "vnc=1,head=",
                            "vnc,password=maybe",
                            "vnc,password-file=",
                            "vnc,password=off,password-file=x",
                            "vnc=1,colour=red",
                            "vncx",
                            "none,head=1",
                            "sdl=1",
                            "sdl,",
                            "sdl,scale=0",
                            "sdl,scale=9",
                            "sdl,scale=x",
                            "sdl,head=1"}) {
        const auto parsed = parse_displays({bad});
        ASSERT_FALSE(parsed.has_value()) << bad;
        EXPECT_TRUE(parsed.error().message.starts_with(std::string("--display ") + bad)) << bad;
    }
    EXPECT_FALSE(parse_displays({"vnc=1", "vnc=2"}).has_value());
    EXPECT_FALSE(parse_displays({"sdl", "sdl"}).has_value());
}

TEST(DisplayOption, AddsDevices) {
    machine::MachineConfig config;
    add_devices_for_display(config);
    EXPECT_TRUE(config.screens.empty() && config.inputs.empty());
    config.display = parse_displays({"vnc"}).value();
    config.inputs = {devices::InputKind::Touch};
    add_devices_for_display(config);
    EXPECT_EQ(config.screens.size(), 1u);
    EXPECT_EQ(config.inputs, (std::vector{devices::InputKind::Touch}));
    config.inputs.clear();
    add_devices_for_display(config);
    EXPECT_EQ(config.inputs,
              (std::vector{devices::InputKind::Keyboard, devices::InputKind::Tablet}));
}

} // namespace
} // namespace tandem::app
