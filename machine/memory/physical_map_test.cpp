#include "machine/memory/physical_map.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tandem::machine {
namespace {

constexpr GuestPhysAddr kRam{0x4000'0000};
constexpr u64 kRamSize = 1u << 20;

class FakeDevice final : public devices::MmioDevice {
public:
    std::string_view name() const override { return "fake"; }
    u64 size() const override { return size_; }
    bool read(u64 offset, unsigned size_log2, u64 &value) override {
        value = offset << 8 | size_log2;
        return true;
    }
    bool write(u64 offset, unsigned, u64 value) override {
        last_offset = offset;
        last_value = value;
        return offset != 0x10;
    }
    void reset() override {}
    void save(devices::StateWriter &) const override {}
    Result<> restore(devices::StateReader &) override { return {}; }
    void describe(devices::FdtNode &, const devices::FdtPlacement &) const override {}

    u64 size_ = 0x18;
    u64 last_offset = 0, last_value = 0;
};

class Observer final : public MemoryObserver {
public:
    void memory_written(GuestPhysAddr address, u64 length) override {
        writes.emplace_back(address.value(), length);
    }
    void map_changed() override { ++changes; }
    std::vector<std::pair<u64, u64>> writes;
    int changes = 0;
};

class PhysicalMapTest : public testing::Test {
protected:
    std::unique_ptr<GuestMemory> ram = GuestMemory::create(kRam, kRamSize).value();
    PhysicalMap map{*ram};
    FakeDevice device;
};

TEST_F(PhysicalMapTest, FindsPages) {
    std::vector<std::byte> rom(0x2000);
    device.size_ = rom.size();
    devices::RomWindow &window = map.create_window(rom);
    map.add_rom(GuestPhysAddr{0}, window, device);
    bool writable = false;
    EXPECT_EQ(map.page(kRam.value() + 0x1000, writable), ram->host() + 0x1000);
    EXPECT_TRUE(writable);
    EXPECT_EQ(map.page(0x1000, writable), rom.data() + 0x1000);
    EXPECT_FALSE(writable);
    EXPECT_EQ(map.page(0x2000, writable), nullptr);
    EXPECT_EQ(map.page(kRam.value() + kRamSize, writable), nullptr);
    EXPECT_EQ(map.page(~u64{0xfff}, writable), nullptr);
    Observer observer;
    map.set_observer(&observer);
    window.set_direct(false);
    EXPECT_EQ(map.page(0x1000, writable), nullptr) << "in command mode the device answers";
    EXPECT_EQ(observer.changes, 1);
}

TEST_F(PhysicalMapTest, DiscardsWholePages) {
    Observer observer;
    map.set_observer(&observer);
    std::ranges::fill(std::span(ram->host(), 0x5000), std::byte{7});
    ram->dirty_log().start();
    map.discard(kRam + 0x800, 0x3000);
    EXPECT_EQ(ram->host()[0xfff], std::byte{7});
    EXPECT_EQ(ram->host()[0x1000], std::byte{0});
    EXPECT_EQ(ram->host()[0x2fff], std::byte{0});
    EXPECT_EQ(ram->host()[0x3000], std::byte{7});
    EXPECT_EQ(observer.writes, (std::vector<std::pair<u64, u64>>{{kRam.value() + 0x1000, 0x2000}}));
    std::vector<u64> written(ram->dirty_log().word_count());
    ram->dirty_log().collect(written);
    EXPECT_EQ(written[0], 0b110u);
    map.discard(kRam + 0x3800, 0x1000); // no whole page
    map.discard(kRam + (kRamSize - 0x1000), 0x2000);
    map.discard(GuestPhysAddr{0}, 0x1000);
    map.discard(kRam + 0x3000, ~u64{0});
    EXPECT_EQ(ram->host()[0x3800], std::byte{7});
    EXPECT_EQ(observer.writes.size(), 1u);
}

TEST_F(PhysicalMapTest, RoutesDeviceAccesses) {
    map.add_device(GuestPhysAddr{0x0900'0000}, device);
    u64 value = 0;
    EXPECT_TRUE(map.read(u64{0x0900'0008}, 2, value));
    EXPECT_EQ(value, 0x802u);
    EXPECT_TRUE(map.write(u64{0x0900'0004}, 1, 7));
    EXPECT_EQ(device.last_offset, 4u);
    EXPECT_EQ(device.last_value, 7u);
    EXPECT_FALSE(map.write(u64{0x0900'0010}, 1, 7)) << "the device refuses";
    EXPECT_FALSE(map.read(u64{0x0900'0018}, 0, value)) << "behind the device";
    EXPECT_FALSE(map.read(u64{0x0900'0002}, 2, value)) << "not aligned";
    EXPECT_FALSE(map.read(u64{0x08ff'ffff}, 0, value)) << "before the device";
    EXPECT_FALSE(map.read(~u64{0}, 3, value));
}

TEST_F(PhysicalMapTest, DmaReachesRamOnlyAndIsObserved) {
    Observer observer;
    map.set_observer(&observer);
    map.add_device(GuestPhysAddr{0x0900'0000}, device);
    EXPECT_TRUE(map.write_object(kRam + 8, u32{5}));
    u32 value = 0;
    EXPECT_TRUE(map.read_object(kRam + 8, value));
    EXPECT_EQ(value, 5u);
    EXPECT_EQ(observer.writes, (std::vector<std::pair<u64, u64>>{{kRam.value() + 8, 4}}));
    EXPECT_FALSE(map.write_object(GuestPhysAddr{0x0900'0000}, u32{5}));
    EXPECT_FALSE(map.write_object(kRam + (kRamSize - 2), u32{5}));
    EXPECT_EQ(map.map(GuestPhysAddr{~u64{0}}, 16, devices::DmaAccess::Read), nullptr);
}

TEST_F(PhysicalMapTest, KnowsWhichPagesWereWritten) {
    const u64 base = kRam.value();
    DirtyLog &log = ram->dirty_log();
    std::vector<u64> dirty(log.word_count());
    EXPECT_TRUE(map.write_object(kRam, u32{5}));
    EXPECT_FALSE(map.tracks_stores_to(base)) << "nobody asked";
    log.start();
    EXPECT_TRUE(map.tracks_stores_to(base));
    EXPECT_TRUE(map.tracks_stores_to(base + kRamSize - 4096));
    EXPECT_FALSE(map.tracks_stores_to(base + kRamSize)) << "no RAM";
    EXPECT_FALSE(map.tracks_stores_to(0));
    map.will_store(base + 0x3000);
    map.will_store(0);
    map.has_written(base + 0x5ff8, 8);
    EXPECT_TRUE(map.write_object(kRam + 0x7ffe, u32{5}));
    map.written(kRam + 0x9000, 0);
    EXPECT_FALSE(map.tracks_stores_to(base + 0x3000));
    log.collect(dirty);
    EXPECT_EQ(dirty[0], 1u << 3 | 1u << 5 | 1u << 7 | 1u << 8);
    EXPECT_EQ(std::ranges::count(dirty, 0u), std::ssize(dirty) - 1);
    EXPECT_TRUE(map.tracks_stores_to(base + 0x3000)) << "again";
    map.will_store(base + 0xff000);
    log.collect(dirty);
    EXPECT_EQ(dirty[3], u64{1} << 63);
    EXPECT_EQ(dirty[0], 1u << 3 | 1u << 5 | 1u << 7 | 1u << 8) << "in addition";
    log.stop();
    map.will_store(base);
    EXPECT_FALSE(map.tracks_stores_to(base + 0x4000));
    log.start();
    dirty.assign(dirty.size(), 0);
    log.collect(dirty);
    EXPECT_EQ(dirty, std::vector<u64>(log.word_count())) << "what came before is forgotten";
}

} // namespace
} // namespace tandem::machine
