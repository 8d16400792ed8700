#include "machine/snapshot/catalog.h"
#include "machine/snapshot/manifest.h"
#include "machine/snapshot/overlay_region.h"
#include "machine/snapshot/page_loader.h"
#include "machine/snapshot/snapshot_file.h"
#include "machine/snapshot/writer.h"
#include "machine/storage/host_file.h"
#include "machine/storage/raw_disk.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <set>

namespace tandem::machine::snapshot {
namespace {

constexpr u64 kPages = 1000;

class SnapshotTest : public testing::Test {
protected:
    SnapshotTest() {
        folder = std::filesystem::temp_directory_path() /
                 ("snapshot-" + std::to_string(::getpid()) + "-" +
                  testing::UnitTest::GetInstance()->current_test_info()->name());
        std::filesystem::create_directories(folder);
        // Pages that compress, that do not, that repeat, and that are zero.
        std::mt19937_64 random(1);
        for (u64 page = 0; page < kPages; ++page) {
            if (page % 3 == 0) continue;
            for (u64 at = 0; at < kPageSize; at += 8) {
                const u64 value = page % 3 == 1 ? page / 7 : random();
                std::memcpy(memory.data() + page * kPageSize + at, &value, 8);
            }
        }
    }
    ~SnapshotTest() override { std::filesystem::remove_all(folder); }

