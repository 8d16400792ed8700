#include "machine/link/shaped_net.h"

#include "devices/testing/fakes.h"

#include <gtest/gtest.h>

namespace tandem::machine {
namespace {

constexpr u64 kMillisecond = 1'000'000;

class ShapedNetTest : public ::testing::Test, private devices::NetListener {
protected:
    ShapedNetTest() { net.set_listener(this); }
    ~ShapedNetTest() override { net.set_listener(nullptr); }

    void shape(std::string_view text) {
        LinkConfig link;
        ASSERT_TRUE(apply_link_settings(text, link).has_value());
        net.set_link(link);
    }
    static std::vector<std::byte> frame(std::size_t size, int number = 0) {
        return std::vector<std::byte>(size, static_cast<std::byte>(number));
    }
    std::size_t receive() {
        std::vector<std::byte> target(devices::Net::kMaxFrame);
        return net.receive(target);
    }

    devices::testing::FakeNet host;
    devices::testing::FakeClock clock;
    ShapedNet net{host, clock, 1};
    int calls = 0;

private:
    void frames_wait() override { ++calls; }
};

TEST_F(ShapedNetTest, UnshapedItIsNotThere) {
    net.send(frame(100));
    EXPECT_EQ(host.sent.size(), 1u);
    host.arrive(frame(60));
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(receive(), 60u);
    EXPECT_EQ(receive(), 0u);
}

TEST_F(ShapedNetTest, LatencyAndRateAddUp) {
    shape("latency=10,rate=1"); // 125 bytes a millisecond
    net.send(frame(125));
    net.send(frame(250));
    host.arrive(frame(125));
    EXPECT_EQ(calls, 0);
    clock.advance(11 * kMillisecond - 1);
    EXPECT_TRUE(host.sent.empty());
    EXPECT_EQ(receive(), 0u);
    clock.advance(1);
    EXPECT_EQ(host.sent.size(), 1u);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(receive(), 125u);
    clock.advance(2 * kMillisecond - 1);
    EXPECT_EQ(host.sent.size(), 1u);
    clock.advance(1);
    EXPECT_EQ(host.sent.size(), 2u);
}

TEST_F(ShapedNetTest, QueuesForAQuarterOfASecond) {
    shape("up-rate=1");
    for (int i = 0; i < 100; ++i) net.send(frame(1250)); // 10 ms each
    clock.advance(2000 * kMillisecond);
    EXPECT_EQ(host.sent.size(), 26u);
    host.arrive(frame(60));
    EXPECT_EQ(receive(), 60u) << "the other direction is as it was";
}

TEST_F(ShapedNetTest, JitterKeepsTheOrder) {
    shape("latency=20,jitter=20");
    for (int i = 0; i < 50; ++i) {
        net.send(frame(10, i));
        clock.advance(kMillisecond);
    }
    clock.advance(100 * kMillisecond);
    ASSERT_EQ(host.sent.size(), 50u);
    for (int i = 0; i < 50; ++i)
        EXPECT_EQ(host.sent[static_cast<std::size_t>(i)][0], static_cast<std::byte>(i));
}

TEST_F(ShapedNetTest, LosesItsShareByItsSeed) {
    shape("loss=25");
    std::size_t arrived = 0;
    for (int i = 0; i < 4000; ++i) {
        host.sent.clear();
        net.send(frame(10));
        arrived += host.sent.size();
    }
    EXPECT_NEAR(static_cast<double>(arrived), 3000, 100);
    shape("profile=offline");
    host.sent.clear();
    net.send(frame(10));
    clock.advance(1000 * kMillisecond);
    EXPECT_TRUE(host.sent.empty());
}

TEST_F(ShapedNetTest, ChangesWhileFramesAreOnTheWay) {
    shape("latency=10");
    net.send(frame(10, 1));
    host.arrive(frame(60));
    shape("profile=none");
    net.send(frame(10, 2));
    host.arrive(frame(61));
    EXPECT_TRUE(host.sent.empty()) << "behind the first";
    clock.advance(10 * kMillisecond);
    ASSERT_EQ(host.sent.size(), 2u);
    EXPECT_EQ(host.sent[1][0], std::byte{2});
    EXPECT_EQ(receive(), 60u);
    EXPECT_EQ(receive(), 61u);
    net.send(frame(10, 3));
    EXPECT_EQ(host.sent.size(), 3u);
}

TEST_F(ShapedNetTest, GoesOnWhereItWasSaved) {
    shape("latency=10,jitter=5,loss=30,rate=10");
    for (int i = 0; i < 20; ++i) net.send(frame(100, i));
    host.arrive(frame(60));
    devices::StateWriter writer;
    net.save(writer);
    devices::testing::FakeNet other_host;
    ShapedNet other{other_host, clock, 99};
    devices::StateReader reader(writer.data());
    ASSERT_TRUE(other.restore(reader).has_value());
    EXPECT_EQ(other.link(), net.link());
    for (int i = 0; i < 20; ++i) {
        net.send(frame(100, i));
        other.send(frame(100, i));
    }
    clock.advance(1000 * kMillisecond);
    EXPECT_EQ(host.sent, other_host.sent);
    EXPECT_FALSE(host.sent.empty());
    std::vector<std::byte> target(devices::Net::kMaxFrame);
    EXPECT_EQ(receive(), other.receive(target));
}

} // namespace
} // namespace tandem::machine
