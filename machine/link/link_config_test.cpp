#include "machine/link/link_config.h"

#include <gtest/gtest.h>

namespace tandem::machine {
namespace {

LinkConfig link_of(std::string_view text) {
    LinkConfig link;
    const auto result = apply_link_settings(text, link);
    EXPECT_TRUE(result.has_value()) << result.error().message;
    return link;
}

TEST(LinkConfig, ReadsSettingsOfBothDirectionsOrOne) {
    const LinkConfig link = link_of("latency=20,down-jitter=1.5,loss=0.25,up-rate=0.5,rate=8");
    EXPECT_EQ(link.up, (LinkDirection{8'000'000, 20'000'000, 0, 2'500}));
    EXPECT_EQ(link.down, (LinkDirection{8'000'000, 20'000'000, 1'500'000, 2'500}));
    EXPECT_TRUE(link.is_shaped());
    EXPECT_FALSE(link_of("").is_shaped());
    EXPECT_FALSE(link_of("latency=20,profile=none").is_shaped());
    EXPECT_EQ(link_of("profile=offline").up.loss_per_million, 1'000'000u);
    EXPECT_EQ(link_of("profile=3g,down-rate=2").down.bits_per_second, 2'000'000u);
    EXPECT_EQ(link_of("profile=3g,down-rate=2").up.bits_per_second, 750'000u);
}

TEST(LinkConfig, RefusesWhatItDoesNotKnow) {
    for (const char *text :
         {"latency", "latency=", "latency=-1", "latency=1s", "loss=101", "rate=nan", "rate=1e9",
          "speed=1", "profile=6g", "up-profile=3g", "latency=1,,loss=1", "side-rate=1"}) {
        LinkConfig link = link_of("latency=7");
        EXPECT_FALSE(apply_link_settings(text, link).has_value()) << text;
        EXPECT_EQ(link, link_of("latency=7")) << "unchanged by " << text;
    }
    EXPECT_TRUE(is_link_setting("up-loss=1"));
    EXPECT_FALSE(is_link_setting("hostfwd=tcp::1-:2"));
}

TEST(LinkConfig, WritesWhatItReads) {
    for (const LinkProfile &profile : link_profiles())
        EXPECT_EQ(link_of(to_text(profile.link)), profile.link) << profile.name;
    EXPECT_EQ(to_text(link_of("up-loss=0.1")), "up-loss=0.1");
}

} // namespace
} // namespace tandem::machine
