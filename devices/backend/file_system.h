#pragma once
/// A tree of files as a file-sharing device sees it. machine/host implements it on a folder of the
/// host, machine/replay wraps it.
///
/// Files are named by nodes. lookup() and everything else that returns a FileEntry adds a reference
/// to its node, forget() takes references back; a node without references is unknown. Nodes,
/// handles and names come from the guest unchecked: what is unknown or impossible is an error,
/// never more. Names are single components: an empty one, ".", ".." or one with a slash is an
/// error. Any thread, several at once; calls may block, so devices make them in tasks of the
/// TaskQueue.
#include "devices/backend/task_queue.h"
#include "devices/core/state.h"
#include "support/bits.h"

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::devices {

enum class NodeId : u64 {};
enum class FileHandle : u64 {};

/// Always known, and never forgotten.
inline constexpr NodeId kRootNode{1};

/// An errno of Linux; arm64 and x86-64 number them alike.
struct FileError {
    int number = 0;
};
template <typename T = void>
using FileResult = std::expected<T, FileError>;

[[nodiscard]] inline std::unexpected<FileError> file_error(int number) {
    return std::unexpected(FileError{number});
}

struct FileTime {
    i64 seconds = 0;
    u32 nanoseconds = 0;
};

struct FileAttributes {
    u64 inode = 0;
    u64 size = 0;
    u64 blocks = 0; ///< of 512 bytes
    FileTime accessed = {}, modified = {}, changed = {};
    u32 mode = 0; ///< type and permissions, as st_mode
    u32 links = 0;
    u32 uid = 0, gid = 0; ///< as the guest shall see them
    u32 device_major = 0, device_minor = 0;
    u32 block_size = 0;
};

struct FileEntry {
    NodeId node{};
    FileAttributes attributes;
};

/// Who makes a file, in the guest's numbers.
struct FileOwner {
    u32 uid = 0, gid = 0;
};

struct FileTimeChange {
    bool now = false; ///< else `time`
    FileTime time = {};
};

struct FileChanges {
    std::optional<u32> mode = {}, uid = {}, gid = {};
    std::optional<u64> size = {};
    std::optional<FileTimeChange> accessed = {}, modified = {};
    bool drop_set_ids = false; ///< set-user-ID and set-group-ID go
};

/// How a file is opened. The guest's flags that are left out mean nothing here, or differ from one
/// architecture to the next (O_DIRECT, O_DIRECTORY, O_NOFOLLOW).
struct OpenMode {
    bool read = false, write = false;
    bool append = false, truncate = false, exclusive = false;
    bool data_sync = false, sync = false;
    bool drop_set_ids = false; ///< when it is truncated

    /// From open(2)'s flags.
    [[nodiscard]] static OpenMode from_linux(u32 flags) {
        OpenMode mode;
        mode.read = (flags & 3) == 0 || (flags & 3) == 2;
        mode.write = (flags & 3) == 1 || (flags & 3) == 2;
        mode.exclusive = (flags & 0200) != 0;
        mode.truncate = (flags & 01000) != 0;
        mode.append = (flags & 02000) != 0;
        mode.data_sync = (flags & 010000) != 0;
        mode.sync = (flags & 04000000) != 0;
        return mode;
    }
};

struct OpenedFile {
    FileHandle handle{};
    bool unchanged = false; ///< since it was opened last: what the guest caches of it is good
};

struct CreatedFile {
    FileEntry entry;
    FileHandle handle{};
};

struct DirectoryEntry {
    u64 inode = 0;
    u64 next_offset = 0; ///< where the entry after this one is
    u8 type = 0;         ///< as d_type
    std::string_view name = {};
};
/// Returns false to leave this entry and the rest for later.
using DirectoryVisitor = std::function<bool(const DirectoryEntry &)>;

struct FileSystemUsage {
    u64 blocks = 0, free_blocks = 0, available_blocks = 0;
    u64 files = 0, free_files = 0;
    u32 block_size = 0, fragment_size = 0, name_length = 0;
};

/// Guest memory, or the device's: read() fills it, write() takes from it.
using FileBuffers = std::span<const std::span<std::byte>>;

// clang-format off
class FileSystem {
public:
    virtual ~FileSystem() = default;
    [[nodiscard]] virtual TaskQueue &tasks() = 0;

    [[nodiscard]] virtual FileResult<FileEntry> lookup(NodeId parent, const std::string &name) = 0;
    /// One more reference to a node that is known.
    [[nodiscard]] virtual FileResult<> remember(NodeId) = 0;
    virtual void forget(NodeId, u64 references) = 0;

    // Attributes.
    [[nodiscard]] virtual FileResult<FileAttributes> attributes(NodeId) = 0;
    /// A size is set through the handle, if there is one that may write.
    [[nodiscard]] virtual FileResult<FileAttributes> change(NodeId, std::optional<FileHandle>, const FileChanges &) = 0;
    /// Whether the host lets the file be used so: R_OK, W_OK, X_OK.
    [[nodiscard]] virtual FileResult<> check_access(NodeId, u32 mask) = 0;
    [[nodiscard]] virtual FileResult<FileSystemUsage> usage(NodeId) = 0;
    [[nodiscard]] virtual FileResult<std::string> extended_attribute(NodeId, const std::string &name) = 0;
    /// Each name ends with a NUL.
    [[nodiscard]] virtual FileResult<std::string> extended_attributes(NodeId) = 0;
    /// `flags` as setxattr(2)'s: XATTR_CREATE, XATTR_REPLACE.
    [[nodiscard]] virtual FileResult<> set_extended_attribute(NodeId, const std::string &name, std::string_view value, u32 flags) = 0;
    [[nodiscard]] virtual FileResult<> remove_extended_attribute(NodeId, const std::string &name) = 0;

    // Names. Modes are as the guest's umask left them.
    [[nodiscard]] virtual FileResult<std::string> read_link(NodeId) = 0;
    [[nodiscard]] virtual FileResult<FileEntry> make_link(NodeId, NodeId parent, const std::string &name) = 0;
    [[nodiscard]] virtual FileResult<FileEntry> make_symbolic_link(NodeId parent, const std::string &name, const std::string &target, FileOwner) = 0;
    /// A regular file, FIFO or socket.
    [[nodiscard]] virtual FileResult<FileEntry> make_node(NodeId parent, const std::string &name, u32 mode, FileOwner) = 0;
    [[nodiscard]] virtual FileResult<FileEntry> make_directory(NodeId parent, const std::string &name, u32 mode, FileOwner) = 0;
    [[nodiscard]] virtual FileResult<> remove_file(NodeId parent, const std::string &name) = 0;
    [[nodiscard]] virtual FileResult<> remove_directory(NodeId parent, const std::string &name) = 0;
    /// `flags` as renameat2(2)'s: RENAME_NOREPLACE, RENAME_EXCHANGE.
    [[nodiscard]] virtual FileResult<> rename(NodeId parent, const std::string &name, NodeId new_parent, const std::string &new_name, u32 flags) = 0;

    // Open files. Only regular ones can be opened.
    [[nodiscard]] virtual FileResult<OpenedFile> open(NodeId, OpenMode) = 0;
    [[nodiscard]] virtual FileResult<CreatedFile> create(NodeId parent, const std::string &name, OpenMode, u32 mode, FileOwner) = 0;
    [[nodiscard]] virtual FileResult<u64> read(FileHandle, u64 offset, FileBuffers) = 0;
    [[nodiscard]] virtual FileResult<u64> write(FileHandle, u64 offset, FileBuffers, bool drop_set_ids) = 0;
    [[nodiscard]] virtual FileResult<> flush(FileHandle) = 0;
    /// Of directories too.
    [[nodiscard]] virtual FileResult<> sync(FileHandle, bool data_only) = 0;
    /// Everything, as far as the host lets a program ask for that.
    [[nodiscard]] virtual FileResult<> sync_all() = 0;
    /// `mode` as fallocate(2)'s.
    [[nodiscard]] virtual FileResult<> allocate(FileHandle, u32 mode, u64 offset, u64 length) = 0;
    /// The next data or hole: SEEK_DATA, SEEK_HOLE.
    [[nodiscard]] virtual FileResult<u64> seek(FileHandle, u64 offset, u32 whence) = 0;
    [[nodiscard]] virtual FileResult<u64> copy(FileHandle from, u64 from_offset, FileHandle to, u64 to_offset, u64 length) = 0;

    // Open directories.
    [[nodiscard]] virtual FileResult<FileHandle> open_directory(NodeId) = 0;
    /// Visits entries from `offset` on, 0 at first, until the visitor or the directory ends.
    [[nodiscard]] virtual FileResult<> read_directory(FileHandle, u64 offset, const DirectoryVisitor &) = 0;
    /// Ends a handle of either kind.
    virtual void close(FileHandle) = 0;

    /// Forgets all nodes and handles, in the middle of anything.
    virtual void reset() = 0;
    // While no task runs.
    virtual void save(StateWriter &) const = 0;
    /// A file that is no longer where it was is stale afterwards, which is no failure.
    [[nodiscard]] virtual Result<> restore(StateReader &) = 0;
};
// clang-format on

} // namespace tandem::devices
