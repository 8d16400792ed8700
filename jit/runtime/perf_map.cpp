#include "jit/runtime/perf_map.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tandem::jit {

Result<std::unique_ptr<PerfMap>> PerfMap::create(Namer namer) {
    return create_at("/tmp/perf-" + std::to_string(::getpid()) + ".map", std::move(namer));
}

Result<std::unique_ptr<PerfMap>> PerfMap::create_at(const std::string &path, Namer namer) {
    // /tmp is everybody's: write to no file that somebody else put there.
    ::unlink(path.c_str());
    const int fd = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0644);
    std::FILE *file = fd >= 0 ? ::fdopen(fd, "w") : nullptr;
    if (file == nullptr)
        return failure(path + ": " + std::strerror(errno) +
                       "; --perf-map writes it for perf, remove what is in its place");
    return std::unique_ptr<PerfMap>(new PerfMap(file, std::move(namer)));
}

void PerfMap::add(std::string_view tier, u64 va, std::span<const std::byte> code) {
    if (code.empty()) return;
    const std::string name = namer_ ? namer_(va) : std::string{};
    const std::lock_guard guard(mutex_);
    std::fprintf(file_.get(), "%llx %zx %.*s:%llx%s%s\n",
                 reinterpret_cast<unsigned long long>(code.data()), code.size(),
                 static_cast<int>(tier.size()), tier.data(), static_cast<unsigned long long>(va),
                 name.empty() ? "" : ":", name.c_str());
}

} // namespace tandem::jit
