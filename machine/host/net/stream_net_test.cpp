#include "machine/host/net/stream_net.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <future>

namespace tandem::machine {
namespace {

class Arrivals final : public devices::NetListener {
public:
    void frames_wait() override { arrived.set_value(); }
    std::promise<void> arrived;
};

class StreamNetTest : public testing::Test {
protected:
    StreamNetTest() {
        std::filesystem::remove(path_);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr *>(&address), sizeof address),
                  0);
        EXPECT_EQ(::listen(listener_.get(), 1), 0);
        NetConfig config;
        config.kind = NetConfig::Kind::Stream;
        config.where = path_;
        net_ = std::move(*StreamNet::create(config));
        peer_.reset(::accept(listener_.get(), nullptr, nullptr));
    }
    ~StreamNetTest() override { std::filesystem::remove(path_); }

    void say(const std::string &bytes) const {
        ASSERT_EQ(::send(peer_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
    }
    /// The next frame, once the listener has been told.
    std::string hear() {
        Arrivals arrivals;
        net_->set_listener(&arrivals);
        std::array<std::byte, devices::Net::kMaxFrame> frame;
        std::size_t size = net_->receive(frame);
        if (size == 0) {
            arrivals.arrived.get_future().wait_for(std::chrono::seconds(20));
            size = net_->receive(frame);
        }
        net_->set_listener(nullptr);
        return {reinterpret_cast<const char *>(frame.data()), size};
    }

    const std::string path_ = testing::TempDir() + "stream-" + std::to_string(::getpid());
    ScopedFd listener_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    std::unique_ptr<StreamNet> net_;
    ScopedFd peer_;
};

using namespace std::string_literals;

TEST_F(StreamNetTest, SendsFramesBehindTheirLengths) {
    const std::string frame(300, 'x');
    net_->send(std::as_bytes(std::span(frame)));
    std::string heard(304, 0);
    ASSERT_EQ(::recv(peer_.get(), heard.data(), heard.size(), MSG_WAITALL), 304);
    EXPECT_EQ(heard, "\0\0\x01\x2c"s + frame);
}

TEST_F(StreamNetTest, PutsFramesTogetherFromPieces) {
    say("\0\0"s);
    say("\0\x05one"s);
    say("!!"s);
    EXPECT_EQ(hear(), "one!!");
    say("\0\0\0\x02"
        "ab"
        "\0\0\0\0"
        "\0\0\0\x01"
        "c"s);
    EXPECT_EQ(hear(), "ab");
    EXPECT_EQ(hear(), "c") << "an empty one is none";
}

TEST_F(StreamNetTest, OutlivesItsPeer) {
    say("\0\0\0\x02"
        "ab"s);
    peer_.reset();
    EXPECT_EQ(hear(), "ab") << "what had come";
    const std::string frame(300, 'x');
    for (int i = 0; i < 10000; ++i) net_->send(std::as_bytes(std::span(frame)));
}

TEST_F(StreamNetTest, LeavesAPeerThatSpeaksSomethingElse) {
    say("GET / HTTP/1.1\r\n");
    std::array<char, 1> byte;
    net_.reset();
    EXPECT_LE(::recv(peer_.get(), byte.data(), 1, 0), 0);
}

TEST(StreamNet, NeedsItsSocket) {
    NetConfig config;
    config.kind = NetConfig::Kind::Stream;
    config.where = "/nowhere/at/all";
    const auto net = StreamNet::create(config);
    ASSERT_FALSE(net.has_value());
    EXPECT_NE(net.error().message.find("--net stream=/nowhere/at/all: No such file"),
              std::string::npos);
}

} // namespace
} // namespace tandem::machine
