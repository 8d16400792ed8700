#include "machine/host/net/user_net.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <condition_variable>

namespace tandem::machine {
namespace {

class Listener final : public devices::NetListener {
public:
    void frames_wait() override {
        const std::lock_guard lock(mutex);
        ++calls;
        changed.notify_all();
    }
    std::mutex mutex;
    std::condition_variable changed;
    int calls = 0;
};

TEST(UserNet, AnswersArp) {
    auto net = std::move(*UserNet::create({}));
    Listener listener;
    net->set_listener(&listener);
    // RFC 826: who has 10.0.2.2? Tell 10.0.2.15.
    const u8 question[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0x12, 0x34,
                             0x56, 8,    6,    0,    1,    8,    0,    6,    4, 0,    1,
                             0x52, 0x54, 0,    0x12, 0x34, 0x56, 10,   0,    2, 15,   0,
                             0,    0,    0,    0,    0,    10,   0,    2,    2};
    net->send(std::as_bytes(std::span(question)));
    std::array<std::byte, 2048> frame{};
    bool answered = false;
    for (int i = 0; i < 100 && !answered; ++i) {
        std::unique_lock lock(listener.mutex);
        listener.changed.wait_for(lock, std::chrono::milliseconds(100),
                                  [&] { return listener.calls != 0; });
        listener.calls = 0;
        lock.unlock();
        while (const std::size_t size = net->receive(frame))
            answered |= size >= 42 && frame[12] == std::byte{8} && frame[13] == std::byte{6} &&
                        frame[21] == std::byte{2} && frame[31] == std::byte{2};
    }
    EXPECT_TRUE(answered);
    net->set_listener(nullptr);
}

TEST(UserNet, RefusesAPortThatIsTaken) {
    const ScopedFd taken{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto *generic = reinterpret_cast<sockaddr *>(&address);
    ASSERT_EQ(::bind(taken.get(), generic, length), 0);
    ASSERT_EQ(::listen(taken.get(), 1), 0);
    ASSERT_EQ(::getsockname(taken.get(), generic, &length), 0);
    NetConfig config;
    config.forwards.push_back(
        {HostForward::Protocol::Tcp, "127.0.0.1", ntohs(address.sin_port), 80});
    const auto net = UserNet::create(config);
    ASSERT_FALSE(net.has_value());
    EXPECT_NE(net.error().message.find("use another port"), std::string::npos);
    config.forwards[0].address = "nowhere";
    EXPECT_FALSE(UserNet::create(config).has_value());
}

TEST(UserNet, RefusesBootFilesThatNobodyCouldLoad) {
    EXPECT_FALSE(UserNet::create({.tftp = "/no/such/folder"}).has_value());
    EXPECT_FALSE(UserNet::create({.tftp = "/proc/self/status"}).has_value());
    EXPECT_FALSE(UserNet::create({.bootfile = std::string(128, 'b')}).has_value());
    EXPECT_TRUE(UserNet::create({.tftp = "/", .bootfile = std::string(127, 'b')}).has_value());
}

} // namespace
} // namespace tandem::machine
