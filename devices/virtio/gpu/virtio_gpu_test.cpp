#include "devices/virtio/gpu/virtio_gpu.h"

#include "devices/testing/virtio_driver.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

using namespace virtio_gpu;
using testing::VirtioDriver;

constexpr u64 kRequest = 0x8000, kResponse = 0xc000, kPixels = 0x10000;
constexpr u32 kBgrx = 2, kRgba = 67;
constexpr DisplayMode kModes[] = {{.width = 640, .height = 480}, {.width = 64, .height = 4095}};

class VirtioGpuTest : public ::testing::Test {
protected:
    VirtioGpuTest() { driver.start(2); }

    /// Sends a request, with more behind it; the type of the response.
    template <typename Body>
    Type send(Type type, const Body &body, std::vector<MemoryEntry> more = {}, u32 flags = 0) {
        memory.put(kRequest, Header{.type = type, .flags = flags, .fence = 0x1234});
        memory.put(kRequest + sizeof(Header), body);
        u32 length = sizeof(Header) + sizeof body;
        for (const MemoryEntry &entry : more) {
            memory.put(kRequest + length, entry);
            length += sizeof entry;
        }
        return send_bytes(length);
    }
    Type send_bytes(u32 length, u32 room = 0x2000) {
        memory.put(kResponse, Header{});
        const u16 before = driver.used_index(VirtioGpu::kControlQueue);
        driver.send(VirtioGpu::kControlQueue, 0,
                    {{kRequest, length, false}, {kResponse, room, true}});
        EXPECT_EQ(driver.used_index(VirtioGpu::kControlQueue), before + 1);
        written = driver.used(VirtioGpu::kControlQueue, before).written;
        return memory.get<Header>(kResponse).type;
    }
    Type create(u32 id, u32 width, u32 height, u32 format = kBgrx) {
        return send(Type::CreateResource2d, CreateResource{id, format, width, height});
    }
    Type attach(u32 id, std::vector<MemoryEntry> entries) {
        return send(Type::AttachBacking, AttachBacking{id, static_cast<u32>(entries.size())},
                    entries);
    }
    Type transfer(u32 id, Rectangle part, u64 offset = 0) {
        return send(Type::TransferToHost2d, TransferToHost{part, offset, id, 0});
    }
    Type flush(u32 id, Rectangle part) {
        return send(Type::FlushResource, FlushResource{part, id, 0});
    }
    Type scan_out(u32 output, u32 id, Rectangle part) {
        return send(Type::SetScanout, SetScanout{part, output, id});
    }
    Type unref(u32 id) { return send(Type::UnrefResource, ResourceRequest{id, 0}); }
    /// An 8 x 4 picture whose pixels are numbered from 100 on, filled and shown on output 0.
    void show_numbers() {
        for (u32 i = 0; i < 32; ++i) memory.put(kPixels + i * 4, 100 + i);
        ASSERT_EQ(create(1, 8, 4), Type::Ok);
        ASSERT_EQ(attach(1, {{kPixels, 20, 0}, {kPixels + 20, 108, 0}}), Type::Ok);
        ASSERT_EQ(transfer(1, {0, 0, 8, 4}), Type::Ok);
        ASSERT_EQ(scan_out(0, 1, {0, 0, 8, 4}), Type::Ok);
    }
    using Picture = testing::FakeDisplay::Picture;
    Picture &shown(u32 output = 0) { return display.pictures[output]; }

    testing::FakeMemory memory{0x20000};
    testing::FakeIrqSink irq;
    testing::FakeDisplay display;
    VirtioMmio slot{"virtio0", std::make_unique<VirtioGpu>(display, kModes), memory, irq.line()};
    VirtioDriver driver{slot, memory};
    u32 written = 0;
};

