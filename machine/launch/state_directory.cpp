#include "machine/launch/state_directory.h"

#include "machine/launch/host_user.h"
#include "support/scoped_fd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tandem::machine {
namespace {

/// The variable's value if it is an absolute path; the specification has others ignored.
std::string directory_from(const char *variable) {
    const char *value = std::getenv(variable);
    return value != nullptr && value[0] == '/' ? value : "";
}

std::unexpected<Error> cannot(const std::string &path, int error) {
    return failure(fmt::format("{}: {}; set XDG_STATE_HOME to a folder that can be written", path,
                               std::strerror(error)));
}

} // namespace

Result<std::string> state_directory() {
    if (const std::string state = directory_from("XDG_STATE_HOME"); !state.empty())
        return state + "/tandem";
    const std::string home = home_directory();
    if (home.empty())
        return failure("no home directory to keep state in; set HOME or XDG_STATE_HOME");
    return home + "/.local/state/tandem";
}

std::string cache_directory() {
    if (const std::string cache = directory_from("XDG_CACHE_HOME"); !cache.empty())
        return cache + "/tandem";
    const std::string home = home_directory();
    return home.empty() ? "" : home + "/.cache/tandem";
}

std::string runtime_directory(const std::string &fallback) {
    const std::string runtime = directory_from("XDG_RUNTIME_DIR");
    return runtime.empty() ? fallback : runtime + "/tandem";
}

Result<> make_private_directory(const std::string &path) {
    for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
        const std::string part = path.substr(0, slash);
        if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) return cannot(part, errno);
        if (slash == std::string::npos) return {};
    }
}

Result<> write_private_file(const std::string &path, std::string_view content) {
    const std::string temporary = path + ".new";
    ScopedFd file{
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file.is_open()) return cannot(temporary, errno);
    while (!content.empty()) {
        const ssize_t written = ::write(file.get(), content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return cannot(temporary, errno);
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    file.reset();
    if (::rename(temporary.c_str(), path.c_str()) != 0) return cannot(path, errno);
    return {};
}

} // namespace tandem::machine
