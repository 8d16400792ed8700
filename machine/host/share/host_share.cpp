#include "machine/host/share/host_share.h"

#include "machine/host/share/share_names.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

namespace tandem::machine {

using devices::file_error;
using devices::FileAttributes;
using devices::FileChanges;
using devices::FileOwner;

namespace {

constexpr unsigned kMaxWorkers = 4;
/// Descriptors that the rest of the program may need.
constexpr std::size_t kReservedDescriptors = 256;
constexpr std::size_t kFewestDescriptors = 64, kMostDescriptors = std::size_t{1} << 20;

/// Of nodes, which do with fewer; other shares want some too.
constexpr std::size_t kMostCached = 4096;

/// Threads that make files have a umask of their own: the guest has applied its.
void prepare_worker() {
    if (::unshare(CLONE_FS) == 0) ::umask(0);
    // A file beyond the size limit is an error to tell the guest, not a reason to die.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGXFSZ);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

/// Raises the soft limit to the hard one; returns how many descriptors a share may use.
std::size_t claim_descriptors() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kFewestDescriptors;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit)); // else fewer must do
        static_cast<void>(::getrlimit(RLIMIT_NOFILE, &limit));
    }
    const u64 free =
        limit.rlim_cur < kReservedDescriptors ? 0 : limit.rlim_cur - kReservedDescriptors;
    return std::clamp<u64>(free, kFewestDescriptors, kMostDescriptors);
}

FileOwner owner_of(const FileStatus &status) {
    return {status.attributes.uid, status.attributes.gid};
}

timespec time_of(const std::optional<devices::FileTimeChange> &change) {
    if (!change.has_value()) return {0, UTIME_OMIT};
    if (change->now) return {0, UTIME_NOW};
    // Larger values mean something else to utimensat().
    return {change->time.seconds, std::min<i64>(change->time.nanoseconds, 999'999'999)};
}

} // namespace

Result<std::unique_ptr<HostShare>> HostShare::open(const ShareConfig &config) {
    return open(config, OwnerMap(::geteuid(), ::getegid()), claim_descriptors());
}

