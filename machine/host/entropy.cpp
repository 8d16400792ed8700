#include "machine/host/entropy.h"

#include "support/check.h"

#include <sys/random.h>

#include <cerrno>

namespace tandem::machine {

void HostEntropy::fill(std::span<std::byte> buffer) {
    while (!buffer.empty()) {
        const ssize_t got = ::getrandom(buffer.data(), buffer.size(), 0);
        if (got < 0) {
            CHECK(errno == EINTR); // no other failure is possible with valid arguments
            continue;
        }
        buffer = buffer.subspan(static_cast<std::size_t>(got));
    }
}

} // namespace tandem::machine
