#include "machine/display/vnc/vnc_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <random>

namespace tandem::machine {
namespace {

constexpr u32 kWidth = 64, kHeight = 48;

struct FakeHost final : DisplayHost {
    Screen shown{1};
    std::mutex mutex;
    std::vector<InputAction> actions;
    std::vector<devices::DisplayMode> modes;

    RunState run_state() const override { return RunState::Running; }
    const Screen &screen() const override { return shown; }
    Result<> set_screen(u32, const devices::DisplayMode &mode) override {
        const std::lock_guard lock(mutex);
        modes.push_back(mode);
        return {};
    }
    Result<> send_input(std::span<const InputAction> all) override {
        const std::lock_guard lock(mutex);
        actions.insert(actions.end(), all.begin(), all.end());
        return {};
    }
    void press_power_key() override {}
    void quit() override {}

    void draw(u32 colour) {
        const std::vector<u32> pixels(kWidth * kHeight, colour);
        shown.show(0, kWidth, kHeight);
        shown.update(0, {0, 0, kWidth, kHeight},
                     {.bytes = std::as_bytes(std::span(pixels)), .stride = kWidth * sizeof(u32)});
    }
    std::size_t heard() {
        const std::lock_guard lock(mutex);
        return actions.size();
    }
};

/// RFC 6143, with raw pixels.
class Client {
public:
    explicit Client(u16 port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = ::htons(port);
        address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
        const timeval patience{.tv_sec = 60, .tv_usec = 0};
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<sockaddr *>(&address), sizeof address),
                  0);
    }
    bool send(const std::string &bytes) {
        return ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(bytes.size());
    }
    /// Less if the connection ends.
    std::string take(std::size_t count) {
        std::string bytes(count, '\0');
        std::size_t got = 0;
        while (got < count) {
            const ssize_t some = ::recv(socket_.get(), bytes.data() + got, count - got, 0);
            if (some <= 0) break;
            got += static_cast<std::size_t>(some);
        }
        bytes.resize(got);
        return bytes;
    }
    /// Without a password; whether it is let in.
    bool enter() {
        if (take(12) != kVersion || !send(kVersion) || take(2) != std::string("\1\1", 2) ||
            !send("\1") || take(4) != std::string(4, '\0') || !send("\1"))
            return false;
        const std::string hello = take(24);
        return hello.size() == 24 && take(static_cast<u8>(hello[23])).size() > 0;
    }
    bool ask_for_picture() {
        return send(std::string("\3\0\0\0\0\0\0", 7) + static_cast<char>(kWidth) + '\0' +
                    static_cast<char>(kHeight));
    }
    /// The first pixel of an update of one rectangle: blue, green, red.
    std::string first_pixel() {
        const std::string head = take(16);
        if (head.size() != 16) return "";
        return take(kWidth * kHeight * 4).substr(0, 3);
    }
    static inline const std::string kVersion = "RFB 003.008\n";

private:
    ScopedFd socket_;
};

class VncServerTest : public ::testing::Test {
protected:
    void start(bool has_password, const std::string &password = "") {
        ScopedFd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
        ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr *>(&address), sizeof address),
                  0);
        ASSERT_EQ(::listen(listener.get(), 100), 0);
        socklen_t length = sizeof address;
        ::getsockname(listener.get(), reinterpret_cast<sockaddr *>(&address), &length);
        port = ::ntohs(address.sin_port);
        const DisplayWiring wiring{.machine = host,
                                   .inputs = {devices::InputKind::Keyboard},
                                   .screens = {{kWidth, kHeight, 96}},
                                   .title = "test"};
        server = VncServer::create({.listener = std::move(listener),
                                    .has_password = has_password,
                                    .password = password,
                                    .head = 0},
                                   wiring)
                     .value();
    }
    template <typename Condition>
    static bool soon(Condition is_so) {
        for (int i = 0; i < 6000; ++i) {
            if (is_so()) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return false;
    }
    FakeHost host;
    u16 port = 0;
    std::unique_ptr<VncService> server;
};

TEST_F(VncServerTest, ShowsThePictureToSeveral) {
    host.draw(0x112233);
    start(false);
    Client one(port), other(port);
    for (Client *client : {&one, &other}) {
        ASSERT_TRUE(client->enter());
        ASSERT_TRUE(client->ask_for_picture());
        EXPECT_EQ(client->first_pixel(), "\x33\x22\x11");
    }
    EXPECT_EQ(server->info().clients.size(), 2u);
    EXPECT_EQ(server->info().server.service, std::to_string(port));
    host.draw(0x445566);
    ASSERT_TRUE(one.send(std::string("\3\1\0\0\0\0\0", 7) + static_cast<char>(kWidth) + '\0' +
                         static_cast<char>(kHeight)));
    EXPECT_EQ(one.first_pixel(), "\x66\x55\x44");
}

TEST_F(VncServerTest, TellsOfKeysAndLetsThemGo) {
    start(false);
    {
        Client client(port);
        ASSERT_TRUE(client.enter());
        ASSERT_TRUE(client.send(std::string("\4\1\0\0\0\0\0a", 8)));
        ASSERT_TRUE(soon([&] { return host.heard() == 1; }));
    }
    ASSERT_TRUE(soon([&] { return host.heard() == 2; })) << "it is gone";
    EXPECT_EQ(std::get<KeyAction>(host.actions[0]).code, KEY_A);
    EXPECT_FALSE(std::get<KeyAction>(host.actions[1]).down);
    EXPECT_TRUE(soon([&] { return server->info().clients.empty(); }));
}

TEST_F(VncServerTest, LetsNobodyInWithoutThePassword) {
    start(true, "secret");
    const std::string version = Client::kVersion;
    {
        Client wrong(port);
        EXPECT_EQ(wrong.take(12), version);
        ASSERT_TRUE(wrong.send(version));
        EXPECT_EQ(wrong.take(2), std::string("\1\2", 2)) << "VNC's alone";
        ASSERT_TRUE(wrong.send("\2"));
        EXPECT_EQ(wrong.take(16).size(), 16u);
        ASSERT_TRUE(wrong.send(std::string(16, 'x')));
        EXPECT_EQ(wrong.take(4), std::string("\0\0\0\1", 4));
    }
    Client none(port);
    EXPECT_FALSE(none.enter());
    EXPECT_TRUE(server->info().clients.empty());
}

TEST_F(VncServerTest, GoesOnWhateverClientsSend) {
    host.draw(0x112233);
    start(false);
    std::vector<std::unique_ptr<Client>> silent;
    for (int i = 0; i < 70; ++i) silent.push_back(std::make_unique<Client>(port));
    std::mt19937 chance(20);
    for (int i = 0; i < 40; ++i) {
        std::string noise(chance() % 300, '\0');
        for (char &byte : noise) byte = static_cast<char>(chance());
        if (!noise.empty()) noise[0] = static_cast<char>(chance() % 16);
        Client client(port);
        if (i % 4 == 0) {
            static_cast<void>(client.take(12));
            static_cast<void>(client.send(noise));
        } else if (client.enter()) {
            static_cast<void>(client.send(noise) && client.ask_for_picture());
            host.shown.show(0, 30 + static_cast<u32>(i), 20);
        }
    }
    host.draw(0x010203);
    Client good(port);
    ASSERT_TRUE(good.enter());
    ASSERT_TRUE(good.ask_for_picture());
    EXPECT_EQ(good.first_pixel(), "\3\2\1");
}

} // namespace
} // namespace tandem::machine
