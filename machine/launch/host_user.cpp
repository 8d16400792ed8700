#include "machine/launch/host_user.h"

#include "machine/boot/file_bytes.h"

#include <fmt/format.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

extern char **environ;

namespace tandem::machine {
namespace {

constexpr const char *kOtherLogin = "tandem";
constexpr u64 kMaxKey = 64 * 1024;

/// The first line of a public key file; empty if it is none.
std::string key_line(const std::string &path) {
    const auto bytes = FileBytes::read(path, kMaxKey);
    if (!bytes.has_value()) return {};
    const std::string text{reinterpret_cast<const char *>(bytes->span().data()), bytes->size()};
    std::string line = text.substr(0, text.find('\n'));
    const bool plain = std::ranges::all_of(line, [](char c) { return c >= ' ' && c <= '~'; });
    return plain && line.find(' ') != std::string::npos ? line : "";
}

} // namespace

std::string home_directory() {
    if (const char *home = std::getenv("HOME"); home != nullptr && home[0] == '/') return home;
    const passwd *entry = ::getpwuid(::getuid());
    return entry != nullptr && entry->pw_dir != nullptr ? entry->pw_dir : "";
}

std::string guest_login() {
    const passwd *entry = ::getpwuid(::getuid());
    const std::string name = entry != nullptr ? entry->pw_name : "";
    // useradd(8): what every distribution accepts.
    const bool usable =
        !name.empty() && name.size() <= 32 && name != "root" && name[0] >= 'a' && name[0] <= 'z' &&
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos;
    return usable ? name : kOtherLogin;
}

std::vector<std::string> public_keys() {
    std::vector<std::string> paths, keys;
    std::error_code error;
    for (const auto &entry :
         std::filesystem::directory_iterator(home_directory() + "/.ssh", error)) {
        const std::string name = entry.path().filename();
        if (name.starts_with("id_") && name.ends_with(".pub")) paths.push_back(entry.path());
    }
    std::ranges::sort(paths);
    for (const std::string &path : paths)
        if (std::string line = key_line(path); !line.empty()) keys.push_back(std::move(line));
    return keys;
}

Result<std::string> own_public_key(const std::string &path) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) {
        std::string type = "-t", kind = "ed25519", quiet = "-q", phrase = "-N", none, file = "-f",
                    target = path, comment = "-C", text = "tandem", program = "ssh-keygen";
        const std::array<char *, 11> arguments{
            program.data(), quiet.data(),  type.data(),    kind.data(), phrase.data(), none.data(),
            file.data(),    target.data(), comment.data(), text.data(), nullptr};
        pid_t child = 0;
        int status = -1;
        if (::posix_spawnp(&child, program.c_str(), nullptr, nullptr, arguments.data(), environ) !=
                0 ||
            ::waitpid(child, &status, 0) != child || status != 0)
            return failure("ssh-keygen: cannot make a key to log in with; apt install "
                           "openssh-client, or make one: ssh-keygen -t ed25519");
    }
    std::string line = key_line(path + ".pub");
    if (line.empty())
        return failure(
            fmt::format("{}.pub: not a public key; remove {} to have both made again", path, path));
    return line;
}

} // namespace tandem::machine
