#include "machine/host/serial.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "support/scoped_fd.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace tandem::machine {
namespace {

std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
}

class Listener final : public devices::CharListener {
public:
    void readable() override {
        ++reads;
        reads.notify_all();
    }
    void writable() override {}
    std::atomic<int> reads = 0;
};

TEST(Serial, FileGetsEverythingWritten) {
    const std::string path =
        (std::filesystem::temp_directory_path() / "tandem-serial-test").string();
    {
        auto serial = create_file_serial(path);
        ASSERT_TRUE(serial.has_value()) << serial.error().message;
        EXPECT_EQ((*serial)->write(bytes("hello ")), 6u);
        EXPECT_EQ((*serial)->write(bytes("world\n")), 6u);
    }
    std::ostringstream content;
    content << std::ifstream(path).rdbuf();
    EXPECT_EQ(content.str(), "hello world\n");
    std::filesystem::remove(path);
    EXPECT_FALSE(create_file_serial("/nonexistent/file").has_value());
}

TEST(Serial, TcpServesOneClientAfterAnother) {
    testing::internal::CaptureStderr();
    auto serial = create_tcp_serial(kSerialLine, "127.0.0.1", 0);
    ASSERT_TRUE(serial.has_value()) << serial.error().message;
    const std::string message = testing::internal::GetCapturedStderr();
    const auto port = std::stoi(message.substr(message.rfind(' ')));
    Listener listener;
    (*serial)->set_listener(&listener);
    for (int round = 0; round < 2; ++round) {
        const ScopedFd client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<u16>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr *>(&address), sizeof address),
                  0);
        const int before = listener.reads;
        ASSERT_EQ(::send(client.get(), "in", 2, 0), 2);
        listener.reads.wait(before);
        std::array<std::byte, 8> input{};
        EXPECT_EQ((*serial)->read(input), 2u);
        EXPECT_EQ((*serial)->write(bytes("out")), 3u);
        std::array<char, 3> output{};
        EXPECT_EQ(::recv(client.get(), output.data(), output.size(), MSG_WAITALL), 3);
        EXPECT_EQ(std::string(output.data(), 3), "out");
    }
    (*serial)->set_listener(nullptr);
}

TEST(Serial, PtyServesWhoeverOpensIt) {
    testing::internal::CaptureStderr();
    auto serial = create_pty_serial(kConsoleLine);
    ASSERT_TRUE(serial.has_value()) << serial.error().message;
    const std::string message = testing::internal::GetCapturedStderr();
    EXPECT_EQ(message.find("tandem: virtio console at /dev/pts/"), 0u) << message;
    const std::string path =
        message.substr(message.find('/'), message.size() - 1 - message.find('/'));
    Listener listener;
    (*serial)->set_listener(&listener);
    // Nobody listens: the line takes everything and keeps the end of it.
    const std::string noise(100'000, 'x');
    EXPECT_EQ((*serial)->write(bytes(noise)), noise.size());
    EXPECT_EQ((*serial)->write(bytes("end")), 3u);
    for (int round = 0; round < 2; ++round) {
        const ScopedFd client{::open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC)};
        ASSERT_TRUE(client.is_open()) << path;
        std::array<char, 4096> output{};
        const auto receive = [&](std::size_t size) {
            std::string received;
            while (received.size() < size) {
                const ssize_t got = ::read(client.get(), output.data(), output.size());
                if (got <= 0) break;
                received.append(output.data(), static_cast<std::size_t>(got));
            }
            return received;
        };
        if (round == 0) {
            EXPECT_EQ(receive(64 * 1024), std::string(64 * 1024 - 3, 'x') + "end");
        }
        const int before = listener.reads;
        ASSERT_EQ(::write(client.get(), "in\r", 3), 3);
        listener.reads.wait(before);
        std::array<std::byte, 8> input{};
        EXPECT_EQ((*serial)->read(input), 3u) << "and no echo of the output";
        EXPECT_EQ(input[2], std::byte{'\r'}) << "as it was typed";
        EXPECT_EQ((*serial)->write(bytes("again\n")), 6u);
        EXPECT_EQ(receive(6), "again\n");
    }
    (*serial)->set_listener(nullptr);
}

} // namespace
} // namespace tandem::machine
