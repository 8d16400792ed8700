#include "machine/host/vsock/host_vsock.h"

#include "machine/host/unix_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>

namespace tandem::machine {
namespace {

using devices::VsockEvent;
using devices::VsockPorts;
using Kind = VsockEvent::Kind;

class HostVsockTest : public ::testing::Test, private devices::VsockListener {
protected:
    HostVsockTest() { vsock->set_listener(this); }
    ~HostVsockTest() override { vsock->set_listener(nullptr); }

    /// The next event, which has to be of that kind.
    VsockEvent expect(Kind kind) {
        VsockEvent event;
        std::unique_lock lock(mutex);
        const bool came =
            changed.wait_for(lock, std::chrono::seconds(20), [&] { return vsock->receive(event); });
        EXPECT_TRUE(came);
        EXPECT_EQ(event.kind, kind);
        return event;
    }
    bool is_silent() {
        ::usleep(20'000);
        VsockEvent event;
        return !vsock->receive(event);
    }
    static ScopedFd call(const std::string &where) {
        ScopedFd fd = connect_to(where);
        EXPECT_TRUE(fd.is_open()) << where;
        const timeval patience{.tv_sec = 20, .tv_usec = 0};
        ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        return fd;
    }
    static void say(const ScopedFd &fd, std::string_view text) {
        ASSERT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    /// So many bytes, or what comes before the end.
    static std::string hear(const ScopedFd &fd, std::size_t size) {
        std::string text(size, '\0');
        const ssize_t got = ::recv(fd.get(), text.data(), size, MSG_WAITALL);
        text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
        return text;
    }
    void send(VsockPorts ports, std::string_view text) {
        vsock->send(ports, std::as_bytes(std::span(text)));
    }
    static std::string text_of(const VsockEvent &event) {
        return {reinterpret_cast<const char *>(event.bytes.data()), event.bytes.size()};
    }
    /// A stream to the guest's port 22, with its client.
    std::pair<VsockPorts, ScopedFd> connected() {
        ScopedFd client = call(path);
        say(client, "CONNECT 22\n");
        const VsockPorts ports = expect(Kind::Opening).ports;
        vsock->accept(ports);
        const std::string answer = "OK " + std::to_string(ports.host) + "\n";
        EXPECT_EQ(hear(client, answer.size()), answer);
        return {ports, std::move(client)};
    }

    const std::string path = (std::filesystem::temp_directory_path() /
                              ("vsock-" + std::to_string(::getpid()) + "-" +
                               ::testing::UnitTest::GetInstance()->current_test_info()->name()))
                                 .string();
    std::unique_ptr<HostVsock> vsock = HostVsock::create(path).value();

private:
    void events_wait() override {
        const std::lock_guard lock(mutex);
        changed.notify_all();
    }
    std::mutex mutex;
    std::condition_variable changed;
};

TEST_F(HostVsockTest, ConnectsAClientToTheGuest) {
    const auto [ports, client] = connected();
    EXPECT_EQ(ports.guest, 22u);
    EXPECT_GE(ports.host, devices::Vsock::kFirstHostPort);
    say(client, "hello");
    EXPECT_TRUE(is_silent()) << "nothing was granted";
    vsock->grant(ports, 3);
    EXPECT_EQ(text_of(expect(Kind::Data)), "hel");
    EXPECT_TRUE(is_silent());
    vsock->grant(ports, 100);
    EXPECT_EQ(text_of(expect(Kind::Data)), "lo");
    send(ports, "world");
    EXPECT_EQ(hear(client, 5), "world");
    EXPECT_EQ(expect(Kind::Taken).count, 5u) << "without the answer to the greeting";
    ::shutdown(client.get(), SHUT_WR);
    expect(Kind::Finished);
    send(ports, "more");
    vsock->finish(ports);
    EXPECT_EQ(hear(client, 100), "more") << "and then the end";
}

TEST_F(HostVsockTest, KeepsWhatFollowsTheGreeting) {
    ScopedFd client = call(path);
    say(client, "CONNECT 7\r\nat once");
    const VsockPorts ports = expect(Kind::Opening).ports;
    vsock->accept(ports);
    vsock->grant(ports, 100);
    EXPECT_EQ(text_of(expect(Kind::Data)), "at once");
    client.reset();
    expect(Kind::Closed);
}

TEST_F(HostVsockTest, DropsClientsThatMakeNoSense) {
    for (const std::string_view greeting :
         {"HELLO 7\n", "CONNECT x\n", "CONNECT 4294967296\n", "CONNECT -1\n", "CONNECT 1 2\n",
          "CONNECT                                 1\n"}) {
        const ScopedFd client = call(path);
        say(client, greeting);
        EXPECT_EQ(hear(client, 100), "") << greeting;
    }
    EXPECT_TRUE(is_silent());
}

TEST_F(HostVsockTest, RefusedByTheGuest) {
    const ScopedFd client = call(path);
    say(client, "CONNECT 22\n");
    vsock->close(expect(Kind::Opening).ports);
    EXPECT_EQ(hear(client, 100), "");
}

TEST_F(HostVsockTest, ConnectsTheGuestToAListener) {
    const VsockPorts ports{.host = 52, .guest = 1000};
    vsock->open(ports);
    EXPECT_EQ(expect(Kind::Closed).ports, ports) << "nobody listens";
    const std::string beside = path + "_52";
    const ScopedFd listener = listen_at(beside, "test").value();
    vsock->open(ports);
    EXPECT_EQ(expect(Kind::Accepted).ports, ports);
    const ScopedFd client{::accept(listener.get(), nullptr, nullptr)};
    ASSERT_TRUE(client.is_open());
    send(ports, "last words");
    vsock->close(ports);
    EXPECT_EQ(hear(client, 100), "last words");
    EXPECT_TRUE(is_silent()) << "no event follows";
    std::filesystem::remove(beside);
}

TEST_F(HostVsockTest, WaitsForASlowReader) {
    const auto [ports, client] = connected();
    const std::string piece(1 << 20, 'x');
    send(ports, piece);
    send(ports, "end");
    std::size_t taken = 0;
    VsockEvent event;
    ::usleep(50'000);
    while (vsock->receive(event)) taken += event.count;
    EXPECT_LT(taken, piece.size()) << "the rest waits";
    EXPECT_EQ(hear(client, piece.size() + 3), piece + "end");
    while (taken < piece.size() + 3) taken += expect(Kind::Taken).count;
    EXPECT_EQ(taken, piece.size() + 3);
}

TEST_F(HostVsockTest, RefusesAPathThatIsTooLong) {
    const auto failed = HostVsock::create("/tmp/" + std::string(95, 'x'));
    ASSERT_FALSE(failed.has_value());
    EXPECT_NE(failed.error().message.find("96 bytes"), std::string::npos) << failed.error().message;
}

} // namespace
} // namespace tandem::machine
