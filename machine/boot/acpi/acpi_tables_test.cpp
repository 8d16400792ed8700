#include "machine/boot/acpi/acpi_tables.h"

#include "machine/boot/acpi/aml.h"
#include "machine/boot/acpi/smbios.h"
#include "machine/boot/file_bytes.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <string>

namespace tandem::machine {
namespace {

std::span<const std::byte> view(const std::vector<u8> &bytes) {
    return std::as_bytes(std::span(bytes));
}

/// Runs the script as firmware does, with the files at these addresses.
class Firmware {
public:
    static constexpr u64 kTables = 0x1'2345'0000, kRsdp = 0xf000;

    explicit Firmware(AcpiFiles files)
        : files_{{"etc/acpi/tables", files.tables}, {"etc/acpi/rsdp", files.rsdp}} {
        const auto script = view(files.loader);
        EXPECT_EQ(script.size() % 128, 0u);
        for (u64 at = 0; at < script.size(); at += 128) run(script.subspan(at, 128));
    }
    [[nodiscard]] std::span<const std::byte> rsdp() { return view(files_["etc/acpi/rsdp"]); }
    [[nodiscard]] std::span<const std::byte> at(u64 address) {
        return view(files_["etc/acpi/tables"]).subspan(address - kTables);
    }

private:
    static std::string name(std::span<const std::byte> field) {
        return reinterpret_cast<const char *>(field.data());
    }
    void run(std::span<const std::byte> command) {
        const u32 kind = read_le<u32>(command, 0);
        const std::string file = name(command.subspan(4));
        ASSERT_TRUE(files_.contains(file)) << file;
        std::vector<u8> &bytes = files_[file];
        if (kind == 1) {
            allocated_.push_back(file);
        } else if (kind == 2) {
            const std::string target = name(command.subspan(60));
            const u32 offset = read_le<u32>(command, 116);
            ASSERT_EQ(read_le<u8>(command, 120), 8u);
            u64 value = read_le<u64>(view(bytes), offset);
            value += target == "etc/acpi/tables" ? kTables : kRsdp;
            ASSERT_LE(offset + 8, bytes.size());
            std::memcpy(&bytes[offset], &value, 8);
        } else {
            ASSERT_EQ(kind, 3u);
            const u32 at = read_le<u32>(command, 60), start = read_le<u32>(command, 64);
            const u32 length = read_le<u32>(command, 68);
            ASSERT_LE(start + length, bytes.size());
            bytes[at] = 0;
            bytes[at] = static_cast<u8>(-sum(std::span(bytes).subspan(start, length)));
        }
    }
    static u32 sum(std::span<const u8> bytes) {
        return std::accumulate(bytes.begin(), bytes.end(), 0u);
    }
    std::map<std::string, std::vector<u8>> files_;
    std::vector<std::string> allocated_;
};

u32 sum(std::span<const std::byte> bytes) {
    u32 total = 0;
    for (const std::byte byte : bytes) total += static_cast<u32>(byte);
    return total & 0xff;
}

/// All tables by signature; each checks its length and sum.
std::map<std::string, std::span<const std::byte>> tables_of(Firmware &firmware) {
    std::map<std::string, std::span<const std::byte>> tables;
    const auto rsdp = firmware.rsdp();
    EXPECT_TRUE(has_text(rsdp, 0, "RSD PTR "));
    EXPECT_EQ(sum(rsdp.first(20)), 0u);
    EXPECT_EQ(sum(rsdp.first(36)), 0u);
    const auto add = [&](u64 address) {
        const auto head = firmware.at(address);
        const u32 length = read_le<u32>(head, 4);
        EXPECT_LE(length, head.size());
        const std::string signature(reinterpret_cast<const char *>(head.data()), 4);
        EXPECT_EQ(sum(head.first(length)), 0u) << signature;
        tables[signature] = head.first(length);
        return tables[signature];
    };
    const auto xsdt = add(read_le<u64>(rsdp, 24));
    for (u64 at = 36; at < xsdt.size(); at += 8) add(read_le<u64>(xsdt, at));
    add(read_le<u64>(tables["FACP"], 140));
    return tables;
}

TEST(Acpi, TablesLinkAndSumUp) {
    Firmware firmware(build_acpi({.gic_version = 3, .affinities = {0, 1, 0x100}}));
    auto tables = tables_of(firmware);
    for (const char *signature :
         {"XSDT", "FACP", "DSDT", "APIC", "GTDT", "MCFG", "SPCR", "IORT", "PPTT"})
        EXPECT_TRUE(tables.contains(signature)) << signature;
    const auto fadt = tables["FACP"];
    ASSERT_EQ(fadt.size(), 276u);
    EXPECT_EQ(read_le<u32>(fadt, 112), 1u << 20) << "hardware-reduced";
    EXPECT_EQ(read_le<u16>(fadt, 129), 3u) << "PSCI by HVC";
    EXPECT_EQ(tables["SPCR"].size(), 80u);
    EXPECT_EQ(tables["GTDT"].size(), 96u);
    EXPECT_EQ(read_le<u32>(tables["GTDT"], 64), 27u) << "virtual timer";
    EXPECT_EQ(read_le<u64>(tables["MCFG"], 44), 0x40'1000'0000u);
}

TEST(Acpi, GtdtHasTheWatchdog) {
    Firmware firmware(build_acpi({.gic_version = 3, .affinities = {0}, .has_watchdog = true}));
    const auto gtdt = tables_of(firmware)["GTDT"];
    ASSERT_EQ(gtdt.size(), 124u);
    EXPECT_EQ(read_le<u32>(gtdt, 88), 1u);
    const u32 at = read_le<u32>(gtdt, 92);
    ASSERT_EQ(at, 96u);
    EXPECT_EQ(read_le<u8>(gtdt, at), 1u);
    EXPECT_EQ(read_le<u64>(gtdt, at + 4), 0x90d'0000u) << "refresh";
    EXPECT_EQ(read_le<u64>(gtdt, at + 12), 0x90d'1000u) << "control";
    EXPECT_EQ(read_le<u32>(gtdt, at + 20), 42u);
}

TEST(Acpi, MadtListsTheController) {
    for (const unsigned version : {2u, 3u}) {
        Firmware firmware(build_acpi({.gic_version = version, .affinities = {0, 1}}));
        const auto madt = tables_of(firmware)["APIC"];
        std::map<u32, u32> kinds;
        u64 at = 44;
        while (at < madt.size()) {
            const u32 kind = read_le<u8>(madt, at), length = read_le<u8>(madt, at + 1);
            ++kinds[kind];
            ASSERT_GE(length, 16u);
            if (kind == 11 && kinds[kind] == 2) {
                EXPECT_EQ(read_le<u64>(madt, at + 68), 1u);
            }
            at += length;
        }
        EXPECT_EQ(at, madt.size());
        EXPECT_EQ(kinds[12], 1u);
        EXPECT_EQ(kinds[11], 2u);
        EXPECT_EQ(kinds[13], version == 2 ? 1u : 0u);
        EXPECT_EQ(kinds[14], version == 3 ? 1u : 0u);
        EXPECT_EQ(kinds[15], version == 3 ? 1u : 0u);
    }
}

TEST(Aml, EncodesAsThePublishedExamples) {
    using namespace aml;
    EXPECT_EQ(integer(0), (Term{0x00}));
    EXPECT_EQ(integer(0x1234), (Term{0x0b, 0x34, 0x12}));
    EXPECT_EQ(eisa_id("PNP0A08"), (Term{0x0c, 0x41, 0xd0, 0x0a, 0x08}));
    EXPECT_EQ(path("\\_SB.PCI0"), (Term{'\\', 0x2e, '_', 'S', 'B', '_', 'P', 'C', 'I', '0'}));
    EXPECT_EQ(path("A.B.C"),
              (Term{0x2f, 3, 'A', '_', '_', '_', 'B', '_', '_', '_', 'C', '_', '_', '_'}));
    EXPECT_EQ(package({integer(1), integer(2)}), (Term{0x12, 0x05, 0x02, 0x01, 0x0a, 0x02}));
    EXPECT_EQ(name("X", string("a")), (Term{0x08, 'X', '_', '_', '_', 0x0d, 'a', 0}));
    // Lengths of 63 and more take a second byte, of 4096 and more a third.
    EXPECT_EQ(scope("X", Term(58, 0xa3))[1], 63u);
    const Term longer = scope("X", Term(59, 0xa3));
    EXPECT_EQ(longer[1], 0x41u);
    EXPECT_EQ(longer[2], 65u >> 4);
    EXPECT_EQ(scope("X", Term(5000, 0xa3))[1] >> 6, 2u);
    EXPECT_EQ(uuid("33DB4D5B-1FF7-401C-9657-7441C03DD766"),
              (Term{0x11, 0x13, 0x0a, 0x10, 0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f,
                    0x1c, 0x40, 0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66}));
}

TEST(Smbios, StructuresFollowEachOther) {
    const SmbiosFiles files = build_smbios(3, 0x4000'0000, u64{1} << 30);
    EXPECT_EQ(sum(view(files.anchor)), 0u);
    EXPECT_TRUE(has_text(view(files.anchor), 0, "_SM3_"));
    const auto tables = view(files.tables);
    EXPECT_EQ(read_le<u32>(view(files.anchor), 12), tables.size());
    const std::map<u32, u32> lengths{{1, 27},  {3, 22},  {4, 48},  {16, 23},
                                     {17, 40}, {19, 31}, {32, 11}, {127, 4}};
    u64 at = 0;
    std::size_t seen = 0;
    while (at < tables.size()) {
        const u32 type = read_le<u8>(tables, at), length = read_le<u8>(tables, at + 1);
        ASSERT_TRUE(lengths.contains(type)) << type;
        EXPECT_EQ(length, lengths.at(type)) << type;
        at += length;
        while (read_le<u16>(tables, at) != 0) ++at;
        at += 2;
        ++seen;
    }
    EXPECT_EQ(at, tables.size());
    EXPECT_EQ(seen, lengths.size());
}

} // namespace
} // namespace tandem::machine