TEST_F(VirtioGpuTest, SaysWhatScreensThereAre) {
    EXPECT_EQ(driver.read(0x108), 2u);
    memory.put(kRequest, Header{.type = Type::GetDisplayInfo});
    EXPECT_EQ(send_bytes(sizeof(Header)), Type::OkDisplayInfo);
    EXPECT_EQ(written, sizeof(Header) + sizeof(DisplayInfo));
    const auto info = memory.get<DisplayInfo>(kResponse + sizeof(Header));
    EXPECT_EQ(info.outputs[0].rectangle.width, 640u);
    EXPECT_EQ(info.outputs[1].rectangle.height, 4095u);
    EXPECT_EQ(info.outputs[1].enabled, 1u);
    EXPECT_EQ(info.outputs[2].enabled, 0u);
    EXPECT_EQ(send(Type::GetEdid, EdidRequest{1, 0}), Type::OkEdid);
    const auto edid = memory.get<EdidResponse>(kResponse + sizeof(Header));
    EXPECT_EQ(edid.size, 128u);
    EXPECT_EQ(edid.edid[1], 0xff);
    EXPECT_EQ(send(Type::GetEdid, EdidRequest{2, 0}), Type::InvalidScanout);
}

TEST_F(VirtioGpuTest, ShowsPictures) {
    show_numbers();
    ASSERT_EQ(shown().pixels.size(), 32u);
    EXPECT_EQ(shown().pixels[31], 131u);
    EXPECT_EQ(shown().format, gpu_format(kBgrx));
    // Another part of the memory, into another part of the picture.
    memory.put(kPixels, u32{7});
    memory.put(kPixels + 32, u32{8});
    ASSERT_EQ(transfer(1, {3, 1, 1, 2}, 0), Type::Ok);
    EXPECT_EQ(shown().pixels[8 + 3], 111u) << "not flushed yet";
    ASSERT_EQ(flush(1, {2, 1, 3, 3}), Type::Ok);
    EXPECT_EQ(shown().last_update, (DisplayRectangle{2, 1, 3, 3}));
    EXPECT_EQ(shown().pixels[8 + 3], 7u);
    EXPECT_EQ(shown().pixels[16 + 3], 8u);
    EXPECT_EQ(shown().pixels[16 + 4], 120u);
}

TEST_F(VirtioGpuTest, ShowsPartsOnSeveralScreens) {
    show_numbers();
    ASSERT_EQ(scan_out(1, 1, {4, 2, 4, 2}), Type::Ok);
    EXPECT_EQ(shown(1).pixels, (std::vector<u32>{120, 121, 122, 123, 128, 129, 130, 131}));
    const u32 before = shown(0).updates;
    ASSERT_EQ(flush(1, {0, 0, 6, 3}), Type::Ok);
    EXPECT_EQ(shown(0).updates, before + 1);
    EXPECT_EQ(shown(1).last_update, (DisplayRectangle{0, 0, 2, 1}));
    const u32 second = shown(1).updates;
    ASSERT_EQ(flush(1, {0, 0, 4, 2}), Type::Ok);
    EXPECT_EQ(shown(1).updates, second) << "it is not on that screen";
    ASSERT_EQ(scan_out(1, 0, {}), Type::Ok);
    EXPECT_EQ(shown(1).width, 0u);
    ASSERT_EQ(unref(1), Type::Ok);
    EXPECT_EQ(shown(0).width, 0u);
}

