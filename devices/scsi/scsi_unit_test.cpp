#include "devices/scsi/scsi_unit.h"

#include "devices/testing/fakes.h"

#include <gtest/gtest.h>

#include <cstring>

namespace tandem::devices {
namespace {

class Request final : public BlockRequest {
public:
    void complete(BlockStatus status) override { this->status = status; }
    BlockStatus status = BlockStatus::Unsupported;
};

class ScsiUnitTest : public ::testing::Test {
protected:
    struct Answer {
        ScsiStatus status;
        ScsiSense sense;
        u64 wanted, moved;
        std::vector<u8> data; ///< as much as was moved, of what comes in

        [[nodiscard]] u64 be(std::size_t at, std::size_t bytes) const {
            u64 value = 0;
            for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | data.at(at + i);
            return value;
        }
        [[nodiscard]] std::string text(std::size_t at, std::size_t bytes) const {
            return {data.begin() + static_cast<std::ptrdiff_t>(at),
                    data.begin() + static_cast<std::ptrdiff_t>(at + bytes)};
        }
    };
    ScsiUnitTest() {
        for (std::size_t i = 0; i < disk.bytes().size(); ++i)
            disk.bytes()[i] = static_cast<std::byte>(i / 512 + i);
    }
    /// Without the unit attention of the start.
    void make_ready(ScsiUnit &unit) {
        EXPECT_EQ(run(unit, {0x00}).sense, scsi_sense::kWasReset);
        EXPECT_EQ(run(unit, {0x00}).status, ScsiStatus::Good);
    }
    Answer run(ScsiUnit &unit, std::initializer_list<u8> cdb, std::size_t room = 512,
               std::vector<u8> out = {}) {
        std::vector<std::byte> in(room);
        // In two pieces each, as guests have them.
        const auto halves = [](std::span<std::byte> all) {
            const std::size_t half = all.size() / 3;
            return std::array{all.first(half), all.subspan(half)};
        };
        const auto in_pieces = halves(in);
        const auto out_pieces = halves(std::as_writable_bytes(std::span(out)));
        ScsiCommand command;
        std::ranges::copy(cdb, command.cdb.begin());
        command.data_in = in_pieces;
        command.data_in_bytes = in.size();
        command.data_out = out_pieces;
        command.data_out_bytes = out.size();
        Request request;
        std::vector<std::span<std::byte>> buffers;
        if (unit.start(command, request, buffers) == ScsiUnit::Start::Submit) {
            BlockRequest *one = &request;
            unit.backend().submit(std::span(&one, 1));
            unit.finish(command, request, request.status);
        }
        Answer answer{command.status, command.sense, command.wanted_bytes, command.moved_bytes, {}};
        for (std::size_t i = 0; i < std::min<u64>(command.moved_bytes, in.size()); ++i)
            answer.data.push_back(std::to_integer<u8>(in[i]));
        return answer;
    }
    [[nodiscard]] bool holds(std::size_t sector, std::span<const u8> data) const {
        return std::memcmp(&disk.bytes()[sector * 512], data.data(), data.size()) == 0;
    }

