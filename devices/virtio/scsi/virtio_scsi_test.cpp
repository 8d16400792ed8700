#include "devices/virtio/scsi/virtio_scsi.h"

#include "devices/testing/virtio_driver.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

using testing::VirtioDriver;
constexpr u64 kRequest = 0x7000, kResponse = 0x7100, kData = VirtioDriver::kData;
constexpr u32 kQueue = virtio_scsi::kFirstRequestQueue;
constexpr u32 kHead = 19 + 32, kAnswer = 12 + 96;

class VirtioScsiTest : public ::testing::Test {
protected:
    VirtioScsiTest() {
        for (std::size_t i = 0; i < disk.bytes().size(); ++i)
            disk.bytes()[i] = static_cast<std::byte>(i / 512 + i);
    }
    static std::vector<std::unique_ptr<ScsiUnit>> units(Block &disk, Block &disc) {
        std::vector<std::unique_ptr<ScsiUnit>> units;
        units.push_back(std::make_unique<ScsiUnit>(disk, ScsiKind::Disk));
        units.push_back(std::make_unique<ScsiUnit>(disc, ScsiKind::CdRom));
        return units;
    }
    void put_lun(u64 address, u8 target, u8 unit) {
        memory.put(address, std::array<u8, 8>{1, target, 0x40, unit});
    }
    struct Answer {
        u8 response, status;
        u32 residual, sense_length;
        ScsiSense sense;
    };
    [[nodiscard]] Answer answer() {
        return {memory.get<u8>(kResponse + 11),
                memory.get<u8>(kResponse + 10),
                memory.get<u32>(kResponse + 4),
                memory.get<u32>(kResponse),
                {static_cast<u8>(memory.get<u8>(kResponse + 14) & 15),
                 memory.get<u8>(kResponse + 24), memory.get<u8>(kResponse + 25)}};
    }
    void send(u8 target, std::initializer_list<u8> cdb, u32 in, u32 out = 0, u8 unit = 0) {
        put_lun(kRequest, target, unit);
        memory.put(kRequest + 8, u64{0x1234});
        std::array<u8, 32> block{};
        std::ranges::copy(cdb, block.begin());
        memory.put(kRequest + 19, block);
        memory.put(kResponse, std::array<u8, 12>{0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee});
        std::vector<VirtioDriver::Piece> pieces{{kRequest, kHead, false}};
        if (out != 0) pieces.push_back({kData, out, false});
        pieces.push_back({kResponse, kAnswer, true});
        if (in != 0) pieces.push_back({kData, in, true});
        driver.send(kQueue, 0, pieces);
    }
    Answer run(u8 target, std::initializer_list<u8> cdb, u32 in, u32 out = 0, u8 unit = 0) {
        send(target, cdb, in, out, unit);
        return answer();
    }
    void start() {
        driver.start(kQueue + 1);
        for (const u8 target : {u8{0}, u8{1}})
            EXPECT_EQ(run(target, {0x00}, 0).sense, scsi_sense::kWasReset);
    }
    /// Sends a task management function without waiting; the response goes to kResponse + 0x80.
    void manage(u32 function, u8 target, u64 id) {
        memory.put(kRequest + 0x80, u32{0});
        memory.put(kRequest + 0x84, function);
        put_lun(kRequest + 0x88, target, 0);
        memory.put(kRequest + 0x90, id);
        memory.put(kResponse + 0x80, u8{0xee});
        driver.send(virtio_scsi::kControlQueue, 0,
                    {{kRequest + 0x80, 24, false}, {kResponse + 0x80, 1, true}});
    }
    [[nodiscard]] u8 managed() { return memory.get<u8>(kResponse + 0x80); }

    testing::FakeMemory memory{0x20000};
    testing::FakeIrqSink irq;
    testing::FakeBlock disk{1 << 20}, disc{1 << 20};
    VirtioMmio slot{"virtio0", std::make_unique<VirtioScsi>(units(disk, disc), 1), memory,
                    irq.line()};
    VirtioDriver driver{slot, memory};
};

TEST_F(VirtioScsiTest, Configuration) {
    EXPECT_EQ(driver.read(0x008), 8u);
    EXPECT_EQ(driver.read(0x100), 1u) << "request queues";
    EXPECT_EQ(driver.read(0x114), 96u);
    EXPECT_EQ(driver.read(0x118), 32u);
    driver.write(0x114, 18);
    EXPECT_EQ(driver.read(0x114), 18u);
    driver.write(0x114, 0x10000);
    EXPECT_EQ(driver.read(0x114), 18u) << "absurd: left";
}