    std::string file(const std::string &name) const { return folder / name; }
    [[nodiscard]] Result<Writer::Finished> save(const std::string &name) const {
        Writer writer = Writer::create(file(name)).value();
        TRY(writer.add_region(MemoryRegion("ram", memory, {{0, kPages}})));
        writer.add_blob("device", std::as_bytes(std::span("state", 5)));
        return writer.finish("{}");
    }
    std::vector<char> content(const std::string &name) const {
        std::ifstream in(file(name), std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void replace(const std::string &name, std::span<const char> bytes) const {
        std::ofstream(file(name), std::ios::binary)
            .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
    /// The error of opening and reading all of it; "" if there is none.
    std::string complaint(const std::string &name) const {
        auto opened = SnapshotFile::open(file(name));
        if (!opened.has_value()) return opened.error().message;
        const auto read = (*opened)->read_frames();
        return read.has_value() ? "" : read.error().message;
    }
    /// What a machine would find in its memory.
    std::vector<std::byte> load(const std::string &name) const {
        auto snapshot = SnapshotFile::open(file(name)).value();
        EXPECT_TRUE(snapshot->read_frames().has_value());
        std::vector<std::byte> target(memory.size());
        bool is_damaged = false;
        auto loader =
            PageLoader::create(snapshot, "ram", target, [&](Error) { is_damaged = true; });
        EXPECT_TRUE(loader.has_value());
        (*loader)->need(5 * kPageSize + 7, kPageSize);
        EXPECT_TRUE(std::equal(target.begin() + 5 * kPageSize, target.begin() + 7 * kPageSize,
                               memory.begin() + 5 * kPageSize));
        std::atomic<bool> done = false;
        (*loader)->load_in_background([&] {
            done = true;
            done.notify_all();
        });
        (*loader)->need(0, target.size());
        done.wait(false);
        EXPECT_FALSE(is_damaged);
        return target;
    }

    std::filesystem::path folder;
    std::vector<std::byte> memory = std::vector<std::byte>(kPages * kPageSize);
};

TEST_F(SnapshotTest, RoundTrips) {
    const auto saved = save("a").value();
    EXPECT_EQ(load("a"), memory);
    const auto snapshot = SnapshotFile::open(file("a")).value();
    EXPECT_EQ(snapshot->id(), saved.base.id);
    EXPECT_EQ(snapshot->bytes(), std::filesystem::file_size(file("a")));
    EXPECT_EQ(snapshot->blob("device").value().size(), 5u);
    EXPECT_FALSE(snapshot->blob("other").has_value());
    const Region &region = *snapshot->find_region("ram");
    EXPECT_EQ(region.pages[0], kPageZero);
    EXPECT_LT(region.slots, kPages * 2 / 3) << "equal pages are kept once";
    EXPECT_TRUE(std::filesystem::is_directory(folder) &&
                std::distance(std::filesystem::directory_iterator(folder), {}) == 1)
        << "no temporary file is left";
}

TEST_F(SnapshotTest, SameContentGivesSameBytes) {
    ASSERT_TRUE(save("a").has_value());
    memory = load("a");
    ASSERT_TRUE(save("b").has_value());
    EXPECT_EQ(content("a"), content("b"));
}

TEST_F(SnapshotTest, KeepsOnlyWhatChangedSince) {
    Base base = save("base").value().base;
    memory[17 * kPageSize + 3] = std::byte{99};
    std::fill_n(memory.begin() + 19 * kPageSize, kPageSize, std::byte{0});
    for (const std::string name : {"child", "grandchild"}) {
        Writer writer = Writer::create(file(name)).value();
        writer.set_base(std::move(base));
        ASSERT_TRUE(
            writer.add_region(MemoryRegion("ram", memory, {{0, 900}, {901, 99}})).has_value());
        base = writer.finish("{}").value().base;
        EXPECT_EQ(load(name), memory) << name;
        EXPECT_LT(std::filesystem::file_size(file(name)), 20'000u);
        EXPECT_EQ(SnapshotFile::open(file(name)).value()->find_region("ram")->slots, 1u);
        memory[902 * kPageSize] ^= std::byte{1};
    }
    memory[902 * kPageSize] ^= std::byte{1};
    u64 seen = 0;
    const auto snapshot = SnapshotFile::open(file("grandchild")).value();
    ASSERT_TRUE(snapshot->read_frames().has_value());
    ASSERT_TRUE(snapshot
                    ->for_each_page("ram",
                                    [&](u64 page, std::span<const std::byte> bytes) {
                                        ++seen;
                                        const auto *at = memory.data() + page * kPageSize;
                                        return bytes.empty()
                                                   ? *at == std::byte{0}
                                                   : std::equal(bytes.begin(), bytes.end(), at);
                                    })
                    .has_value());
    EXPECT_EQ(seen, kPages);

    ASSERT_TRUE(save("base").has_value()); // another one of this name
    EXPECT_NE(complaint("child").find("has been replaced"), std::string::npos);
    std::filesystem::remove(file("base"));
    EXPECT_NE(complaint("grandchild").find("No such file"), std::string::npos);
}

TEST_F(SnapshotTest, LooksOnlyAtWhatMayHaveChanged) {
    // The page that differs in secret stays what it was, also for whoever has restored the base and
    // knows no hashes.
    for (const bool is_restored : {false, true}) {
        Base base = save("base").value().base;
        if (is_restored) base = base_of(*SnapshotFile::open(file("base")).value());
        std::vector<u64> changed((kPages + 63) / 64);
        changed[0] = 1u << 20 | 1u << 19;
        const std::vector<std::byte> before = memory;
        memory[20 * kPageSize] ^= std::byte{1};
        memory[22 * kPageSize] ^= std::byte{1};
        Writer writer = Writer::create(file("child")).value();
        writer.set_base(std::move(base));
        ASSERT_TRUE(
            writer.add_region(MemoryRegion("ram", memory, {{0, kPages}}, changed)).has_value());
        ASSERT_TRUE(writer.finish("{}").has_value());
        memory[22 * kPageSize] ^= std::byte{1};
        EXPECT_EQ(load("child"), memory);
        EXPECT_EQ(SnapshotFile::open(file("child")).value()->find_region("ram")->slots,
                  is_restored ? 2u : 1u);
        memory = before;
    }
}

TEST_F(SnapshotTest, OneOfTheSameSecondHasATagOfItsOwn) {
    const Catalog catalog(folder);
    std::set<std::string> tags;
    for (int i = 0; i < 3; ++i) {
        const std::string tag = catalog.unused_tag("at-", 1'000'000'000);
        EXPECT_TRUE(tag.starts_with("at-2001090")) << tag;
        EXPECT_TRUE(tags.insert(tag).second) << tag;
        ASSERT_TRUE(save(tag + kFileEnding).has_value());
    }
}

TEST_F(SnapshotTest, TagsGoAndWhatOthersNeedStays) {
    const Catalog catalog(folder);
    for (const std::string tag : {"", ".", "..", ".a", "a/b", "a b", "a\n"})
        EXPECT_FALSE(catalog.path_of(tag).has_value()) << tag;
    EXPECT_FALSE(catalog.find("a").has_value());
    std::optional<Base> base;
    for (const std::string tag : {"a", "b", "c"}) {
        const std::string path = catalog.path_of(tag).value();
        Writer writer = Writer::create(path).value();
        if (base.has_value()) writer.set_base(std::move(*base));
        ASSERT_TRUE(writer.add_region(MemoryRegion("ram", memory, {{0, kPages}})).has_value());
        base = writer.finish("{}").value().base;
        EXPECT_EQ(catalog.find(tag).value(), path);
    }
    const auto tags = [&] {
        std::string list;
        for (const CatalogEntry &entry : catalog.entries()) {
            EXPECT_EQ(entry.damage, "");
            list += entry.tag + " on " + entry.based_on + ";";
        }
        return list;
    };
    const auto file_count = [&] {
        return std::distance(std::filesystem::directory_iterator(folder), {});
    };
    EXPECT_EQ(tags(), "a on ;b on a;c on b;");
    // "b" is given to another, "a" goes: "c" still has both below it.
    ASSERT_TRUE(catalog.keep_for_others(catalog.path_of("b").value()).has_value());
    ASSERT_TRUE(save("b.snapshot").has_value());
    ASSERT_TRUE(catalog.remove("a").has_value());
    EXPECT_EQ(file_count(), 4);
    EXPECT_EQ(load("c.snapshot"), memory);
    ASSERT_TRUE(catalog.remove("c").has_value());
    EXPECT_EQ(tags(), "b on ;") << "nothing needs the others any longer";
    EXPECT_EQ(file_count(), 1);
    EXPECT_FALSE(catalog.remove("c").has_value());
    // A damaged one is shown, and can go.
    replace("d.snapshot", std::vector<char>(100, 'x'));
    EXPECT_EQ(catalog.entries().size(), 2u);
    EXPECT_TRUE(catalog.remove("d").has_value());
}

TEST_F(SnapshotTest, RefusesWhatIsDamaged) {
    ASSERT_TRUE(save("a").has_value());
    const std::vector<char> whole = content("a");
    for (std::size_t length = 0; length < whole.size(); length += whole.size() / 50 + 1) {
        replace("cut", std::span(whole).first(length));
        EXPECT_FALSE(complaint("cut").empty()) << length;
    }
    std::mt19937 random(5);
    for (int round = 0; round < 300; ++round) {
        std::vector<char> damaged = whole;
        // All parts alike, although most of the file is pages.
        const std::size_t zone = round % 3 == 0   ? random() % sizeof(FileHeader)
                                 : round % 3 == 1 ? damaged.size() - 1 - random() % 200
                                                  : random() % damaged.size();
        damaged[zone] = static_cast<char>(damaged[zone] ^ (1 << random() % 8));
        replace("damaged", damaged);
        const std::string message = complaint("damaged");
        EXPECT_FALSE(message.empty()) << zone;
        EXPECT_EQ(message.find('\n'), std::string::npos);
    }
    replace("text", std::string("this is no snapshot, whatever it is; it is long enough to have a "
                                "header, had it been one at all"));
    EXPECT_NE(complaint("text").find("is no snapshot"), std::string::npos);
    std::vector<char> newer = whole;
    newer[8] = 77;
    replace("newer", newer);
    EXPECT_NE(complaint("newer").find("format 77"), std::string::npos);
    EXPECT_NE(complaint("missing").find("No such file"), std::string::npos);
    EXPECT_NE(complaint(".").find("not a regular file"), std::string::npos);
}

TEST_F(SnapshotTest, LeavesTheOldFileAloneUntilTheNewOneIsComplete) {
    ASSERT_TRUE(save("a").has_value());
    const std::vector<char> before = content("a");
    {
        Writer writer = Writer::create(file("a")).value();
        ASSERT_TRUE(writer.add_region(MemoryRegion("ram", memory, {{0, 10}})).has_value());
    }
    EXPECT_EQ(content("a"), before);
    const auto refused = Writer::create("/nonexistent/a");
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().message.find("cannot create"), std::string::npos);
}

TEST_F(SnapshotTest, KeepsWhatAGuestChangedOnADisk) {
    static constexpr u64 kSize = 100 * kPageSize + 512; // the last cluster is cut off
    const auto make = [] {
        auto base = std::make_unique<RawDisk>(HostFile::create_temporary(kSize).value(),
                                              FormatSource::Named);
        EXPECT_TRUE(write_bytes(*base, 50 * kPageSize, std::vector(kPageSize, std::byte{7})));
        return OverlayDisk::create(std::move(base)).value();
    };
    const auto disk = make();
    ASSERT_TRUE(write_bytes(*disk, 3 * kPageSize + 17, std::vector(5000, std::byte{1})));
    ASSERT_TRUE(write_bytes(*disk, 50 * kPageSize, std::vector(kPageSize, std::byte{0})));
    ASSERT_TRUE(write_bytes(*disk, kSize - 512, std::vector(512, std::byte{2})));
    Writer writer = Writer::create(file("a")).value();
    ASSERT_TRUE(writer.add_region(OverlayRegion("disk0", *disk)).has_value());
    ASSERT_TRUE(writer.finish("{}").has_value());

    const auto snapshot = SnapshotFile::open(file("a")).value();
    ASSERT_TRUE(snapshot->read_frames().has_value());
    EXPECT_EQ(snapshot->find_region("disk0")->pages[49], kPageAbsent);
    EXPECT_EQ(snapshot->find_region("disk0")->pages[50], kPageZero);
    const auto copy = make();
    ASSERT_TRUE(restore_overlay(*snapshot, "disk0", *copy).has_value());
    std::vector<std::byte> expected(kSize), found(kSize);
    ASSERT_TRUE(read_bytes(*disk, 0, expected) && read_bytes(*copy, 0, found));
    EXPECT_EQ(found, expected);
    EXPECT_FALSE(copy->is_changed(49));
    EXPECT_FALSE(restore_overlay(*snapshot, "disk1", *copy).has_value());
}

TEST_F(SnapshotTest, ClustersOfAnOverlayAreTakenBack) {
    static constexpr u64 kSize = 10 * kPageSize + 512;
    auto base =
        std::make_unique<RawDisk>(HostFile::create_temporary(kSize).value(), FormatSource::Named);
    ASSERT_TRUE(write_bytes(*base, 4 * kPageSize, std::vector(kPageSize, std::byte{7})));
    const auto disk = OverlayDisk::create(std::move(base)).value();
    const auto written = [&] {
        u64 clusters = 0;
        disk->collect_written(std::span(&clusters, 1));
        return clusters;
    };
    const auto byte_at = [&](u64 offset) {
        std::vector<std::byte> bytes(1);
        EXPECT_TRUE(read_bytes(*disk, offset, bytes));
        return static_cast<unsigned>(bytes[0]);
    };
    EXPECT_EQ(written(), 0u);
    ASSERT_TRUE(write_bytes(*disk, 4 * kPageSize + 4000, std::vector(200, std::byte{1})));
    ASSERT_TRUE(write_bytes(*disk, kSize - 512, std::vector(512, std::byte{2})));
    EXPECT_EQ(written(), u64{1} << 4 | u64{1} << 5 | u64{1} << 10);
    EXPECT_EQ(written(), 0u);
    const std::vector<std::byte> other(kPageSize, std::byte{9});
    EXPECT_EQ(disk->set_cluster(4, nullptr), StoreStatus::Ok);
    EXPECT_EQ(disk->set_cluster(10, other.data()), StoreStatus::Ok);
    EXPECT_FALSE(disk->is_changed(4));
    EXPECT_EQ(byte_at(4 * kPageSize + 4001), 7u);
    EXPECT_EQ(byte_at(kSize - 1), 9u);
    EXPECT_EQ(written(), 0u);
}

TEST(Manifest, RoundTripsAndRefusesOtherMachines) {
    Manifest manifest;
    MachineConfig &config = manifest.config;
    config.cpus = 4;
    config.memory = 64u << 20;
    config.cpu_model = "neoverse-n1";
    config.append = "quiet \"x\"";
    config.kernel = "/boot/kernel";
    config.watchdog = WatchdogAction::PowerOff;
    config.disks = {{.path = "/a", .snapshot = true, .bus = DiskBus::Mmio},
                    {.path = "/b"},
                    {.path = "/c", .bus = DiskBus::Port, .node = "c", .serial = "S1"}};
    manifest.disks = {{512, "512 7", ""}, {1024, "", "tandem-1"}, {2048, "", "tandem-1"}};
    config.netdevs = {{.id = "n", .net = {}}};
    config.plugged = {{.id = "d", .kind = PluggedDevice::Kind::Disk, .port = 1, .backend = "c"},
                      {.id = "card",
                       .kind = PluggedDevice::Kind::Net,
                       .port = 0,
                       .backend = "n",
                       .mac = {{0x52, 0x54, 0, 1, 2, 3}}}};
    const std::string json = to_json(manifest);
    const Manifest read = parse_manifest(json, "F").value();
    EXPECT_EQ(to_json(read), json);
    EXPECT_EQ(read.config.plugged, config.plugged);
    EXPECT_EQ(read.config.disks[2].serial, "S1");
    EXPECT_TRUE(check_same_machine(config, read.config, "F has").has_value());

    const auto refusal = [&](auto change) {
        MachineConfig other = config;
        change(other);
        const auto result = check_same_machine(config, other, "F was saved with");
        return result.has_value() ? std::string() : result.error().message;
    };
    EXPECT_EQ(refusal([](auto &c) { c.cpus = 2; }),
              "--cpus 2: F was saved with 4; leave the option out");
    EXPECT_EQ(refusal([](auto &c) { c.cpu_model = "max"; }),
              "--cpu max: F was saved with neoverse-n1; leave the option out");
    EXPECT_NE(refusal([](auto &c) { c.memory *= 2; }), "");
    EXPECT_NE(refusal([](auto &c) { c.gic_version = 2; }), "");
    EXPECT_NE(refusal([](auto &c) { c.watchdog.reset(); }), "");
    EXPECT_NE(refusal([](auto &c) { c.net.kind = NetConfig::Kind::None; }), "");
    EXPECT_NE(refusal([](auto &c) { c.disks.pop_back(); }), "");
    EXPECT_EQ(refusal([](auto &c) { c.plugged[1].port = 2; }),
              "root ports: F was saved with d (disk) in port1, card (net) in port0; give the "
              "machine the same with device_add and device_del");
    EXPECT_NE(refusal([](auto &c) { c.disks[0].bus = DiskBus::Pci; }), "");

    EXPECT_FALSE(parse_manifest("{}", "F").has_value());
    EXPECT_FALSE(parse_manifest("[", "F").has_value());
    for (std::size_t length = 0; length < json.size() - 1; ++length)
        EXPECT_FALSE(parse_manifest(std::string_view(json).substr(0, length), "F").has_value());
}

} // namespace
} // namespace tandem::machine::snapshot
