#include "machine/screen/screen.h"

#include "machine/screen/image_file.h"
#include "machine/screen/picture_match.h"
#include "machine/screen/screen_config.h"

#include <gtest/gtest.h>
#include <png.h>

namespace tandem::machine {
namespace {

using devices::DisplayMode;
using devices::PixelFormat;
using devices::PixelRows;

constexpr PixelFormat kRgba{.red = 0, .green = 1, .blue = 2, .alpha = 3};

std::span<const std::byte> bytes_of(const std::vector<u32> &pixels) {
    return std::as_bytes(std::span(pixels));
}

TEST(Screen, ShowsWhatItIsGiven) {
    Screen screen(2);
    EXPECT_TRUE(screen.picture(0).is_empty());
    screen.show(0, 3, 2);
    EXPECT_EQ(screen.picture(0).pixels, std::vector<u32>(6, 0xff000000));
    // Rows with a gap between, into the right lower corner.
    const std::vector<u32> pixels{0x00112233, 0x00445566, 0xdead, 0x00778899, 0x00aabbcc};
    screen.update(0, {1, 0, 2, 2}, {.bytes = bytes_of(pixels), .stride = 12});
    EXPECT_EQ(screen.picture(0).pixels, (std::vector<u32>{0xff000000, 0xff112233, 0xff445566,
                                                          0xff000000, 0xff778899, 0xffaabbcc}));
    const u64 hash = screen.info()[0].hash;
    EXPECT_EQ(screen.info()[0].updates, 1u);
    const std::vector<u32> one{0x80332211};
    screen.update(0, {1, 0, 1, 1}, {.bytes = bytes_of(one), .stride = 4, .format = kRgba});
    EXPECT_EQ(screen.picture(0).pixels[1], 0x80112233u) << "red comes first";
    EXPECT_NE(screen.info()[0].hash, hash);
    screen.show(0, 3, 2);
    EXPECT_EQ(screen.picture(0).pixels[2], 0xff445566u) << "the same size: nothing has changed";
    screen.show(0, 2, 3);
    EXPECT_EQ(screen.picture(0).pixels, std::vector<u32>(6, 0xff000000));
    EXPECT_NE(screen.info()[0].hash, screen.info()[1].hash);
    screen.show(0, 0, 0);
    EXPECT_TRUE(screen.picture(0).is_empty());
}

TEST(Screen, HasCursorsWithColoursAsTheyAre) {
    EXPECT_EQ(plain_colour(0x80402010), 0x807f3f1fu);
    EXPECT_EQ(plain_colour(0xff112233), 0xff112233u);
    EXPECT_EQ(plain_colour(0x00112233), 0u);
    EXPECT_EQ(plain_colour(0x01ffffff), 0x01ffffffu) << "more than there can be";
}

TEST(Screen, HasACursor) {
    Screen screen(1);
    const std::vector<u32> pixels(devices::kCursorSide * devices::kCursorSide, 0x80010203);
    screen.set_cursor(0, 1, 2, {.bytes = bytes_of(pixels), .stride = devices::kCursorSide * 4});
    screen.move_cursor(0, 30, 40);
    EXPECT_EQ(screen.cursor(0).picture.pixels[0], 0xff010203u) << "without alpha it is opaque";
    EXPECT_EQ(screen.cursor(0).hot_y, 2u);
    EXPECT_EQ(screen.cursor(0).x, 30u);
    screen.set_cursor(0, 0, 0, {});
    EXPECT_TRUE(screen.cursor(0).picture.is_empty());
}

TEST(ScreenConfig, IsText) {
    EXPECT_EQ(parse_screen("1280x800").value(), (DisplayMode{1280, 800, 96}));
    EXPECT_EQ(parse_screen("720x1440@294").value(), (DisplayMode{720, 1440, 294}));
    EXPECT_EQ(parse_screen(to_text({64, 4095, 10})).value(), (DisplayMode{64, 4095, 10}));
    for (const auto *bad : {"", "x", "1280", "1280x", "x800", "1280x800@", "1280x800@x", "-1x800",
                            "63x800", "4096x800", "800x99999999999", "800x600@9", "800x600@2001",
                            "800x600 ", "800X600", "800x600@96@96"})
        EXPECT_FALSE(parse_screen(bad).has_value()) << bad;
}

TEST(ImageFile, HasThePicture) {
    const Picture picture{2, 1, {0xff112233, 0x00aabbcc}};
    const auto ppm = encode(picture, ImageFileKind::Ppm).value();
    const std::string text(reinterpret_cast<const char *>(ppm.data()), ppm.size());
    EXPECT_EQ(text, std::string("P6\n2 1\n255\n\x11\x22\x33\xaa\xbb\xcc", 17));
    const auto file = encode(picture, ImageFileKind::Png).value();
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    ASSERT_NE(::png_image_begin_read_from_memory(&image, file.data(), file.size()), 0);
    image.format = PNG_FORMAT_RGB;
    std::array<u8, 6> pixels{};
    ASSERT_NE(::png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr), 0);
    EXPECT_EQ(image.width, 2u);
    EXPECT_EQ(pixels, (std::array<u8, 6>{0x11, 0x22, 0x33, 0xaa, 0xbb, 0xcc}));
    const auto written = write_image(picture, ImageFileKind::Png, "/nowhere/at/all.png");
    ASSERT_FALSE(written.has_value());
    EXPECT_TRUE(written.error().message.starts_with("/nowhere/at/all.png: "));
}

TEST(PictureMatch, CountsWhatDiffers) {
    const Picture screen{3, 2, {0xff000000, 0xff101010, 0xff202020, 0, 0xffff0000, 0xff00ff00}};
    const Picture wanted{2, 2, {0xff121010, 0xff202020, 0x00123456, 0xff00ff02}};
    EXPECT_EQ(differing_share(screen, wanted, 1, 0, 2), 0);
    EXPECT_EQ(differing_share(screen, wanted, 1, 0, 1), 0.5);
    EXPECT_EQ(differing_share(screen, wanted, 0, 0, 2), 0.75) << "all but the transparent one";
    EXPECT_EQ(differing_share(screen, wanted, 2, 1, 255), 0.5) << "beyond the screen";
    EXPECT_EQ(differing_share({}, wanted, 0, 0, 255), 0.75);
    EXPECT_EQ(differing_share(screen, {}, 0, 0, 0), 0);
    EXPECT_EQ(differing_share(screen, wanted, ~u32{0}, ~u32{0}, 255), 0.75);
}

TEST(ImageFile, PngComesBack) {
    const Picture picture{2, 1, {0xff112233, 0xff445566}};
    const std::string path = testing::TempDir() + "picture.png";
    ASSERT_TRUE(write_image(picture, ImageFileKind::Png, path).has_value());
    const auto read = read_png(path);
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(read->pixels, picture.pixels);
    ASSERT_TRUE(write_image(picture, ImageFileKind::Ppm, path).has_value());
    EXPECT_FALSE(read_png(path).has_value());
    EXPECT_FALSE(read_png(path + ".absent").has_value());
}

} // namespace
} // namespace tandem::machine
