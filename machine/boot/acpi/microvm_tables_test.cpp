#include "machine/boot/acpi/microvm_tables.h"

#include "machine/boot/acpi/aml.h"
#include "machine/boot/file_bytes.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>

namespace tandem::machine {
namespace {

constexpr u64 kAt = 0xe'0000;

class MicrovmTablesTest : public ::testing::Test {
protected:
    [[nodiscard]] std::span<const std::byte> at(u64 address, u64 length) const {
        return std::as_bytes(std::span(tables_.bytes)).subspan(address - kAt, length);
    }
    [[nodiscard]] std::span<const std::byte> table_at(u64 address) const {
        const u32 length = read_le<u32>(at(address, 8), 4);
        EXPECT_TRUE(is_sound(at(address, length)));
        return at(address, length);
    }
    static bool is_sound(std::span<const std::byte> bytes) {
        return std::accumulate(bytes.begin(), bytes.end(), 0u, [](u32 sum, std::byte byte) {
                   return (sum + std::to_integer<u32>(byte)) & 0xff;
               }) == 0;
    }
    [[nodiscard]] std::span<const std::byte> find(std::string_view signature) const {
        const auto list = table_at(read_le<u64>(at(tables_.root, 36), 24));
        for (u64 entry = 36; entry < list.size(); entry += 8)
            if (const auto table = table_at(read_le<u64>(list, entry));
                has_text(table, 0, signature))
                return table;
        return {};
    }
    static bool has(std::span<const std::byte> bytes, const std::vector<u8> &part) {
        const auto wanted = std::as_bytes(std::span(part));
        return std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end()) != bytes.end();
    }

    const MicrovmTables tables_ = build_microvm_tables(kAt, 3, 2);
};

TEST_F(MicrovmTablesTest, AreFoundAndSound) {
    const auto root = at(tables_.root, 36);
    EXPECT_TRUE(has_text(root, 0, "RSD PTR "));
    EXPECT_TRUE(is_sound(root.first(20)) && is_sound(root));
    EXPECT_FALSE(find("FACP").empty());
    EXPECT_FALSE(find("APIC").empty());
}

TEST_F(MicrovmTablesTest, SayHowToSleepAndReset) {
    const auto fadt = find("FACP");
    ASSERT_EQ(fadt.size(), 276u);
    const u32 flags = read_le<u32>(fadt, 112);
    EXPECT_TRUE(bit(flags, 20)) << "hardware-reduced";
    EXPECT_TRUE(bit(flags, 10)) << "has a reset register";
    EXPECT_EQ(read_le<u64>(fadt, 120), 0xd010'0012u);
    EXPECT_EQ(read_le<u8>(fadt, 128), 1);
    EXPECT_EQ(read_le<u64>(fadt, 248), 0xd010'0010u);
    EXPECT_EQ(read_le<u64>(fadt, 260), 0xd010'0011u);
    const auto dsdt = table_at(read_le<u64>(fadt, 140));
    EXPECT_TRUE(has_text(dsdt, 0, "DSDT"));
    EXPECT_TRUE(has(dsdt, aml::name("_S5", aml::package({aml::integer(5), aml::integer(0),
                                                         aml::integer(0), aml::integer(0)}))));
    EXPECT_TRUE(has(dsdt, aml::string("LNRO0005")));
    EXPECT_TRUE(has(dsdt, aml::memory32_fixed(0xd000'1000, 0x1000))) << "the second slot";
    EXPECT_FALSE(has(dsdt, aml::memory32_fixed(0xd000'2000, 0x1000))) << "there is no third";
    EXPECT_TRUE(has(dsdt, aml::interrupt(9, aml::Trigger::Edge)));
}

TEST_F(MicrovmTablesTest, NameEveryProcessorAndTheIoApic) {
    const auto madt = find("APIC");
    unsigned processors = 0, io_apics = 0;
    for (u64 entry = 44; entry < madt.size(); entry += read_le<u8>(madt, entry + 1)) {
        const u8 type = read_le<u8>(madt, entry);
        if (type == 0) {
            EXPECT_EQ(read_le<u8>(madt, entry + 3), processors);
            ++processors;
        }
        if (type == 1) ++io_apics;
        ASSERT_NE(read_le<u8>(madt, entry + 1), 0);
    }
    EXPECT_EQ(processors, 3u);
    EXPECT_EQ(io_apics, 1u);
}

TEST_F(MicrovmTablesTest, FitWhereTheyArePut) {
    EXPECT_LE(build_microvm_tables(kAt, 64, 16).bytes.size(), 0x1'0000u);
}

} // namespace
} // namespace tandem::machine