TEST_F(VirtioGpuTest, RefusesWhatMakesNoSense) {
    show_numbers();
    EXPECT_EQ(create(0, 8, 8), Type::InvalidResource);
    EXPECT_EQ(create(1, 8, 8), Type::InvalidResource) << "there is one";
    EXPECT_EQ(create(2, 8, 8, 5), Type::InvalidParameter) << "no such format";
    EXPECT_EQ(create(2, 0, 8), Type::InvalidParameter);
    EXPECT_EQ(create(2, 0xffffffff, 0xffffffff), Type::InvalidParameter);
    EXPECT_EQ(create(2, 0x10000, 0x10000), Type::InvalidParameter);
    EXPECT_EQ(unref(9), Type::InvalidResource);
    EXPECT_EQ(flush(9, {0, 0, 1, 1}), Type::InvalidResource);
    EXPECT_EQ(transfer(9, {0, 0, 1, 1}), Type::InvalidResource);
    EXPECT_EQ(scan_out(0, 9, {0, 0, 1, 1}), Type::InvalidResource);
    EXPECT_EQ(scan_out(2, 1, {0, 0, 1, 1}), Type::InvalidScanout);
    EXPECT_EQ(attach(9, {{kPixels, 4, 0}}), Type::InvalidResource);
    EXPECT_EQ(attach(1, {{kPixels, 4, 0}}), Type::Unspecified) << "it has one";
    for (const Rectangle bad :
         {Rectangle{0, 0, 9, 4}, Rectangle{8, 0, 1, 1}, Rectangle{1, 0, 0xffffffff, 1},
          Rectangle{0, 0xffffffff, 1, 1}, Rectangle{0, 0, 0, 1}, Rectangle{}}) {
        EXPECT_EQ(flush(1, bad), Type::InvalidParameter);
        EXPECT_EQ(transfer(1, bad), Type::InvalidParameter);
        EXPECT_EQ(scan_out(0, 1, bad), Type::InvalidParameter);
    }
    EXPECT_EQ(transfer(1, {0, 0, 8, 4}, 1), Type::InvalidParameter) << "beyond the backing";
    EXPECT_EQ(transfer(1, {0, 0, 1, 1}, ~u64{0}), Type::InvalidParameter);
    EXPECT_EQ(transfer(1, {0, 0, 1, 1}, 124), Type::Ok);
    // Memory that is none.
    ASSERT_EQ(send(Type::DetachBacking, ResourceRequest{1, 0}), Type::Ok);
    EXPECT_EQ(transfer(1, {0, 0, 1, 1}), Type::InvalidParameter);
    ASSERT_EQ(attach(1, {{u64{1} << 40, 128, 0}}), Type::Ok);
    EXPECT_EQ(transfer(1, {0, 0, 1, 1}), Type::InvalidParameter);
    // Requests that are cut off, unknown, or have no room for an answer.
    memory.put(kRequest, Header{.type = Type::FlushResource});
    EXPECT_EQ(send_bytes(sizeof(Header) + 8), Type::Unspecified);
    memory.put(kRequest, Header{.type = static_cast<Type>(0x777)});
    EXPECT_EQ(send_bytes(sizeof(Header)), Type::Unspecified);
    send_bytes(7);
    EXPECT_EQ(written, 0u);
    memory.put(kRequest, Header{.type = Type::GetDisplayInfo});
    send_bytes(sizeof(Header), 8);
    EXPECT_EQ(written, 8u);
    EXPECT_FALSE(driver.needs_reset());
    ASSERT_EQ(create(3, 1, 1), Type::Ok);
    EXPECT_EQ(send(Type::AttachBacking, AttachBacking{3, 16385}), Type::InvalidParameter);
    EXPECT_EQ(send(Type::AttachBacking, AttachBacking{3, 2}, {{kPixels, 4, 0}}), Type::Unspecified)
        << "cut off";
}

TEST_F(VirtioGpuTest, KeepsWithinItsMemory) {
    for (u32 id = 1; id <= 4; ++id) EXPECT_EQ(create(id, 4096, 4096), Type::Ok);
    EXPECT_EQ(create(5, 1, 1), Type::OutOfMemory);
    EXPECT_EQ(unref(2), Type::Ok);
    EXPECT_EQ(create(5, 4096, 4096), Type::Ok);
    for (const u32 id : {1u, 3u, 4u, 5u}) EXPECT_EQ(unref(id), Type::Ok);
    for (u32 id = 1; id <= VirtioGpu::kMaxResources; ++id) ASSERT_EQ(create(id, 1, 1), Type::Ok);
    EXPECT_EQ(create(5000, 1, 1), Type::OutOfMemory);
}

