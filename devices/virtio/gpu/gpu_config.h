#pragma once
/// What the driver and the virtio GPU device agree on in memory (virtio 1.2 §5.7).
#include "devices/backend/display.h"
#include "support/bits.h"

#include <array>
#include <utility>

namespace tandem::devices::virtio_gpu {

inline constexpr u64 kFeatureEdid = u64{1} << 1; // VIRTIO_GPU_F_EDID

inline constexpr u32 kMaxOutputs = 16; ///< VIRTIO_GPU_MAX_SCANOUTS

/// §5.7.4
struct Config {
    u32 events_read = 0;
    u32 events_clear = 0;
    u32 outputs = 0;
    u32 capability_sets = 0;
};
inline constexpr u32 kEventDisplay = 1; ///< what GET_DISPLAY_INFO says has changed

// clang-format off
/// §5.7.6.7, virtio_gpu_ctrl_type
enum class Type : u32 {
    GetDisplayInfo = 0x100, CreateResource2d = 0x101, UnrefResource = 0x102, SetScanout = 0x103, FlushResource = 0x104,
    TransferToHost2d = 0x105, AttachBacking = 0x106, DetachBacking = 0x107, GetEdid = 0x10a,
    UpdateCursor = 0x300, MoveCursor = 0x301,
    Ok = 0x1100, OkDisplayInfo = 0x1101, OkEdid = 0x1104,
    Unspecified = 0x1200, OutOfMemory = 0x1201, InvalidScanout = 0x1202, InvalidResource = 0x1203, InvalidParameter = 0x1205,
};

/// §5.7.6.8, virtio_gpu_formats: names tell bytes in the order of memory.
inline constexpr std::pair<u32, PixelFormat> kFormats[] = {
    {1,   {.red = 2, .green = 1, .blue = 0, .alpha = 3}}, // B8G8R8A8
    {2,   {.red = 2, .green = 1, .blue = 0}},             // B8G8R8X8
    {3,   {.red = 1, .green = 2, .blue = 3, .alpha = 0}}, // A8R8G8B8
    {4,   {.red = 1, .green = 2, .blue = 3}},             // X8R8G8B8
    {67,  {.red = 0, .green = 1, .blue = 2, .alpha = 3}}, // R8G8B8A8
    {68,  {.red = 3, .green = 2, .blue = 1}},             // X8B8G8R8
    {121, {.red = 3, .green = 2, .blue = 1, .alpha = 0}}, // A8B8G8R8
    {134, {.red = 0, .green = 1, .blue = 2}},             // R8G8B8X8
};
// clang-format on

/// §5.7.6.7: begins each request and each response.
struct Header {
    Type type{};
    u32 flags = 0;
    u64 fence = 0;
    u32 context = 0;
    u8 ring = 0;
    std::array<u8, 3> padding{};
};
static_assert(sizeof(Header) == 24);
inline constexpr u32 kFlagFence = 1;

struct Rectangle {
    u32 x = 0, y = 0, width = 0, height = 0;
};

// §5.7.6.8, bodies of requests and responses.
struct DisplayInfo {
    struct Output {
        Rectangle rectangle;
        u32 enabled = 0;
        u32 flags = 0;
    };
    std::array<Output, kMaxOutputs> outputs{};
};
struct EdidRequest {
    u32 output = 0, padding = 0;
};
struct EdidResponse {
    u32 size = 0, padding = 0;
    std::array<u8, 1024> edid{};
};
struct CreateResource {
    u32 resource = 0, format = 0, width = 0, height = 0;
};
struct ResourceRequest { ///< UNREF, DETACH_BACKING
    u32 resource = 0, padding = 0;
};
struct SetScanout {
    Rectangle rectangle;
    u32 output = 0, resource = 0;
};
struct FlushResource {
    Rectangle rectangle;
    u32 resource = 0, padding = 0;
};
struct TransferToHost {
    Rectangle rectangle;
    u64 offset = 0;
    u32 resource = 0, padding = 0;
};
struct AttachBacking { ///< so many entries follow
    u32 resource = 0, entries = 0;
};
struct MemoryEntry {
    u64 address = 0;
    u32 length = 0, padding = 0;
};
struct CursorRequest { ///< §5.7.6.10
    u32 output = 0, x = 0, y = 0, padding = 0;
    u32 resource = 0, hot_x = 0, hot_y = 0, padding2 = 0;
};

} // namespace tandem::devices::virtio_gpu
