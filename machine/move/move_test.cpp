#include "machine/move/address.h"
#include "machine/move/source.h"
#include "machine/move/target.h"
#include "machine/move/testing/memory_sink.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

namespace tandem::machine::move {
namespace {

constexpr u64 kPages = 1000;

std::pair<ScopedFd, ScopedFd> socket_pair() {
    std::array<int, 2> fds{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
    return {ScopedFd{fds[0]}, ScopedFd{fds[1]}};
}

/// Memory of which some pages are written again after each of the first collections.
class FakeLeaving final : public LeavingMachine {
public:
    FakeLeaving() : memory(kPages * kPageSize) {
        for (u64 page = 0; page < kPages; page += 2) write(page, page);
        for (u64 page = 100; page < 200; ++page) // does not compress
            for (std::size_t i = 0; i < kPageSize; ++i)
                memory[page * kPageSize + i] =
                    static_cast<std::byte>(::XXH3_64bits(&i, sizeof i) * page);
    }
    void write(u64 page, u64 value) {
        std::memcpy(memory.data() + page * kPageSize + 8 * (value % 500), &value, sizeof value);
    }

    std::string manifest() override { return "manifest"; }
    Result<std::vector<MovedRegion>> begin() override {
        std::vector<MovedRegion> regions;
        regions.push_back({std::make_unique<snapshot::MemoryRegion>(
                               "ram", memory, std::vector<snapshot::PageRange>{{0, kPages}}),
                           [this](std::span<u64> pages) {
                               if (is_stopped || ++collections > busy_rounds) return;
                               for (u64 page = 0; page < written_each_round; ++page) {
                                   write(page, collections);
                                   pages[page / 64] |= u64{1} << (page % 64);
                               }
                           }});
        return regions;
    }
    void end() override { has_ended = true; }
    void hold_cpus() override { ++holds; }
    void let_cpus_go() override { --holds; }
    void approach_stop() override {}
    Result<> stop() override {
        is_stopped = true;
        EXPECT_EQ(holds, 0) << "nobody holds the CPUs any more";
        return {};
    }
    std::vector<PartState> state() override { return {{"clock", {std::byte{7}}}, {"cpus", {}}}; }
    Result<std::string> release() override {
        has_disks = false;
        return "released";
    }
    bool runs_there() override { return true; }
    Result<> take_back() override {
        has_disks = true;
        is_stopped = false;
        return {};
    }

    std::vector<std::byte> memory;
    u64 collections = 0, busy_rounds = 3, written_each_round = 300;
    std::atomic<int> holds = 0;
    bool is_stopped = false, has_disks = true, has_ended = false;
};

class FakeArriving final : public ArrivingMachine {
public:
    std::vector<std::unique_ptr<PageSink>> sinks() override {
        std::vector<std::unique_ptr<PageSink>> sinks;
        sinks.push_back(std::make_unique<testing::MemorySink>(memory));
        return sinks;
    }
    Result<> complete(const PartStates &got, std::string_view what) override {
        if (!refusal.empty()) return failure(refusal);
        states = got;
        released = what;
        return {};
    }

    std::vector<std::byte> memory = std::vector<std::byte>(kPages * kPageSize);
    PartStates states;
    std::string released, refusal;
};

class MoveTest : public ::testing::Test {
protected:
    MoveTest() {
        auto [a, b] = socket_pair();
        near = std::make_unique<Channel>(std::move(a), "far");
        far = std::make_unique<Channel>(std::move(b), "near");
    }
    /// Moves it, with the target on another thread.
    Result<> move(MoveParameters parameters = {}) {
        Source source(leaving, *near, parameters,
                      [this](MoveState state) { states.push_back(state); });
        std::thread other([this] {
            Target target(*far);
            manifest = target.manifest();
            if (manifest.has_value()) arrived = target.receive(arriving);
        });
        const Result<> moved = source.run();
        report = source.report();
        other.join();
        return moved;
    }

    FakeLeaving leaving;
    FakeArriving arriving;
    std::unique_ptr<Channel> near, far;
    std::vector<MoveState> states;
    MoveReport report;
    Result<std::string> manifest;
    Result<GoByte> arrived = failure("nothing came");
};

TEST_F(MoveTest, IsSeenBeforeItBegins) {
    const Source source(leaving, *near, {}, [](MoveState) {});
    EXPECT_EQ(source.report().state, MoveState::Setup);
    EXPECT_LT(source.report().total_ns, u64{3'600'000'000'000});
}

TEST_F(MoveTest, BringsEverything) {
    const auto moved = move();
    ASSERT_TRUE(moved.has_value()) << moved.error().message;
    EXPECT_EQ(manifest.value(), "manifest");
    EXPECT_EQ(arrived.value(), GoByte::Runs);
    EXPECT_TRUE(arriving.memory == leaving.memory);
    EXPECT_EQ(arriving.states.at("clock"), std::vector<std::byte>{std::byte{7}});
    EXPECT_EQ(arriving.states.size(), 2u);
    EXPECT_EQ(arriving.released, "released");
    EXPECT_TRUE(leaving.has_ended && !leaving.has_disks);
    EXPECT_EQ(states, (std::vector{MoveState::Setup, MoveState::Active, MoveState::Device,
                                   MoveState::Completed}));
    EXPECT_EQ(report.state, MoveState::Completed);
    EXPECT_GT(report.pages, 500u);
    EXPECT_GE(report.zero_pages, 400u);
    EXPECT_GT(report.pause_ns, 0u);
}

TEST_F(MoveTest, SlowsDownAGuestThatIsTooFast) {
    // A pause that the 300 pages of a round do not fit.
    leaving.busy_rounds = 6;
    const auto moved = move({.bytes_per_second = 40'000'000, .pause_ms = 1, .slows_guest = true});
    ASSERT_TRUE(moved.has_value()) << moved.error().message;
    EXPECT_GE(report.throttle_percent, 20u);
    EXPECT_TRUE(arriving.memory == leaving.memory);
}

TEST_F(MoveTest, SaysThatItDoesNotConverge) {
    leaving.busy_rounds = ~u64{0};
    const auto moved = move({.bytes_per_second = 400'000'000, .pause_ms = 0, .slows_guest = false});
    ASSERT_FALSE(moved.has_value());
    EXPECT_NE(moved.error().message.find("writes faster than far takes it"), std::string::npos);
    EXPECT_EQ(report.state, MoveState::Failed);
    EXPECT_FALSE(leaving.is_stopped);
    EXPECT_TRUE(leaving.has_ended);
    EXPECT_FALSE(arrived.has_value());
}

TEST_F(MoveTest, StaysIfTheTargetRefusesInTheLastMoment) {
    arriving.refusal = "a disk: is not there; name another";
    const auto moved = move();
    ASSERT_FALSE(moved.has_value());
    EXPECT_EQ(moved.error().message, "far says: a disk: is not there; name another");
    EXPECT_TRUE(leaving.has_disks && !leaving.is_stopped && leaving.has_ended);
    EXPECT_EQ(report.error, moved.error().message);
}

TEST_F(MoveTest, CanBeCancelledAtAnyTime) {
    Source source(leaving, *near, {.bytes_per_second = 1000}, [](MoveState) {});
    std::thread other([this] {
        Target target(*far);
        ASSERT_TRUE(target.manifest().has_value());
        arrived = target.receive(arriving);
    });
    std::thread canceller([&] {
        while (source.report().state != MoveState::Active) std::this_thread::yield();
        source.cancel();
    });
    const auto moved = source.run();
    canceller.join();
    EXPECT_FALSE(moved.has_value());
    EXPECT_EQ(source.report().state, MoveState::Cancelled);
    near.reset();
    other.join();
    EXPECT_FALSE(arrived.has_value());
}

TEST_F(MoveTest, AVanishedTargetIsNoticed) {
    std::thread other([this] {
        Target target(*far);
        ASSERT_TRUE(target.manifest().has_value());
        far.reset();
    });
    Source source(leaving, *near, {}, [](MoveState) {});
    const auto moved = source.run();
    other.join();
    ASSERT_FALSE(moved.has_value());
    EXPECT_EQ(source.report().state, MoveState::Failed);
    EXPECT_FALSE(leaving.is_stopped);
}

/// One frame of pages, as somebody else might make it.
std::vector<std::byte> page_frame(const PageHeader &header, std::vector<u64> numbers,
                                  std::size_t bytes) {
    std::vector<std::byte> frame(sizeof header + numbers.size() * sizeof(u64) + bytes);
    std::memcpy(frame.data(), &header, sizeof header);
    std::ranges::copy(std::as_bytes(std::span(numbers)), frame.begin() + sizeof header);
    return frame;
}

TEST_F(MoveTest, TakesNoPagesThatMakeNoSense) {
    PageReceiver receiver(arriving.sinks());
    const auto takes = [&](const PageHeader &header, std::vector<u64> numbers, std::size_t bytes) {
        return receiver.take_pages(page_frame(header, std::move(numbers), bytes)).has_value();
    };
    EXPECT_TRUE(takes({.region = 0, .count = 1}, {kPages - 1}, kPageSize));
    EXPECT_FALSE(takes({.region = 1, .count = 1}, {0}, kPageSize)) << "no such region";
    EXPECT_FALSE(takes({.region = 0, .count = 1}, {kPages}, kPageSize)) << "beyond the end";
    EXPECT_FALSE(takes({.region = 0, .count = 1}, {~u64{0}}, kPageSize));
    EXPECT_FALSE(takes({.region = 0, .count = 0}, {}, 0));
    EXPECT_FALSE(takes({.region = 0, .count = 2}, {0, 1}, kPageSize)) << "too few bytes";
    EXPECT_FALSE(takes({.region = 0, .count = 1}, {0}, kPageSize + 1)) << "too many";
    EXPECT_FALSE(takes({.region = 0, .count = kPagesPerFrame + 1},
                       std::vector<u64>(kPagesPerFrame + 1), kPageSize * (kPagesPerFrame + 1)));
    EXPECT_FALSE(takes({.region = 0, .count = 1, .encoding = PageEncoding::Zstd}, {0}, 100));
    EXPECT_FALSE(takes({.region = 0, .count = 1, .encoding = PageEncoding{7}}, {0}, kPageSize));
    EXPECT_FALSE(receiver.take_pages({}).has_value());
    EXPECT_FALSE(
        receiver.take_zero_pages(page_frame({.region = 0, .count = 1}, {0}, 1)).has_value());
    EXPECT_TRUE(
        receiver.take_zero_pages(page_frame({.region = 0, .count = 1}, {0}, 0)).has_value());
}

TEST(ChannelTest, ChecksWhatComes) {
    const auto received = [](FrameHeader header, std::string payload, bool good_hash) {
        auto [a, b] = socket_pair();
        header.hash =
            ::XXH3_64bits_withSeed(payload.data(), payload.size(), static_cast<u64>(header.kind)) +
            (good_hash ? 0 : 1);
        EXPECT_GT(::write(b.get(), &header, sizeof header), 0);
        EXPECT_GE(::write(b.get(), payload.data(), payload.size()), 0);
        b.reset();
        Channel channel(std::move(a), "far");
        const auto frame = channel.receive(1000);
        return frame.has_value() ? std::string("taken") : frame.error().message;
    };
    EXPECT_EQ(received({.kind = FrameKind::End, .bytes = 3}, "abc", true), "taken");
    EXPECT_NE(received({.kind = FrameKind::End, .bytes = 3}, "abc", false).find("checksum"),
              std::string::npos);
    EXPECT_NE(received({.kind = FrameKind::End, .bytes = 4}, "abc", true).find("hung up"),
              std::string::npos);
    EXPECT_NE(
        received({.kind = FrameKind::End, .bytes = ~0u}, "", true).find("more than there are"),
        std::string::npos);
    EXPECT_EQ(received({.kind = FrameKind::Failed, .bytes = 4}, "no\n\x1b", true),
              "far says: no??");
}

TEST(ChannelTest, KeepsToItsLimit) {
    auto [a, b] = socket_pair();
    Channel channel(std::move(a), "far");
    channel.set_limit(1'000'000);
    std::thread reader([&b = b] {
        std::vector<char> buffer(65536);
        while (::read(b.get(), buffer.data(), buffer.size()) > 0) {
        }
    });
    const auto began = std::chrono::steady_clock::now();
    const std::vector<std::byte> bytes(300'000);
    EXPECT_TRUE(channel.send(FrameKind::End, bytes).has_value());
    EXPECT_TRUE(channel.send(FrameKind::End, bytes).has_value());
    EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(400));
    EXPECT_EQ(channel.sent_bytes(), 2 * (sizeof(FrameHeader) + bytes.size()));
    channel.cancel();
    EXPECT_FALSE(channel.send(FrameKind::End).has_value());
    ::shutdown(b.get(), SHUT_RDWR);
    reader.join();
}

TEST(AddressTest, SaysWhatItIs) {
    for (const char *good : {"unix:/a", "tcp:h:1", "tcp:[::1]:1", "tcp::1", "exec:true"})
        EXPECT_TRUE(check_address(good).has_value()) << good;
    for (const char *bad :
         {"", "unix:", "tcp:", "tcp:h", "tcp:h:", "tcp:h:70000", "h:1", "exec:", "fd:1", "fd:x"})
        EXPECT_FALSE(check_address(bad).has_value()) << bad;
    for (const char *bad : {"exec:true", "fd:", "fd:-1", "fd:x", "tcp:h"})
        EXPECT_FALSE(Arrival::open(bad).has_value()) << bad;
    const auto nobody = connect("exec:true");
    ASSERT_FALSE(nobody.has_value());
    EXPECT_NE(nobody.error().message.find("is no Tandem"), std::string::npos);
}

} // namespace
} // namespace tandem::machine::move