TEST_F(VirtioScsiTest, ReadsAndWrites) {
    start();
    Answer got = run(0, {0x28, 0, 0, 0, 0, 3, 0, 0, 2}, 1024);
    EXPECT_EQ(got.response, 0u);
    EXPECT_EQ(got.status, 0u);
    EXPECT_EQ(got.residual, 0u);
    EXPECT_EQ(std::memcmp(&memory.bytes()[kData], &disk.bytes()[3 * 512], 1024), 0);
    EXPECT_EQ(driver.used(kQueue, 2).written, kAnswer + 1024);
    for (u64 i = 0; i < 512; ++i) memory.put(kData + i, static_cast<u8>(i * 3));
    got = run(0, {0x2a, 0, 0, 0, 0, 9, 0, 0, 1}, 0, 512);
    EXPECT_EQ(got.status, 0u);
    EXPECT_EQ(std::memcmp(&memory.bytes()[kData], &disk.bytes()[9 * 512], 512), 0);
    EXPECT_TRUE(irq.level());
}

TEST_F(VirtioScsiTest, SaysWhatIsLeftAndWhatIsTooMuch) {
    start();
    EXPECT_EQ(run(0, {0x12, 0, 0, 0, 255}, 255).residual, 255u - 36);
    const Answer got = run(0, {0x28, 0, 0, 0, 0, 3, 0, 0, 2}, 512);
    EXPECT_EQ(got.response, virtio_scsi::kOverrun);
    EXPECT_EQ(got.residual, 512u);
}

TEST_F(VirtioScsiTest, FailuresComeWithSenseData) {
    start();
    const Answer got = run(0, {0x28, 0, 0x7f, 0, 0, 0, 0, 0, 1}, 512);
    EXPECT_EQ(got.response, 0u);
    EXPECT_EQ(got.status, 2u);
    EXPECT_EQ(got.sense_length, 18u);
    EXPECT_EQ(got.sense, scsi_sense::kOutOfRange);
}

TEST_F(VirtioScsiTest, OtherAddresses) {
    start();
    EXPECT_EQ(run(2, {0x12, 0, 0, 0, 36}, 36).response, virtio_scsi::kBadTarget);
    EXPECT_EQ(run(0, {0x12, 0, 0, 0, 36}, 36, 0, 1).status, 0u);
    EXPECT_EQ(memory.get<u8>(kData), 0x7fu) << "no such unit";
    EXPECT_EQ(run(0, {0x00}, 0, 0, 1).sense, scsi_sense::kNoSuchUnit);
    EXPECT_EQ(run(1, {0x25}, 8).status, 0u);
    EXPECT_EQ(memory.get<u8>(kData + 6), 8u) << "2,048 bytes a block";
}

TEST_F(VirtioScsiTest, ResetsWaitForRequests) {
    start();
    disk.holds_requests = true;
    send(0, {0x28, 0, 0, 0, 0, 3, 0, 0, 1}, 512);
    manage(6, 0, 0x1234);
    EXPECT_EQ(managed(), virtio_scsi::kFunctionSucceeded) << "it is there";
    manage(6, 0, 0x9999);
    EXPECT_EQ(managed(), virtio_scsi::kOk);
    manage(0, 0, 0x9999);
    EXPECT_EQ(managed(), virtio_scsi::kOk) << "nothing to abort";
    manage(5, 0, 0);
    EXPECT_EQ(managed(), 0xeeu) << "waits";
    disk.complete_all();
    EXPECT_EQ(managed(), virtio_scsi::kOk);
    EXPECT_EQ(answer().status, 0u);
    disk.holds_requests = false;
    EXPECT_EQ(run(0, {0x00}, 0).sense, scsi_sense::kWasReset);
    manage(5, 9, 0);
    EXPECT_EQ(managed(), virtio_scsi::kBadTarget);
    manage(77, 0, 0);
    EXPECT_EQ(managed(), virtio_scsi::kFunctionRejected);
    EXPECT_FALSE(driver.needs_reset());
}

TEST_F(VirtioScsiTest, TooShortIsAnError) {
    driver.start(kQueue + 1);
    driver.send(kQueue, 0, {{kRequest, kHead, false}, {kResponse, kAnswer - 1, true}});
    EXPECT_TRUE(driver.needs_reset());
}

TEST_F(VirtioScsiTest, QuiesceWaitsAndStateComesBack) {
    start();
    disk.holds_requests = true;
    send(0, {0x28, 0, 0, 0, 0, 3, 0, 0, 1}, 512);
    slot.pause();
    EXPECT_EQ(disk.pending(), 0u);
    StateWriter writer;
    slot.save(writer);
    slot.resume();
    StateReader reader(writer.data());
    EXPECT_TRUE(slot.restore(reader).has_value());
}

} // namespace
} // namespace tandem::devices
