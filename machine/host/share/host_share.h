#pragma once
/// A folder of the host as a FileSystem. Nothing outside of it can be reached: names are single
/// components, looked up without following them in directories held by descriptors, and only
/// regular files and directories are opened.
#include "devices/backend/file_system.h"
#include "machine/host/share/handle_table.h"
#include "machine/host/share/node_table.h"
#include "machine/host/share/owner_map.h"
#include "machine/host/share/share_config.h"
#include "machine/host/worker_pool.h"
#include "support/result.h"

#include <map>

namespace tandem::machine {

class HostShare final : public devices::FileSystem {
    template <typename T = void>
    using Outcome = devices::FileResult<T>;
    using NodeId = devices::NodeId;
    using Handle = devices::FileHandle;
    using Entry = devices::FileEntry;

public:
    [[nodiscard]] static Result<std::unique_ptr<HostShare>> open(const ShareConfig &);
    /// For tests: as another user, with few descriptors.
    [[nodiscard]] static Result<std::unique_ptr<HostShare>>
    open(const ShareConfig &, const OwnerMap &, std::size_t max_descriptors);

    // clang-format off
    devices::TaskQueue &tasks() override { return workers_; }
    Outcome<Entry> lookup(NodeId parent, const std::string &name) override;
    Outcome<> remember(NodeId node) override { return nodes_.remember(node); }
    void forget(NodeId node, u64 references) override { nodes_.forget(node, references); }
    Outcome<devices::FileAttributes> attributes(NodeId) override;
    Outcome<devices::FileAttributes> change(NodeId, std::optional<Handle>, const devices::FileChanges &) override;
    Outcome<> check_access(NodeId, u32 mask) override;
    Outcome<devices::FileSystemUsage> usage(NodeId) override;
    Outcome<std::string> extended_attribute(NodeId, const std::string &name) override;
    Outcome<std::string> extended_attributes(NodeId) override;
    Outcome<> set_extended_attribute(NodeId, const std::string &name, std::string_view value, u32 flags) override;
    Outcome<> remove_extended_attribute(NodeId, const std::string &name) override;
    Outcome<std::string> read_link(NodeId) override;
    Outcome<Entry> make_link(NodeId, NodeId parent, const std::string &name) override;
    Outcome<Entry> make_symbolic_link(NodeId parent, const std::string &name, const std::string &target, devices::FileOwner) override;
    Outcome<Entry> make_node(NodeId parent, const std::string &name, u32 mode, devices::FileOwner) override;
    Outcome<Entry> make_directory(NodeId parent, const std::string &name, u32 mode, devices::FileOwner) override;
    Outcome<> remove_file(NodeId parent, const std::string &name) override;
    Outcome<> remove_directory(NodeId parent, const std::string &name) override;
    Outcome<> rename(NodeId parent, const std::string &name, NodeId new_parent, const std::string &new_name, u32 flags) override;
    Outcome<devices::OpenedFile> open(NodeId, devices::OpenMode) override;
    Outcome<devices::CreatedFile> create(NodeId parent, const std::string &name, devices::OpenMode, u32 mode, devices::FileOwner) override;
    Outcome<u64> read(Handle, u64 offset, devices::FileBuffers) override;
    Outcome<u64> write(Handle, u64 offset, devices::FileBuffers, bool drop_set_ids) override;
    Outcome<> flush(Handle) override;
    Outcome<> sync(Handle, bool data_only) override;
    Outcome<> sync_all() override;
    Outcome<> allocate(Handle, u32 mode, u64 offset, u64 length) override;
    Outcome<u64> seek(Handle, u64 offset, u32 whence) override;
    Outcome<u64> copy(Handle from, u64 from_offset, Handle to, u64 to_offset, u64 length) override;
    Outcome<Handle> open_directory(NodeId) override;
    Outcome<> read_directory(Handle, u64 offset, const devices::DirectoryVisitor &) override;
    void close(Handle handle) override { handles_.remove(handle); }
    // clang-format on
    void reset() override;
    void save(devices::StateWriter &) const override;
    Result<> restore(devices::StateReader &) override;

    /// Files the guest knows, the root among them.
    [[nodiscard]] std::size_t known_files() const { return nodes_.size(); }

private:
    struct State {
        static constexpr u32 kVersion = 1;
        std::vector<SavedNode> nodes;
        std::vector<SavedHandle> handles;

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.nodes, self.handles);
        }
    };

    HostShare(const ShareConfig &, const OwnerMap &, ScopedFd root, const FileStatus &,
              std::size_t max_descriptors);

    /// The directory, for something that changes it; the name must be plain.
    [[nodiscard]] Outcome<NodeTable::Fd> writable_directory(NodeId, const std::string &name);
    /// The entry of what is at this name now.
    [[nodiscard]] Outcome<Entry> enter(NodeId parent, int directory, const std::string &name);
    /// The same of what has just been made there, which becomes its maker's.
    [[nodiscard]] Outcome<Entry> enter_new(NodeId parent, int directory, const std::string &name,
                                           u32 mode, devices::FileOwner);
    Outcome<> remove(NodeId parent, const std::string &name, int flags);
    Outcome<> change_owner(int fd, const FileStatus &, const devices::FileChanges &);
    Outcome<> change_size(NodeId, const NodeTable::Opened &, std::optional<Handle>, u64 size);
    [[nodiscard]] Outcome<Handle> add_handle(ScopedFd, NodeId, devices::OpenMode, bool directory);
    [[nodiscard]] Outcome<ScopedFd> reopen(const NodeTable::Opened &, devices::OpenMode) const;
    [[nodiscard]] Outcome<std::shared_ptr<OpenFile>> writable_file(Handle) const;
    void drop_set_ids(int fd) const;

    /// As the guest shall see it. Fails for what must not be seen at all.
    [[nodiscard]] Outcome<devices::FileAttributes> shown(const FileStatus &, int directory,
                                                         const std::string &name);
    [[nodiscard]] Outcome<u64> shown_inode(u64 device, u64 inode, int directory,
                                           const std::string &name);

    bool readonly_;
    OwnerMap owners_;
    u64 root_device_;
    NodeTable nodes_;
    HandleTable handles_;
    std::mutex devices_mutex_;
    std::map<u64, u64> devices_; ///< file systems met below the root; 0: refused
    WorkerPool workers_;
};

} // namespace tandem::machine
