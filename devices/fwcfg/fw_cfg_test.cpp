#include "devices/fwcfg/fw_cfg.h"

#include "devices/testing/fakes.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

class FwCfgTest : public ::testing::Test {
protected:
    FwCfgTest() {
        const std::string_view text = "hello, firmware";
        const auto bytes = std::as_bytes(std::span(text));
        fw_cfg.add_file("opt/b", {bytes.begin(), bytes.end()});
        fw_cfg.add_file("etc/a", {});
        fw_cfg.add_item(FwCfg::kCpuCount, 2);
    }
    void select(u16 key) { ASSERT_TRUE(fw_cfg.write(8, 1, __builtin_bswap16(key))); }
    u64 data(unsigned size_log2) {
        u64 value = 0;
        EXPECT_TRUE(fw_cfg.read(0, size_log2, value));
        return value;
    }
    u32 dma(u32 control, u32 length, u64 address, bool halves = false) {
        memory.put(0x1000, __builtin_bswap32(control));
        memory.put(0x1004, __builtin_bswap32(length));
        memory.put(0x1008, __builtin_bswap64(address));
        if (halves) {
            EXPECT_TRUE(fw_cfg.write(0x10, 2, 0));
            EXPECT_TRUE(fw_cfg.write(0x14, 2, __builtin_bswap32(0x1000)));
        } else {
            EXPECT_TRUE(fw_cfg.write(0x10, 3, __builtin_bswap64(0x1000)));
        }
        return __builtin_bswap32(memory.get<u32>(0x1000));
    }
    testing::FakeMemory memory{0x10000};
    FwCfg fw_cfg{memory};
};

TEST_F(FwCfgTest, SignatureAndVersion) {
    select(FwCfg::kSignature);
    EXPECT_EQ(data(0), static_cast<u64>('Q'));
    EXPECT_EQ(data(0), static_cast<u64>('E'));
    EXPECT_EQ(data(1), static_cast<u64>('M' | 'U' << 8));
    EXPECT_EQ(data(3), 0u) << "zeros after the end";
    select(FwCfg::kInterfaceVersion);
    EXPECT_EQ(data(2), 3u);
    select(FwCfg::kCpuCount);
    EXPECT_EQ(data(2), 2u);
    u64 value = 0;
    ASSERT_TRUE(fw_cfg.read(0x10, 3, value));
    EXPECT_EQ(__builtin_bswap64(value), 0x51454d5520434647u);
    ASSERT_TRUE(fw_cfg.read(0x14, 2, value));
    EXPECT_EQ(__builtin_bswap32(static_cast<u32>(value)), 0x20434647u);
}

TEST_F(FwCfgTest, DirectoryListsFilesByName) {
    select(FwCfg::kFileDirectory);
    EXPECT_EQ(data(2), __builtin_bswap32(2));
    EXPECT_EQ(data(2), 0u); // size of etc/a
    EXPECT_EQ(data(1), __builtin_bswap16(FwCfg::kFirstFile + 1));
    EXPECT_EQ(data(1), 0u);
    EXPECT_EQ(data(3), 0x612f637465u); // "etc/a"
}

TEST_F(FwCfgTest, DmaReadsSkipsAndFails) {
    const u32 read_file = u32{FwCfg::kFirstFile} << 16 | 8 | 2;
    EXPECT_EQ(dma(read_file, 20, 0x2000), 0u);
    EXPECT_EQ(std::memcmp(&memory.bytes()[0x2000], "hello, firmware\0\0\0\0\0", 20), 0);
    EXPECT_GE(memory.reported_bytes(), 20u);
    EXPECT_EQ(dma(u32{FwCfg::kFirstFile} << 16 | 8 | 4, 7, 0, true), 0u);
    EXPECT_EQ(dma(2, 8, 0x2000, true), 0u);
    EXPECT_EQ(std::memcmp(&memory.bytes()[0x2000], "firmware", 8), 0);
    EXPECT_EQ(dma(read_file, 0x20, 0xfff0), 1u) << "beyond RAM";
    EXPECT_EQ(dma(read_file, ~0u, 0x2000), 1u);
    EXPECT_EQ(dma(read_file, 4, ~u64{0} - 1), 1u);
    EXPECT_EQ(dma(16, 4, 0x2000), 1u) << "nothing can be written";
}

} // namespace
} // namespace tandem::devices
