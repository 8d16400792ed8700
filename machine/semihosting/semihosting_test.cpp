// What a program of roms/tests cannot reach: lines that are slow, limits, damaged state.
#include "machine/semihosting/semihosting.h"

#include "frontend-arm/state/test_cpu.h"
#include "machine/memory/guest_memory.h"

#include <gtest/gtest.h>

#include <cstring>

namespace tandem::machine {
namespace {

using Completion = arm::SemihostingCalls::Completion;

constexpr u64 kRam = 0x4000'0000;
constexpr u64 kRamSize = 4u << 20;
constexpr u64 kBlock = kRam + 0x1000, kText = kRam + 0x2000;

/// Takes so many bytes, and holds some.
class SlowLine final : public devices::Char {
public:
    std::size_t write(std::span<const std::byte> bytes) override {
        const std::size_t taken = std::min(bytes.size(), room);
        room -= taken;
        for (const std::byte byte : bytes.first(taken)) text += static_cast<char>(byte);
        return taken;
    }
    std::size_t read(std::span<std::byte> out) override {
        const std::size_t given = std::min(out.size(), keys.size());
        std::memcpy(out.data(), keys.data(), given);
        keys.erase(0, given);
        return given;
    }
    void set_listener(devices::CharListener *given) override { listener = given; }

