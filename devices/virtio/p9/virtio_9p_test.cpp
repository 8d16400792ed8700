#include "devices/virtio/p9/virtio_9p.h"

#include "devices/testing/fake_file_system.h"
#include "devices/testing/virtio_driver.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

using testing::VirtioDriver;

/// A client that has attached fid 0 to a share with one file, "hello".
class Virtio9pTest : public ::testing::Test {
protected:
    static constexpr u64 kRequest = VirtioDriver::kData, kReply = kRequest + 0x4000;
    static constexpr u8 kErrorType = 7;

    Virtio9pTest() {
        slot_.emplace("virtio0", std::make_unique<Virtio9p>(files_, "home"), memory_, irq_.line());
        driver_.emplace(*slot_, memory_);
        hello_ = files_.add_file("hello", "Hello, world");
        driver_->start(1);
    }
    void attach() {
        ASSERT_EQ(send(100, u32{8192}, "9P2000.L"), 0);
        ASSERT_EQ(send(104, u32{0}, ~u32{0}, "root", "", u32{1000}), 0);
    }

    static void append(std::string &bytes, std::string_view text) {
        append(bytes, static_cast<u16>(text.size()));
        bytes.append(text);
    }
    template <typename T>
        requires std::is_arithmetic_v<T>
    static void append(std::string &bytes, T number) {
        bytes.append(reinterpret_cast<const char *>(&number), sizeof(number));
    }
    /// Sends a request with these fields; returns the error, or 0.
    template <typename... Fields>
    u32 send(u8 type, const Fields &...fields) {
        std::string body;
        (append(body, fields), ...);
        return send_raw(type, body, static_cast<u32>(7 + body.size()));
    }
    u32 send_raw(u8 type, const std::string &body, u32 size) {
        std::string message;
        append(message, size);
        append(message, type);
        append(message, ++tag_);
        message += body;
        std::ranges::copy(std::as_bytes(std::span(message)), memory_.bytes().begin() + kRequest);
        driver_->send(
            0, 0, {{kRequest, static_cast<u32>(message.size()), false}, {kReply, 0x4000, true}});
        written_ = driver_->used(0, sent_++).written;
        EXPECT_EQ(memory_.get<u32>(kReply), written_);
        EXPECT_EQ(memory_.get<u16>(kReply + 5), tag_);
        const u8 answer = memory_.get<u8>(kReply + 4);
        if (answer == kErrorType) return field<u32>(0);
        EXPECT_EQ(answer, type + 1);
        return 0;
    }
    template <typename T>
    T field(u64 offset) {
        return memory_.get<T>(kReply + 7 + offset);
    }
    std::string text(u64 offset, u64 length) {
        const auto bytes = memory_.bytes().subspan(kReply + 7 + offset);
        return {reinterpret_cast<const char *>(bytes.data()), length};
    }
    u32 walk(u32 from, u32 to, std::string_view name) { return send(110, from, to, u16{1}, name); }

    testing::FakeMemory memory_{0x20000};
    testing::FakeIrqSink irq_;
    testing::FakeFileSystem files_;
    std::optional<VirtioMmio> slot_;
    std::optional<VirtioDriver> driver_;
    NodeId hello_{};
    u16 tag_ = 0, sent_ = 0;
    u32 written_ = 0;
};

TEST_F(Virtio9pTest, ConfigurationNamesTheShare) {
    EXPECT_EQ(driver_->offered_features() & 1, 1u);
    EXPECT_EQ(driver_->read(0x100), u32{4} | 'h' << 16 | 'o' << 24);
    EXPECT_EQ(driver_->read(0x104), u32{'m'} | 'e' << 8);
}

