#include "devices/sound/hda_controller.h"

#include "devices/testing/fakes.h"
#include "devices/testing/pci_frame.h"

#include <gtest/gtest.h>

#include <numeric>

namespace tandem::devices {
namespace {

// Registers, as a driver knows them.
constexpr u64 kGctl = 0x08, kStatests = 0x0e, kIntctl = 0x20, kIntsts = 0x24, kWalclk = 0x30;
constexpr u64 kCorb = 0x40, kCorbWp = 0x48, kCorbRp = 0x4a, kCorbCtl = 0x4c, kCorbSts = 0x4d;
constexpr u64 kRirb = 0x50, kRirbWp = 0x58, kRintCnt = 0x5a, kRirbCtl = 0x5c, kRirbSts = 0x5d;
constexpr u64 kIcoi = 0x60, kIcii = 0x64, kIcis = 0x68, kPositions = 0x70, kSsync = 0x38;
constexpr u64 kCapture = 0x80, kPlayback = 0xa0;
constexpr u64 kCtl = 0, kTag = 2, kSts = 3, kLpib = 4, kCbl = 8, kLvi = 0xc, kFmt = 0x12,
              kBdl = 0x18;
constexpr u64 kRun = 0x1e, kCompleted = 4, kFifoError = 8, kListError = 0x10, kReady = 0x20;

// Where the driver has its memory.
constexpr u64 kCommands = 0x1000, kResponses = 0x1800, kPositionBuffer = 0x2000, kList = 0x3000,
              kBuffer = 0x4000;
constexpr u32 kDac = 2, kLineOut = 3, kAdc = 4, kMicrophone = 5;
constexpr u16 kCd = 0x4011, kDat = 0x0011,
              kMono = 0x0010; ///< 16 bits: 44.1 and 48 kHz, one channel
constexpr u64 kMillisecond = 1'000'000;

struct HdaTest : ::testing::Test {
    testing::FakeClock clock;
    testing::FakeMemory memory{1 << 16};
    testing::FakeIrqSink irq;
    testing::FakeSound sound;
    testing::FakePciBus bus{irq.line()};
    HdaController hda{clock, memory, sound};

