#include "devices/virtio/fs/virtio_fs.h"

#include "devices/testing/fake_file_system.h"
#include "devices/testing/virtio_driver.h"

#include <gtest/gtest.h>

namespace tandem::devices {
namespace {

using testing::VirtioDriver;

/// A driver that has mounted a share with one file, "hello".
class VirtioFsTest : public ::testing::Test {
protected:
    static constexpr u64 kRequest = VirtioDriver::kData, kReply = kRequest + 0x4000;
    static constexpr u32 kRoom = 0x4000;

    VirtioFsTest() {
        slot_.emplace("virtio0", std::make_unique<VirtioFs>(files_, "home"), memory_, irq_.line());
        driver_.emplace(*slot_, memory_);
        hello_ = files_.add_file("hello", "Hello, world");
        driver_->start(2);
    }
    void mount() {
        fuse_init_in in{};
        in.major = 7;
        in.minor = 36;
        in.flags = ~0u;
        ASSERT_EQ(send(FUSE_INIT, 1, in), 0);
    }

    /// The bytes of objects and texts, one after the other; a text with its NUL.
    static void append(std::string &bytes, std::string_view text) {
        bytes.append(text).push_back('\0');
    }
    template <typename T>
        requires std::is_trivially_copyable_v<T> && (!std::is_convertible_v<T, std::string_view>)
    static void append(std::string &bytes, const T &object) {
        bytes.append(reinterpret_cast<const char *>(&object), sizeof(object));
    }

    /// Sends a request with these arguments; returns the error, which is negative, or 0.
    template <typename... Arguments>
    i32 send(u32 opcode, u64 node, const Arguments &...arguments) {
        std::string body;
        (append(body, arguments), ...);
        return send_raw(opcode, node, body, static_cast<u32>(sizeof(fuse_in_header) + body.size()));
    }
    i32 send_raw(u32 opcode, u64 node, const std::string &body, u32 length, u32 room = kRoom) {
        fuse_in_header header{};
        header.len = length;
        header.opcode = opcode;
        header.unique = ++unique_;
        header.nodeid = node;
        header.uid = 1000;
        memory_.put(kRequest, header);
        std::ranges::copy(std::as_bytes(std::span(body)),
                          memory_.bytes().begin() + kRequest + sizeof(header));
        driver_->send(1, 0,
                      {{kRequest, static_cast<u32>(sizeof(header) + body.size()), false},
                       {kReply, room, true}});
        written_ = driver_->used(1, sent_++).written;
        if (written_ == 0) return 0;
        EXPECT_EQ(reply<fuse_out_header>(0).len, written_);
        EXPECT_EQ(reply<fuse_out_header>(0).unique, unique_);
        return reply<fuse_out_header>(0).error;
    }
    template <typename T>
    T reply(u64 offset = sizeof(fuse_out_header)) {
        return memory_.get<T>(kReply + offset);
    }
    std::string reply_text(u64 offset, u64 length) {
        const auto bytes = memory_.bytes().subspan(kReply + sizeof(fuse_out_header) + offset);
        return {reinterpret_cast<const char *>(bytes.data()), length};
    }
    u64 lookup(std::string_view name) {
        EXPECT_EQ(send(FUSE_LOOKUP, 1, name), 0);
        return reply<fuse_entry_out>().nodeid;
    }

