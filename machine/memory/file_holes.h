#pragma once
/// Memory that is a sparse file: which parts of it hold anything.
#include "support/bits.h"

#include <unistd.h>

namespace tandem::machine {

/// Calls f(offset, length) for all that is not a hole of the file, by whole pages. (Reading a hole
/// through a mapping would fill it.)
template <typename F>
void for_each_populated(int fd, u64 size, F f) {
    for (off_t at = 0; at < static_cast<off_t>(size);) {
        const off_t data = ::lseek(fd, at, SEEK_DATA);
        if (data < 0) return;
        at = ::lseek(fd, data, SEEK_HOLE);
        if (at <= data) return;
        f(static_cast<u64>(data), static_cast<u64>(at - data));
    }
}

} // namespace tandem::machine