TEST_F(Virtio9pTest, NothingWorksBeforeAVersionIsAgreedOn) {
    EXPECT_EQ(send(104, u32{0}, ~u32{0}, "root", "", u32{0}), u32{EIO});
    EXPECT_EQ(send(100, u32{8192}, "9P2000.u"), 0u);
    EXPECT_EQ(text(6, 7), "unknown");
    EXPECT_EQ(send(104, u32{0}, ~u32{0}, "root", "", u32{0}), u32{EIO});
    EXPECT_EQ(send(100, u32{100}, "9P2000.L"), u32{EMSGSIZE});
    EXPECT_EQ(send(100, ~u32{0}, "9P2000.L"), 0u);
    EXPECT_EQ(field<u32>(0), 512u << 10);
    attach();
    EXPECT_EQ(field<u8>(0), 0x80u); // the qid of a directory
}

TEST_F(Virtio9pTest, ReadsAndWritesAFile) {
    attach();
    ASSERT_EQ(walk(0, 1, "hello"), 0u);
    EXPECT_EQ(field<u16>(0), 1u);
    EXPECT_EQ(field<u64>(2 + 5), static_cast<u64>(hello_));
    EXPECT_EQ(files_.references(hello_), 1u);
    EXPECT_EQ(send(116, u32{1}, u64{0}, u32{10}), u32{EBADF}) << "not open yet";
    ASSERT_EQ(send(12, u32{1}, u32{2}), 0u);
    EXPECT_EQ(send(12, u32{1}, u32{2}), u32{EBADF}) << "open already";
    const std::string data("there");
    std::string write;
    append(write, u32{1});
    append(write, u64{7});
    append(write, u32{5});
    EXPECT_EQ(send_raw(118, write + data, static_cast<u32>(7 + write.size() + data.size())), 0u);
    EXPECT_EQ(field<u32>(0), 5u);
    ASSERT_EQ(send(116, u32{1}, u64{1}, u32{4000}), 0u);
    EXPECT_EQ(field<u32>(0), 11u);
    EXPECT_EQ(text(4, 11), "ello, there");
    ASSERT_EQ(send(24, u32{1}, u64{0x7ff}), 0u);
    EXPECT_EQ(field<u64>(8 + 13 + 12 + 8 + 8), 12u); // size
    EXPECT_EQ(send(120, u32{1}), 0u);
    EXPECT_EQ(files_.references(hello_), 0u);
    EXPECT_EQ(files_.open_handles(), 0u);
    EXPECT_EQ(send(120, u32{1}), u32{EBADF});
}

TEST_F(Virtio9pTest, WalksTellHowFarTheyCame) {
    attach();
    ASSERT_EQ(send(72, u32{0}, "a", u32{0755}, u32{5}), 0u);
    EXPECT_EQ(send(110, u32{0}, u32{1}, u16{3}, "a", "b", "c"), 0u);
    EXPECT_EQ(field<u16>(0), 1u);
    EXPECT_EQ(send(120, u32{1}), u32{EBADF}) << "and make no fid";
    EXPECT_EQ(walk(0, 1, "absent"), u32{ENOENT});
    EXPECT_EQ(walk(0, 1, ".."), u32{EINVAL});
    EXPECT_EQ(send(110, u32{0}, u32{1}, u16{17}), u32{EINVAL});
    EXPECT_EQ(walk(0, 1, "hello"), 0u);
    EXPECT_EQ(walk(0, 1, "hello"), u32{EBADF}) << "the fid is in use";
    EXPECT_EQ(files_.references(hello_), 1u);
    EXPECT_EQ(send(110, u32{1}, u32{2}, u16{0}), 0u); // a copy of the fid
    EXPECT_EQ(files_.references(hello_), 2u);
    EXPECT_EQ(send(120, u32{1}), 0u);
    EXPECT_EQ(send(24, u32{2}, u64{0x7ff}), 0u);
}

