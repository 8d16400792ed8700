/// The part of HostShare that works on open files and directories, and the saved state.
#include "machine/host/share/host_share.h"

#include "machine/host/share/share_names.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

namespace tandem::machine {

using devices::file_error;
using devices::FileBuffers;
using devices::OpenMode;

namespace {

constexpr std::size_t kDirectoryBuffer = 32 << 10;

int host_flags(const OpenMode &mode) {
    int flags = mode.read && mode.write ? O_RDWR : mode.write ? O_WRONLY : O_RDONLY;
    if (mode.append) flags |= O_APPEND;
    if (mode.truncate) flags |= O_TRUNC;
    if (mode.data_sync) flags |= O_DSYNC;
    if (mode.sync) flags |= O_SYNC;
    return flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
}

/// At most IOV_MAX of them; a transfer may always be shorter than asked.
std::vector<iovec> vectors_of(FileBuffers buffers) {
    std::vector<iovec> vectors;
    vectors.reserve(std::min<std::size_t>(buffers.size(), IOV_MAX));
    for (const std::span<std::byte> buffer : buffers) {
        if (vectors.size() == IOV_MAX) break;
        if (!buffer.empty()) vectors.push_back({buffer.data(), buffer.size()});
    }
    return vectors;
}

/// off_t is signed.
bool is_offset(u64 offset) {
    return offset <= u64{INT64_MAX};
}

} // namespace

// ---------------------------------------------------------------------------------------- files

HostShare::Outcome<ScopedFd> HostShare::reopen(const NodeTable::Opened &node, OpenMode mode) const {
    if (node.type == S_IFDIR) return file_error(EISDIR);
    if (node.type == S_IFLNK) return file_error(ELOOP);
    // FIFOs, sockets and devices are the guest's own business; the host's must not be touched.
    if (node.type != S_IFREG) return file_error(ENXIO);
    if (readonly_ && (mode.write || mode.truncate)) return file_error(EROFS);
    ScopedFd fd(::open(descriptor_path(node.fd->get()).c_str(), host_flags(mode)));
    if (!fd.is_open()) return last_error();
    return fd;
}

HostShare::Outcome<devices::FileHandle> HostShare::add_handle(ScopedFd fd, NodeId node,
                                                              OpenMode mode, bool directory) {
    auto file = std::make_shared<OpenFile>();
    file->fd = std::move(fd);
    file->node = node;
    file->mode = mode;
    file->is_directory = directory;
    return handles_.add(std::move(file));
}

HostShare::Outcome<devices::OpenedFile> HostShare::open(NodeId id, OpenMode mode) {
    const auto node = TRY(nodes_.open(id));
    ScopedFd fd = TRY(reopen(node, mode));
    if (mode.truncate && mode.drop_set_ids) drop_set_ids(fd.get());
    const auto status = TRY(file_status(fd.get()));
    const bool unchanged = nodes_.note_version(id, status.version);
    return devices::OpenedFile{TRY(add_handle(std::move(fd), id, mode, false)), unchanged};
}

HostShare::Outcome<devices::CreatedFile> HostShare::create(NodeId parent, const std::string &name,
                                                           OpenMode mode, u32 permissions,
                                                           devices::FileOwner owner) {
    const auto directory = TRY(writable_directory(parent, name));
    // What is there already is opened as such, so that nothing special ever is; it may come and go
    // meanwhile.
    static constexpr int kTries = 16;
    for (int i = 0; i < kTries; ++i) {
        ScopedFd fd(::openat(directory->get(), name.c_str(),
                             host_flags(mode) | O_CREAT | O_EXCL | O_NOFOLLOW,
                             permissions & 07777));
        if (fd.is_open()) {
            const Entry entry = TRY(
                enter_new(parent, directory->get(), name, S_IFREG | (permissions & 07777), owner));
            const auto handle = add_handle(std::move(fd), entry.node, mode, false);
            if (handle.has_value()) return devices::CreatedFile{entry, *handle};
            forget(entry.node, 1);
            return std::unexpected(handle.error());
        }
        if (errno != EEXIST || mode.exclusive) return last_error();
        const auto entry = lookup(parent, name);
        if (!entry.has_value() && entry.error().number == ENOENT) continue;
        if (!entry.has_value()) return std::unexpected(entry.error());
        const auto opened = open(entry->node, mode);
        if (opened.has_value()) return devices::CreatedFile{*entry, opened->handle};
        forget(entry->node, 1);
        if (opened.error().number != ESTALE) return std::unexpected(opened.error());
    }
    return file_error(EAGAIN);
}

HostShare::Outcome<std::shared_ptr<OpenFile>> HostShare::writable_file(Handle handle) const {
    auto file = TRY(handles_.find(handle));
    if (!file->mode.write) return file_error(EBADF);
    return file;
}

HostShare::Outcome<u64> HostShare::read(Handle handle, u64 offset, FileBuffers buffers) {
    const auto file = TRY(handles_.find(handle));
    if (file->is_directory) return file_error(EISDIR);
    if (!is_offset(offset)) return file_error(EINVAL);
    const auto vectors = vectors_of(buffers);
    const ssize_t size = ::preadv(file->fd.get(), vectors.data(), static_cast<int>(vectors.size()),
                                  static_cast<off_t>(offset));
    if (size < 0) return last_error();
    return static_cast<u64>(size);
}

HostShare::Outcome<u64> HostShare::write(Handle handle, u64 offset, FileBuffers buffers,
                                         bool drop) {
    const auto file = TRY(writable_file(handle));
    if (!is_offset(offset)) return file_error(EFBIG);
    if (drop) drop_set_ids(file->fd.get());
    const auto vectors = vectors_of(buffers);
    const ssize_t size = ::pwritev(file->fd.get(), vectors.data(), static_cast<int>(vectors.size()),
                                   static_cast<off_t>(offset));
    if (size < 0) return last_error();
    return static_cast<u64>(size);
}

HostShare::Outcome<> HostShare::flush(Handle handle) {
    const auto file = TRY(handles_.find(handle));
    // Closing any descriptor of a file reports what the host's file system could not write.
    const int copy = ::fcntl(file->fd.get(), F_DUPFD_CLOEXEC, 0);
    if (copy < 0 || ::close(copy) != 0) return last_error();
    return {};
}

HostShare::Outcome<> HostShare::sync(Handle handle, bool data_only) {
    const auto file = TRY(handles_.find(handle));
    if ((data_only ? ::fdatasync(file->fd.get()) : ::fsync(file->fd.get())) != 0)
        return last_error();
    return {};
}

HostShare::Outcome<> HostShare::sync_all() {
    const auto root = TRY(nodes_.open(devices::kRootNode));
    const ScopedFd fd(::openat(root.fd->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.is_open() || ::syncfs(fd.get()) != 0) return last_error();
    return {};
}

HostShare::Outcome<> HostShare::allocate(Handle handle, u32 mode, u64 offset, u64 length) {
    const auto file = TRY(writable_file(handle));
    constexpr u32 kModes = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
    if ((mode & ~kModes) != 0) return file_error(EOPNOTSUPP);
    if (!is_offset(offset) || !is_offset(length)) return file_error(EFBIG);
    if (::fallocate(file->fd.get(), static_cast<int>(mode), static_cast<off_t>(offset),
                    static_cast<off_t>(length)) != 0)
        return last_error();
    return {};
}

HostShare::Outcome<u64> HostShare::seek(Handle handle, u64 offset, u32 whence) {
    const auto file = TRY(handles_.find(handle));
    if (whence != SEEK_DATA && whence != SEEK_HOLE) return file_error(EINVAL);
    if (file->is_directory || !is_offset(offset)) return file_error(EINVAL);
    const off_t found =
        ::lseek(file->fd.get(), static_cast<off_t>(offset), static_cast<int>(whence));
    if (found < 0) return last_error();
    return static_cast<u64>(found);
}

HostShare::Outcome<u64> HostShare::copy(Handle from, u64 from_offset, Handle to, u64 to_offset,
                                        u64 length) {
    const auto source = TRY(handles_.find(from));
    const auto target = TRY(writable_file(to));
    if (!source->mode.read) return file_error(EBADF);
    if (!is_offset(from_offset) || !is_offset(to_offset)) return file_error(EINVAL);
    auto source_at = static_cast<off_t>(from_offset), target_at = static_cast<off_t>(to_offset);
    const ssize_t size =
        ::copy_file_range(source->fd.get(), &source_at, target->fd.get(), &target_at, length, 0);
    if (size < 0) return last_error();
    return static_cast<u64>(size);
}

// ---------------------------------------------------------------------------------- directories

HostShare::Outcome<devices::FileHandle> HostShare::open_directory(NodeId id) {
    const auto node = TRY(nodes_.open(id));
    if (node.type != S_IFDIR) return file_error(ENOTDIR);
    ScopedFd fd(::openat(node.fd->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.is_open()) return last_error();
    return add_handle(std::move(fd), id, {.read = true}, true);
}

HostShare::Outcome<> HostShare::read_directory(Handle handle, u64 offset,
                                               const devices::DirectoryVisitor &visit) {
    const auto file = TRY(handles_.find(handle));
    if (!file->is_directory) return file_error(ENOTDIR);
    const std::lock_guard lock(file->mutex);
    OpenFile &directory = *file;
    const int fd = directory.fd.get();
    if (offset != directory.next_offset || offset == 0) {
        if (!is_offset(offset) || ::lseek(fd, static_cast<off_t>(offset), SEEK_SET) < 0)
            return file_error(EINVAL);
        directory.next_offset = offset;
        directory.next_entry = directory.end_of_entries = 0;
    }
    const u64 device = TRY(file_status(fd)).identity.device;
    for (;;) {
        if (directory.next_entry == directory.end_of_entries) {
            directory.entries.resize(kDirectoryBuffer);
            const auto size =
                ::syscall(SYS_getdents64, fd, directory.entries.data(), directory.entries.size());
            if (size < 0) return last_error();
            directory.next_entry = 0;
            directory.end_of_entries = static_cast<std::size_t>(size);
            if (size == 0) return {};
        }
        dirent64 head;
        const std::byte *at = directory.entries.data() + directory.next_entry;
        constexpr std::size_t kName = __builtin_offsetof(dirent64, d_name);
        std::memcpy(&head, at, kName);
        devices::DirectoryEntry entry;
        entry.inode = TRY(shown_inode(device, head.d_ino, fd, {}));
        entry.next_offset = static_cast<u64>(head.d_off);
        entry.type = head.d_type;
        entry.name = reinterpret_cast<const char *>(at + kName);
        if (!visit(entry)) return {};
        directory.next_entry += head.d_reclen;
        directory.next_offset = entry.next_offset;
    }
}

// ---------------------------------------------------------------------------------------- state

void HostShare::reset() {
    handles_.clear();
    nodes_.reset();
}

void HostShare::save(devices::StateWriter &writer) const {
    save_state(writer, "share", State{nodes_.save(), handles_.save()});
}

Result<> HostShare::restore(devices::StateReader &reader) {
    reset();
    State state;
    if (auto result = restore_state(reader, "share", state); !result) return result;
    const auto damaged = [] { return failure("snapshot: a share's files contradict each other"); };
    if (!nodes_.restore(state.nodes)) return damaged();
    for (const SavedHandle &saved : state.handles) {
        auto file = std::make_shared<OpenFile>();
        file->node = NodeId{saved.node};
        file->is_directory = saved.is_directory;
        file->mode = {.read = saved.read,
                      .write = saved.write,
                      .append = saved.append,
                      .data_sync = saved.data_sync,
                      .sync = saved.sync};
        const auto node = nodes_.open(file->node);
        // A file that is gone leaves a handle that is unknown.
        if (!node.has_value()) continue;
        if (saved.is_directory && node->type == S_IFDIR) {
            file->fd = ScopedFd(::openat(node->fd->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        } else if (auto fd = reopen(*node, file->mode)) {
            file->fd = std::move(*fd);
        }
        if (file->fd.is_open() && !handles_.restore(saved, std::move(file))) return damaged();
    }
    return {};
}

} // namespace tandem::machine
