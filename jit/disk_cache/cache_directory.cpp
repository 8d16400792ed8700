#include "jit/disk_cache/cache_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>

namespace tandem::jit {
namespace {

constexpr const char *kLockName = "lock";
constexpr i64 kNanoseconds = 1'000'000'000;
/// A file that is being written for longer is not any more.
constexpr i64 kMaxWriting = 3600 * kNanoseconds;

bool is_folder_name(const std::string &name) {
    return name.size() == 32 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

template <typename Visit>
void for_each_entry(const std::string &folder, Visit visit) {
    std::error_code error;
    std::filesystem::directory_iterator at(folder, error);
    while (!error && at != std::filesystem::directory_iterator()) {
        visit(at->path());
        at.increment(error);
    }
}

/// Files of shards, complete ones or those still being written.
std::vector<ShardFile> files(const std::string &directory, bool are_complete) {
    std::vector<ShardFile> found;
    for_each_entry(directory, [&](const std::filesystem::path &folder) {
        if (!is_folder_name(folder.filename().string())) return;
        for_each_entry(folder.string(), [&](const std::filesystem::path &path) {
            const std::string name = path.filename().string();
            const bool is_shard = name.ends_with(Shard::kEnding);
            if (is_shard != are_complete || name.find(Shard::kEnding) == std::string::npos) return;
            struct stat status{};
            if (::lstat(path.c_str(), &status) != 0) return;
            found.push_back(
                {.path = path.string(),
                 .folder = folder.string(),
                 .bytes = static_cast<u64>(status.st_size),
                 .last_used = status.st_mtim.tv_sec * kNanoseconds + status.st_mtim.tv_nsec});
        });
    });
    return found;
}

void remove_empty_folders(const std::string &directory) {
    for_each_entry(directory, [](const std::filesystem::path &folder) {
        if (is_folder_name(folder.filename().string())) ::rmdir(folder.c_str());
    });
}

} // namespace

std::vector<ShardFile> shard_files(const std::string &directory) {
    return files(directory, true);
}

std::string folder_of(const std::string &directory, const Checksum &identity) {
    return fmt::format("{}/{:016x}{:016x}", directory, identity[0], identity[1]);
}

Result<> check_is_private(const std::string &directory) {
    struct stat status{};
    if (::stat(directory.c_str(), &status) != 0) {
        if (errno == ENOENT) return {};
        return failure(fmt::format("{}: {}", directory, std::strerror(errno)));
    }
    if (!S_ISDIR(status.st_mode)) return failure(fmt::format("{}: is no directory", directory));
    if (status.st_uid != ::geteuid())
        return failure(fmt::format("{}: belongs to another user", directory));
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return failure(fmt::format("{}: others may write to it", directory));
    return {};
}

Result<> make_directory(const std::string &path) {
    for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
        const std::string part = path.substr(0, slash);
        if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST)
            return failure(fmt::format("{}: cannot be made: {}", part, std::strerror(errno)));
        if (slash == std::string::npos) return {};
    }
}

std::optional<DirectoryLock> DirectoryLock::try_lock(const std::string &directory) {
    const std::string path = directory + "/" + kLockName;
    ScopedFd file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file.is_open() || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) return std::nullopt;
    return DirectoryLock(std::move(file));
}

void remove_oldest(const std::string &directory, u64 max_bytes) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    for (const ShardFile &file : files(directory, false))
        if (now.tv_sec * kNanoseconds - file.last_used > kMaxWriting) ::unlink(file.path.c_str());

    std::vector<ShardFile> shards = shard_files(directory);
    std::ranges::sort(shards, {}, &ShardFile::last_used);
    u64 total = 0;
    for (const ShardFile &file : shards) total += file.bytes;
    for (const ShardFile &file : shards) {
        if (total <= max_bytes) break;
        if (::unlink(file.path.c_str()) == 0) total -= file.bytes;
    }
    remove_empty_folders(directory);
}

Result<Cleared> clear_cache(const std::string &directory) {
    Cleared cleared;
    for (const bool are_complete : {true, false}) {
        for (const ShardFile &file : files(directory, are_complete)) {
            if (::unlink(file.path.c_str()) != 0 && errno != ENOENT)
                return failure(
                    fmt::format("{}: cannot be removed: {}", file.path, std::strerror(errno)));
            if (!are_complete) continue;
            ++cleared.shards;
            cleared.bytes += file.bytes;
        }
    }
    remove_empty_folders(directory);
    return cleared;
}

} // namespace tandem::jit