TEST_F(Virtio9pTest, MakesListsAndRemovesFiles) {
    attach();
    ASSERT_EQ(send(110, u32{0}, u32{1}, u16{0}), 0u);
    ASSERT_EQ(send(14, u32{1}, "new", u32{0102}, u32{0640}, u32{7}), 0u);
    ASSERT_EQ(send(24, u32{1}, u64{0x7ff}), 0u);
    EXPECT_EQ(field<u32>(8 + 13), 0100640u);
    EXPECT_EQ(field<u32>(8 + 13 + 4), 1000u);
    EXPECT_EQ(field<u32>(8 + 13 + 8), 7u);
    EXPECT_EQ(send(16, u32{0}, "link", "new", u32{0}), 0u);
    EXPECT_EQ(send(74, u32{0}, "link", u32{0}, "renamed"), 0u);
    ASSERT_EQ(send(110, u32{0}, u32{2}, u16{0}), 0u);
    ASSERT_EQ(send(12, u32{2}, u32{0}), 0u);
    ASSERT_EQ(send(40, u32{2}, u64{0}, u32{60}), 0u); // room for two
    const u32 bytes = field<u32>(0);
    EXPECT_EQ(bytes, 2 * (13 + 8 + 1 + 2) + 5 + 3u);
    EXPECT_EQ(text(4 + 24, 5), "hello");
    ASSERT_EQ(send(40, u32{2}, u64{2}, u32{60}), 0u);
    EXPECT_EQ(text(4 + 24, 7), "renamed");
    EXPECT_EQ(send(76, u32{0}, "renamed", u32{0}), 0u);
    EXPECT_FALSE(files_.exists("renamed"));
}

TEST_F(Virtio9pTest, ExtendedAttributesAreFidsOfTheirOwn) {
    attach();
    ASSERT_EQ(walk(0, 1, "hello"), 0u);
    ASSERT_EQ(send(110, u32{1}, u32{2}, u16{0}), 0u);
    ASSERT_EQ(send(32, u32{2}, "user.a", u64{3}, u32{0}), 0u);
    std::string write;
    append(write, u32{2});
    append(write, u64{0});
    append(write, u32{3});
    EXPECT_EQ(send_raw(118, write + "abc", static_cast<u32>(7 + write.size() + 3)), 0u);
    EXPECT_EQ(send(120, u32{2}), 0u);
    ASSERT_EQ(send(30, u32{1}, u32{3}, "user.a"), 0u);
    EXPECT_EQ(field<u64>(0), 3u);
    ASSERT_EQ(send(116, u32{3}, u64{1}, u32{100}), 0u);
    EXPECT_EQ(text(4, 2), "bc");
    EXPECT_EQ(send(120, u32{3}), 0u);
    EXPECT_EQ(send(30, u32{1}, u32{3}, "user.b"), u32{ENODATA});
}

TEST_F(Virtio9pTest, HostileRequestsAreErrors) {
    attach();
    ASSERT_EQ(walk(0, 1, "hello"), 0u);
    for (u32 type = 0; type < 256; type += 2) {
        if (type == 100 || type == 108) continue;
        const std::string body(3, 'x'); // no field is whole
        EXPECT_NE(send_raw(static_cast<u8>(type), body, 10), 0u) << type;
        EXPECT_NE(send_raw(static_cast<u8>(type), body, 7), 0u) << type;
    }
    std::string write;
    append(write, u32{1});
    append(write, u64{0});
    append(write, ~u32{0});
    EXPECT_EQ(send_raw(118, write, static_cast<u32>(7 + write.size())), u32{EINVAL});
    EXPECT_EQ(send(32, u32{1}, "user.a", ~u64{0}, u32{0}), u32{E2BIG});
    EXPECT_FALSE(driver_->needs_reset());
    driver_->send(0, 0, {{kRequest, 6, false}, {kReply, 0x4000, true}});
    EXPECT_TRUE(driver_->needs_reset());
}

TEST_F(Virtio9pTest, ANewVersionForgetsEverything) {
    attach();
    ASSERT_EQ(walk(0, 1, "hello"), 0u);
    attach();
    EXPECT_EQ(files_.references(hello_), 0u);
    EXPECT_EQ(send(120, u32{1}), u32{EBADF});
}

} // namespace
} // namespace tandem::devices
