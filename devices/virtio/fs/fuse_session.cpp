#include "devices/virtio/fs/fuse_session.h"

#include "devices/core/buffer_list.h"
#include "support/result.h"

#include <algorithm>

namespace tandem::devices {

namespace {

/// Linux's virtiofs came with 7.31 (Linux 5.4); all structures used here have their size since.
constexpr u32 kOldestMinor = 31;
/// How long the guest believes names and attributes without asking: what the host changes is seen
/// that much later.
constexpr u64 kValidSeconds = 1;
/// The largest write; a read may be larger where the guest's pages are.
constexpr u32 kMaxWrite = 1 << 20;
constexpr u16 kMaxPages = 256;
constexpr u64 kMaxDirectoryBytes = 1 << 20;

constexpr u32 kFlags = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES |
                       FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO |
                       FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES |
                       FUSE_CACHE_SYMLINKS | FUSE_HANDLE_KILLPRIV_V2;

/// A device number as Linux's new_encode_dev() packs it.
u32 packed_device(u32 major, u32 minor) {
    return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

fuse_attr attributes_of(const FileAttributes &from) {
    fuse_attr to{};
    to.ino = from.inode;
    to.size = from.size;
    to.blocks = from.blocks;
    to.atime = static_cast<u64>(from.accessed.seconds);
    to.mtime = static_cast<u64>(from.modified.seconds);
    to.ctime = static_cast<u64>(from.changed.seconds);
    to.atimensec = from.accessed.nanoseconds;
    to.mtimensec = from.modified.nanoseconds;
    to.ctimensec = from.changed.nanoseconds;
    to.mode = from.mode;
    to.nlink = from.links;
    to.uid = from.uid;
    to.gid = from.gid;
    to.rdev = packed_device(from.device_major, from.device_minor);
    to.blksize = from.block_size;
    return to;
}

fuse_attr_out attribute_reply(const FileAttributes &attributes) {
    fuse_attr_out out{};
    out.attr_valid = kValidSeconds;
    out.attr = attributes_of(attributes);
    return out;
}

fuse_entry_out entry_of(const FileEntry &entry) {
    fuse_entry_out out{};
    out.nodeid = static_cast<u64>(entry.node);
    out.entry_valid = out.attr_valid = kValidSeconds;
    out.attr = attributes_of(entry.attributes);
    return out;
}

fuse_open_out open_reply(FileHandle handle, u32 flags) {
    fuse_open_out out{};
    out.fh = static_cast<u64>(handle);
    out.open_flags = flags;
    return out;
}

/// A file opened for reading has nothing to flush.
u32 open_flags(const OpenMode &mode, bool unchanged) {
    return (mode.write ? 0 : FOPEN_NOFLUSH) | (unchanged ? FOPEN_KEEP_CACHE : 0);
}

bool has_answer(u32 opcode) {
    return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT;
}

} // namespace

std::optional<u64> FuseSession::answer(const DescriptorChain &chain) {
    auto request = FuseRequest::read(chain);
    if (!request.has_value()) return std::nullopt;
    fuse_out_header header{};
    if (has_answer(request->header.opcode) && chain.writable_bytes() < sizeof(header))
        return std::nullopt;
    const Answer answer = request->is_whole() ? dispatch(*request) : file_error(EINVAL);
    if (!has_answer(request->header.opcode)) return 0;
    header.len = static_cast<u32>(sizeof(header) + answer.value_or(0));
    header.error = answer.has_value() ? 0 : -answer.error().number;
    header.unique = request->header.unique;
    static_cast<void>(chain.write(0, std::as_bytes(std::span(&header, 1)))); // there is room
    return header.len;
}

FuseSession::Answer FuseSession::dispatch(FuseRequest &request) {
    if (!initialised_ && request.header.opcode != FUSE_INIT) return file_error(EIO);
    switch (request.header.opcode) {
#define FUSE_OPERATION(handler, opcode)                                                            \
    case opcode: return handler(request);
#include "devices/core/buffer_list.h"
#include "devices/virtio/fs/fuse_operations.inc"
#undef FUSE_OPERATION
    default: return file_error(ENOSYS);
    }
}

FuseSession::Answer FuseSession::init(FuseRequest &request) {
    // Up to 7.35 the structure ended before flags2.
    const auto in = TRY(request.take_part<fuse_init_in>(__builtin_offsetof(fuse_init_in, flags2)));
    if (in.major < FUSE_KERNEL_VERSION ||
        (in.major == FUSE_KERNEL_VERSION && in.minor < kOldestMinor))
        return file_error(EPROTO);
    fuse_init_out out{};
    out.major = FUSE_KERNEL_VERSION;
    out.minor = FUSE_KERNEL_MINOR_VERSION;
    // A newer major version: the driver tries again with ours.
    if (in.major == FUSE_KERNEL_VERSION) {
        initialised_ = true;
        out.max_readahead = in.max_readahead;
        out.flags = in.flags & kFlags;
        out.max_background = 64;
        out.congestion_threshold = 48;
        out.max_write = kMaxWrite;
        out.time_gran = 1;
        out.max_pages = kMaxPages;
    }
    return request.reply_object(out);
}

FuseSession::Answer FuseSession::destroy(FuseRequest &) {
    // The last request of a mount. Linux does not forget each node before it.
    initialised_ = false;
    files_.reset();
    return 0;
}

FuseSession::Answer FuseSession::interrupt(FuseRequest &) {
    return 0; // no request waits for anything but the host
}

// ---------------------------------------------------------------------------------------- nodes

FuseSession::Answer FuseSession::reply_entry(const FuseRequest &request, const FileEntry &entry) {
    const Answer answer = request.reply_object(entry_of(entry));
    if (!answer.has_value()) files_.forget(entry.node, 1);
    return answer;
}

FuseSession::Answer FuseSession::lookup(FuseRequest &request) {
    const std::string name = TRY(request.take_name());
    const auto entry = files_.lookup(request.node(), name);
    // No node: the guest may believe for a while that there is no such name.
    if (!entry.has_value() && entry.error().number == ENOENT) {
        fuse_entry_out none{};
        none.entry_valid = kValidSeconds;
        return request.reply_object(none);
    }
    if (!entry.has_value()) return std::unexpected(entry.error());
    return reply_entry(request, *entry);
}

FuseSession::Answer FuseSession::forget(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_forget_in>());
    files_.forget(request.node(), in.nlookup);
    return 0;
}

FuseSession::Answer FuseSession::batch_forget(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_batch_forget_in>());
    for (u32 i = 0; i < in.count; ++i) {
        const auto one = TRY(request.take<fuse_forget_one>());
        files_.forget(NodeId{one.nodeid}, one.nlookup);
    }
    return 0;
}

