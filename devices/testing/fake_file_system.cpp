#include "devices/testing/fake_file_system.h"

#include "support/result.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace tandem::devices::testing {

FakeFileSystem::FakeFileSystem() {
    files_[1].attributes = {.inode = 1, .mode = S_IFDIR | 0755, .links = 2};
}

void FakeFileSystem::submit(std::span<Task *const> tasks) {
    for (Task *task : tasks) task->run();
}

FileResult<FakeFileSystem::File *> FakeFileSystem::find(NodeId node) {
    const auto found = files_.find(static_cast<u64>(node));
    if (found == files_.end()) return file_error(ESTALE);
    return &found->second;
}

FileResult<FakeFileSystem::File *> FakeFileSystem::find(FileHandle handle) {
    const auto found = handles_.find(static_cast<u64>(handle));
    if (found == handles_.end()) return file_error(EBADF);
    return find(NodeId{found->second});
}

FileResult<FakeFileSystem::File *> FakeFileSystem::directory(NodeId node, const std::string &name) {
    File *file = TRY(find(node));
    if (!S_ISDIR(file->attributes.mode)) return file_error(ENOTDIR);
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
        return file_error(EINVAL);
    return file;
}

FileResult<FileEntry> FakeFileSystem::add(NodeId parent, const std::string &name, u32 mode,
                                          FileOwner owner) {
    File *above = TRY(directory(parent, name));
    if (above->children.contains(name)) return file_error(EEXIST);
    if (files_.size() >= kMaxFiles) return file_error(ENOSPC);
    const u64 id = files_.size() + 1;
    File &file = files_[id];
    file.attributes = {.inode = id, .mode = mode, .links = 1, .uid = owner.uid, .gid = owner.gid};
    file.references = 1;
    above->children[name] = id;
    return FileEntry{NodeId{id}, file.attributes};
}

NodeId FakeFileSystem::add_file(const std::string &name, std::string_view content) {
    const NodeId node = add(kRootNode, name, S_IFREG | 0644, {}).value().node;
    File &file = *find(node).value();
    file.content = content;
    file.attributes.size = content.size();
    file.references = 0;
    return node;
}

FileResult<FileEntry> FakeFileSystem::lookup(NodeId parent, const std::string &name) {
    const File *above = TRY(directory(parent, name));
    const auto found = above->children.find(name);
    if (found == above->children.end()) return file_error(ENOENT);
    File &file = files_.at(found->second);
    ++file.references;
    return FileEntry{NodeId{found->second}, file.attributes};
}

FileResult<> FakeFileSystem::remember(NodeId node) {
    ++TRY(find(node))->references;
    return {};
}

void FakeFileSystem::forget(NodeId node, u64 references) {
    if (const auto file = find(node))
        (*file)->references -= std::min((*file)->references, references);
}

FileResult<FileAttributes> FakeFileSystem::attributes(NodeId node) {
    return TRY(find(node))->attributes;
}

FileResult<FileAttributes> FakeFileSystem::change(NodeId node, std::optional<FileHandle> handle,
                                                  const FileChanges &changes) {
    File *file = TRY(find(node));
    if (handle.has_value() && TRY(find(*handle)) != file) return file_error(EBADF);
    FileAttributes &to = file->attributes;
    if (changes.mode.has_value()) to.mode = (to.mode & S_IFMT) | *changes.mode;
    to.uid = changes.uid.value_or(to.uid);
    to.gid = changes.gid.value_or(to.gid);
    if (changes.size.has_value()) {
        if (*changes.size > kMaxSize) return file_error(EFBIG);
        file->content.resize(*changes.size);
        to.size = *changes.size;
    }
    if (changes.modified.has_value()) to.modified = changes.modified->time;
    return to;
}

FileResult<> FakeFileSystem::check_access(NodeId node, u32) {
    TRY(find(node));
    return {};
}

FileResult<FileSystemUsage> FakeFileSystem::usage(NodeId node) {
    TRY(find(node));
    return FileSystemUsage{.blocks = 1000, .files = files_.size(), .block_size = 4096};
}

FileResult<std::string> FakeFileSystem::extended_attribute(NodeId node, const std::string &name) {
    const File *file = TRY(find(node));
    const auto found = file->extended.find(name);
    if (found == file->extended.end()) return file_error(ENODATA);
    return found->second;
}

FileResult<std::string> FakeFileSystem::extended_attributes(NodeId node) {
    std::string names;
    for (const auto &[name, value] : TRY(find(node))->extended) names.append(name).push_back('\0');
    return names;
}

FileResult<> FakeFileSystem::set_extended_attribute(NodeId node, const std::string &name,
                                                    std::string_view value, u32) {
    File *file = TRY(find(node));
    if (file->extended.size() >= kMaxFiles) return file_error(ENOSPC);
    file->extended[name] = value;
    return {};
}

FileResult<> FakeFileSystem::remove_extended_attribute(NodeId node, const std::string &name) {
    if (TRY(find(node))->extended.erase(name) == 0) return file_error(ENODATA);
    return {};
}

FileResult<std::string> FakeFileSystem::read_link(NodeId node) {
    const File *file = TRY(find(node));
    if (!S_ISLNK(file->attributes.mode)) return file_error(EINVAL);
    return file->content;
}

