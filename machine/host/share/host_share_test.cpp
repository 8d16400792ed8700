#include "machine/host/share/host_share.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <random>

namespace tandem::machine {
namespace {

namespace fs = std::filesystem;
using devices::FileChanges;
using devices::FileHandle;
using devices::FileOwner;
using devices::kRootNode;
using devices::NodeId;
using devices::OpenMode;

constexpr OpenMode kRead{.read = true};
constexpr OpenMode kReadWrite{.read = true, .write = true};

template <typename T>
int error_of(const devices::FileResult<T> &result) {
    return result.has_value() ? 0 : result.error().number;
}

/// A folder to share, beside one that must not be reached.
class HostShareTest : public ::testing::Test {
protected:
    HostShareTest() {
        std::string pattern = (fs::temp_directory_path() / "tandem-share-XXXXXX").string();
        top_ = ::mkdtemp(pattern.data());
        root_ = top_ / "shared";
        fs::create_directory(root_);
        fs::create_directory(top_ / "private");
        write_file(top_ / "private/secret", "secret");
        share_ = open_share();
    }
    ~HostShareTest() override {
        share_.reset();
        fs::remove_all(top_);
    }

    std::unique_ptr<HostShare> open_share(bool readonly = false, std::size_t descriptors = 64) {
        // As an ordinary user sees it, whoever runs the test: nothing is given away.
        ShareConfig config{.path = root_.string(), .tag = "share", .readonly = readonly};
        return std::move(HostShare::open(config,
                                         OwnerMap(::geteuid() == 0 ? 4711 : ::geteuid(),
                                                  ::getegid() == 0 ? 4711 : ::getegid()),
                                         descriptors)
                             .value());
    }
    static void write_file(const fs::path &path, std::string_view content) {
        std::ofstream(path) << content;
    }
    static std::string file_content(const fs::path &path) {
        std::ifstream file(path);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    NodeId lookup(const std::string &name, NodeId parent = kRootNode) {
        return share_->lookup(parent, name).value().node;
    }
    std::string read_all(FileHandle handle) {
        std::string text(1000, '\0');
        const std::span<std::byte> buffer = std::as_writable_bytes(std::span(text));
        text.resize(share_->read(handle, 0, std::span(&buffer, 1)).value());
        return text;
    }
    devices::FileResult<u64> write_text(FileHandle handle, u64 offset, std::string text) {
        const std::span<std::byte> buffer = std::as_writable_bytes(std::span(text));
        return share_->write(handle, offset, std::span(&buffer, 1), false);
    }
    std::vector<std::string> list(NodeId directory) {
        std::vector<std::string> names;
        const FileHandle handle = share_->open_directory(directory).value();
        u64 offset = 0;
        for (bool more = true; more;) {
            more = false;
            // One entry at a time: the offsets must be good to go on from.
            const auto visit = [&](const devices::DirectoryEntry &entry) {
                if (more) return false;
                names.emplace_back(entry.name);
                offset = entry.next_offset;
                return more = true;
            };
            EXPECT_TRUE(share_->read_directory(handle, offset, visit).has_value());
        }
        share_->close(handle);
        std::ranges::sort(names);
        return names;
    }

    fs::path top_, root_;
    std::unique_ptr<HostShare> share_;
};

TEST_F(HostShareTest, ReadsAndWritesFiles) {
    const auto made = share_->create(kRootNode, "file", kReadWrite, 0640, FileOwner{}).value();
    EXPECT_EQ(made.entry.attributes.mode & 07777, 0640u & ~static_cast<u32>(::umask(022)));
    EXPECT_EQ(write_text(made.handle, 2, "text").value(), 4u);
    EXPECT_EQ(file_content(root_ / "file"), std::string("\0\0text", 6));
    EXPECT_EQ(read_all(made.handle), std::string("\0\0text", 6));
    EXPECT_EQ(share_->attributes(made.entry.node)->size, 6u);
    EXPECT_EQ(share_->change(made.entry.node, made.handle, {.size = 3})->size, 3u);
    EXPECT_TRUE(share_->sync(made.handle, true).has_value());
    EXPECT_TRUE(share_->flush(made.handle).has_value());
    share_->close(made.handle);
    EXPECT_EQ(error_of(share_->flush(made.handle)), EBADF);
    // What is there is opened, unless it must be new.
    EXPECT_EQ(share_->create(kRootNode, "file", kRead, 0600, {})->entry.node, made.entry.node);
    EXPECT_EQ(
        error_of(share_->create(kRootNode, "file", {.read = true, .exclusive = true}, 0600, {})),
        EEXIST);
}

TEST_F(HostShareTest, HandlesAreGoodForWhatTheyWereOpenedFor) {
    write_file(root_ / "file", "text");
    const NodeId node = lookup("file");
    const FileHandle reads = share_->open(node, kRead)->handle;
    EXPECT_EQ(error_of(write_text(reads, 0, "x")), EBADF);
    EXPECT_EQ(error_of(share_->allocate(reads, 0, 0, 1)), EBADF);
    EXPECT_EQ(error_of(share_->change(node, reads, {.size = 0})), EBADF);
    const NodeId other = share_->create(kRootNode, "other", kRead, 0600, {})->entry.node;
    const FileHandle writes = share_->open(node, kReadWrite)->handle;
    EXPECT_EQ(error_of(share_->change(other, writes, {.size = 0})), EBADF);
    EXPECT_EQ(error_of(share_->open_directory(node)), ENOTDIR);
    EXPECT_EQ(error_of(share_->open(kRootNode, kRead)), EISDIR);
    EXPECT_EQ(error_of(share_->read_directory(reads, 0, [](const auto &) { return true; })),
              ENOTDIR);
    EXPECT_EQ(error_of(share_->copy(reads, ~u64{0}, writes, 0, 1)), EINVAL);
    EXPECT_EQ(file_content(root_ / "file"), "text");
}

TEST_F(HostShareTest, NamesAreSingleComponents) {
    fs::create_directory(root_ / "dir");
    const NodeId dir = lookup("dir");
    for (const char *name : {"", ".", "..", "../private", "dir/..", "/etc", "a/b"}) {
        EXPECT_EQ(error_of(share_->lookup(dir, name)), EINVAL) << name;
        EXPECT_EQ(error_of(share_->create(dir, name, kReadWrite, 0600, {})), EINVAL) << name;
        EXPECT_EQ(error_of(share_->make_directory(dir, name, 0700, {})), EINVAL) << name;
        EXPECT_EQ(error_of(share_->make_symbolic_link(dir, name, "x", {})), EINVAL) << name;
        EXPECT_EQ(error_of(share_->remove_file(dir, name)), EINVAL) << name;
        EXPECT_EQ(error_of(share_->remove_directory(dir, name)), EINVAL) << name;
        EXPECT_EQ(error_of(share_->rename(kRootNode, "dir", dir, name, 0)), EINVAL) << name;
        EXPECT_EQ(error_of(share_->rename(dir, name, kRootNode, "x", 0)), EINVAL) << name;
        EXPECT_EQ(error_of(share_->make_link(dir, dir, name)), EINVAL) << name;
    }
    EXPECT_EQ(error_of(share_->lookup(dir, std::string("a\0b", 3))), EINVAL);
    EXPECT_EQ(error_of(share_->lookup(dir, std::string(5000, 'a'))), ENAMETOOLONG);
}

TEST_F(HostShareTest, SymbolicLinksAreNotFollowed) {
    fs::create_directory_symlink(top_ / "private", root_ / "out");
    fs::create_symlink(top_ / "private/secret", root_ / "link");
    const NodeId out = lookup("out"), link = lookup("link");
    EXPECT_EQ(*share_->read_link(link), (top_ / "private/secret").string());
    EXPECT_EQ(error_of(share_->lookup(out, "secret")), ENOTDIR);
    EXPECT_EQ(error_of(share_->open(link, kRead)), ELOOP);
    EXPECT_EQ(error_of(share_->create(kRootNode, "link", kReadWrite, 0600, {})), ELOOP);
    EXPECT_EQ(error_of(share_->create(out, "new", kReadWrite, 0600, {})), ENOTDIR);
    EXPECT_EQ(error_of(share_->open_directory(out)), ENOTDIR);
    EXPECT_NE(error_of(share_->change(link, {}, {.mode = 0777})), 0);
    EXPECT_EQ(error_of(share_->change(link, {}, {.size = 0})), ELOOP);
    EXPECT_EQ(error_of(share_->rename(kRootNode, "link", out, "stolen", 0)), ENOTDIR);
    // A hard link to a link is one to the link itself.
    ASSERT_TRUE(share_->make_link(link, kRootNode, "again").has_value());
    EXPECT_TRUE(fs::is_symlink(root_ / "again"));
    EXPECT_EQ(file_content(top_ / "private/secret"), "secret");
    EXPECT_FALSE(fs::exists(top_ / "private/new"));
}

TEST_F(HostShareTest, LinksThatReplaceFilesLeadNowhere) {
    fs::create_directory(root_ / "dir");
    write_file(root_ / "dir/secret", "mine");
    share_ = open_share();
    const NodeId dir = lookup("dir"), file = lookup("secret", dir);
    // Neither node has a descriptor yet: the host swaps what the guest knows by name.
    fs::rename(root_ / "dir", root_ / "old");
    fs::create_directory_symlink(top_ / "private", root_ / "dir");
    EXPECT_EQ(error_of(share_->attributes(file)), 0) << "the folder's descriptor is open";
    EXPECT_EQ(read_all(share_->open(file, kRead)->handle), "mine");
    fs::remove(root_ / "old/secret");
    fs::create_symlink(top_ / "private/secret", root_ / "old/secret");
    EXPECT_NE(error_of(share_->open(lookup("secret", dir), kRead)), 0);
}

TEST_F(HostShareTest, SpecialFilesAreNotOpened) {
    ASSERT_EQ(::mkfifo((root_ / "fifo").c_str(), 0600), 0);
    EXPECT_EQ(error_of(share_->open(lookup("fifo"), kRead)), ENXIO);
    EXPECT_EQ(error_of(share_->create(kRootNode, "fifo", kReadWrite, 0600, {})), ENXIO);
    EXPECT_EQ(error_of(share_->make_node(kRootNode, "null", S_IFCHR | 0666, {})), EPERM);
    EXPECT_EQ(error_of(share_->make_node(kRootNode, "disk", S_IFBLK | 0666, {})), EPERM);
    EXPECT_EQ(error_of(share_->rename(kRootNode, "fifo", kRootNode, "x", RENAME_WHITEOUT)), EINVAL);
    EXPECT_TRUE(share_->make_node(kRootNode, "pipe", S_IFIFO | 0600, {}).has_value());
    EXPECT_TRUE(fs::is_fifo(root_ / "pipe"));
}

TEST_F(HostShareTest, ProcessesAreNoFiles) {
    const auto refused = HostShare::open({.path = "/proc", .tag = "share"});
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().message.find("/proc"), std::string::npos);
    root_ = "/";
    const auto whole = open_share();
    EXPECT_EQ(error_of(whole->lookup(kRootNode, "proc")), EACCES);
}

TEST_F(HostShareTest, AReadOnlyShareRefusesEveryChange) {
    write_file(root_ / "file", "text");
    share_ = open_share(true);
    const NodeId file = lookup("file");
    EXPECT_EQ(error_of(share_->open(file, kReadWrite)), EROFS);
    EXPECT_EQ(error_of(share_->open(file, {.read = true, .truncate = true})), EROFS);
    EXPECT_EQ(error_of(share_->create(kRootNode, "new", kRead, 0600, {})), EROFS);
    EXPECT_EQ(error_of(share_->change(file, {}, {.mode = 0777})), EROFS);
    EXPECT_EQ(error_of(share_->remove_file(kRootNode, "file")), EROFS);
    EXPECT_EQ(error_of(share_->remove_directory(kRootNode, "file")), EROFS);
    EXPECT_EQ(error_of(share_->rename(kRootNode, "file", kRootNode, "x", 0)), EROFS);
    EXPECT_EQ(error_of(share_->make_link(file, kRootNode, "x")), EROFS);
    EXPECT_EQ(error_of(share_->make_node(kRootNode, "x", S_IFREG, {})), EROFS);
    EXPECT_EQ(error_of(share_->make_directory(kRootNode, "x", 0700, {})), EROFS);
    EXPECT_EQ(error_of(share_->make_symbolic_link(kRootNode, "x", "y", {})), EROFS);
    EXPECT_EQ(error_of(share_->set_extended_attribute(file, "user.a", "b", 0)), EROFS);
    EXPECT_EQ(error_of(share_->remove_extended_attribute(file, "user.a")), EROFS);
    EXPECT_EQ(error_of(share_->check_access(file, W_OK)), EROFS);
    EXPECT_EQ(read_all(share_->open(file, kRead)->handle), "text");
}

TEST_F(HostShareTest, NodesLastAsLongAsTheirReferences) {
    write_file(root_ / "file", "text");
    const NodeId node = lookup("file");
    EXPECT_EQ(lookup("file"), node);
    EXPECT_EQ(share_->known_files(), 2u);
    share_->forget(node, 1);
    EXPECT_TRUE(share_->attributes(node).has_value());
    share_->forget(node, 5);
    EXPECT_EQ(error_of(share_->attributes(node)), ESTALE);
    share_->forget(kRootNode, 100);
    EXPECT_TRUE(share_->attributes(kRootNode).has_value());
    fs::create_directories(root_ / "a/b/c");
    const NodeId a = lookup("a"), b = lookup("b", a), c = lookup("c", b);
    share_->forget(a, 1);
    share_->forget(b, 1);
    EXPECT_EQ(share_->known_files(), 4u) << "they lead to the one that is left";
    EXPECT_TRUE(share_->open_directory(c).has_value());
    share_->forget(c, 1);
    EXPECT_EQ(share_->known_files(), 1u);
}

TEST_F(HostShareTest, UnlinkedFilesLiveOnForWhoHasThem) {
    write_file(root_ / "file", "text");
    const NodeId node = lookup("file");
    ASSERT_TRUE(share_->remove_file(kRootNode, "file").has_value());
    EXPECT_FALSE(fs::exists(root_ / "file"));
    EXPECT_EQ(share_->attributes(node)->links, 0u);
    EXPECT_EQ(read_all(share_->open(node, kRead)->handle), "text");
    write_file(root_ / "file", "another");
    EXPECT_NE(lookup("file"), node);
}

TEST_F(HostShareTest, ManyFilesNeedFewDescriptors) {
    share_ = open_share(false, 40); // 20 for nodes
    std::vector<std::pair<NodeId, std::string>> known;
    for (int i = 0; i < 300; ++i) {
        const std::string name = fmt::format("d{}", i);
        const NodeId directory = share_->make_directory(kRootNode, name, 0700, {})->node;
        const auto file = share_->create(directory, "f", kReadWrite, 0600, {}).value();
        ASSERT_TRUE(write_text(file.handle, 0, name).has_value());
        share_->close(file.handle);
        known.emplace_back(file.entry.node, name);
    }
    // Renamed by the guest, they are found under their new names.
    ASSERT_TRUE(share_->rename(kRootNode, "d7", lookup("d8"), "sub", 0).has_value());
    for (const auto &[node, name] : known) {
        const FileHandle handle = share_->open(node, kRead).value().handle;
        EXPECT_EQ(read_all(handle), name);
        share_->close(handle);
    }
    // Renamed by somebody else, they are stale until they are looked up again.
    fs::rename(root_ / "d20", root_ / "moved");
    EXPECT_EQ(error_of(share_->open(known[20].first, kRead)), ESTALE);
    EXPECT_EQ(lookup("f", lookup("moved")), known[20].first);
    EXPECT_EQ(read_all(share_->open(known[20].first, kRead)->handle), "d20");
}

TEST_F(HostShareTest, TooManyOpenFilesAreAnError) {
    share_ = open_share(false, 40);
    const NodeId node = share_->create(kRootNode, "file", kRead, 0600, {})->entry.node;
    int error = 0;
    for (int i = 0; i < 100 && error == 0; ++i) error = error_of(share_->open(node, kRead));
    EXPECT_EQ(error, ENFILE);
    share_->reset();
    EXPECT_TRUE(share_->open(lookup("file"), kRead).has_value());
}

TEST_F(HostShareTest, DirectoriesAreListedFromAnyOffset) {
    for (int i = 0; i < 50; ++i) write_file(root_ / std::to_string(i), "");
    const auto names = list(kRootNode);
    EXPECT_EQ(names.size(), 52u); // with "." and ".."
    EXPECT_TRUE(std::ranges::binary_search(names, "49"));
}

TEST_F(HostShareTest, KnowsWhetherAFileChangedSinceItWasOpened) {
    write_file(root_ / "file", "text");
    const NodeId node = lookup("file");
    EXPECT_FALSE(share_->open(node, kRead)->unchanged);
    EXPECT_TRUE(share_->open(node, kRead)->unchanged);
    write_file(root_ / "file", "other text");
    EXPECT_FALSE(share_->open(node, kRead)->unchanged);
}

TEST_F(HostShareTest, AttributesOfUsersOnly) {
    write_file(root_ / "file", "");
    const NodeId node = lookup("file");
    const auto set = share_->set_extended_attribute(node, "user.colour", "red", 0);
    if (error_of(set) == EOPNOTSUPP) GTEST_SKIP() << "no attributes in the temporary folder";
    EXPECT_EQ(*share_->extended_attribute(node, "user.colour"), "red");
    EXPECT_EQ(*share_->extended_attributes(node), std::string("user.colour\0", 12));
    for (const char *name :
         {"security.capability", "trusted.overlay", "system.posix_acl_access", "user."}) {
        EXPECT_EQ(error_of(share_->set_extended_attribute(node, name, "x", 0)), EOPNOTSUPP);
        EXPECT_EQ(error_of(share_->extended_attribute(node, name)), EOPNOTSUPP);
        EXPECT_EQ(error_of(share_->remove_extended_attribute(node, name)), EOPNOTSUPP);
    }
    EXPECT_TRUE(share_->remove_extended_attribute(node, "user.colour").has_value());
}

TEST_F(HostShareTest, OwnersAsAnOrdinaryUserMapsThem) {
    const OwnerMap map(1000, 1001);
    EXPECT_EQ(map.guest_user(1000), 0u);
    EXPECT_EQ(map.guest_group(1001), 0u);
    EXPECT_EQ(map.guest_user(0), 65534u);
    EXPECT_EQ(map.guest_user(1234), 1234u);
    EXPECT_EQ(map.host_user(0), 1000u);
    EXPECT_EQ(map.host_group(0), 1001u);
    const OwnerMap root(0, 0);
    EXPECT_EQ(root.guest_user(0), 0u);
    EXPECT_EQ(root.host_user(5), 5u);
}

TEST_F(HostShareTest, FilesBelongToWhomTheHostLetsThem) {
    write_file(root_ / "file", "");
    const NodeId node = lookup("file");
    // What is so already can be asked for.
    const auto before = share_->attributes(node).value();
    EXPECT_TRUE(share_->change(node, {}, {.uid = before.uid, .gid = before.gid}).has_value());
    if (::geteuid() != 0) {
        EXPECT_EQ(error_of(share_->change(node, {}, {.uid = 12345})), EPERM);
        return;
    }
    ShareConfig config{.path = root_.string(), .tag = "share"};
    share_ = std::move(HostShare::open(config, OwnerMap(0, 0), 64).value());
    const auto made = share_->create(kRootNode, "theirs", kRead, 04755, {500, 600}).value();
    EXPECT_EQ(made.entry.attributes.uid, 500u);
    EXPECT_EQ(made.entry.attributes.gid, 600u);
    EXPECT_EQ(made.entry.attributes.mode & 07777, 04755u);
    const auto writes = share_->open(made.entry.node, kReadWrite).value();
    std::byte byte{};
    const std::span<std::byte> buffer(&byte, 1);
    EXPECT_TRUE(share_->write(writes.handle, 0, std::span(&buffer, 1), true).has_value());
    EXPECT_EQ(share_->attributes(made.entry.node)->mode & 07777, 0755u);
    // A directory that gives its group on.
    const NodeId dir = share_->make_directory(kRootNode, "dir", 02770, {500, 600})->node;
    ASSERT_TRUE(share_->change(dir, {}, {.mode = 02770}).has_value());
    EXPECT_EQ(share_->make_node(dir, "f", S_IFREG | 0600, {1, 2})->attributes.gid, 600u);
}

TEST_F(HostShareTest, StateRoundTripsAndSurvivesLosses) {
    fs::create_directories(root_ / "a/b");
    write_file(root_ / "a/b/file", "text");
    write_file(root_ / "gone", "gone");
    const NodeId a = lookup("a"), b = lookup("b", a), file = lookup("file", b),
                 gone = lookup("gone");
    const FileHandle handle = share_->open(file, kReadWrite)->handle;
    const FileHandle listing = share_->open_directory(b).value();
    devices::StateWriter writer;
    share_->save(writer);
    fs::remove(root_ / "gone");
    share_ = open_share();
    devices::StateReader reader(writer.data());
    ASSERT_TRUE(share_->restore(reader).has_value());
    EXPECT_EQ(read_all(handle), "text");
    EXPECT_EQ(lookup("file", b), file);
    EXPECT_TRUE(share_->read_directory(listing, 0, [](const auto &) { return true; }).has_value());
    EXPECT_EQ(error_of(share_->attributes(gone)), ESTALE);
    devices::StateWriter again;
    share_->save(again);
    // Damaged states are refused or harmless.
    std::mt19937 random(1);
    for (int i = 0; i < 300; ++i) {
        std::vector<std::byte> bytes(again.data().begin(), again.data().end());
        for (int j = 0; j < 3; ++j) bytes[random() % bytes.size()] = std::byte(random() & 0xff);
        devices::StateReader damaged(bytes);
        static_cast<void>(share_->restore(damaged));
        for (u64 node = 0; node < 8; ++node) static_cast<void>(share_->attributes(NodeId{node}));
    }
}

TEST_F(HostShareTest, TheFolderMayVanish) {
    fs::create_directory(root_ / "dir");
    const NodeId dir = lookup("dir");
    fs::remove_all(root_);
    EXPECT_EQ(error_of(share_->lookup(kRootNode, "dir")), ENOENT);
    EXPECT_EQ(error_of(share_->create(kRootNode, "new", kRead, 0600, {})), ENOENT);
    EXPECT_NE(error_of(share_->make_directory(dir, "x", 0700, {})), 0);
    EXPECT_TRUE(share_->attributes(kRootNode).has_value());
    fs::create_directory(root_); // another one: not this share
    EXPECT_EQ(error_of(share_->create(kRootNode, "new", kRead, 0600, {})), ENOENT);
}

TEST_F(HostShareTest, BadFoldersAreOneClearLine) {
    write_file(root_ / "file", "");
    for (const fs::path &path : {root_ / "absent", root_ / "file"}) {
        const auto refused = HostShare::open({.path = path.string(), .tag = "share"});
        ASSERT_FALSE(refused.has_value());
        EXPECT_NE(refused.error().message.find(path.string()), std::string::npos);
    }
}

} // namespace
} // namespace tandem::machine