FuseSession::Answer FuseSession::getattr(FuseRequest &request) {
    return request.reply_object(attribute_reply(TRY(files_.attributes(request.node()))));
}

FuseSession::Answer FuseSession::setattr(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_setattr_in>());
    const auto has = [&in](u32 bit) { return (in.valid & bit) != 0; };
    FileChanges changes;
    if (has(FATTR_MODE)) changes.mode = in.mode & 07777;
    if (has(FATTR_UID)) changes.uid = in.uid;
    if (has(FATTR_GID)) changes.gid = in.gid;
    if (has(FATTR_SIZE)) changes.size = in.size;
    if (has(FATTR_ATIME))
        changes.accessed = {has(FATTR_ATIME_NOW), {static_cast<i64>(in.atime), in.atimensec}};
    if (has(FATTR_MTIME))
        changes.modified = {has(FATTR_MTIME_NOW), {static_cast<i64>(in.mtime), in.mtimensec}};
    changes.drop_set_ids = has(FATTR_KILL_SUIDGID);
    std::optional<FileHandle> handle;
    if (has(FATTR_FH)) handle = FileHandle{in.fh};
    return request.reply_object(
        attribute_reply(TRY(files_.change(request.node(), handle, changes))));
}

FuseSession::Answer FuseSession::access(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_access_in>());
    TRY(files_.check_access(request.node(), in.mask));
    return 0;
}

FuseSession::Answer FuseSession::statfs(FuseRequest &request) {
    const auto usage = TRY(files_.usage(request.node()));
    fuse_statfs_out out{};
    out.st.blocks = usage.blocks;
    out.st.bfree = usage.free_blocks;
    out.st.bavail = usage.available_blocks;
    out.st.files = usage.files;
    out.st.ffree = usage.free_files;
    out.st.bsize = usage.block_size;
    out.st.frsize = usage.fragment_size;
    out.st.namelen = usage.name_length;
    return request.reply_object(out);
}

FuseSession::Answer FuseSession::setxattr(FuseRequest &request) {
    // FUSE_SETXATTR_EXT is not negotiated: the short form.
    const auto in = TRY(request.take_part<fuse_setxattr_in>(FUSE_COMPAT_SETXATTR_IN_SIZE));
    const std::string name = TRY(request.take_name());
    const std::string value = TRY(request.take_bytes(in.size));
    TRY(files_.set_extended_attribute(request.node(), name, value, in.flags));
    return 0;
}

namespace {

/// What getxattr and listxattr answer: with a size of 0 how long it is, else all of it.
FileResult<u64> reply_attribute(const FuseRequest &request, u32 size, std::string_view value) {
    if (size == 0) {
        fuse_getxattr_out out{};
        out.size = static_cast<u32>(value.size());
        return request.reply_object(out);
    }
    if (value.size() > size) return file_error(ERANGE);
    return request.reply(std::as_bytes(std::span(value)));
}

} // namespace

