#include "devices/virtio/gpu/edid.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace tandem::devices {

namespace {

/// §3.8 and §3.9: smaller modes that a person may want. Drivers know no others.
struct EstablishedTiming {
    u32 width, height;
    std::size_t byte;
    u8 bit;
};
constexpr EstablishedTiming kEstablished[] = {
    {640, 480, 35, 0x20}, {800, 600, 35, 0x01}, {1024, 768, 36, 0x08}}; // at 60 Hz
struct StandardTiming {
    u32 width, height;
    u8 aspect; ///< 0: 16:10, 2: 5:4, 3: 16:9
};
constexpr StandardTiming kStandard[] = {{1280, 720, 3},  {1280, 800, 0}, {1280, 1024, 2},
                                        {1440, 900, 0},  {1600, 900, 3}, {1680, 1050, 0},
                                        {1920, 1080, 3}, {1920, 1200, 0}};

/// A mode with its blanks, as VESA CVT 1.2 makes them for flat panels (reduced blanking, version
/// 1).
struct Timing {
    u32 width = 0, height = 0;
    u32 horizontal_blank = 160, horizontal_front = 48, horizontal_sync = 32;
    u32 vertical_blank = 0, vertical_front = 3, vertical_sync = 0;
    u32 clock_10khz = 0;
};

constexpr u32 kRefresh = 60;         // Hz
constexpr u64 kMinBlankNs = 460'000; // CVT: RB_MIN_V_BLANK
constexpr u32 kMinVerticalBack = 6;  // CVT: RB_MIN_V_BPORCH
constexpr u32 kMaxClock = 0xffff;    // of the descriptor's field
constexpr u64 kNanosecond = 1'000'000'000;

/// CVT tells aspects apart by the length of the pulse.
u32 sync_lines(u32 width, u32 height) {
    static constexpr u32 kAspects[][3] = {
        {4, 3, 4}, {16, 9, 5}, {16, 10, 6}, {5, 4, 7}, {15, 9, 7}};
    for (const auto &[wide, high, lines] : kAspects)
        if (u64{width} * high == u64{height} * wide) return lines;
    return 10;
}

Timing timing_of(const DisplayMode &mode) {
    Timing timing{.width = mode.width, .height = mode.height};
    timing.vertical_sync = sync_lines(mode.width, mode.height);
    const u64 line_ns = (kNanosecond / kRefresh - kMinBlankNs) / mode.height;
    const u32 blank = static_cast<u32>(kMinBlankNs / std::max<u64>(line_ns, 1)) + 1;
    timing.vertical_blank =
        std::max(blank, timing.vertical_front + timing.vertical_sync + kMinVerticalBack);
    const u64 pixels =
        u64{timing.width + timing.horizontal_blank} * (timing.height + timing.vertical_blank);
    // More than the field can tell is a slower screen.
    timing.clock_10khz = static_cast<u32>(std::min<u64>(pixels * kRefresh / 10'000, kMaxClock));
    return timing;
}

u32 millimetres(u32 pixels, u32 dpi) {
    return static_cast<u32>((u64{pixels} * 254 + u64{dpi} * 5) / (u64{dpi} * 10));
}

void put16(u8 *to, u32 value) {
    to[0] = static_cast<u8>(value);
    to[1] = static_cast<u8>(value >> 8);
}

/// The upper bits of two numbers share a byte.
u8 nibbles(u32 high, u32 low, unsigned shift) {
    return static_cast<u8>((high >> shift & 15) << 4 | (low >> shift & 15));
}

/// §3.10.2, detailed timing descriptor.
void put_timing(u8 *to, const DisplayMode &mode) {
    const Timing timing = timing_of(mode);
    const u32 wide_mm = std::min(millimetres(mode.width, mode.dpi), 4095u);
    const u32 high_mm = std::min(millimetres(mode.height, mode.dpi), 4095u);
    put16(to, timing.clock_10khz);
    to[2] = static_cast<u8>(timing.width);
    to[3] = static_cast<u8>(timing.horizontal_blank);
    to[4] = nibbles(timing.width, timing.horizontal_blank, 8);
    to[5] = static_cast<u8>(timing.height);
    to[6] = static_cast<u8>(timing.vertical_blank);
    to[7] = nibbles(timing.height, timing.vertical_blank, 8);
    to[8] = static_cast<u8>(timing.horizontal_front);
    to[9] = static_cast<u8>(timing.horizontal_sync);
    to[10] = nibbles(timing.vertical_front, timing.vertical_sync, 0);
    to[11] = static_cast<u8>(
        (timing.horizontal_front >> 8 & 3) << 6 | (timing.horizontal_sync >> 8 & 3) << 4 |
        (timing.vertical_front >> 4 & 3) << 2 | (timing.vertical_sync >> 4 & 3));
    to[12] = static_cast<u8>(wide_mm);
    to[13] = static_cast<u8>(high_mm);
    to[14] = nibbles(wide_mm, high_mm, 8);
    to[17] =
        0x1a; // separate digital sync, horizontal positive: as CVT has it with reduced blanking
}

/// §3.10.3, display descriptor with text, of at most 13 bytes.
void put_text(u8 *to, u8 tag, std::string_view text) {
    static constexpr std::size_t kSize = 13;
    to[3] = tag;
    std::memset(to + 5, ' ', kSize);
    const std::size_t size = std::min(text.size(), kSize);
    std::copy_n(text.begin(), size, to + 5);
    if (size < kSize) to[5 + size] = '\n';
}

} // namespace

std::array<u8, kEdidBytes> make_edid(const DisplayMode &mode, u32 serial) {
    std::array<u8, kEdidBytes> edid{};
    // §3.3: the header.
    std::fill_n(edid.begin() + 1, 6, u8{0xff});
    // §3.4: the manufacturer in letters of five bits, TDM; product, serial number, year.
    const u32 manufacturer = ('T' - '@') << 10 | ('D' - '@') << 5 | ('M' - '@');
    edid[8] = static_cast<u8>(manufacturer >> 8);
    edid[9] = static_cast<u8>(manufacturer);
    put16(&edid[10], 1);
    put16(&edid[12], serial);
    put16(&edid[14], serial >> 16);
    edid[17] = 2024 - 1990;
    edid[18] = 1; // §3.5: structure 1.4
    edid[19] = 4;
    // §3.6: digital, 8 bits for each colour, DisplayPort; size in cm; gamma 2.2; RGB alone, sRGB,
    // the first timing is the panel's own.
    edid[20] = 0x80 | 0x20 | 0x05;
    edid[21] = static_cast<u8>(std::min((millimetres(mode.width, mode.dpi) + 5) / 10, 255u));
    edid[22] = static_cast<u8>(std::min((millimetres(mode.height, mode.dpi) + 5) / 10, 255u));
    edid[23] = 220 - 100;
    edid[24] = 0x04 | 0x02;
    // §3.7: the chromaticity of sRGB.
    static constexpr u8 kChromaticity[] = {0xee, 0x91, 0xa3, 0x54, 0x4c,
                                           0x99, 0x26, 0x0f, 0x50, 0x54};
    std::ranges::copy(kChromaticity, &edid[25]);
    const auto fits = [&mode](const auto &timing) {
        return timing.width <= mode.width && timing.height <= mode.height &&
               (timing.width != mode.width || timing.height != mode.height);
    };
    for (const EstablishedTiming &timing : kEstablished)
        if (fits(timing)) edid[timing.byte] |= timing.bit;
    std::fill_n(&edid[38], 16, u8{0x01}); // unused
    std::size_t at = 38;
    for (const StandardTiming &timing : kStandard) {
        if (!fits(timing)) continue;
        edid[at++] = static_cast<u8>(timing.width / 8 - 31);
        edid[at++] = static_cast<u8>(timing.aspect << 6); // at 60 Hz
    }
    put_timing(&edid[54], mode);
    put_text(&edid[72], 0xfc, "Tandem");
    edid[93] = 0x10; // §3.10.3.11: a dummy, and another
    edid[111] = 0x10;
    u8 sum = 0;
    for (const u8 byte : edid) sum = static_cast<u8>(sum + byte);
    edid[127] = static_cast<u8>(-sum);
    return edid;
}

} // namespace tandem::devices