FileResult<FileEntry> FakeFileSystem::make_link(NodeId node, NodeId parent,
                                                const std::string &name) {
    File *file = TRY(find(node));
    File *above = TRY(directory(parent, name));
    if (S_ISDIR(file->attributes.mode)) return file_error(EPERM);
    if (!above->children.emplace(name, static_cast<u64>(node)).second) return file_error(EEXIST);
    ++file->references;
    ++file->attributes.links;
    return FileEntry{node, file->attributes};
}

FileResult<FileEntry> FakeFileSystem::make_symbolic_link(NodeId parent, const std::string &name,
                                                         const std::string &target,
                                                         FileOwner owner) {
    const FileEntry entry = TRY(add(parent, name, S_IFLNK | 0777, owner));
    TRY(find(entry.node))->content = target;
    return entry;
}

FileResult<FileEntry> FakeFileSystem::make_node(NodeId parent, const std::string &name, u32 mode,
                                                FileOwner owner) {
    return add(parent, name, mode, owner);
}

FileResult<FileEntry> FakeFileSystem::make_directory(NodeId parent, const std::string &name,
                                                     u32 mode, FileOwner owner) {
    return add(parent, name, S_IFDIR | (mode & 07777), owner);
}

FileResult<> FakeFileSystem::remove_file(NodeId parent, const std::string &name) {
    if (TRY(directory(parent, name))->children.erase(name) == 0) return file_error(ENOENT);
    return {};
}

FileResult<> FakeFileSystem::remove_directory(NodeId parent, const std::string &name) {
    return remove_file(parent, name);
}

FileResult<> FakeFileSystem::rename(NodeId parent, const std::string &name, NodeId new_parent,
                                    const std::string &new_name, u32) {
    File *from = TRY(directory(parent, name)), *to = TRY(directory(new_parent, new_name));
    const auto found = from->children.find(name);
    if (found == from->children.end()) return file_error(ENOENT);
    const u64 file = found->second;
    from->children.erase(found);
    to->children[new_name] = file;
    return {};
}

FileResult<OpenedFile> FakeFileSystem::open(NodeId node, OpenMode) {
    TRY(find(node));
    handles_[next_handle_] = static_cast<u64>(node);
    return OpenedFile{FileHandle{next_handle_++}, false};
}

FileResult<CreatedFile> FakeFileSystem::create(NodeId parent, const std::string &name,
                                               OpenMode mode, u32 permissions, FileOwner owner) {
    const FileEntry entry = TRY(add(parent, name, S_IFREG | (permissions & 07777), owner));
    return CreatedFile{entry, TRY(open(entry.node, mode)).handle};
}

FileResult<u64> FakeFileSystem::read(FileHandle handle, u64 offset, FileBuffers buffers) {
    const File *file = TRY(find(handle));
    u64 done = 0;
    for (const std::span<std::byte> buffer : buffers) {
        if (offset + done >= file->content.size()) break;
        const auto left = std::as_bytes(std::span(file->content)).subspan(offset + done);
        const u64 count = std::min(left.size(), buffer.size());
        std::copy_n(left.begin(), count, buffer.begin());
        done += count;
    }
    return done;
}

FileResult<u64> FakeFileSystem::write(FileHandle handle, u64 offset, FileBuffers buffers, bool) {
    File *file = TRY(find(handle));
    u64 done = 0;
    for (const std::span<std::byte> buffer : buffers) {
        const u64 at = offset + done, end = at + buffer.size();
        if (end > kMaxSize || end < at) return file_error(EFBIG);
        if (file->content.size() < end) file->content.resize(end);
        std::ranges::copy(buffer, std::as_writable_bytes(std::span(file->content)).begin() +
                                      static_cast<std::ptrdiff_t>(at));
        done += buffer.size();
    }
    file->attributes.size = file->content.size();
    return done;
}

FileResult<> FakeFileSystem::flush(FileHandle handle) {
    TRY(find(handle));
    return {};
}

FileResult<> FakeFileSystem::sync(FileHandle handle, bool) {
    return flush(handle);
}

FileResult<> FakeFileSystem::sync_all() {
    return {};
}

FileResult<> FakeFileSystem::allocate(FileHandle handle, u32, u64, u64) {
    return flush(handle);
}

FileResult<u64> FakeFileSystem::seek(FileHandle handle, u64 offset, u32) {
    TRY(find(handle));
    return offset;
}

FileResult<u64> FakeFileSystem::copy(FileHandle from, u64 from_offset, FileHandle to, u64 to_offset,
                                     u64 length) {
    std::vector<std::byte> bytes(std::min(length, kMaxSize));
    const std::span<std::byte> all(bytes);
    const std::span<std::byte> read_part =
        all.first(TRY(read(from, from_offset, std::span(&all, 1))));
    return write(to, to_offset, std::span(&read_part, 1), false);
}

FileResult<FileHandle> FakeFileSystem::open_directory(NodeId node) {
    if (!S_ISDIR(TRY(find(node))->attributes.mode)) return file_error(ENOTDIR);
    return TRY(open(node, {})).handle;
}

FileResult<> FakeFileSystem::read_directory(FileHandle handle, u64 offset,
                                            const DirectoryVisitor &visit) {
    const File *file = TRY(find(handle));
    u64 position = 0;
    for (const auto &[name, node] : file->children) {
        if (++position <= offset) continue;
        const u8 type = static_cast<u8>(files_.at(node).attributes.mode >> 12);
        if (!visit({.inode = node, .next_offset = position, .type = type, .name = name})) break;
    }
    return {};
}

void FakeFileSystem::reset() {
    handles_.clear();
    for (auto &[id, file] : files_) file.references = 0;
}

} // namespace tandem::devices::testing