    testing::FakeBlock disk{1 << 20};
    ScsiUnit hard_disk{disk, ScsiKind::Disk};
    ScsiUnit drive{disk, ScsiKind::CdRom};
};

TEST_F(ScsiUnitTest, IdentityDoesNotWaitForAttention) {
    const Answer answer = run(hard_disk, {0x12, 0, 0, 0, 36, 0});
    ASSERT_EQ(answer.data.size(), 36u);
    EXPECT_EQ(answer.data[0], 0u);
    EXPECT_EQ(answer.data[4], 31u);
    EXPECT_EQ(answer.text(8, 8), "TANDEM  ");
    EXPECT_EQ(run(drive, {0x12, 0, 0, 0, 36, 0}).be(0, 2), 0x0580u) << "removable CD-ROM";
    EXPECT_EQ(run(hard_disk, {0x12, 0, 0, 0, 5, 0}).data.size(), 5u) << "as much as allotted";
    EXPECT_EQ(run(hard_disk, {0x12, 0, 1, 0, 36, 0}).sense, scsi_sense::kInvalidField);
    make_ready(hard_disk);
}

TEST_F(ScsiUnitTest, VitalProductData) {
    const Answer pages = run(hard_disk, {0x12, 1, 0, 0, 255, 0});
    EXPECT_EQ(pages.be(2, 2), 6u);
    for (const u8 page : std::span(pages.data).subspan(4)) {
        const Answer answer = run(hard_disk, {0x12, 1, page, 0, 255, 0});
        EXPECT_EQ(answer.data.at(1), page);
        EXPECT_EQ(answer.be(2, 2) + 4, answer.data.size()) << int{page};
    }
    EXPECT_EQ(run(hard_disk, {0x12, 1, 0x80, 0, 255, 0}).text(4, 9), "fake-disk");
    const Answer limits = run(hard_disk, {0x12, 1, 0xb0, 0, 255, 0});
    EXPECT_EQ(limits.data.size(), 64u);
    EXPECT_EQ(limits.be(24, 4), 1u) << "descriptors of an UNMAP";
    EXPECT_EQ(run(drive, {0x12, 1, 0xb0, 0, 255, 0}).sense, scsi_sense::kInvalidField);
}

TEST_F(ScsiUnitTest, AttentionIsToldOnce) {
    EXPECT_EQ(run(hard_disk, {0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}).sense, scsi_sense::kWasReset);
    EXPECT_EQ(run(hard_disk, {0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0}).status, ScsiStatus::Good);
    hard_disk.reset();
    EXPECT_EQ(run(hard_disk, {0x03, 0, 0, 0, 18, 0}).be(2, 1), 6u);
    EXPECT_EQ(run(hard_disk, {0x03, 0, 0, 0, 18, 0}).be(2, 1), 0u);
    hard_disk.reset();
    EXPECT_EQ(run(hard_disk, {0x03, 1, 0, 0, 18, 0}).be(0, 3), 0x720629u) << "descriptor format";
}

TEST_F(ScsiUnitTest, Capacity) {
    make_ready(hard_disk);
    make_ready(drive);
    EXPECT_EQ(run(hard_disk, {0x25}).be(0, 8), u64{2047} << 32 | 512);
    EXPECT_EQ(run(drive, {0x25}).be(0, 8), u64{511} << 32 | 2048);
    const Answer answer = run(hard_disk, {0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32});
    ASSERT_EQ(answer.data.size(), 32u);
    EXPECT_EQ(answer.be(0, 8), 2047u);
    EXPECT_EQ(answer.be(13, 2), 0x0380u) << "4 KiB blocks below, thin";
}

TEST_F(ScsiUnitTest, ReadsAndWritesInEveryLength) {
    make_ready(hard_disk);
    const std::vector<u8> data(512, 0x77);
    const std::vector<std::vector<u8>> reads = {{0x08, 0, 0, 5, 1},
                                                {0x28, 0, 0, 0, 0, 5, 0, 0, 1},
                                                {0xa8, 0, 0, 0, 0, 5, 0, 0, 0, 1},
                                                {0x88, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1}};
    const std::vector<std::vector<u8>> writes = {{0x0a, 0, 0, 6, 1},
                                                 {0x2a, 0, 0, 0, 0, 7, 0, 0, 1},
                                                 {0xaa, 0, 0, 0, 0, 8, 0, 0, 0, 1},
                                                 {0x8a, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1}};
    const auto start = [&](const std::vector<u8> &cdb, std::vector<u8> out) {
        std::array<u8, 16> all{};
        std::ranges::copy(cdb, all.begin());
        return run(hard_disk,
                   {all[0], all[1], all[2], all[3], all[4], all[5], all[6], all[7], all[8], all[9],
                    all[10], all[11], all[12], all[13], all[14], all[15]},
                   512, std::move(out));
    };
    for (const auto &cdb : reads) {
        const Answer answer = start(cdb, {});
        ASSERT_EQ(answer.moved, 512u);
        EXPECT_TRUE(holds(5, answer.data)) << int{cdb[0]};
    }
    for (std::size_t i = 0; i < writes.size(); ++i) {
        EXPECT_EQ(start(writes[i], data).moved, 512u);
        EXPECT_TRUE(holds(6 + i, data)) << int{writes[i][0]};
    }
}

TEST_F(ScsiUnitTest, RefusesWhatIsOutOfRangeOrNotAllowed) {
    make_ready(hard_disk);
    EXPECT_EQ(run(hard_disk, {0x28, 0, 0, 0, 7, 0xff, 0, 0, 1}).status, ScsiStatus::Good);
    EXPECT_EQ(run(hard_disk, {0x28, 0, 0, 0, 8, 0, 0, 0, 1}).sense, scsi_sense::kOutOfRange);
    EXPECT_EQ(
        run(hard_disk, {0x88, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}).sense,
        scsi_sense::kOutOfRange);
    EXPECT_EQ(run(hard_disk, {0x2a, 8, 0, 0, 0, 0, 0, 0, 1}, 0, std::vector<u8>(512)).sense,
              scsi_sense::kInvalidField)
        << "FUA is not offered";
    EXPECT_EQ(run(hard_disk, {0xff}).sense, scsi_sense::kInvalidOperation);
    EXPECT_EQ(run(hard_disk, {0x43}).sense, scsi_sense::kInvalidOperation) << "of CD-ROM drives";
    disk.is_read_only = true;
    EXPECT_EQ(run(hard_disk, {0x2a, 0, 0, 0, 0, 0, 0, 0, 1}, 0, std::vector<u8>(512)).sense,
              scsi_sense::kWriteProtected);
    EXPECT_EQ(run(hard_disk, {0x1a, 8, 0x08, 0, 255}).be(2, 1), 0x80u) << "MODE SENSE says so";
}

TEST_F(ScsiUnitTest, TooLittleRoomMovesNothing) {
    make_ready(hard_disk);
    const Answer answer = run(hard_disk, {0x28, 0, 0, 0, 0, 0, 0, 0, 2}, 1023);
    EXPECT_EQ(answer.wanted, 1024u);
    EXPECT_EQ(answer.moved, 0u);
}

TEST_F(ScsiUnitTest, FailuresOfTheBackEnd) {
    make_ready(hard_disk);
    disk.answer = BlockStatus::IoError;
    EXPECT_EQ(run(hard_disk, {0x28, 0, 0, 0, 0, 0, 0, 0, 1}).sense, scsi_sense::kReadError);
    EXPECT_EQ(run(hard_disk, {0x2a, 0, 0, 0, 0, 0, 0, 0, 1}, 0, std::vector<u8>(512)).sense,
              scsi_sense::kWriteError);
}

TEST_F(ScsiUnitTest, WritesTheSame) {
    make_ready(hard_disk);
    std::vector<u8> pattern(512);
    EXPECT_EQ(run(hard_disk, {0x41, 0, 0, 0, 0, 4, 0, 0, 2}, 0, pattern).status, ScsiStatus::Good);
    EXPECT_TRUE(holds(4, pattern));
    EXPECT_TRUE(holds(5, pattern));
    pattern[3] = 9;
    EXPECT_EQ(run(hard_disk, {0x93, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 3}, 0, pattern).status,
              ScsiStatus::Good);
    for (const std::size_t sector : {8u, 9u, 10u}) EXPECT_TRUE(holds(sector, pattern));
    EXPECT_EQ(run(hard_disk, {0x93, 1, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 1}, 0).status,
              ScsiStatus::Good)
        << "zeros without data";
    EXPECT_TRUE(holds(8, std::vector<u8>(512)));
    EXPECT_EQ(run(hard_disk, {0x41, 0, 0, 0, 0, 4, 0, 0, 0}, 0, pattern).sense,
              scsi_sense::kInvalidField);
}

TEST_F(ScsiUnitTest, Unmaps) {
    make_ready(hard_disk);
    std::vector<u8> list(24);
    list[1] = 22;
    list[3] = 16;
    list[15] = 3;
    list[19] = 2;
    EXPECT_EQ(run(hard_disk, {0x42, 0, 0, 0, 0, 0, 0, 0, 24}, 0, list).status, ScsiStatus::Good);
    EXPECT_TRUE(holds(3, std::vector<u8>(1024)));
    list[8] = 1; // far beyond the end
    EXPECT_EQ(run(hard_disk, {0x42, 0, 0, 0, 0, 0, 0, 0, 24}, 0, list).sense,
              scsi_sense::kOutOfRange);
    list[3] = 32; // two descriptors, of which one would be there
    EXPECT_EQ(run(hard_disk, {0x42, 0, 0, 0, 0, 0, 0, 0, 40}, 0, std::vector<u8>(40)).status,
              ScsiStatus::Good)
        << "no descriptors";
    disk.discards = false;
    EXPECT_EQ(run(hard_disk, {0x42, 0, 0, 0, 0, 0, 0, 0, 24}, 0, list).sense,
              scsi_sense::kInvalidOperation);
}

TEST_F(ScsiUnitTest, Flushes) {
    make_ready(hard_disk);
    EXPECT_EQ(run(hard_disk, {0x35}).status, ScsiStatus::Good);
    EXPECT_EQ(run(hard_disk, {0x91}).status, ScsiStatus::Good);
    EXPECT_EQ(disk.flushes, 2u);
}

TEST_F(ScsiUnitTest, ModePages) {
    make_ready(hard_disk);
    const Answer all = run(hard_disk, {0x1a, 0, 0x3f, 0, 255});
    EXPECT_EQ(all.data.at(0) + 1u, all.data.size());
    EXPECT_EQ(all.be(4, 4), 2048u) << "blocks";
    const Answer caching = run(hard_disk, {0x5a, 8, 0x08, 0, 0, 0, 0, 0, 255});
    EXPECT_EQ(caching.be(0, 2) + 2, caching.data.size());
    EXPECT_EQ(caching.be(8, 3), 0x081204u) << "the write cache is on";
    EXPECT_EQ(run(hard_disk, {0x1a, 8, 0x48, 0, 255}).be(4, 3), 0x081200u) << "and stays on";
    EXPECT_EQ(run(hard_disk, {0x1a, 8, 0xc8, 0, 255}).sense, scsi_sense::kSavingUnsupported);
    EXPECT_EQ(run(hard_disk, {0x1a, 8, 0x2a, 0, 255}).sense, scsi_sense::kInvalidField);
    make_ready(drive);
    EXPECT_EQ(run(drive, {0x1a, 8, 0x2a, 0, 255}).be(4, 1), 0x2au);
}

TEST_F(ScsiUnitTest, DrivesHaveATray) {
    make_ready(drive);
    EXPECT_EQ(run(drive, {0x1e, 0, 0, 0, 1}).status, ScsiStatus::Good);
    EXPECT_EQ(run(drive, {0x1b, 0, 0, 0, 2}).sense, scsi_sense::kRemovalPrevented);
    EXPECT_EQ(run(drive, {0x1e, 0, 0, 0, 0}).status, ScsiStatus::Good);
    EXPECT_EQ(run(drive, {0x1b, 0, 0, 0, 2}).status, ScsiStatus::Good);
    EXPECT_EQ(run(drive, {0x00}).sense, scsi_sense::kTrayOpen);
    EXPECT_EQ(run(drive, {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8}).be(4, 2), 0x0301u) << "removed, open";
    EXPECT_EQ(run(drive, {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8}).be(4, 2), 0x0001u) << "told once";
    EXPECT_EQ(run(drive, {0x1b, 0, 0, 0, 3}).status, ScsiStatus::Good);
    EXPECT_EQ(run(drive, {0x00}).sense, scsi_sense::kMediumMayHaveChanged);
    EXPECT_EQ(run(drive, {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8}).be(4, 2), 0x0202u) << "new, closed";
    EXPECT_EQ(run(drive, {0x00}).status, ScsiStatus::Good);
}

TEST_F(ScsiUnitTest, DrivesTellOfTheirDisc) {
    make_ready(drive);
    const Answer contents = run(drive, {0x43, 0, 0, 0, 0, 0, 0, 0, 255});
    EXPECT_EQ(contents.be(0, 2) + 2, contents.data.size());
    EXPECT_EQ(contents.be(12, 8), u64{0x0014aa00} << 32 | 512) << "lead-out";
    EXPECT_EQ(run(drive, {0x43, 2, 0, 0, 0, 0, 0, 0, 255}).be(8, 4), 0x000200u) << "0:02.00";
    EXPECT_EQ(run(drive, {0x43, 0, 1, 0, 0, 0, 0, 0, 255}).data.size(), 12u);
    EXPECT_EQ(run(drive, {0x43, 0, 2, 0, 0, 0, 0, 0, 255}).data.size(), 48u);
    const Answer features = run(drive, {0x46, 0, 0, 0, 0, 0, 0, 0, 255});
    EXPECT_EQ(features.be(0, 4) + 4, features.data.size());
    EXPECT_EQ(features.be(6, 2), 8u) << "CD-ROM";
    EXPECT_EQ(run(drive, {0x46, 2, 0, 0x1e, 0, 0, 0, 0, 255}).data.size(), 16u) << "one feature";
    EXPECT_EQ(run(drive, {0x51, 0, 0, 0, 0, 0, 0, 0, 255}).data.size(), 34u);
    EXPECT_EQ(run(drive, {0x2a, 0, 0, 0, 0, 0, 0, 0, 1}).sense, scsi_sense::kInvalidOperation);
}

TEST_F(ScsiUnitTest, ReportsItsOneUnit) {
    EXPECT_EQ(run(hard_disk, {0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 64}).data.size(), 16u);
    EXPECT_EQ(run(hard_disk, {0xa0, 0, 1, 0, 0, 0, 0, 0, 0, 64}).be(0, 8), 0u);
    EXPECT_EQ(run(hard_disk, {0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 8}).sense, scsi_sense::kInvalidField);
}

TEST_F(ScsiUnitTest, StateComesBack) {
    make_ready(drive);
    EXPECT_EQ(run(drive, {0x1b, 0, 0, 0, 2}).status, ScsiStatus::Good);
    StateWriter writer;
    drive.save(writer);
    ScsiUnit other{disk, ScsiKind::CdRom};
    StateReader reader(writer.data());
    ASSERT_TRUE(other.restore(reader).has_value());
    EXPECT_EQ(run(other, {0x00}).sense, scsi_sense::kTrayOpen);
    testing::FakeBlock smaller{1 << 19};
    ScsiUnit wrong{smaller, ScsiKind::CdRom};
    StateReader again(writer.data());
    EXPECT_FALSE(wrong.restore(again).has_value());
}

} // namespace
} // namespace tandem::devices
