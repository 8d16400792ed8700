#include "machine/debug/gdb/gdb_session.h"

#include "machine/debug/testing/fake_target.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

namespace tandem::machine {
namespace {

using testing::FakeTarget;

class GdbSessionTest : public ::testing::Test {
protected:
    GdbSessionTest() {
        ask("QStartNoAckMode");
        target.running = false;
    }
    /// The payloads of what was sent since the last call.
    std::vector<std::string> take() {
        std::vector<std::string> replies;
        PacketReader reader;
        reader.add(session.output);
        session.output.clear();
        while (const auto piece = reader.next()) {
            EXPECT_EQ(piece->kind, PacketReader::Kind::Packet);
            replies.push_back(piece->text);
        }
        return replies;
    }
    std::string ask(std::string_view packet) {
        session.receive(frame_packet(packet));
        const auto replies = take();
        EXPECT_LE(replies.size(), 1u) << packet;
        return replies.empty() ? "(nothing)" : replies.front();
    }

    FakeTarget target;
    GdbSession session{target};
};

TEST(GdbPackets, AcknowledgesAndRepeats) {
    FakeTarget target;
    GdbSession session(target);
    session.receive("+$qAttached#8f");
    EXPECT_EQ(session.output, "+$1#31");
    session.output.clear();
    session.receive("-");
    EXPECT_EQ(session.output, "$1#31");
    session.output.clear();
    session.receive("$qAttached#8e"); // wrong
    EXPECT_EQ(session.output, "-");
    session.output.clear();
    for (const char c : std::string_view{"$qAttached#8f"}) session.receive({&c, 1});
    EXPECT_EQ(session.output, "+$1#31");
}

TEST(GdbPackets, FrameWhatTheyMustEscape) {
    const std::string payload = "a$b#c}d*e\x03";
    const std::string packet = frame_packet(payload);
    EXPECT_EQ(std::ranges::count(packet, '$'), 1);
    PacketReader reader;
    reader.add(packet);
    EXPECT_EQ(reader.next()->text, payload);
    reader.add("$" + std::string(PacketReader::kMaxPacket + 2, 'm'));
    EXPECT_EQ(reader.next(), std::nullopt);
    reader.add("#00");
    EXPECT_EQ(reader.next()->kind, PacketReader::Kind::Damaged);
    reader.add(frame_packet("g"));
    EXPECT_EQ(reader.next()->text, "g");
    EXPECT_EQ(from_hex("0g"), std::nullopt);
    EXPECT_EQ(from_hex("123"), std::nullopt);
}

TEST_F(GdbSessionTest, AReplayGoesBackwards) {
    EXPECT_EQ(ask("qSupported").find("Reverse"), std::string::npos);
    EXPECT_EQ(ask("bs"), "E.only a replay goes backwards");
    target.is_replay = true;
    EXPECT_NE(ask("qSupported").find(";ReverseStep+;ReverseContinue+"), std::string::npos);
    EXPECT_EQ(ask("bs"), "(nothing)");
    EXPECT_EQ(target.backwards, DebugTarget::Backwards::Step);
    session.cpu_stopped(target.run, 1, {.cause = CpuStop::Cause::HistoryBegin, .point = {}});
    std::vector<std::string> replies = take();
    ASSERT_EQ(replies.size(), 1u);
    EXPECT_NE(replies[0].find("thread:2;replaylog:begin;"), std::string::npos) << replies[0];
    EXPECT_EQ(ask("bc"), "(nothing)");
    EXPECT_EQ(target.backwards, DebugTarget::Backwards::Run);
    session.cpu_stopped(target.run - 1, 0, {}); // of the run before
    EXPECT_TRUE(take().empty());
    session.cpu_stopped(target.run, 0, {.cause = CpuStop::Cause::HistoryEnd, .point = {}});
    replies = take();
    ASSERT_EQ(replies.size(), 1u);
    EXPECT_NE(replies[0].find("thread:1;replaylog:end;"), std::string::npos) << replies[0];
}

TEST_F(GdbSessionTest, RegistersAreReadAndWritten) {
    target.values[1][0] = {0x1122334455667788, 0};
    target.values[1][2] = {1, 2};
    EXPECT_EQ(ask("Hg2"), "OK");
    EXPECT_EQ(ask("p0"), "8877665544332211");
    EXPECT_EQ(ask("g"), "8877665544332211"
                        "0000000000000000"
                        "0100000000000000"
                        "0200000000000000");
    EXPECT_EQ(ask("P1=0800000000000000"), "OK");
    EXPECT_EQ(target.values[1][1][0], 8u);
    EXPECT_EQ(ask("P3=01000000"), "E.f: read-only; leave it as it is");
    EXPECT_EQ(ask("G0900000000000000"), "OK");
    EXPECT_EQ(target.values[1][0][0], 9u);
    for (const char *wrong : {"p4", "p", "P1=00", "P1", "Pzz=1", "P4=00", "G00"})
        EXPECT_EQ(ask(wrong), "E22") << wrong;
    EXPECT_EQ(ask("Hg3"), "E03");
    EXPECT_EQ(ask("Hc-1"), "OK");
    EXPECT_EQ(ask("Hx1"), "E22");
}

TEST_F(GdbSessionTest, MemoryIsReadAndWritten) {
    EXPECT_EQ(ask("M11000,4:01020304"), "OK");
    EXPECT_EQ(ask("m11000,4"), "01020304");
    EXPECT_EQ(ask("m11002,1"), "03");
    EXPECT_EQ(ask(std::string("X11004,3:\0#}", 12)), "OK");
    EXPECT_EQ(ask("m11004,3"), "00237d");
    EXPECT_EQ(ask("m13ffe,10"), "0000") << "as much as there is";
    EXPECT_EQ(ask("m0,4"), "E14");
    EXPECT_EQ(ask("m14000,1"), "E14");
    EXPECT_EQ(ask("M13fff,2:0102"), "E14");
    for (const char *wrong :
         {"m", "m1", "m1,", "mz,1", "M11000,2:01", "M11000,1:0", "M11000,1", "X11000,2:a"})
        EXPECT_EQ(ask(wrong), "E22") << wrong;
    // Physical memory, as QEMU has it chosen.
    EXPECT_EQ(ask("qqemu.PhyMemMode"), "0");
    EXPECT_EQ(ask("Qqemu.PhyMemMode:1"), "OK");
    EXPECT_EQ(ask("m1000,4"), "01020304");
    EXPECT_EQ(ask("qqemu.PhyMemMode"), "1");
    EXPECT_EQ(ask("Qqemu.PhyMemMode:2"), "E22");
}

TEST_F(GdbSessionTest, PointsAreKeptOnce) {
    EXPECT_EQ(ask("Z0,40001000,4"), "OK");
    EXPECT_EQ(ask("Z0,40001000,4"), "OK");
    EXPECT_EQ(ask("Z2,2000,8"), "OK");
    ASSERT_EQ(target.points.size(), 2u);
    EXPECT_EQ(target.points[1], (DebugPoint{DebugPointKind::WriteWatchpoint, 0x2000, 8}));
    EXPECT_EQ(ask("z0,40001000,4"), "OK");
    EXPECT_EQ(ask("z0,40001000,4"), "OK");
    EXPECT_EQ(target.points.size(), 1u);
    EXPECT_EQ(ask("Z5,0,4"), "");
    for (const char *wrong : {"Z2,2000,0", "Z2,ffffffffffffffff,2", "Z", "Z0", "Z0,1", "Z0,x,4"})
        EXPECT_EQ(ask(wrong), "E22") << wrong;
    for (int i = 0; i < 1023; ++i) EXPECT_EQ(ask(fmt::format("Z1,{:x},4", i * 4)), "OK");
    EXPECT_EQ(ask("Z1,ffffffff,4"), "E28");
}

TEST_F(GdbSessionTest, GoesOnAndReportsWhyItStopped) {
    ask("qSupported:swbreak+;hwbreak+;multiprocess+");
    target.values[1][0] = {0x40001000, 0};
    EXPECT_EQ(ask("vCont;s:2;c"), "(nothing)");
    ASSERT_EQ(target.plans.size(), 2u);
    EXPECT_EQ(target.plans[0].kind, CpuPlan::Kind::Run);
    EXPECT_EQ(target.plans[1].kind, CpuPlan::Kind::Step);
    EXPECT_TRUE(target.plans[1].holds_interrupts);
    EXPECT_EQ(target.clock, GuestClock::Runs);
    session.cpu_stopped(target.run - 1, 0, {}); // of a run that is over
    EXPECT_TRUE(take().empty());
    session.cpu_stopped(target.run, 1, {});
    const std::string registers = "01:0000000000000000;01:0000000000000000;00:0010004000000000;";
    const std::string stepped = fmt::format("T05{}thread:2;", registers);
    EXPECT_EQ(take(), std::vector{stepped});
    EXPECT_EQ(ask("?"), stepped);
    EXPECT_FALSE(target.running);
    session.cpu_stopped(target.run, 0, {});
    EXPECT_TRUE(take().empty()) << "it has stopped already";

    const auto stop_by = [&](DebugPointKind kind) {
        EXPECT_EQ(ask("c"), "(nothing)");
        session.cpu_stopped(target.run, 1, {CpuStop::Cause::Point, {kind, 0x2000, 8}, 0x2004});
        const std::string reply = take().at(0);
        return reply.substr(reply.find("thread:"));
    };
    EXPECT_EQ(stop_by(DebugPointKind::SoftwareBreakpoint), "thread:2;swbreak:;");
    EXPECT_EQ(stop_by(DebugPointKind::HardwareBreakpoint), "thread:2;hwbreak:;");
    EXPECT_EQ(stop_by(DebugPointKind::WriteWatchpoint), "thread:2;watch:2004;");
    EXPECT_EQ(stop_by(DebugPointKind::ReadWatchpoint), "thread:2;rwatch:2004;");
    EXPECT_EQ(stop_by(DebugPointKind::AccessWatchpoint), "thread:2;awatch:2004;");
}

TEST_F(GdbSessionTest, StepsAsQemuDoes) {
    EXPECT_EQ(ask("qqemu.sstepbits"), "ENABLE=1,NOIRQ=2,NOTIMER=4");
    EXPECT_EQ(ask("qqemu.sstep"), "0x7");
    EXPECT_EQ(ask("vCont;r1000,1010:1"), "(nothing)");
    EXPECT_EQ(target.plans[0].kind, CpuPlan::Kind::Range);
    EXPECT_EQ(target.plans[0].first, 0x1000u);
    EXPECT_EQ(target.plans[0].end, 0x1010u);
    EXPECT_EQ(target.plans[1].kind, CpuPlan::Kind::Hold);
    EXPECT_EQ(target.clock, GuestClock::Stands);
    session.receive("\x03");
    EXPECT_TRUE(take().at(0).starts_with("T02"));
    EXPECT_FALSE(target.running);
    EXPECT_EQ(ask("Qqemu.sstep=0x1"), "OK");
    EXPECT_EQ(ask("Qqemu.sstep=8"), "E22");
    EXPECT_EQ(ask("S05;40002000"), "(nothing)");
    EXPECT_EQ(target.values[0][0][0], 0x40002000u);
    EXPECT_FALSE(target.plans[0].holds_interrupts);
    EXPECT_EQ(target.clock, GuestClock::Runs);
    session.receive("\x03");
    take();
    // A CPU that is off cannot step; nobody waits for it.
    target.cpus_on[1] = false;
    EXPECT_TRUE(ask("vCont;s:2").starts_with("T05"));
    for (const char *wrong : {"vCont;x", "vCont;s:", "vCont;r1:1", "vCont;C", "vCont;s1", "czz"})
        EXPECT_EQ(ask(wrong), "E22") << wrong;
    EXPECT_EQ(ask("vCont;s:9"), "E03");
}

TEST_F(GdbSessionTest, TellsOfTheMachine) {
    ask("c");
    target.running = false;
    session.machine_event(MachineEvent::Stop, EventCause::None);
    EXPECT_TRUE(take().at(0).starts_with("T02")) << "somebody else stopped it";
    ask("c");
    session.machine_event(MachineEvent::Stop, EventCause::None);
    EXPECT_TRUE(take().empty()) << "it runs again";
    session.machine_event(MachineEvent::Reset, EventCause::GuestReset);
    EXPECT_TRUE(take().at(0).starts_with("O"));
    target.running = false;
    session.machine_event(MachineEvent::Stop, EventCause::None);
    EXPECT_TRUE(take().at(0).starts_with("T05"));
    ask("c");
    session.machine_event(MachineEvent::Shutdown, EventCause::GuestShutdown);
    EXPECT_EQ(take(), std::vector<std::string>{"W00"});
    EXPECT_TRUE(session.is_over());
}

TEST_F(GdbSessionTest, Ends) {
    EXPECT_EQ(session.how_it_ended(), DebugTarget::AfterDetach::StaysStopped);
    EXPECT_EQ(ask("D"), "OK");
    EXPECT_TRUE(session.is_over());
    EXPECT_EQ(session.how_it_ended(), DebugTarget::AfterDetach::Runs);
    GdbSession other(target);
    other.receive(frame_packet("k"));
    EXPECT_EQ(target.quits, 1);
    EXPECT_TRUE(other.is_over());
}

TEST_F(GdbSessionTest, AnswersQueries) {
    EXPECT_EQ(ask("qfThreadInfo"), "m1,2");
    EXPECT_EQ(ask("qsThreadInfo"), "l");
    EXPECT_EQ(ask("qThreadExtraInfo,2"), to_hex("CPU 1 (on)"));
    EXPECT_EQ(ask("qThreadExtraInfo,3"), "E03");
    EXPECT_EQ(ask("T2"), "OK");
    EXPECT_EQ(ask("T3"), "E03");
    EXPECT_EQ(ask("qC"), "QC1");
    for (const char *unknown :
         {"qCRC:0,1", "vMustReplyEmpty", "qXfer:auxv:read::0,10", "!", "", "Q"})
        EXPECT_EQ(ask(unknown), "") << unknown;
    const std::string whole = ask("qXfer:features:read:target.xml:0,fff");
    EXPECT_EQ(whole[0], 'l');
    EXPECT_NE(whole.find(R"(<feature name="test.more"><x/>)"), std::string::npos);
    EXPECT_NE(whole.find(R"(<reg name="f" bitsize="32" type="int" group="system"/>)"),
              std::string::npos);
    EXPECT_EQ(ask("qXfer:features:read:target.xml:2,3"), fmt::format("m{}", whole.substr(3, 3)));
    EXPECT_EQ(ask(fmt::format("qXfer:features:read:target.xml:{:x},3", whole.size() - 1)), "l");
    EXPECT_EQ(ask("qXfer:features:read:target.xml:fffff,3"), "E22");
    EXPECT_NE(ask("qXfer:threads:read::0,fff").find(R"(<thread id="2" core="1">CPU 1 (on)<)"),
              std::string::npos);
    ask("Hg2");
    EXPECT_EQ(ask("qRcmd," + to_hex("info status")), to_hex("info status on 1\n"));
    EXPECT_EQ(ask("qRcmd," + to_hex("silence")), "OK");
    EXPECT_EQ(ask("qRcmd,0"), "E22");
}

} // namespace
} // namespace tandem::machine
