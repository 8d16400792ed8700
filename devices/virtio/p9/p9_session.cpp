#include "devices/virtio/p9/p9_session.h"

#include "devices/core/buffer_list.h"
#include "support/result.h"

#include <algorithm>

namespace tandem::devices {

namespace {

constexpr u8 kError = 7; ///< Rlerror
constexpr u32 kErrorSize = P9Header::kSize + 4;
constexpr std::string_view kVersion = "9P2000.L";
constexpr u32 kMinMessage = 4096, kMaxMessage = 512 << 10;
/// Before the data of a read: count[4].
constexpr u64 kReadHead = P9Header::kSize + 4;
constexpr std::size_t kMaxFids = std::size_t{1} << 20;
constexpr u16 kMaxWalk = 16;
constexpr u64 kMaxAttribute = 64 << 10;
constexpr u32 kFileSystemType = 0x01021997; ///< Linux's V9FS_MAGIC
constexpr u64 kBasicAttributes = 0x7ff;     ///< P9_GETATTR_BASIC

// Tsetattr's `valid`.
constexpr u32 kSetMode = 1 << 0, kSetUid = 1 << 1, kSetGid = 1 << 2, kSetSize = 1 << 3,
              kSetAccessed = 1 << 4, kSetModified = 1 << 5, kSetAccessedTo = 1 << 7,
              kSetModifiedTo = 1 << 8;

} // namespace

std::optional<u64> P9Session::answer(const DescriptorChain &chain) {
    auto request = P9Request::read(chain);
    if (!request.has_value() || chain.writable_bytes() < kErrorSize) return std::nullopt;
    P9Answer answer;
    Outcome outcome = request->is_whole() ? dispatch(*request, answer) : file_error(EINVAL);
    if (outcome.has_value() && !chain.write(P9Header::kSize, answer.fields()))
        outcome = file_error(EINVAL);
    u8 type = static_cast<u8>(request->header.type + 1);
    if (!outcome.has_value()) {
        answer = {};
        answer.put(static_cast<u32>(outcome.error().number));
        type = kError;
        static_cast<void>(chain.write(P9Header::kSize, answer.fields())); // there is room
    }
    const u64 size = P9Header::kSize + answer.size() + answer.data;
    P9Answer head;
    head.put(static_cast<u32>(size), type, request->header.tag);
    static_cast<void>(chain.write(0, head.fields()));
    return size;
}

P9Session::Outcome P9Session::dispatch(P9Request &request, P9Answer &answer) {
    constexpr u8 kVersionRequest = 100;
    {
        const std::lock_guard lock(mutex_);
        if (message_size_ == 0 && request.header.type != kVersionRequest) return file_error(EIO);
        if (message_size_ != 0 && request.header.size > message_size_) return file_error(EMSGSIZE);
    }
    switch (request.header.type) {
#define P9_MESSAGE(handler, number)                                                                \
    case number: return handler(request, answer);
#include "devices/core/buffer_list.h"
#include "devices/virtio/p9/p9_messages.inc"
#undef P9_MESSAGE
    default: return file_error(EOPNOTSUPP);
    }
}

// ------------------------------------------------------------------------------------- sessions

void P9Session::reset() {
    const std::lock_guard lock(mutex_);
    message_size_ = 0;
    fids_.clear();
    files_.reset();
}

P9SessionState P9Session::state() const {
    const std::lock_guard lock(mutex_);
    P9SessionState state{message_size_, {}};
    for (const auto &[number, fid] : fids_) state.fids.push_back({number, *fid});
    return state;
}

bool P9Session::set_state(const P9SessionState &state) {
    const std::lock_guard lock(mutex_);
    message_size_ = state.message_size;
    fids_.clear();
    if (message_size_ > kMaxMessage || state.fids.size() > kMaxFids) return false;
    for (const P9SavedFid &saved : state.fids) {
        if (saved.fid.kind > P9Fid::Kind::AttributeWrite ||
            !fids_.emplace(saved.number, std::make_shared<const P9Fid>(saved.fid)).second)
            return false;
    }
    return true;
}

P9Session::Outcome P9Session::version(P9Request &request, P9Answer &answer) {
    u32 size = 0;
    TRY(request.take(size));
    const std::string wanted = TRY(request.take_text());
    // A new session: the fids of the last one are gone.
    reset();
    if (size < kMinMessage) return file_error(EMSGSIZE);
    const bool is_known = wanted == kVersion;
    const u32 agreed = std::min(size, kMaxMessage);
    if (is_known) {
        const std::lock_guard lock(mutex_);
        message_size_ = agreed;
    }
    answer.put(agreed);
    answer.put_text(is_known ? kVersion : "unknown");
    return {};
}

P9Session::Outcome P9Session::attach(P9Request &request, P9Answer &answer) {
    u32 number = 0, authentication = 0;
    TRY(request.take(number, authentication));
    TRY(request.take_text()); // the user's name; the number says it too
    TRY(request.take_text()); // which tree: there is one
    P9Fid fid;
    TRY(request.take(fid.uid));
    const FileAttributes attributes = TRY(files_.attributes(kRootNode));
    TRY(add(number, std::move(fid)));
    answer.put_qid(attributes);
    return {};
}

P9Session::Outcome P9Session::flush(P9Request &, P9Answer &) {
    // The other request is answered all the same; Linux takes that answer first.
    return {};
}

FileResult<P9Session::Named> P9Session::take_named_fid(P9Request &request) const {
    u32 number = 0;
    TRY(request.take(number));
    const std::lock_guard lock(mutex_);
    const auto found = fids_.find(number);
    if (found == fids_.end()) return file_error(EBADF);
    return Named{number, found->second};
}

FileResult<P9Session::FidPointer> P9Session::take_fid(P9Request &request) const {
    return TRY(take_named_fid(request)).fid;
}

P9Session::Outcome P9Session::add(u32 number, P9Fid fid) {
    const std::lock_guard lock(mutex_);
    if (fids_.size() >= kMaxFids) return file_error(ENFILE);
    if (!fids_.emplace(number, std::make_shared<const P9Fid>(std::move(fid))).second)
        return file_error(EBADF);
    return {};
}

P9Session::Outcome P9Session::replace(const Named &named, P9Fid fid) {
    const std::lock_guard lock(mutex_);
    const auto found = fids_.find(named.number);
    if (found == fids_.end() || found->second != named.fid) return file_error(EBADF);
    found->second = std::make_shared<const P9Fid>(std::move(fid));
    return {};
}

void P9Session::let_go(const P9Fid &fid) {
    if (fid.kind == P9Fid::Kind::File || fid.kind == P9Fid::Kind::Directory)
        files_.close(fid.handle);
    if (fid.node != kRootNode) files_.forget(fid.node, 1);
}

P9Session::Outcome P9Session::clunk(P9Request &request, P9Answer &) {
    const Named named = TRY(take_named_fid(request));
    const P9Fid &fid = *named.fid;
    {
        const std::lock_guard lock(mutex_);
        const auto found = fids_.find(named.number);
        if (found == fids_.end() || found->second != named.fid) return file_error(EBADF);
        fids_.erase(found);
    }
    Outcome outcome;
    if (fid.kind == P9Fid::Kind::AttributeWrite) {
        const std::string name(fid.attribute.begin(), fid.attribute.end());
        const std::string_view value(reinterpret_cast<const char *>(fid.value.data()),
                                     fid.value.size());
        // Linux removes an attribute by giving it no value.
        outcome = value.empty() ? files_.remove_extended_attribute(fid.node, name)
                                : files_.set_extended_attribute(fid.node, name, value, fid.flags);
    }
    let_go(fid);
    return outcome;
}

P9Session::Outcome P9Session::walk(P9Request &request, P9Answer &answer) {
    const FidPointer from = TRY(take_fid(request));
    u32 number = 0;
    u16 count = 0;
    TRY(request.take(number, count));
    if (count > kMaxWalk) return file_error(EINVAL);
    // A place to stand on: a reference to the node where the walk is.
    P9Fid to;
    to.uid = from->uid;
    to.node = from->node;
    if (to.node != kRootNode) TRY(files_.remember(to.node));
    P9Answer qids;
    u16 walked = 0;
    Outcome outcome;
    for (; walked < count; ++walked) {
        const auto name = request.take_text();
        const auto entry =
            name.has_value() ? files_.lookup(to.node, *name) : file_error(name.error().number);
        if (!entry.has_value()) {
            outcome = std::unexpected(entry.error());
            break;
        }
        if (to.node != kRootNode) files_.forget(to.node, 1);
        to.node = entry->node;
        qids.put_qid(entry->attributes);
    }
    // A walk that ends early tells how far it came, and makes no fid.
    if (walked == count) outcome = add(number, to);
    if (walked != count || !outcome.has_value()) let_go(to);
    if (!outcome.has_value() && (walked == 0 || walked == count)) return outcome;
    answer.put(walked);
    answer.put_bytes(qids.fields());
    return {};
}

// ----------------------------------------------------------------------------------- attributes

P9Session::Outcome P9Session::statfs(P9Request &request, P9Answer &answer) {
    const FidPointer fid = TRY(take_fid(request));
    const FileSystemUsage usage = TRY(files_.usage(fid->node));
    answer.put(kFileSystemType, usage.block_size, usage.blocks, usage.free_blocks,
               usage.available_blocks, usage.files, usage.free_files, u64{0}, usage.name_length);
    return {};
}

P9Session::Outcome P9Session::getattr(P9Request &request, P9Answer &answer) {
    const FidPointer fid = TRY(take_fid(request));
    const FileAttributes from = TRY(files_.attributes(fid->node));
    const auto put_time = [&answer](const FileTime &time) {
        answer.put(static_cast<u64>(time.seconds), u64{time.nanoseconds});
    };
    answer.put(kBasicAttributes);
    answer.put_qid(from);
    answer.put(from.mode, from.uid, from.gid, u64{from.links});
    // As Linux's new_encode_dev() packs it.
    answer.put(u64{(from.device_minor & 0xff) | from.device_major << 8 |
                   (from.device_minor & ~0xffu) << 12});
    answer.put(from.size, u64{from.block_size}, from.blocks);
    put_time(from.accessed);
    put_time(from.modified);
    put_time(from.changed);
    put_time({}); // of birth, which is not among the basic ones
    answer.put(u64{0}, u64{0});
    return {};
}

P9Session::Outcome P9Session::setattr(P9Request &request, P9Answer &) {
    const FidPointer fid = TRY(take_fid(request));
    u32 valid = 0, mode = 0, uid = 0, gid = 0;
    u64 size = 0, accessed = 0, accessed_ns = 0, modified = 0, modified_ns = 0;
    TRY(request.take(valid, mode, uid, gid, size, accessed, accessed_ns, modified, modified_ns));
    const auto has = [valid](u32 bit) { return (valid & bit) != 0; };
    const auto time = [](bool given, u64 seconds, u64 nanoseconds) {
        return FileTimeChange{
            !given,
            {static_cast<i64>(seconds), static_cast<u32>(std::min<u64>(nanoseconds, ~u32{0}))}};
    };
    FileChanges changes;
    if (has(kSetMode)) changes.mode = mode & 07777;
    if (has(kSetUid)) changes.uid = uid;
    if (has(kSetGid)) changes.gid = gid;
    if (has(kSetSize)) changes.size = size;
    if (has(kSetAccessed)) changes.accessed = time(has(kSetAccessedTo), accessed, accessed_ns);
    if (has(kSetModified)) changes.modified = time(has(kSetModifiedTo), modified, modified_ns);
    TRY(files_.change(fid->node, std::nullopt, changes));
    return {};
}

P9Session::Outcome P9Session::xattrwalk(P9Request &request, P9Answer &answer) {
    const FidPointer from = TRY(take_fid(request));
    u32 number = 0;
    TRY(request.take(number));
    const std::string name = TRY(request.take_text());
    const std::string value = TRY(name.empty() ? files_.extended_attributes(from->node)
                                               : files_.extended_attribute(from->node, name));
    P9Fid fid;
    fid.uid = from->uid;
    fid.kind = P9Fid::Kind::AttributeRead;
    fid.value.assign(value.begin(), value.end());
    TRY(add(number, std::move(fid)));
    answer.put(u64{value.size()});
    return {};
}

P9Session::Outcome P9Session::xattrcreate(P9Request &request, P9Answer &) {
    const Named named = TRY(take_named_fid(request));
    const std::string name = TRY(request.take_text());
    u64 size = 0;
    P9Fid fid = *named.fid;
    TRY(request.take(size, fid.flags));
    if (size > kMaxAttribute) return file_error(E2BIG);
    if (fid.kind != P9Fid::Kind::Closed) return file_error(EBADF);
    fid.attribute.assign(name.begin(), name.end());
    fid.value.clear();
    fid.kind = P9Fid::Kind::AttributeWrite;
    return replace(named, std::move(fid));
}

// ---------------------------------------------------------------------------------------- names

void P9Session::put_new(const FileEntry &entry, P9Answer &answer) {
    answer.put_qid(entry.attributes);
    files_.forget(entry.node, 1);
}

P9Session::Outcome P9Session::symlink(P9Request &request, P9Answer &answer) {
    const FidPointer parent = TRY(take_fid(request));
    const std::string name = TRY(request.take_text());
    const std::string target = TRY(request.take_text());
    FileOwner owner{parent->uid};
    TRY(request.take(owner.gid));
    put_new(TRY(files_.make_symbolic_link(parent->node, name, target, owner)), answer);
    return {};
}

P9Session::Outcome P9Session::mknod(P9Request &request, P9Answer &answer) {
    const FidPointer parent = TRY(take_fid(request));
    const std::string name = TRY(request.take_text());
    FileOwner owner{parent->uid};
    u32 mode = 0, major = 0, minor = 0;
    TRY(request.take(mode, major, minor, owner.gid));
    put_new(TRY(files_.make_node(parent->node, name, mode, owner)), answer);
    return {};
}

P9Session::Outcome P9Session::mkdir(P9Request &request, P9Answer &answer) {
    const FidPointer parent = TRY(take_fid(request));
    const std::string name = TRY(request.take_text());
    FileOwner owner{parent->uid};
    u32 mode = 0;
    TRY(request.take(mode, owner.gid));
    put_new(TRY(files_.make_directory(parent->node, name, mode, owner)), answer);
    return {};
}

P9Session::Outcome P9Session::readlink(P9Request &request, P9Answer &answer) {
    const FidPointer fid = TRY(take_fid(request));
    answer.put_text(TRY(files_.read_link(fid->node)));
    return {};
}

P9Session::Outcome P9Session::link(P9Request &request, P9Answer &) {
    const FidPointer parent = TRY(take_fid(request));
    const FidPointer fid = TRY(take_fid(request));
    const std::string name = TRY(request.take_text());
    files_.forget(TRY(files_.make_link(fid->node, parent->node, name)).node, 1);
    return {};
}

P9Session::Outcome P9Session::renameat(P9Request &request, P9Answer &) {
    const FidPointer from = TRY(take_fid(request));
    const std::string name = TRY(request.take_text());
    const FidPointer to = TRY(take_fid(request));
    const std::string new_name = TRY(request.take_text());
    return files_.rename(from->node, name, to->node, new_name, 0);
}

P9Session::Outcome P9Session::unlinkat(P9Request &request, P9Answer &) {
    constexpr u32 kRemoveDirectory = 0x200; // P9_DOTL_AT_REMOVEDIR
    const FidPointer parent = TRY(take_fid(request));
    const std::string name = TRY(request.take_text());
    u32 flags = 0;
    TRY(request.take(flags));
    return (flags & kRemoveDirectory) != 0 ? files_.remove_directory(parent->node, name)
                                           : files_.remove_file(parent->node, name);
}

// ---------------------------------------------------------------------------------------- files

P9Session::Outcome P9Session::lopen(P9Request &request, P9Answer &answer) {
    const Named named = TRY(take_named_fid(request));
    u32 flags = 0;
    TRY(request.take(flags));
    P9Fid fid = *named.fid;
    if (fid.kind != P9Fid::Kind::Closed) return file_error(EBADF);
    const FileAttributes attributes = TRY(files_.attributes(fid.node));
    if ((attributes.mode & 0170000) == 0040000) {
        fid.handle = TRY(files_.open_directory(fid.node));
        fid.kind = P9Fid::Kind::Directory;
    } else {
        fid.handle = TRY(files_.open(fid.node, OpenMode::from_linux(flags))).handle;
        fid.kind = P9Fid::Kind::File;
    }
    if (auto replaced = replace(named, fid); !replaced) {
        files_.close(fid.handle);
        return replaced;
    }
    answer.put_qid(attributes);
    answer.put(u32{0}); // any size that a message has room for
    return {};
}

P9Session::Outcome P9Session::lcreate(P9Request &request, P9Answer &answer) {
    const Named named = TRY(take_named_fid(request));
    const std::string name = TRY(request.take_text());
    P9Fid fid = *named.fid;
    u32 flags = 0, mode = 0;
    FileOwner owner{fid.uid};
    TRY(request.take(flags, mode, owner.gid));
    if (fid.kind != P9Fid::Kind::Closed) return file_error(EBADF);
    const CreatedFile file =
        TRY(files_.create(fid.node, name, OpenMode::from_linux(flags), mode, owner));
    // The directory's fid is the file's from now on.
    fid.node = file.entry.node;
    fid.handle = file.handle;
    fid.kind = P9Fid::Kind::File;
    if (auto replaced = replace(named, fid); !replaced) {
        let_go(fid);
        return replaced;
    }
    let_go(*named.fid);
    answer.put_qid(file.entry.attributes);
    answer.put(u32{0});
    return {};
}

FileResult<std::vector<std::span<std::byte>>> P9Session::data_room(const P9Request &request,
                                                                   u32 count) const {
    const u64 room = request.chain().writable_bytes();
    if (room < kReadHead) return file_error(EINVAL);
    std::vector<std::span<std::byte>> data;
    slice_buffers(request.chain().writable(), kReadHead, std::min<u64>(count, room - kReadHead),
                  data);
    return data;
}

P9Session::Outcome P9Session::read(P9Request &request, P9Answer &answer) {
    const FidPointer fid = TRY(take_fid(request));
    u64 offset = 0;
    u32 count = 0;
    TRY(request.take(offset, count));
    const auto data = TRY(data_room(request, count));
    if (fid->kind == P9Fid::Kind::AttributeRead) {
        const auto value = std::as_bytes(std::span(fid->value));
        const auto rest = value.subspan(std::min<u64>(offset, value.size()));
        answer.data = 0;
        for (const std::span<std::byte> part : data) {
            const auto copied =
                rest.subspan(answer.data).first(std::min(part.size(), rest.size() - answer.data));
            std::ranges::copy(copied, part.begin());
            answer.data += copied.size();
        }
    } else if (fid->kind == P9Fid::Kind::File) {
        answer.data = TRY(files_.read(fid->handle, offset, data));
    } else {
        return file_error(EBADF);
    }
    answer.put(static_cast<u32>(answer.data));
    return {};
}

P9Session::Outcome P9Session::write(P9Request &request, P9Answer &answer) {
    const Named named = TRY(take_named_fid(request));
    const FidPointer &fid = named.fid;
    u64 offset = 0;
    u32 count = 0;
    TRY(request.take(offset, count));
    constexpr u64 kData = P9Header::kSize + P9Request::kWriteFields;
    if (request.chain().readable_bytes() - kData < count) return file_error(EINVAL);
    if (fid->kind == P9Fid::Kind::AttributeWrite) {
        if (offset > kMaxAttribute || count > kMaxAttribute - offset) return file_error(E2BIG);
        P9Fid longer = *fid;
        longer.value.resize(std::max<u64>(longer.value.size(), offset + count));
        const auto target = std::as_writable_bytes(std::span(longer.value)).subspan(offset, count);
        if (!request.chain().read(kData, target)) return file_error(EINVAL);
        answer.put(count);
        return replace(named, std::move(longer));
    }
    if (fid->kind != P9Fid::Kind::File) return file_error(EBADF);
    std::vector<std::span<std::byte>> data;
    slice_buffers(request.chain().readable(), kData, count, data);
    // Linux's client does not say whether the set-user-ID bit shall go; it must.
    answer.put(static_cast<u32>(TRY(files_.write(fid->handle, offset, data, true))));
    return {};
}

P9Session::Outcome P9Session::readdir(P9Request &request, P9Answer &answer) {
    const FidPointer fid = TRY(take_fid(request));
    u64 offset = 0;
    u32 count = 0;
    TRY(request.take(offset, count));
    if (fid->kind != P9Fid::Kind::Directory) return file_error(EBADF);
    const u64 writable = request.chain().writable_bytes();
    const u64 room = std::min<u64>(count, writable < kReadHead ? 0 : writable - kReadHead);
    P9Answer entries;
    constexpr u64 kQid = 13, kFields = kQid + 8 + 1 + 2;
    const auto visit = [&](const DirectoryEntry &entry) {
        if (entries.size() + kFields + entry.name.size() > room) return false;
        // The file type's place in st_mode is d_type's.
        FileAttributes attributes;
        attributes.inode = entry.inode;
        attributes.mode = u32{entry.type} << 12;
        entries.put_qid(attributes);
        entries.put(entry.next_offset, entry.type);
        entries.put_text(entry.name);
        return true;
    };
    TRY(files_.read_directory(fid->handle, offset, visit));
    answer.put(static_cast<u32>(entries.size()));
    answer.put_bytes(entries.fields());
    return {};
}

P9Session::Outcome P9Session::fsync(P9Request &request, P9Answer &) {
    const FidPointer fid = TRY(take_fid(request));
    u32 data_only = 0;
    TRY(request.take(data_only));
    if (fid->kind != P9Fid::Kind::File && fid->kind != P9Fid::Kind::Directory)
        return file_error(EBADF);
    return files_.sync(fid->handle, data_only != 0);
}

// ---------------------------------------------------------------------------------------- locks

P9Session::Outcome P9Session::lock(P9Request &request, P9Answer &answer) {
    constexpr u8 kSuccess = 0;
    // The guest has locked the file among its own processes before it asks.
    TRY(take_fid(request));
    answer.put(kSuccess);
    return {};
}

P9Session::Outcome P9Session::getlock(P9Request &request, P9Answer &answer) {
    constexpr u8 kUnlocked = 2;
    TRY(take_fid(request));
    u8 type = 0;
    u64 start = 0, length = 0;
    u32 process = 0;
    TRY(request.take(type, start, length, process));
    const std::string client = TRY(request.take_text());
    answer.put(kUnlocked, start, length, process);
    answer.put_text(client);
    return {};
}

} // namespace tandem::devices
