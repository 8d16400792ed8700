#include "machine/memory/port_map.h"

#include <gtest/gtest.h>

#include <array>

namespace tandem::machine {
namespace {

struct Latch final : devices::ByteDevice {
    std::array<u8, 2> bytes{0x12, 0x34};
    [[nodiscard]] std::string_view name() const override { return "latch"; }
    [[nodiscard]] u64 size() const override { return bytes.size(); }
    void reset() override {}
    void save(devices::StateWriter &) const override {}
    [[nodiscard]] Result<> restore(devices::StateReader &) override { return {}; }
    void describe(devices::FdtNode &, const devices::FdtPlacement &) const override {}
    u8 read_byte(u32 offset) override { return bytes.at(offset); }
    void write_byte(u32 offset, u8 value) override { bytes.at(offset) = value; }
};

TEST(PortMap, WideAccessesAreOneToEachPort) {
    Latch latch;
    PortMap map;
    map.add_device(0x3f8, latch);
    EXPECT_EQ(map.read(0x3f8, 0), 0x12u);
    EXPECT_EQ(map.read(0x3f8, 1), 0x3412u);
    EXPECT_EQ(map.read(0x3f9, 2), 0xffff'ff34u) << "nobody behind it";
    EXPECT_EQ(map.read(0x3f7, 1), 0x12ffu) << "nobody before it";
    map.write(0x3f9, 2, 0xaabb'ccdd);
    EXPECT_EQ(latch.bytes[1], 0xdd);
    map.write(0xffff, 2, 0);
    EXPECT_EQ(map.read(0xffff, 2), 0xffff'ffffu);
    EXPECT_EQ(map.read(0x80, 0), 0xffu);
}

} // namespace
} // namespace tandem::machine