FuseSession::Answer FuseSession::getxattr(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_getxattr_in>());
    const std::string name = TRY(request.take_name());
    return reply_attribute(request, in.size, TRY(files_.extended_attribute(request.node(), name)));
}

FuseSession::Answer FuseSession::listxattr(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_getxattr_in>());
    return reply_attribute(request, in.size, TRY(files_.extended_attributes(request.node())));
}

FuseSession::Answer FuseSession::removexattr(FuseRequest &request) {
    const std::string name = TRY(request.take_name());
    TRY(files_.remove_extended_attribute(request.node(), name));
    return 0;
}

// ---------------------------------------------------------------------------------------- names

FuseSession::Answer FuseSession::readlink(FuseRequest &request) {
    const std::string target = TRY(files_.read_link(request.node()));
    return request.reply(std::as_bytes(std::span(target)));
}

FuseSession::Answer FuseSession::symlink(FuseRequest &request) {
    const std::string name = TRY(request.take_name());
    const std::string target = TRY(request.take_name());
    return reply_entry(
        request, TRY(files_.make_symbolic_link(request.node(), name, target, request.owner())));
}

FuseSession::Answer FuseSession::mknod(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_mknod_in>());
    const std::string name = TRY(request.take_name());
    return reply_entry(request,
                       TRY(files_.make_node(request.node(), name, in.mode, request.owner())));
}

FuseSession::Answer FuseSession::mkdir(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_mkdir_in>());
    const std::string name = TRY(request.take_name());
    return reply_entry(request,
                       TRY(files_.make_directory(request.node(), name, in.mode, request.owner())));
}

FuseSession::Answer FuseSession::unlink(FuseRequest &request) {
    const std::string name = TRY(request.take_name());
    TRY(files_.remove_file(request.node(), name));
    return 0;
}

FuseSession::Answer FuseSession::rmdir(FuseRequest &request) {
    const std::string name = TRY(request.take_name());
    TRY(files_.remove_directory(request.node(), name));
    return 0;
}

FuseSession::Answer FuseSession::rename(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_rename_in>());
    const std::string name = TRY(request.take_name());
    const std::string new_name = TRY(request.take_name());
    TRY(files_.rename(request.node(), name, NodeId{in.newdir}, new_name, 0));
    return 0;
}

FuseSession::Answer FuseSession::rename2(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_rename2_in>());
    const std::string name = TRY(request.take_name());
    const std::string new_name = TRY(request.take_name());
    TRY(files_.rename(request.node(), name, NodeId{in.newdir}, new_name, in.flags));
    return 0;
}

FuseSession::Answer FuseSession::link(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_link_in>());
    const std::string name = TRY(request.take_name());
    return reply_entry(request, TRY(files_.make_link(NodeId{in.oldnodeid}, request.node(), name)));
}

// ---------------------------------------------------------------------------------------- files

FuseSession::Answer FuseSession::open(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_open_in>());
    OpenMode mode = OpenMode::from_linux(in.flags);
    mode.drop_set_ids = (in.open_flags & FUSE_OPEN_KILL_SUIDGID) != 0;
    const OpenedFile file = TRY(files_.open(request.node(), mode));
    const Answer answer =
        request.reply_object(open_reply(file.handle, open_flags(mode, file.unchanged)));
    if (!answer.has_value()) files_.close(file.handle);
    return answer;
}

FuseSession::Answer FuseSession::create(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_create_in>());
    const std::string name = TRY(request.take_name());
    OpenMode mode = OpenMode::from_linux(in.flags);
    mode.drop_set_ids = (in.open_flags & FUSE_OPEN_KILL_SUIDGID) != 0;
    const CreatedFile file =
        TRY(files_.create(request.node(), name, mode, in.mode, request.owner()));
    struct {
        fuse_entry_out entry;
        fuse_open_out open;
    } out{entry_of(file.entry), open_reply(file.handle, open_flags(mode, false))};
    const Answer answer = request.reply_object(out);
    if (!answer.has_value()) {
        files_.close(file.handle);
        files_.forget(file.entry.node, 1);
    }
    return answer;
}

FuseSession::Answer FuseSession::read(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_read_in>());
    std::vector<std::span<std::byte>> data;
    slice_buffers(request.chain().writable(), sizeof(fuse_out_header),
                  std::min<u64>(in.size, request.room()), data);
    return files_.read(FileHandle{in.fh}, in.offset, data);
}