Result<std::unique_ptr<HostShare>>
HostShare::open(const ShareConfig &config, const OwnerMap &owners, std::size_t max_descriptors) {
    const auto bad = [&](int error, std::string_view mend) {
        return failure(fmt::format("--share {}: {}; {}", config.path, std::strerror(error), mend));
    };
    ScopedFd root(::open(config.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root.is_open()) return bad(errno, "name a folder that there is");
    if (::access(descriptor_path(root.get()).c_str(), R_OK | X_OK) != 0) {
        if (errno == ENOENT) return bad(errno, "sharing needs /proc to be mounted");
        return bad(errno, "share a folder that you may read");
    }
    struct statfs file_system{};
    if (::fstatfs(root.get(), &file_system) == 0 && file_system.f_type == PROC_SUPER_MAGIC)
        return bad(EACCES, "processes are no files; share another folder");
    const auto status = file_status(root.get());
    if (!status.has_value()) return bad(status.error().number, "share a folder that you may read");
    return std::unique_ptr<HostShare>(
        new HostShare(config, owners, std::move(root), *status, max_descriptors));
}

HostShare::HostShare(const ShareConfig &config, const OwnerMap &owners, ScopedFd root,
                     const FileStatus &status, std::size_t max_descriptors)
    : readonly_(config.readonly), owners_(owners), root_device_(status.identity.device),
      nodes_(std::move(root), status.identity, std::min(max_descriptors / 2, kMostCached)),
      handles_(max_descriptors / 2), workers_(kMaxWorkers, prepare_worker) {}

// --------------------------------------------------------------------------------------- lookup

HostShare::Outcome<u64> HostShare::shown_inode(u64 device, u64 inode, int directory,
                                               const std::string &name) {
    if (device == root_device_) return inode;
    const std::lock_guard lock(devices_mutex_);
    auto known = devices_.find(device);
    if (known == devices_.end()) {
        const ScopedFd fd(::openat(directory, name.empty() ? "." : name.c_str(),
                                   O_PATH | O_NOFOLLOW | O_CLOEXEC));
        struct statfs file_system{};
        if (!fd.is_open() || ::fstatfs(fd.get(), &file_system) != 0) return last_error();
        // Processes are no files: through /proc the guest would reach this very program's memory.
        const bool is_refused = file_system.f_type == PROC_SUPER_MAGIC;
        known = devices_.emplace(device, is_refused ? 0 : devices_.size() + 1).first;
    }
    if (known->second == 0) return file_error(EACCES);
    // Different files of one share have different inodes.
    return inode ^ known->second << 48;
}

HostShare::Outcome<FileAttributes> HostShare::shown(const FileStatus &status, int directory,
                                                    const std::string &name) {
    FileAttributes attributes = status.attributes;
    attributes.inode = TRY(shown_inode(status.identity.device, attributes.inode, directory, name));
    attributes.uid = owners_.guest_user(attributes.uid);
    attributes.gid = owners_.guest_group(attributes.gid);
    return attributes;
}

HostShare::Outcome<devices::FileEntry> HostShare::enter(NodeId parent, int directory,
                                                        const std::string &name) {
    const FileStatus status = TRY(file_status(directory, name));
    const FileAttributes attributes = TRY(shown(status, directory, name));
    return Entry{TRY(nodes_.enter(parent, name, status)), attributes};
}

HostShare::Outcome<devices::FileEntry> HostShare::lookup(NodeId parent, const std::string &name) {
    if (!is_plain_name(name)) return file_error(EINVAL);
    const auto directory = TRY(nodes_.open(parent));
    return enter(parent, directory.fd->get(), name);
}

// ----------------------------------------------------------------------------------- attributes

HostShare::Outcome<FileAttributes> HostShare::attributes(NodeId id) {
    const auto place = TRY(nodes_.place(id));
    const auto status = file_status(place.fd->get(), place.name);
    if (!place.name.empty() && (!status.has_value() || status->identity != place.identity))
        return file_error(ESTALE);
    if (!status.has_value()) return std::unexpected(status.error());
    return shown(*status, place.fd->get(), place.name);
}

HostShare::Outcome<> HostShare::change_owner(int fd, const FileStatus &status,
                                             const FileChanges &changes) {
    // What is so already may be asked for by anybody: archivers do.
    FileOwner owner = owner_of(status);
    if (changes.uid.has_value() && *changes.uid != owners_.guest_user(owner.uid))
        owner.uid = owners_.host_user(*changes.uid);
    if (changes.gid.has_value() && *changes.gid != owners_.guest_group(owner.gid))
        owner.gid = owners_.host_group(*changes.gid);
    const FileOwner before = owner_of(status);
    const uid_t uid = owner.uid == before.uid ? ~uid_t{0} : owner.uid;
    const gid_t gid = owner.gid == before.gid ? ~gid_t{0} : owner.gid;
    if (uid == ~uid_t{0} && gid == ~gid_t{0}) return {};
    if (::fchownat(fd, "", uid, gid, AT_EMPTY_PATH) != 0) return last_error();
    return {};
}

HostShare::Outcome<> HostShare::change_size(NodeId id, const NodeTable::Opened &node,
                                            std::optional<Handle> handle, u64 size) {
    if (size > u64{INT64_MAX}) return file_error(EFBIG);
    ScopedFd own;
    int fd = -1;
    std::shared_ptr<OpenFile> file;
    if (handle.has_value()) {
        file = TRY(writable_file(*handle));
        if (file->node != id) return file_error(EBADF);
        fd = file->fd.get();
    } else {
        own = TRY(reopen(node, {.write = true}));
        fd = own.get();
    }
    if (::ftruncate(fd, static_cast<off_t>(size)) != 0) return last_error();
    return {};
}

HostShare::Outcome<FileAttributes> HostShare::change(NodeId id, std::optional<Handle> handle,
                                                     const FileChanges &changes) {
    if (readonly_) return file_error(EROFS);
    const auto node = TRY(nodes_.open(id));
    const int fd = node.fd->get();
    const std::string path = descriptor_path(fd);
    // As the owner changes, the host takes the set-user-ID bit away, so that the mode comes after.
    if (changes.uid.has_value() || changes.gid.has_value())
        TRY(change_owner(fd, TRY(file_status(fd)), changes));
    if (changes.mode.has_value() && ::chmod(path.c_str(), *changes.mode & 07777) != 0)
        return last_error();
    if (changes.size.has_value()) TRY(change_size(id, node, handle, *changes.size));
    if (changes.drop_set_ids && !changes.mode.has_value()) drop_set_ids(fd);
    if (changes.accessed.has_value() || changes.modified.has_value()) {
        const std::array times{time_of(changes.accessed), time_of(changes.modified)};
        if (::utimensat(AT_FDCWD, path.c_str(), times.data(), 0) != 0) return last_error();
    }
    return shown(TRY(file_status(fd)), fd, {});
}

void HostShare::drop_set_ids(int fd) const {
    // The host does it by itself for anybody but root.
    if (!owners_.is_privileged()) return;
    const auto status = file_status(fd);
    if (!status.has_value() || status->type() != S_IFREG) return;
    const u32 mode = status->attributes.mode;
    // Without S_IXGRP the set-group-ID bit stands for something else (mandatory locks).
    const u32 dropped = S_ISUID | ((mode & S_IXGRP) != 0 ? S_ISGID : 0);
    if ((mode & dropped) != 0)
        static_cast<void>(::chmod(descriptor_path(fd).c_str(), mode & 07777 & ~dropped));
}

HostShare::Outcome<> HostShare::check_access(NodeId id, u32 mask) {
    if ((mask & ~u32{R_OK | W_OK | X_OK}) != 0) return file_error(EINVAL);
    if (readonly_ && (mask & W_OK) != 0) return file_error(EROFS);
    const auto node = TRY(nodes_.open(id));
    if (::access(descriptor_path(node.fd->get()).c_str(), static_cast<int>(mask)) != 0)
        return last_error();
    return {};
}

HostShare::Outcome<devices::FileSystemUsage> HostShare::usage(NodeId id) {
    const auto node = TRY(nodes_.open(id));
    struct statfs from{};
    if (::fstatfs(node.fd->get(), &from) != 0) return last_error();
    return devices::FileSystemUsage{.blocks = from.f_blocks,
                                    .free_blocks = from.f_bfree,
                                    .available_blocks = from.f_bavail,
                                    .files = from.f_files,
                                    .free_files = from.f_ffree,
                                    .block_size = static_cast<u32>(from.f_bsize),
                                    .fragment_size = static_cast<u32>(from.f_frsize),
                                    .name_length = static_cast<u32>(from.f_namelen)};
}

// -------------------------------------------------------------------------- extended attributes

HostShare::Outcome<std::string> HostShare::extended_attribute(NodeId id, const std::string &name) {
    if (!is_plain_attribute(name)) return file_error(EOPNOTSUPP);
    const auto node = TRY(nodes_.open(id));
    std::string value(XATTR_SIZE_MAX, '\0');
    const ssize_t size = ::getxattr(descriptor_path(node.fd->get()).c_str(), name.c_str(),
                                    value.data(), value.size());
    if (size < 0) return last_error();
    value.resize(static_cast<std::size_t>(size));
    return value;
}

HostShare::Outcome<std::string> HostShare::extended_attributes(NodeId id) {
    const auto node = TRY(nodes_.open(id));
    std::string all(XATTR_LIST_MAX, '\0');
    const ssize_t size =
        ::listxattr(descriptor_path(node.fd->get()).c_str(), all.data(), all.size());
    if (size < 0) return last_error();
    all.resize(static_cast<std::size_t>(size));
    std::string plain;
    for (std::size_t at = 0; at < all.size();) {
        const std::string_view name(all.c_str() + at);
        if (is_plain_attribute(name)) plain.append(name).push_back('\0');
        at += name.size() + 1;
    }
    return plain;
}

HostShare::Outcome<> HostShare::set_extended_attribute(NodeId id, const std::string &name,
                                                       std::string_view value, u32 flags) {
    if (readonly_) return file_error(EROFS);
    if (!is_plain_attribute(name)) return file_error(EOPNOTSUPP);
    if ((flags & ~u32{XATTR_CREATE | XATTR_REPLACE}) != 0) return file_error(EINVAL);
    const auto node = TRY(nodes_.open(id));
    if (::setxattr(descriptor_path(node.fd->get()).c_str(), name.c_str(), value.data(),
                   value.size(), static_cast<int>(flags)) != 0)
        return last_error();
    return {};
}

HostShare::Outcome<> HostShare::remove_extended_attribute(NodeId id, const std::string &name) {
    if (readonly_) return file_error(EROFS);
    if (!is_plain_attribute(name)) return file_error(EOPNOTSUPP);
    const auto node = TRY(nodes_.open(id));
    if (::removexattr(descriptor_path(node.fd->get()).c_str(), name.c_str()) != 0)
        return last_error();
    return {};
}

// ---------------------------------------------------------------------------------------- names

HostShare::Outcome<NodeTable::Fd> HostShare::writable_directory(NodeId id,
                                                                const std::string &name) {
    if (readonly_) return file_error(EROFS);
    if (!is_plain_name(name)) return file_error(EINVAL);
    auto directory = TRY(nodes_.open(id));
    if (directory.type != S_IFDIR) return file_error(ENOTDIR);
    return std::move(directory.fd);
}

HostShare::Outcome<devices::FileEntry> HostShare::enter_new(NodeId parent, int directory,
                                                            const std::string &name, u32 mode,
                                                            FileOwner owner) {
    if (owners_.is_privileged()) {
        // A directory with the set-group-ID bit gives its group on (inode(7)), which the host did.
        const FileStatus above = TRY(file_status(directory));
        const bool inherits = (above.attributes.mode & S_ISGID) != 0;
        const gid_t gid = inherits ? ~gid_t{0} : owner.gid;
        if (::fchownat(directory, name.c_str(), owner.uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
            return last_error();
        const bool is_file = (mode & S_IFMT) == S_IFREG;
        if (is_file && (mode & (S_ISUID | S_ISGID)) != 0) {
            // The change of owner took these away.
            const ScopedFd fd(::openat(directory, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
            if (!fd.is_open() || ::chmod(descriptor_path(fd.get()).c_str(), mode & 07777) != 0)
                return last_error();
        }
    }
    return enter(parent, directory, name);
}

HostShare::Outcome<std::string> HostShare::read_link(NodeId id) {
    const auto node = TRY(nodes_.open(id));
    std::string target(PATH_MAX, '\0');
    const ssize_t size = ::readlinkat(node.fd->get(), "", target.data(), target.size());
    // An empty name is ENOENT for what is no link.
    if (size < 0) return file_error(errno == ENOENT ? EINVAL : errno);
    target.resize(static_cast<std::size_t>(size));
    return target;
}

HostShare::Outcome<devices::FileEntry> HostShare::make_link(NodeId id, NodeId parent,
                                                            const std::string &name) {
    const auto directory = TRY(writable_directory(parent, name));
    const auto node = TRY(nodes_.open(id));
    if (node.type == S_IFDIR) return file_error(EPERM);
    if (::linkat(AT_FDCWD, descriptor_path(node.fd->get()).c_str(), directory->get(), name.c_str(),
                 AT_SYMLINK_FOLLOW) != 0)
        return last_error();
    return enter(parent, directory->get(), name);
}

HostShare::Outcome<devices::FileEntry> HostShare::make_symbolic_link(NodeId parent,
                                                                     const std::string &name,
                                                                     const std::string &target,
                                                                     FileOwner owner) {
    const auto directory = TRY(writable_directory(parent, name));
    if (::symlinkat(target.c_str(), directory->get(), name.c_str()) != 0) return last_error();
    return enter_new(parent, directory->get(), name, S_IFLNK, owner);
}

HostShare::Outcome<devices::FileEntry> HostShare::make_node(NodeId parent, const std::string &name,
                                                            u32 mode, FileOwner owner) {
    const auto directory = TRY(writable_directory(parent, name));
    // A device would be one of the host's.
    const u32 type = mode & S_IFMT;
    if (type != S_IFREG && type != S_IFIFO && type != S_IFSOCK) return file_error(EPERM);
    if (::mknodat(directory->get(), name.c_str(), mode & (S_IFMT | 07777), 0) != 0)
        return last_error();
    return enter_new(parent, directory->get(), name, mode, owner);
}

HostShare::Outcome<devices::FileEntry>
HostShare::make_directory(NodeId parent, const std::string &name, u32 mode, FileOwner owner) {
    const auto directory = TRY(writable_directory(parent, name));
    if (::mkdirat(directory->get(), name.c_str(), mode & 07777) != 0) return last_error();
    return enter_new(parent, directory->get(), name, S_IFDIR | (mode & 07777), owner);
}

HostShare::Outcome<> HostShare::remove(NodeId parent, const std::string &name, int flags) {
    const auto directory = TRY(writable_directory(parent, name));
    const FileStatus status = TRY(file_status(directory->get(), name));
    NodeTable::Fd held = nodes_.hold(status.identity);
    if (::unlinkat(directory->get(), name.c_str(), flags) != 0) return last_error();
    nodes_.removed(status.identity, parent, name, std::move(held));
    return {};
}

HostShare::Outcome<> HostShare::remove_file(NodeId parent, const std::string &name) {
    return remove(parent, name, 0);
}

HostShare::Outcome<> HostShare::remove_directory(NodeId parent, const std::string &name) {
    return remove(parent, name, AT_REMOVEDIR);
}

HostShare::Outcome<> HostShare::rename(NodeId parent, const std::string &name, NodeId new_parent,
                                       const std::string &new_name, u32 flags) {
    // RENAME_WHITEOUT would make a device.
    if ((flags & ~u32{RENAME_NOREPLACE | RENAME_EXCHANGE}) != 0) return file_error(EINVAL);
    const auto from = TRY(writable_directory(parent, name));
    const auto to = TRY(writable_directory(new_parent, new_name));
    const FileStatus moved = TRY(file_status(from->get(), name));
    const auto replaced = file_status(to->get(), new_name);
    NodeTable::Fd held;
    if (replaced.has_value()) held = nodes_.hold(replaced->identity);
    if (::renameat2(from->get(), name.c_str(), to->get(), new_name.c_str(), flags) != 0)
        return last_error();
    const bool exchanged = (flags & RENAME_EXCHANGE) != 0;
    if (replaced.has_value() && exchanged) nodes_.moved(replaced->identity, parent, name);
    if (replaced.has_value() && !exchanged)
        nodes_.removed(replaced->identity, new_parent, new_name, std::move(held));
    nodes_.moved(moved.identity, new_parent, new_name);
    return {};
}

} // namespace tandem::machine
