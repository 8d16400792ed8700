#include "devices/virtio/gpu/edid.h"

#include <gtest/gtest.h>

#include <numeric>

namespace tandem::devices {
namespace {

/// As a driver reads a detailed timing.
struct Decoded {
    u32 clock_hz, width, width_blank, height, height_blank, wide_mm, high_mm;
    explicit Decoded(const std::array<u8, kEdidBytes> &edid) {
        const u8 *at = &edid[54];
        clock_hz = (at[0] | u32{at[1]} << 8) * 10'000;
        width = at[2] | u32{at[4]} >> 4 << 8;
        width_blank = at[3] | (at[4] & 15u) << 8;
        height = at[5] | u32{at[7]} >> 4 << 8;
        height_blank = at[6] | (at[7] & 15u) << 8;
        wide_mm = at[12] | u32{at[14]} >> 4 << 8;
        high_mm = at[13] | (at[14] & 15u) << 8;
    }
    [[nodiscard]] double refresh() const {
        return double{1} * clock_hz / ((width + width_blank) * (height + height_blank));
    }
};

TEST(Edid, IsWhole) {
    for (u32 width = kMinScreenSide; width <= kMaxScreenSide; width += 61)
        for (u32 height = kMinScreenSide; height <= kMaxScreenSide; height += 97) {
            const auto edid = make_edid({width, height, 96}, 7);
            const u32 sum = std::accumulate(edid.begin(), edid.end(), 0u);
            ASSERT_EQ(sum % 256, 0u) << width << "x" << height;
            const Decoded timing(edid);
            ASSERT_EQ(timing.width, width);
            ASSERT_EQ(timing.height, height);
            ASSERT_LE(timing.refresh(), 60.01);
            ASSERT_GE(timing.refresh(), width * height < 3840 * 2160 ? 59.0 : 30.0);
            ASSERT_LT(timing.height_blank, 4096u);
        }
}

TEST(Edid, SaysWhatTheScreenIsLike) {
    const auto edid = make_edid({1920, 1080, 96}, 2);
    EXPECT_EQ(edid[0], 0);
    EXPECT_EQ(edid[7], 0);
    for (int i = 1; i < 7; ++i) EXPECT_EQ(edid[static_cast<std::size_t>(i)], 0xff);
    EXPECT_EQ(edid[12], 2) << "serial number";
    EXPECT_EQ(edid[18], 1);
    EXPECT_EQ(edid[19], 4);
    EXPECT_EQ(edid[126], 0) << "no extensions";
    EXPECT_EQ(edid[35], 0x21) << "640x480, 800x600";
    EXPECT_EQ(edid[36], 0x08) << "1024x768";
    EXPECT_EQ(edid[38], 1280 / 8 - 31);
    EXPECT_EQ(edid[39], 0xc0) << "16:9";
    EXPECT_EQ(edid[50], 1) << "no larger ones, and not itself";
    const Decoded timing(edid);
    // VESA CVT 1.2 with reduced blanking: 138.5 MHz, 2080 x 1111 in all.
    EXPECT_EQ(timing.width_blank, 160u);
    EXPECT_EQ(timing.height_blank, 31u);
    EXPECT_NEAR(timing.clock_hz, 138.65e6, 0.01e6);
    EXPECT_EQ(timing.wide_mm, 508u);
    EXPECT_EQ(timing.high_mm, 286u);
    const auto small = make_edid({720, 1440, 294}, 1);
    EXPECT_EQ(small[35], 0x20);
    EXPECT_EQ(small[38], 1);
    const Decoded phone(small);
    EXPECT_EQ(phone.wide_mm, 62u);
    EXPECT_EQ(phone.high_mm, 124u);
}

} // namespace
} // namespace tandem::devices