    HdaTest() {
        hda.connect(bus, 1);
        hda.write_config(pci::kCommand, 1, pci::kCommandMemory | pci::kCommandMaster);
        put32(kGctl, 1);
        put32(kIntctl, 0xc000'0003);
    }
    void put(u64 offset, u64 value, unsigned size_log2) {
        hda.write_bar(HdaController::kRegisterBar, offset, size_log2, value);
    }
    void put32(u64 offset, u64 value) { put(offset, value, 2); }
    u64 get(u64 offset, unsigned size_log2 = 2) {
        return hda.read_bar(HdaController::kRegisterBar, offset, size_log2);
    }
    /// By the immediate command registers.
    u32 ask(u32 node, u32 verb_and_payload) {
        put32(kIcoi, node << 20 | verb_and_payload);
        put(kIcis, 1, 1);
        EXPECT_EQ(get(kIcis, 1), 2u) << "a response is there at once";
        put(kIcis, 2, 1);
        return static_cast<u32>(get(kIcii));
    }
    void add_buffer(u32 entry, u64 address, u32 length, bool interrupts) {
        memory.put(kList + entry * 16, address);
        memory.put(kList + entry * 16 + 8, length);
        memory.put(kList + entry * 16 + 12, u32{interrupts});
    }
    void connect(u32 converter, u32 jack, u8 pin_control, u16 format) {
        ask(converter, 0x7'0610);
        ask(converter, 0x2'0000u | format);
        ask(jack, 0x7'0700u | pin_control);
    }
    void prepare(u64 stream, u16 format, u32 bytes, u32 last) {
        put(stream + kTag, 0x10, 0);
        put(stream + kFmt, format, 1);
        put32(stream + kCbl, bytes);
        put(stream + kLvi, last, 1);
        put32(stream + kBdl, kList);
    }
    void run(u64 stream) { put(stream + kCtl, kRun, 1); }
    /// So that the time between timers is as long as with a real clock.
    void pass(u64 nanoseconds) {
        for (u64 i = 0; i < nanoseconds; i += kMillisecond / 2) clock.advance(kMillisecond / 2);
    }
    /// A buffer of stereo samples that count up from 1; the right ones are negative.
    void fill(u32 frames) {
        for (u32 i = 0; i < frames; ++i) {
            memory.put(kBuffer + i * 4, static_cast<i16>(i + 1));
            memory.put(kBuffer + i * 4 + 2, static_cast<i16>(-1 - static_cast<int>(i)));
        }
    }
};

TEST_F(HdaTest, IsWhatLinuxLooksFor) {
    EXPECT_EQ(hda.read_config(pci::kVendorId, 2), 0x2668'8086u);
    EXPECT_EQ(hda.read_config(pci::kRevision, 2) >> 8, 0x04'03'00u);
    EXPECT_EQ(get(0, 1), 0x1101u) << "a stream each way, 64-bit addresses";
    EXPECT_EQ(get(2, 1), 0x0100u) << "version 1.0";
    EXPECT_EQ(get(kStatests, 1), 1u) << "a codec at address 0";
    put(kStatests, 1, 1);
    EXPECT_EQ(get(kStatests, 1), 0u);
}

TEST_F(HdaTest, InResetNothingIsWritten) {
    put32(kCorb, 0x1000);
    EXPECT_EQ(get(kCorb), 0x1000u);
    put32(kGctl, 0);
    EXPECT_EQ(get(kGctl), 0u);
    EXPECT_EQ(get(kCorb), 0u);
    put32(kCorb, 0x1000);
    EXPECT_EQ(get(kCorb), 0u);
    put32(kGctl, 1);
    EXPECT_EQ(get(kStatests, 1), 1u) << "the codec is found again";
}

TEST_F(HdaTest, TheWallClockIs24MHz) {
    const u64 before = get(kWalclk);
    clock.advance(kMillisecond);
    EXPECT_EQ(get(kWalclk) - before, 24'000u);
}

TEST_F(HdaTest, CommandsAndResponses) {
    put32(kCorb, kCommands);
    put32(kRirb, kResponses);
    put(kCorbRp, 0x8000, 1);
    EXPECT_EQ(get(kCorbRp, 1), 0x8000u);
    put(kCorbRp, 0, 1);
    EXPECT_EQ(get(kCorbRp, 1), 0u);
    put(kRirbWp, 0x8000, 1);
    put(kRintCnt, 2, 1);
    put(kRirbCtl, 7, 0);
    put(kCorbCtl, 3, 0);
    memory.put(kCommands + 4, 0x000f'0000u);  // root: vendor
    memory.put(kCommands + 8, 0x700f'0000u);  // a codec that is not there
    memory.put(kCommands + 12, 0x000f'0004u); // root: nodes
    put(kCorbWp, 2, 1);
    EXPECT_EQ(get(kCorbRp, 1), 2u);
    EXPECT_EQ(get(kRirbWp, 1), 1u);
    EXPECT_FALSE(irq.level()) << "two responses are waited for";
    put(kCorbWp, 3, 1);
    EXPECT_EQ(get(kRirbWp, 1), 2u);
    EXPECT_EQ(memory.get<u64>(kResponses + 8), 0x1af4'0022u);
    EXPECT_EQ(memory.get<u64>(kResponses + 16), 0x0001'0001u);
    EXPECT_TRUE(irq.level());
    EXPECT_EQ(get(kIntsts), 0xc000'0000u);
    put(kRirbSts, 5, 0);
    EXPECT_FALSE(irq.level());
    EXPECT_EQ(get(kIntsts), 0u);
}

TEST_F(HdaTest, RingsWhereNothingIs) {
    put32(kCorb, 0xff'ff00);
    put32(kRirb, kResponses);
    put(kRirbCtl, 7, 0);
    put(kCorbCtl, 3, 0);
    put(kCorbWp, 200, 1);
    EXPECT_EQ(get(kCorbSts, 0), 1u);
    EXPECT_EQ(get(kCorbCtl, 0), 1u) << "stopped";
    EXPECT_TRUE(irq.level());
    put(kCorbSts, 1, 0);
    put32(kCorb, kCommands);
    put32(kRirb, 0xff'ff00);
    put(kCorbCtl, 3, 0);
    EXPECT_EQ(get(kCorbRp, 1), 200u) << "what nobody can read is answered all the same";
    EXPECT_EQ(get(kRirbSts, 0) & 4, 4u);
}

TEST_F(HdaTest, TheCodecIsAsItsTableSays) {
    EXPECT_EQ(ask(1, 0xf'0004), 0x0002'0004u) << "four widgets from node 2 on";
    EXPECT_EQ(ask(1, 0xf'0005), 1u) << "audio";
    EXPECT_EQ(ask(kDac, 0xf'0009) >> 20, 0u);
    EXPECT_EQ(ask(kAdc, 0xf'0009) >> 20, 1u);
    EXPECT_EQ(ask(kLineOut, 0xf'0009) >> 20, 4u);
    EXPECT_EQ(ask(kLineOut, 0xf'0200), kDac);
    EXPECT_EQ(ask(kAdc, 0xf'0200), kMicrophone);
    EXPECT_EQ(ask(kDac, 0xf'000a), 0x0002'007fu) << "16 bits, up to 48 kHz";
    EXPECT_EQ(ask(kDac, 0xf'0012), 0u) << "no amplifier";
    EXPECT_EQ(ask(kLineOut, 0xf'1c00), 0x0101'4110u);
    ask(kLineOut, 0x7'1e55);
    EXPECT_EQ(ask(kLineOut, 0xf'1c00), 0x0155'4110u);
    ask(1, 0x7'0503);
    EXPECT_EQ(ask(1, 0xf'0500), 0x33u);
    ask(1, 0x7'ff00);
    EXPECT_EQ(ask(1, 0xf'0500), 0u);
    EXPECT_EQ(ask(kLineOut, 0xf'1c00), 0x0101'4110u);
    EXPECT_EQ(ask(77, 0xf'0000), 0u) << "no such node";
}

TEST_F(HdaTest, PlaysACyclicBuffer) {
    fill(960);
    add_buffer(0, kBuffer, 1920, true); // 10 ms each
    add_buffer(1, kBuffer + 1920, 1920, true);
    connect(kDac, kLineOut, 0x40, kDat);
    prepare(kPlayback, kDat, 3840, 1);
    put32(kPositions, kPositionBuffer | 1);
    run(kPlayback);
    EXPECT_EQ(get(kPlayback + kSts, 0), kReady);
    pass(10 * kMillisecond);
    EXPECT_TRUE(sound.played.size() >= 479 && sound.played.size() <= 480) << sound.played.size();
    pass(kMillisecond);
    EXPECT_EQ(get(kPlayback + kSts, 0), kReady | kCompleted);
    EXPECT_TRUE(irq.level());
    EXPECT_EQ(get(kIntsts), 0x8000'0002u);
    EXPECT_EQ(memory.get<u32>(kPositionBuffer + 8), get(kPlayback + kLpib));
    put(kPlayback + kSts, kCompleted, 0);
    EXPECT_FALSE(irq.level());
    pass(89 * kMillisecond);
    EXPECT_EQ(sound.rate, 48'000u);
    const auto &played = sound.played;
    ASSERT_GE(played.size(), 4800u - 480u);
    ASSERT_LE(played.size(), 4800u);
    for (std::size_t i = 0; i < played.size(); ++i) {
        const auto expected = static_cast<i16>(i % 960 + 1);
        ASSERT_EQ(played[i], (SoundFrame{expected, static_cast<i16>(-expected)})) << i;
    }
    EXPECT_EQ(get(kPlayback + kLpib), played.size() * 4 % 3840);
    // It stops, and goes on where it was.
    put(kPlayback + kCtl, 0, 1);
    const std::size_t count = played.size();
    pass(50 * kMillisecond);
    EXPECT_EQ(played.size(), count);
    run(kPlayback);
    pass(20 * kMillisecond);
    ASSERT_GT(played.size(), count);
    EXPECT_EQ(played[count].left, static_cast<i16>(count % 960 + 1));
}

TEST_F(HdaTest, KeepsItsPace) {
    add_buffer(0, kBuffer, 4096, false);
    connect(kDac, kLineOut, 0x40, kCd);
    prepare(kPlayback, kCd, 4096, 0);
    run(kPlayback);
    u64 frames = 0;
    for (int second = 0; second < 3; ++second) {
        pass(1000 * kMillisecond);
        frames += std::exchange(sound.played, {}).size();
    }
    EXPECT_EQ(sound.rate, 44'100u);
    EXPECT_GE(frames, 3 * 44'100u - 441);
    EXPECT_LE(frames, 3 * 44'100u);
    // A host that was away for long: sound was, too.
    clock.advance(10'000 * kMillisecond);
    EXPECT_LE(sound.played.size(), 44'100u / 10);
}

TEST_F(HdaTest, OneChannelIsBoth) {
    fill(1000);
    add_buffer(0, kBuffer, 4000, false);
    connect(kDac, kLineOut, 0x40, kMono);
    prepare(kPlayback, kMono, 4000, 0);
    run(kPlayback);
    pass(20 * kMillisecond);
    ASSERT_GT(sound.played.size(), 2u);
    EXPECT_EQ(sound.played[0], (SoundFrame{1, 1}));
    EXPECT_EQ(sound.played[1], (SoundFrame{-1, -1}));
}

TEST_F(HdaTest, IsHeardOnlyAtItsJack) {
    add_buffer(0, kBuffer, 4096, true);
    prepare(kPlayback, kDat, 4096, 0);
    for (const auto &[pin, format, power] :
         {std::tuple{u8{0}, kDat, 0u}, {u8{0x40}, kCd, 0u}, {u8{0x40}, kDat, 3u}}) {
        connect(kDac, kLineOut, pin, format);
        ask(1, 0x7'0500 | power);
        run(kPlayback);
        pass(40 * kMillisecond);
        EXPECT_EQ(get(kPlayback + kSts, 0) & kCompleted, kCompleted) << "its time passes";
        put(kPlayback + kCtl, 0, 1);
    }
    EXPECT_TRUE(sound.played.empty());
}

TEST_F(HdaTest, Records) {
    add_buffer(0, kBuffer, 1920, true);
    add_buffer(1, kBuffer + 1920, 1920, false);
    connect(kAdc, kMicrophone, 0x20, kDat);
    prepare(kCapture, kDat, 3840, 1);
    run(kCapture);
    pass(18 * kMillisecond);
    EXPECT_EQ(get(kIntsts), 0x8000'0001u);
    const u32 frames = static_cast<u32>(get(kCapture + kLpib)) / 4;
    EXPECT_GE(frames, 480u);
    EXPECT_EQ(frames, sound.recorded);
    for (u32 i = 0; i < frames; ++i)
        ASSERT_EQ(memory.get<i16>(kBuffer + i * 4), static_cast<i16>(i + 1)) << i;
    // Without its jack it records silence.
    ask(kMicrophone, 0x7'0700);
    pass(40 * kMillisecond);
    EXPECT_EQ(sound.recorded, frames);
    EXPECT_EQ(memory.get<u32>(kBuffer), 0u);
}

TEST_F(HdaTest, StreamsBeginTogether) {
    add_buffer(0, kBuffer, 4096, true);
    connect(kDac, kLineOut, 0x40, kDat);
    prepare(kPlayback, kDat, 4096, 0);
    for (const u64 sync : {kSsync, kSsync - 4}) {
        put32(sync, 3);
        run(kPlayback);
        pass(20 * kMillisecond);
        EXPECT_EQ(get(kPlayback + kSts, 0), kReady);
        EXPECT_EQ(get(kPlayback + kLpib), 0u);
        put32(sync, 0);
        pass(20 * kMillisecond);
        EXPECT_GT(get(kPlayback + kLpib), 0u);
        put(kPlayback + kCtl, 1, 1);
        EXPECT_EQ(get(kPlayback + kCtl, 1), 1u) << "reset is seen";
        EXPECT_EQ(get(kPlayback + kLpib), 0u);
        EXPECT_EQ(get(kPlayback + kCbl), 0u);
        put(kPlayback + kCtl, 0, 1);
        prepare(kPlayback, kDat, 4096, 0);
    }
}

TEST_F(HdaTest, HostileListsEnd) {
    connect(kDac, kLineOut, 0x40, kDat);
    prepare(kPlayback, kDat, 4096, 255); // of buffers without a byte
    run(kPlayback);
    pass(20 * kMillisecond);
    EXPECT_EQ(get(kPlayback + kSts, 0), kListError);
    EXPECT_EQ(get(kPlayback + kCtl, 1) & 2, 0u) << "stopped";
    EXPECT_TRUE(irq.level());
    put(kPlayback + kSts, 0x1c, 0);

    put32(kPlayback + kBdl, 0xff'ff00); // outside of memory
    run(kPlayback);
    pass(20 * kMillisecond);
    EXPECT_EQ(get(kPlayback + kSts, 0), kListError);
    put(kPlayback + kSts, 0x1c, 0);

    add_buffer(0, ~u64{0} - 7, ~0u, true); // of all there is, where nothing is
    put32(kPlayback + kBdl, kList);
    put(kPlayback + kLvi, 0, 1);
    put32(kPlayback + kCbl, 1);
    run(kPlayback);
    pass(20 * kMillisecond);
    EXPECT_EQ(get(kPlayback + kSts, 0), kReady | kFifoError);
    EXPECT_EQ(get(kPlayback + kLpib), 0u);
}

TEST_F(HdaTest, WithoutBusMasteringNothingMoves) {
    add_buffer(0, kBuffer, 4096, true);
    connect(kDac, kLineOut, 0x40, kDat);
    prepare(kPlayback, kDat, 4096, 0);
    run(kPlayback);
    hda.write_config(pci::kCommand, 1, pci::kCommandMemory);
    pass(50 * kMillisecond);
    EXPECT_EQ(get(kPlayback + kLpib), 0u);
    hda.write_config(pci::kCommand, 1, pci::kCommandMemory | pci::kCommandMaster);
    pass(20 * kMillisecond);
    EXPECT_GT(get(kPlayback + kLpib), 0u);
}

TEST_F(HdaTest, GoesOnAfterASnapshot) {
    fill(1024);
    add_buffer(0, kBuffer, 4096, true);
    connect(kDac, kLineOut, 0x40, kDat);
    prepare(kPlayback, kDat, 4096, 0);
    run(kPlayback);
    pass(15 * kMillisecond);
    StateWriter writer;
    hda.save(writer);
    testing::FakeSound later;
    HdaController other{clock, memory, later};
    StateReader reader(writer.data());
    ASSERT_TRUE(other.restore(reader).has_value());
    const std::size_t before = sound.played.size();
    pass(30 * kMillisecond);
    ASSERT_GT(later.played.size(), 1000u);
    EXPECT_TRUE(std::ranges::equal(later.played, std::span(sound.played).subspan(before)));
}

} // namespace
} // namespace tandem::devices
