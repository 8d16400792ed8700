#pragma once
/// The files and directories of a share that the guest has open. Any thread.
#include "machine/host/share/file_status.h"
#include "support/scoped_fd.h"

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace tandem::machine {

struct OpenFile {
    ScopedFd fd;
    devices::NodeId node{};
    devices::OpenMode mode;
    bool is_directory = false;

    /// Of a directory: entries read from the host that the guest has not got yet.
    std::mutex mutex;
    std::vector<std::byte> entries;
    std::size_t next_entry = 0, end_of_entries = 0;
    u64 next_offset = 0; ///< of the entry there
};

struct SavedHandle {
    u64 handle = 0, node = 0;
    bool is_directory = false, read = false, write = false, append = false, data_sync = false,
         sync = false;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.handle, self.node, self.is_directory, self.read, self.write, self.append,
                self.data_sync, self.sync);
    }
};

class HandleTable {
public:
    explicit HandleTable(std::size_t max_handles) : max_handles_(max_handles) {}

    /// Fails if there are too many.
    [[nodiscard]] devices::FileResult<devices::FileHandle> add(std::shared_ptr<OpenFile>);
    [[nodiscard]] devices::FileResult<std::shared_ptr<OpenFile>> find(devices::FileHandle) const;
    void remove(devices::FileHandle);
    void clear();

    [[nodiscard]] std::vector<SavedHandle> save() const;
    /// Under its old number; false if that is taken or impossible.
    [[nodiscard]] bool restore(const SavedHandle &, std::shared_ptr<OpenFile>);

private:
    std::size_t max_handles_;
    mutable std::mutex mutex_;
    u64 next_ = 1;
    std::unordered_map<u64, std::shared_ptr<OpenFile>> files_;
};

} // namespace tandem::machine
