#include "machine/display/open_displays.h"

#include "machine/host/module.h"
#include "machine/host/tcp_socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace tandem::machine {

namespace {

/// RFC 6143 §7.2.2: a DES key.
constexpr std::size_t kMaxPassword = 8;

/// The file's first line.
Result<std::string> read_password(const std::string &path) {
    const auto refused = [&](std::string_view why) {
        return failure(fmt::format("--display vnc,password-file={}: {}", path, why));
    };
    errno = 0;
    std::ifstream file(path);
    std::string password;
    if (!file.is_open() || (!std::getline(file, password) && !file.eof()))
        return refused(fmt::format("{}; name a file that can be read",
                                   std::strerror(errno != 0 ? errno : EIO)));
    if (password.ends_with('\r')) password.pop_back();
    if (password.empty()) return refused("is empty; write a password into it");
    if (password.size() > kMaxPassword)
        return refused(fmt::format("VNC knows the first {} bytes of a password alone; use a "
                                   "shorter one",
                                   kMaxPassword));
    if (password.contains('\0')) return refused("has a zero byte; use others");
    return password;
}

bool is_loopback(const std::string &address) {
    in_addr four{};
    in6_addr six{};
    if (::inet_pton(AF_INET, address.c_str(), &four) == 1) return ::ntohl(four.s_addr) >> 24 == 127;
    if (::inet_pton(AF_INET6, address.c_str(), &six) == 1) return IN6_IS_ADDR_LOOPBACK(&six) != 0;
    return address == "localhost";
}

} // namespace

Result<std::unique_ptr<VncService>> open_vnc(const VncConfig &config, const DisplayWiring &wiring) {
    VncStart start{
        .listener = {}, .has_password = config.has_password, .password = {}, .head = config.head};
    if (!config.password_file.empty()) start.password = TRY(read_password(config.password_file));
    start.listener = TRY(listen_on("--display vnc", config.address,
                                   static_cast<u16>(VncConfig::kFirstPort + config.number)));
    auto *open =
        reinterpret_cast<OpenVnc *>(TRY(function_of_module("--display vnc", kVncModule, kOpenVnc)));
    if (!config.has_password && !is_loopback(config.address))
        fmt::print(stderr,
                   "tandem: --display vnc: whoever reaches {} sees and controls the machine; add "
                   "password-file=FILE\r\n",
                   local_name(start.listener));
    Result<std::unique_ptr<VncService>> opened;
    open(std::move(start), wiring, opened);
    return opened;
}

Result<std::unique_ptr<WindowService>> open_windows(const SdlConfig &config,
                                                    const DisplayWiring &wiring) {
    auto *open = reinterpret_cast<OpenWindows *>(
        TRY(function_of_module("--display sdl", kSdlModule, kOpenWindows)));
    Result<std::unique_ptr<WindowService>> opened;
    open(config, wiring, opened);
    return opened;
}

} // namespace tandem::machine
