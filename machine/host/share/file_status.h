#pragma once
/// What statx(2) says of a file, and what makes it that file and no other.
#include "devices/backend/file_system.h"

#include <string>

namespace tandem::machine {

/// Inode numbers come back after a deletion; the time of birth tells the files apart.
struct FileIdentity {
    u64 device = 0, inode = 0;
    i64 born = 0; ///< nanoseconds; 0 where the host's file system does not know
    bool operator==(const FileIdentity &) const = default;
};

struct FileIdentityHash {
    [[nodiscard]] std::size_t operator()(const FileIdentity &identity) const {
        return static_cast<std::size_t>((identity.inode ^ identity.device << 40) *
                                        0x9e37'79b9'7f4a'7c15);
    }
};

/// Changes when the content does.
struct FileVersion {
    i64 modified = 0, changed = 0; ///< nanoseconds
    u64 size = 0;
    bool operator==(const FileVersion &) const = default;
};

struct FileStatus {
    FileIdentity identity;
    FileVersion version;
    /// Owner, group and inode as the host numbers them.
    devices::FileAttributes attributes;

    [[nodiscard]] u32 type() const { return attributes.mode & 0170000; }
};

/// Of the name in the directory, without following it; of the descriptor itself if it is empty.
[[nodiscard]] devices::FileResult<FileStatus> file_status(int fd, const std::string &name = {});

/// The error a failed system call left behind.
[[nodiscard]] std::unexpected<devices::FileError> last_error();

/// Leads to the file itself, past all names: also for what cannot be done with an O_PATH
/// descriptor.
[[nodiscard]] std::string descriptor_path(int fd);

} // namespace tandem::machine
