#include "machine/replay/journal/recording_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tandem::machine::replay {

Result<std::unique_ptr<RecordingFile>> RecordingFile::create(const std::string &path) {
    ScopedFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)};
    if (!file.is_open())
        return failure(fmt::format("{}: cannot create: {}; name a new file in a folder that can be "
                                   "written",
                                   path, std::strerror(errno)));
    return std::unique_ptr<RecordingFile>(new RecordingFile(path, std::move(file)));
}

Result<> RecordingFile::append(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0)
            return failure(fmt::format("{}: cannot record any further: {}; what is there replays "
                                       "up to here",
                                       path_, std::strerror(errno)));
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
}

} // namespace tandem::machine::replay
