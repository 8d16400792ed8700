#pragma once
/// The directory of a translation cache, as files: a folder for each identity, named by it in
/// hexadecimal digits, and shards in these. Nothing else in it is looked at or removed.
#include "jit/disk_cache/shard.h"

#include <optional>
#include <string>
#include <vector>

namespace tandem::jit {

struct ShardFile {
    std::string path, folder;
    u64 bytes = 0;
    i64 last_used = 0; ///< nanoseconds since 1970
};
/// Those that are there now. Empty if there is no directory.
[[nodiscard]] std::vector<ShardFile> shard_files(const std::string &directory);

[[nodiscard]] std::string folder_of(const std::string &directory, const Checksum &identity);

/// Its code is run: nobody else may be able to write it. A directory that does not exist is fine.
[[nodiscard]] Result<> check_is_private(const std::string &directory);
/// Also makes what is missing above it.
[[nodiscard]] Result<> make_directory(const std::string &path);

/// Held by whoever removes shards; freed with the process.
class DirectoryLock {
public:
    /// Nothing if another process has it, or it cannot be had.
    [[nodiscard]] static std::optional<DirectoryLock> try_lock(const std::string &directory);

private:
    explicit DirectoryLock(ScopedFd file) : file_(std::move(file)) {}
    ScopedFd file_;
};

/// Removes shards, longest unused first, until at most so many bytes are left, and what writers
/// that were killed have left behind. Under the lock.
void remove_oldest(const std::string &directory, u64 max_bytes);

/// Removes all shards. The error names what could not be.
struct Cleared {
    std::size_t shards = 0;
    u64 bytes = 0;
};
[[nodiscard]] Result<Cleared> clear_cache(const std::string &directory);

} // namespace tandem::jit