    testing::FakeMemory memory_{0x20000};
    testing::FakeIrqSink irq_;
    testing::FakeFileSystem files_;
    std::optional<VirtioMmio> slot_;
    std::optional<VirtioDriver> driver_;
    NodeId hello_{};
    u64 unique_ = 0;
    u16 sent_ = 0;
    u32 written_ = 0;
};

TEST_F(VirtioFsTest, ConfigurationNamesTheShare) {
    EXPECT_EQ(driver_->read(0x100), u32{'h'} | 'o' << 8 | 'm' << 16 | 'e' << 24);
    EXPECT_EQ(driver_->read(0x104), 0u);
    EXPECT_EQ(driver_->read(0x124), 1u); // num_request_queues
}

TEST_F(VirtioFsTest, NothingWorksBeforeInit) {
    EXPECT_EQ(send(FUSE_LOOKUP, 1, "hello"), -EIO);
    fuse_init_in in{};
    in.major = 7;
    in.minor = 30;
    EXPECT_EQ(send(FUSE_INIT, 1, in), -EPROTO);
    in.major = 8;
    EXPECT_EQ(send(FUSE_INIT, 1, in), 0); // to be tried again
    EXPECT_EQ(reply<fuse_init_out>().major, 7u);
    EXPECT_EQ(send(FUSE_LOOKUP, 1, "hello"), -EIO);
    mount();
    const auto out = reply<fuse_init_out>();
    EXPECT_EQ(out.max_write, 1u << 20);
    EXPECT_NE(out.flags & FUSE_HANDLE_KILLPRIV_V2, 0u);
    EXPECT_EQ(out.flags & (FUSE_POSIX_LOCKS | FUSE_WRITEBACK_CACHE | FUSE_DONT_MASK), 0u);
    EXPECT_NE(lookup("hello"), 0u);
}

TEST_F(VirtioFsTest, ReadsAndWritesAFile) {
    mount();
    const u64 node = lookup("hello");
    EXPECT_EQ(node, static_cast<u64>(hello_));
    EXPECT_EQ(reply<fuse_entry_out>().attr.size, 12u);
    fuse_open_in open{};
    open.flags = 2; // O_RDWR
    ASSERT_EQ(send(FUSE_OPEN, node, open), 0);
    const u64 handle = reply<fuse_open_out>().fh;
    EXPECT_EQ(reply<fuse_open_out>().open_flags & FOPEN_NOFLUSH, 0u);
    fuse_write_in write{};
    write.fh = handle;
    write.offset = 7;
    write.size = 5;
    EXPECT_EQ(send(FUSE_WRITE, node, write, "there"), 0); // the NUL is beyond the size
    EXPECT_EQ(reply<fuse_write_out>().size, 5u);
    fuse_read_in read{};
    read.fh = handle;
    read.offset = 1;
    read.size = 4096;
    ASSERT_EQ(send(FUSE_READ, node, read), 0);
    EXPECT_EQ(written_, sizeof(fuse_out_header) + 11);
    EXPECT_EQ(reply_text(0, 11), "ello, there");
    fuse_release_in release{};
    release.fh = handle;
    EXPECT_EQ(send(FUSE_RELEASE, node, release), 0);
    EXPECT_EQ(files_.open_handles(), 0u);
    EXPECT_EQ(send(FUSE_READ, node, read), -EBADF);
}

TEST_F(VirtioFsTest, ForgetsWithoutAnAnswer) {
    mount();
    const u64 node = lookup("hello");
    EXPECT_EQ(lookup("hello"), node);
    EXPECT_EQ(files_.references(hello_), 2u);
    EXPECT_EQ(send(FUSE_FORGET, node, fuse_forget_in{1}), 0);
    EXPECT_EQ(written_, 0u);
    EXPECT_EQ(files_.references(hello_), 1u);
    EXPECT_EQ(send(FUSE_BATCH_FORGET, 0, fuse_batch_forget_in{2, 0}, fuse_forget_one{node, 9},
                   fuse_forget_one{777, 1}),
              0);
    EXPECT_EQ(files_.references(hello_), 0u);
    EXPECT_EQ(lookup("absent"), 0u); // and may be remembered as such
    EXPECT_EQ(reply<fuse_entry_out>().entry_valid, 1u);
}

TEST_F(VirtioFsTest, ListsADirectoryInPieces) {
    mount();
    for (int i = 0; i < 20; ++i) files_.add_file("file" + std::to_string(i), "");
    ASSERT_EQ(send(FUSE_OPENDIR, 1, fuse_open_in{}), 0);
    fuse_read_in read{};
    read.fh = reply<fuse_open_out>().fh;
    read.size = 400; // two entries with attributes, or more without
    std::vector<std::string> names;
    for (u64 pieces = 0;; ++pieces) {
        ASSERT_LT(pieces, 30u);
        ASSERT_EQ(send(FUSE_READDIRPLUS, 1, read), 0);
        if (written_ == sizeof(fuse_out_header)) break;
        for (u64 at = 0; at < written_ - sizeof(fuse_out_header);) {
            EXPECT_NE(reply<fuse_entry_out>(sizeof(fuse_out_header) + at).nodeid, 0u);
            at += sizeof(fuse_entry_out);
            const auto entry = reply<fuse_dirent>(sizeof(fuse_out_header) + at);
            names.push_back(reply_text(at + sizeof(fuse_dirent), entry.namelen));
            EXPECT_EQ(entry.type, 8u); // DT_REG
            read.offset = entry.off;
            at += FUSE_REC_ALIGN(sizeof(fuse_dirent) + entry.namelen);
        }
    }
    EXPECT_EQ(names.size(), 21u);
    EXPECT_EQ(names.back(), "hello");
    EXPECT_EQ(files_.references(hello_), 1u);
}

TEST_F(VirtioFsTest, MakesFilesForTheirOwner) {
    mount();
    fuse_create_in create{};
    create.flags = 0102; // O_CREAT | O_RDWR
    create.mode = 0100640;
    ASSERT_EQ(send(FUSE_CREATE, 1, create, "new"), 0);
    EXPECT_EQ(reply<fuse_entry_out>().attr.mode, 0100640u);
    EXPECT_EQ(reply<fuse_entry_out>().attr.uid, 1000u);
    ASSERT_EQ(send(FUSE_MKDIR, 1, fuse_mkdir_in{0755, 0}, "sub"), 0);
    const u64 sub = reply<fuse_entry_out>().nodeid;
    EXPECT_EQ(send(FUSE_RENAME2, 1, fuse_rename2_in{sub, 1, 0}, "new", "moved"), 0);
    EXPECT_FALSE(files_.exists("new"));
    ASSERT_EQ(send(FUSE_SYMLINK, 1, "link", "sub/moved"), 0);
    ASSERT_EQ(send(FUSE_READLINK, reply<fuse_entry_out>().nodeid), 0);
    EXPECT_EQ(reply_text(0, 9), "sub/moved");
    EXPECT_EQ(send(FUSE_UNLINK, 1, "link"), 0);
    EXPECT_EQ(send(FUSE_UNLINK, 1, "link"), -ENOENT);
}

TEST_F(VirtioFsTest, ExtendedAttributesSayTheirSizeFirst) {
    mount();
    const u64 node = lookup("hello");
    const u64 short_set = 3; // size 3, flags 0: the short structure
    EXPECT_EQ(send(FUSE_SETXATTR, node, short_set, "user.a", "abc"), 0);
    EXPECT_EQ(send(FUSE_GETXATTR, node, fuse_getxattr_in{}, "user.a"), 0);
    EXPECT_EQ(reply<fuse_getxattr_out>().size, 3u);
    EXPECT_EQ(send(FUSE_GETXATTR, node, fuse_getxattr_in{2, 0}, "user.a"), -ERANGE);
    EXPECT_EQ(send(FUSE_GETXATTR, node, fuse_getxattr_in{3, 0}, "user.a"), 0);
    EXPECT_EQ(reply_text(0, 3), "abc");
    EXPECT_EQ(send(FUSE_LISTXATTR, node, fuse_getxattr_in{100, 0}), 0);
    EXPECT_EQ(written_, sizeof(fuse_out_header) + 7);
    EXPECT_EQ(send(FUSE_REMOVEXATTR, node, "user.a"), 0);
    EXPECT_EQ(send(FUSE_GETXATTR, node, fuse_getxattr_in{}, "user.a"), -ENODATA);
}

TEST_F(VirtioFsTest, HostileRequestsAreErrors) {
    mount();
    const u64 node = lookup("hello");
    EXPECT_EQ(send(999, node), -ENOSYS);
    EXPECT_EQ(send(FUSE_SETLK, node), -ENOSYS);
    EXPECT_EQ(send(FUSE_GETATTR, 4711, fuse_getattr_in{}), -ESTALE);
    for (u32 opcode = 1; opcode <= 51; ++opcode) {
        if (opcode == FUSE_DESTROY) continue;
        const std::string body(1, 'x'); // no argument, no NUL
        const i32 error = send_raw(opcode, 4711, body, sizeof(fuse_in_header) + 1);
        EXPECT_LE(error, 0) << opcode;
        // A length that is not the request's.
        const i32 wrong = send_raw(opcode, node, body, 7);
        EXPECT_EQ(wrong, written_ == 0 ? 0 : -EINVAL) << opcode;
        // A header alone.
        EXPECT_LE(send_raw(opcode, 4711, {}, sizeof(fuse_in_header)), 0) << opcode;
    }
    for (const char *name : {"", ".", "..", "a/b", "/"})
        EXPECT_EQ(send(FUSE_LOOKUP, 1, name), -EINVAL) << name;
    // A write that claims more than it brings.
    fuse_write_in write{};
    write.size = ~0u;
    EXPECT_EQ(send(FUSE_WRITE, node, write, "short"), -EINVAL);
    // No room for what was made: nobody keeps it.
    ASSERT_EQ(send_raw(FUSE_LOOKUP, 1, std::string("hello\0", 6), sizeof(fuse_in_header) + 6, 20),
              -EINVAL);
    EXPECT_EQ(files_.references(hello_), 1u);
    EXPECT_FALSE(driver_->needs_reset());
}

TEST_F(VirtioFsTest, RequestsWithoutHeadersBreakTheDevice) {
    mount();
    driver_->send(1, 0, {{kRequest, 39, false}, {kReply, kRoom, true}});
    EXPECT_TRUE(driver_->needs_reset());
}

TEST_F(VirtioFsTest, DestroyForgetsEverything) {
    mount();
    lookup("hello");
    ASSERT_EQ(send(FUSE_OPENDIR, 1, fuse_open_in{}), 0);
    EXPECT_EQ(send(FUSE_DESTROY, 0), 0);
    EXPECT_EQ(files_.references(hello_), 0u);
    EXPECT_EQ(files_.open_handles(), 0u);
    EXPECT_EQ(send(FUSE_LOOKUP, 1, "hello"), -EIO);
    mount();
    EXPECT_EQ(lookup("hello"), static_cast<u64>(hello_));
}

} // namespace
} // namespace tandem::devices