TEST_F(VirtioGpuTest, AnswersFences) {
    EXPECT_EQ(send(Type::CreateResource2d, CreateResource{1, kBgrx, 1, 1}, {}, kFlagFence),
              Type::Ok);
    EXPECT_EQ(memory.get<Header>(kResponse).flags, kFlagFence);
    EXPECT_EQ(memory.get<Header>(kResponse).fence, 0x1234u);
    EXPECT_EQ(create(2, 1, 1), Type::Ok);
    EXPECT_EQ(memory.get<Header>(kResponse).fence, 0u);
}

TEST_F(VirtioGpuTest, Points) {
    ASSERT_EQ(create(1, kCursorSide, kCursorSide, kRgba), Type::Ok);
    ASSERT_EQ(create(2, 8, 8), Type::Ok);
    const auto point = [&](Type type, const CursorRequest &request) {
        memory.put(kRequest, Header{.type = type});
        memory.put(kRequest + sizeof(Header), request);
        driver.send(VirtioGpu::kCursorQueue, 0,
                    {{kRequest, sizeof(Header) + sizeof request, false}});
    };
    point(Type::UpdateCursor, {.x = 5, .y = 6, .resource = 1, .hot_x = 2, .hot_y = 900});
    EXPECT_TRUE(shown().has_cursor);
    EXPECT_EQ(shown().hot, (std::array<u32, 2>{2, kCursorSide - 1}));
    EXPECT_EQ(shown().tip, (std::array<u32, 2>{5, 6}));
    point(Type::MoveCursor, {.x = 7, .y = 8});
    EXPECT_EQ(shown().tip, (std::array<u32, 2>{7, 8}));
    point(Type::UpdateCursor, {.resource = 2});
    EXPECT_TRUE(shown().has_cursor) << "too small for one";
    point(Type::MoveCursor, {.output = 99});
    point(Type::UpdateCursor, {.resource = 0});
    EXPECT_FALSE(shown().has_cursor);
    EXPECT_EQ(driver.used_index(VirtioGpu::kCursorQueue), 5);
}

TEST_F(VirtioGpuTest, GoesOnFromASnapshot) {
    show_numbers();
    StateWriter writer;
    slot.save(writer);
    const Picture before = shown();
    ASSERT_EQ(unref(1), Type::Ok);
    StateReader reader(writer.data());
    ASSERT_TRUE(slot.restore(reader).has_value());
    EXPECT_EQ(shown().pixels, before.pixels);
    memory.put(kPixels, u32{7});
    ASSERT_EQ(transfer(1, {0, 0, 1, 1}), Type::Ok) << "with its backing";
    ASSERT_EQ(flush(1, {0, 0, 1, 1}), Type::Ok);
    EXPECT_EQ(shown().pixels[0], 7u);
    driver.write(0x070, 0);
    EXPECT_EQ(shown().width, 0u);
}

TEST(VirtioGpuMode, ChangesWhileItRuns) {
    testing::FakeMemory memory{0x20000};
    testing::FakeIrqSink irq;
    testing::FakeDisplay display;
    auto device = std::make_unique<VirtioGpu>(display, kModes);
    VirtioGpu &gpu = *device;
    VirtioMmio slot("virtio0", std::move(device), memory, irq.line());
    VirtioDriver driver(slot, memory);
    driver.start(2);
    EXPECT_EQ(driver.read(0x100), 0u);
    gpu.set_mode(0, {.width = 800, .height = 600});
    gpu.set_mode(7, {.width = 800, .height = 600});
    EXPECT_EQ(driver.read(0x100), kEventDisplay);
    EXPECT_TRUE(irq.level());
    EXPECT_EQ(driver.read(0x060) & 2, 2u) << "a change of configuration";
    driver.write(0x104, kEventDisplay);
    EXPECT_EQ(driver.read(0x100), 0u);
    memory.put(kRequest, Header{.type = Type::GetDisplayInfo});
    driver.send(0, 0, {{kRequest, sizeof(Header), false}, {kResponse, 0x1000, true}});
    EXPECT_EQ(memory.get<DisplayInfo>(kResponse + sizeof(Header)).outputs[0].rectangle.width, 800u);
}

} // namespace
} // namespace tandem::devices