FuseSession::Answer FuseSession::write(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_write_in>());
    constexpr u64 kData = sizeof(fuse_in_header) + sizeof(fuse_write_in);
    if (request.chain().readable_bytes() - kData < in.size) return file_error(EINVAL);
    std::vector<std::span<std::byte>> data;
    slice_buffers(request.chain().readable(), kData, in.size, data);
    const bool drop_set_ids = (in.write_flags & FUSE_WRITE_KILL_SUIDGID) != 0;
    fuse_write_out out{};
    out.size =
        static_cast<u32>(TRY(files_.write(FileHandle{in.fh}, in.offset, data, drop_set_ids)));
    return request.reply_object(out);
}

FuseSession::Answer FuseSession::flush(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_flush_in>());
    TRY(files_.flush(FileHandle{in.fh}));
    return 0;
}

FuseSession::Answer FuseSession::release(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_release_in>());
    files_.close(FileHandle{in.fh});
    return 0;
}

FuseSession::Answer FuseSession::fsync(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_fsync_in>());
    TRY(files_.sync(FileHandle{in.fh}, (in.fsync_flags & FUSE_FSYNC_FDATASYNC) != 0));
    return 0;
}

FuseSession::Answer FuseSession::syncfs(FuseRequest &) {
    TRY(files_.sync_all());
    return 0;
}

FuseSession::Answer FuseSession::fallocate(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_fallocate_in>());
    TRY(files_.allocate(FileHandle{in.fh}, in.mode, in.offset, in.length));
    return 0;
}

FuseSession::Answer FuseSession::lseek(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_lseek_in>());
    fuse_lseek_out out{};
    out.offset = TRY(files_.seek(FileHandle{in.fh}, in.offset, in.whence));
    return request.reply_object(out);
}

FuseSession::Answer FuseSession::copy_file_range(FuseRequest &request) {
    const auto in = TRY(request.take<fuse_copy_file_range_in>());
    if (in.flags != 0) return file_error(EINVAL);
    fuse_write_out out{};
    // The answer has 32 bits.
    out.size =
        static_cast<u32>(TRY(files_.copy(FileHandle{in.fh_in}, in.off_in, FileHandle{in.fh_out},
                                         in.off_out, std::min<u64>(in.len, u64{1} << 31))));
    return request.reply_object(out);
}

// ---------------------------------------------------------------------------------- directories

FuseSession::Answer FuseSession::opendir(FuseRequest &request) {
    TRY(request.take<fuse_open_in>());
    const FileHandle handle = TRY(files_.open_directory(request.node()));
    const Answer answer = request.reply_object(open_reply(handle, 0));
    if (!answer.has_value()) files_.close(handle);
    return answer;
}

FuseSession::Answer FuseSession::readdir(FuseRequest &request) {
    return list_directory(request, false);
}

FuseSession::Answer FuseSession::readdirplus(FuseRequest &request) {
    return list_directory(request, true);
}

FuseSession::Answer FuseSession::list_directory(FuseRequest &request, bool with_attributes) {
    const auto in = TRY(request.take<fuse_read_in>());
    std::vector<std::byte> out;
    std::vector<NodeId> nodes;
    const u64 room = std::min({u64{in.size}, request.room(), kMaxDirectoryBytes});
    const u64 head = sizeof(fuse_dirent) + (with_attributes ? sizeof(fuse_entry_out) : 0);
    const auto append = [&out](const auto &object) {
        const auto bytes = std::as_bytes(std::span(&object, 1));
        out.insert(out.end(), bytes.begin(), bytes.end());
    };
    const auto visit = [&](const DirectoryEntry &entry) {
        const u64 size = FUSE_REC_ALIGN(head + entry.name.size());
        if (size > room - out.size()) return false;
        const u64 end = out.size() + size;
        if (with_attributes) {
            // Without a node the guest looks the name up itself when it needs to.
            fuse_entry_out found{};
            if (entry.name != "." && entry.name != "..") {
                if (const auto child = files_.lookup(request.node(), std::string(entry.name))) {
                    found = entry_of(*child);
                    nodes.push_back(child->node);
                }
            }
            append(found);
        }
        fuse_dirent dirent{};
        dirent.ino = entry.inode;
        dirent.off = entry.next_offset;
        dirent.namelen = static_cast<u32>(entry.name.size());
        dirent.type = entry.type;
        append(dirent);
        const auto name = std::as_bytes(std::span(entry.name));
        out.insert(out.end(), name.begin(), name.end());
        out.resize(end);
        return true;
    };
    Answer answer = 0;
    if (const auto read = files_.read_directory(FileHandle{in.fh}, in.offset, visit); !read)
        answer = std::unexpected(read.error());
    else
        answer = request.reply(out);
    if (!answer.has_value())
        for (const NodeId node : nodes) files_.forget(node, 1);
    return answer;
}

} // namespace tandem::devices
