#pragma once
/// A tree of files in memory, for tests of the devices that share files. Its tasks run at once.
#include "devices/backend/file_system.h"

#include <map>

namespace tandem::devices::testing {

class FakeFileSystem final : public FileSystem, private TaskQueue {
public:
    FakeFileSystem();

    // clang-format off
    TaskQueue &tasks() override { return *this; }
    FileResult<FileEntry> lookup(NodeId parent, const std::string &name) override;
    FileResult<> remember(NodeId) override;
    void forget(NodeId, u64 references) override;
    FileResult<FileAttributes> attributes(NodeId) override;
    FileResult<FileAttributes> change(NodeId, std::optional<FileHandle>, const FileChanges &) override;
    FileResult<> check_access(NodeId, u32 mask) override;
    FileResult<FileSystemUsage> usage(NodeId) override;
    FileResult<std::string> extended_attribute(NodeId, const std::string &name) override;
    FileResult<std::string> extended_attributes(NodeId) override;
    FileResult<> set_extended_attribute(NodeId, const std::string &name, std::string_view value, u32 flags) override;
    FileResult<> remove_extended_attribute(NodeId, const std::string &name) override;
    FileResult<std::string> read_link(NodeId) override;
    FileResult<FileEntry> make_link(NodeId, NodeId parent, const std::string &name) override;
    FileResult<FileEntry> make_symbolic_link(NodeId parent, const std::string &name, const std::string &target, FileOwner) override;
    FileResult<FileEntry> make_node(NodeId parent, const std::string &name, u32 mode, FileOwner) override;
    FileResult<FileEntry> make_directory(NodeId parent, const std::string &name, u32 mode, FileOwner) override;
    FileResult<> remove_file(NodeId parent, const std::string &name) override;
    FileResult<> remove_directory(NodeId parent, const std::string &name) override;
    FileResult<> rename(NodeId parent, const std::string &name, NodeId new_parent, const std::string &new_name, u32 flags) override;
    FileResult<OpenedFile> open(NodeId, OpenMode) override;
    FileResult<CreatedFile> create(NodeId parent, const std::string &name, OpenMode, u32 mode, FileOwner) override;
    FileResult<u64> read(FileHandle, u64 offset, FileBuffers) override;
    FileResult<u64> write(FileHandle, u64 offset, FileBuffers, bool drop_set_ids) override;
    FileResult<> flush(FileHandle) override;
    FileResult<> sync(FileHandle, bool data_only) override;
    FileResult<> sync_all() override;
    FileResult<> allocate(FileHandle, u32 mode, u64 offset, u64 length) override;
    FileResult<u64> seek(FileHandle, u64 offset, u32 whence) override;
    FileResult<u64> copy(FileHandle from, u64 from_offset, FileHandle to, u64 to_offset, u64 length) override;
    FileResult<FileHandle> open_directory(NodeId) override;
    FileResult<> read_directory(FileHandle, u64 offset, const DirectoryVisitor &) override;
    void close(FileHandle handle) override { handles_.erase(static_cast<u64>(handle)); }
    void reset() override;
    void save(StateWriter &) const override {}
    Result<> restore(StateReader &) override { return {}; }
    // clang-format on

    /// A file whose content is the text; its node has no reference yet.
    NodeId add_file(const std::string &name, std::string_view content);
    [[nodiscard]] std::string content(NodeId node) const {
        return files_.at(static_cast<u64>(node)).content;
    }
    [[nodiscard]] bool exists(const std::string &name) const {
        return files_.at(1).children.contains(name);
    }
    [[nodiscard]] u64 references(NodeId node) const {
        return files_.at(static_cast<u64>(node)).references;
    }
    [[nodiscard]] std::size_t open_handles() const { return handles_.size(); }

private:
    struct File {
        FileAttributes attributes;
        std::string content; ///< of a symbolic link its target
        std::map<std::string, u64> children;
        std::map<std::string, std::string> extended;
        u64 references = 0;
    };
    /// So that no script fills the test's memory.
    static constexpr u64 kMaxSize = 1 << 16;
    static constexpr std::size_t kMaxFiles = 1000;

    void submit(std::span<Task *const> tasks) override;
    void drain() override {}

    [[nodiscard]] FileResult<File *> find(NodeId);
    [[nodiscard]] FileResult<File *> find(FileHandle);
    [[nodiscard]] FileResult<File *> directory(NodeId, const std::string &name);
    [[nodiscard]] FileResult<FileEntry> add(NodeId parent, const std::string &name, u32 mode,
                                            FileOwner);

    std::map<u64, File> files_; ///< never removed
    std::map<u64, u64> handles_;
    u64 next_handle_ = 1;
};

} // namespace tandem::devices::testing
