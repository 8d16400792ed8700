#pragma once
/// Locks of disk images that QEMU and its tools honour too. QEMU's protocol (block/file-posix):
/// whoever uses a permission holds a shared lock on byte 100 + its number, whoever does not let
/// others use it on byte 200 + its number; each looks for the other's byte after taking his own.
#include "support/result.h"

#include <string>

namespace tandem::machine {

enum class DiskAccess : unsigned char { ReadWrite, ReadOnly };

/// Readers share, a writer is alone. The lock ends with the descriptor; it also excludes a second
/// use within this process.
[[nodiscard]] Result<> lock_image(int fd, const std::string &path, DiskAccess);

} // namespace tandem::machine