    std::size_t room = 1u << 20;
    std::string text, keys;
    devices::CharListener *listener = nullptr;
};

class StillClock final : public devices::Clock {
public:
    u64 now_ns() const override { return 12'340'000'000; }
    u64 calendar_seconds() const override { return 1'800'000'000; }
    std::unique_ptr<devices::Timer> create_timer(devices::TimerListener &) override {
        return nullptr;
    }
};

class Events final : public arm::EventBus {
public:
    void send_event() override { ++sent; }
    void yield() override {}
    int sent = 0;
};

class SemihostingTest : public testing::Test {
protected:
    std::unique_ptr<Semihosting> make(bool has_input = true) {
        Semihosting::Wiring wiring;
        wiring.memory = &map_;
        wiring.clock = &clock_;
        wiring.events = &events_;
        wiring.console = {&line_, has_input};
        wiring.command_line = "program argument";
        wiring.ram_end = kRam + kRamSize;
        wiring.exit = [this](u8 status) { status_ = status; };
        auto made = std::make_unique<Semihosting>(std::move(wiring));
        made->listen();
        return made;
    }
    template <typename... Words>
    Completion call(u32 operation, Words... words) {
        const std::array<u64, sizeof...(words)> block{static_cast<u64>(words)...};
        if constexpr (sizeof...(words) != 0)
            std::memcpy(ram_->span(GuestPhysAddr{kBlock}, sizeof block).data(), block.data(),
                        sizeof block);
        return call_at(operation, kBlock);
    }
    Completion call_at(u32 operation, u64 parameter) {
        cpu_->gpr[0] = operation;
        cpu_->gpr[1] = parameter;
        return semihosting_->call(*cpu_);
    }
    [[nodiscard]] i64 answer() const { return static_cast<i64>(cpu_->gpr[0]); }
    void put(u64 at, const std::string &text) {
        std::memcpy(ram_->span(GuestPhysAddr{at}, text.size() + 1).data(), text.c_str(),
                    text.size() + 1);
    }
    u64 open_console(u64 mode) {
        put(kText, ":tt");
        EXPECT_EQ(call(0x01, kText, mode, 3), Completion::Done);
        return cpu_->gpr[0];
    }

    std::unique_ptr<GuestMemory> ram_ = GuestMemory::create(GuestPhysAddr{kRam}, kRamSize).value();
    PhysicalMap map_{*ram_};
    SlowLine line_;
    StillClock clock_;
    Events events_;
    int status_ = -1;
    arm::testing::TestCpu test_cpu_;
    arm::ArmState *cpu_ = test_cpu_.state.get(); ///< at EL1, with its MMU off
    std::unique_ptr<Semihosting> semihosting_ = make();
};

TEST_F(SemihostingTest, WaitsForALineThatIsSlow) {
    put(kText, "twelve bytes");
    line_.room = 5;
    EXPECT_EQ(call_at(0x04, kText), Completion::Waits);
    EXPECT_EQ(line_.text, "twelv");
    EXPECT_EQ(call_at(0x04, kText), Completion::Waits) << "still no room";
    line_.room = 100;
    EXPECT_EQ(call_at(0x04, kText), Completion::Done);
    EXPECT_EQ(line_.text, "twelve bytes");
    EXPECT_EQ(call_at(0x04, kText), Completion::Done);
    EXPECT_EQ(line_.text, "twelve bytestwelve bytes") << "the next text starts anew";
}

TEST_F(SemihostingTest, WritesMoreThanOneCallMoves) {
    const u64 handle = open_console(4);
    const u64 length = 200'000;
    std::memset(ram_->span(GuestPhysAddr{kText}, length).data(), 'x', length);
    int calls = 1;
    while (call(0x05, handle, kText, length) == Completion::Again) ++calls;
    EXPECT_EQ(answer(), 0);
    EXPECT_GT(calls, 1);
    EXPECT_EQ(line_.text, std::string(length, 'x'));
}

TEST_F(SemihostingTest, WaitsForKeys) {
    EXPECT_EQ(call(0x07), Completion::Waits);
    ASSERT_NE(line_.listener, nullptr);
    line_.listener->readable();
    EXPECT_EQ(events_.sent, 1);
    line_.keys = "ab";
    EXPECT_EQ(call(0x07), Completion::Done);
    EXPECT_EQ(answer(), 'a');
    const u64 handle = open_console(0);
    EXPECT_EQ(call(0x06, handle, kText, 10), Completion::Done);
    EXPECT_EQ(answer(), 9) << "one byte of ten";
}

TEST_F(SemihostingTest, HasNoInputOnTheSerialLine) {
    semihosting_ = make(false);
    EXPECT_EQ(line_.listener, nullptr);
    EXPECT_EQ(call(0x07), Completion::Done);
    EXPECT_EQ(answer(), -1);
}

TEST_F(SemihostingTest, RefusesWhatCannotBe) {
    EXPECT_EQ(call(0x99), Completion::Done);
    EXPECT_EQ(answer(), -1);
    EXPECT_EQ(call(0x01, kText, 12, 3), Completion::Done) << "no such mode";
    EXPECT_EQ(answer(), -1);
    EXPECT_EQ(call(0x01, kText, 0, ~u64{0}), Completion::Done) << "a name of all memory";
    EXPECT_EQ(answer(), -1);
    EXPECT_EQ(call(0x05, 77, kText, 10), Completion::Done) << "no such handle";
    EXPECT_EQ(answer(), 10);
    EXPECT_EQ(call_at(0x04, kRam + kRamSize), Completion::Done) << "no memory";
    EXPECT_EQ(call_at(0x02, kRam + kRamSize - 4), Completion::Done) << "half a block";
    EXPECT_EQ(answer(), -1);
    EXPECT_EQ(call(0x15, kText, 5), Completion::Done) << "no room for the command line";
    EXPECT_EQ(answer(), -1);
    put(kText, "rm");
    EXPECT_EQ(call(0x12, kText, 2), Completion::Done) << "a command for the host";
    EXPECT_EQ(answer(), -1);
}

TEST_F(SemihostingTest, OpensOnlySoMany) {
    std::size_t opened = 0;
    while (static_cast<i64>(open_console(4)) > 0) ++opened;
    EXPECT_EQ(opened, OpenFiles::kMaxOpen);
    EXPECT_EQ(call(0x02, 1), Completion::Done);
    EXPECT_EQ(open_console(4), 1u);
}

TEST_F(SemihostingTest, EndsWithTheProgramsStatus) {
    EXPECT_EQ(call(0x18, 0x2'0026, 42), Completion::Done);
    EXPECT_EQ(status_, 42);
    EXPECT_EQ(cpu_->pending_exit, ir::PendingExit::Stop);
    EXPECT_EQ(call(0x18, 0x2'0023, 42), Completion::Done) << "an error, not an end";
    EXPECT_EQ(status_, 1);
}

TEST_F(SemihostingTest, TellsTheTime) {
    EXPECT_EQ(call(0x10), Completion::Done);
    EXPECT_EQ(answer(), 1234);
    EXPECT_EQ(call(0x11), Completion::Done);
    EXPECT_EQ(answer(), 1'800'000'000);
}

TEST_F(SemihostingTest, GoesOnInTheMiddleOfAText) {
    put(kText, "one and two");
    line_.room = 4;
    EXPECT_EQ(call_at(0x04, kText), Completion::Waits);
    devices::StateWriter writer;
    semihosting_->save(writer);

    semihosting_ = make();
    devices::StateReader reader(writer.data());
    ASSERT_TRUE(semihosting_->restore(reader).has_value());
    line_.room = 100;
    EXPECT_EQ(call_at(0x04, kText), Completion::Done);
    EXPECT_EQ(line_.text, "one and two");

    for (std::size_t length = 0; length < writer.data().size(); ++length) {
        devices::StateReader cut(writer.data().first(length));
        EXPECT_FALSE(make()->restore(cut).has_value()) << length;
    }
}

} // namespace
} // namespace tandem::machine
