#include "machine/launch/launch_plan.h"

#include "machine/boot/file_bytes.h"
#include "machine/launch/firmware.h"
#include "machine/launch/host_user.h"
#include "machine/launch/seed.h"
#include "machine/launch/state_directory.h"
#include "support/scoped_fd.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <filesystem>
#include <thread>

namespace tandem::machine {
namespace {

constexpr u16 kFirstSshPort = 2222, kLastSshPort = 2299;

bool is_free(u16 port) {
    const ScopedFd probe{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int yes = 1;
    ::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    return ::bind(probe.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0;
}

/// 0 if there is none.
u16 free_port() {
    for (u16 port = kFirstSshPort; port <= kLastSshPort; ++port)
        if (is_free(port)) return port;
    return 0;
}

/// "Debian 12.qcow2" as the name of a host: "debian-12".
std::string host_name_of(const std::string &path) {
    std::string name;
    for (const char c : std::filesystem::path(path).stem().string()) {
        const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        const bool plain = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
        if (plain)
            name += lower;
        else if (!name.empty() && name.back() != '-')
            name += '-';
    }
    // RFC 1123: 63 characters at most, none of them a hyphen at either end.
    name.resize(std::min<std::size_t>(name.size(), 63));
    while (name.ends_with('-')) name.pop_back();
    return name.empty() ? "tandem" : name;
}

/// A folder that belongs to the image, wherever it is named from.
Result<std::string> folder_of(const std::string &path) {
    std::error_code error;
    const std::string whole = std::filesystem::canonical(path, error).string();
    return fmt::format("{}/images/{}-{:016x}", TRY(state_directory()), host_name_of(path),
                       XXH64(whole.data(), whole.size(), 0));
}

unsigned chosen_cpus() {
    // Half of the host's, for it has other work too.
    return std::clamp(std::thread::hardware_concurrency() / 2, 2u, 8u);
}

/// In MiB: a quarter of the host's.
u64 chosen_memory() {
    struct sysinfo host{};
    ::sysinfo(&host);
    const u64 mebibytes = (u64{host.totalram} * host.mem_unit) >> 20;
    return std::clamp<u64>(mebibytes / 4 / 256 * 256, 1024, 4096);
}

class Planner {
public:
    explicit Planner(const LaunchRequest &request) : request_(request) {}

    Result<LaunchPlan> plan() {
        plan_.facts = TRY(inspect_image(request_.image));
        if (plan_.facts.kind != FileKind::Disk) {
            TRY(plan_kernel());
            return std::move(plan_);
        }
        plan_disk();
        if (given("--kernel")) return std::move(plan_);
        if (!given("--bios") && !plan_.facts.obstacle.empty())
            return failure(fmt::format("{}: is {} that {}", request_.image, plan_.facts.description,
                                       plan_.facts.obstacle));
        plan_.folder = request_.folder.empty() ? TRY(folder_of(request_.image)) : request_.folder;
        TRY(plan_firmware());
        plan_size();
        plan_seed();
        plan_network();
        return std::move(plan_);
    }

private:
    [[nodiscard]] bool given(const char *option) const { return request_.given.contains(option); }

    void choose(std::string option, std::string value, std::string subject, std::string reason,
                Choice::Place place = Choice::Place::Set) {
        plan_.choices.push_back(
            {std::move(option), std::move(value), place, std::move(subject), std::move(reason)});
    }

    Result<> plan_kernel() {
        if (given("--kernel"))
            return failure(fmt::format("{}: is {}, but --kernel names another; drop one",
                                       request_.image, plan_.facts.description));
        choose("--kernel", request_.image, "kernel", "boots without firmware");
        return {};
    }

    void plan_disk() {
        const bool is_iso = plan_.facts.is_iso;
        choose("--disk", request_.image + (is_iso ? ",media=cdrom" : ""), "disk",
               is_iso ? "an ISO image is in a CD-ROM drive" : "kept: what the guest writes stays",
               Choice::Place::First);
    }

    Result<> plan_firmware() {
        if (given("--bios")) return {};
        choose("--bios", TRY(find_firmware()), "firmware", "starts " + plan_.facts.boot_file);
        if (!given("--nvram"))
            choose("--nvram", plan_.folder + "/variables.fd", "variables",
                   "the firmware's, kept for this image");
        return {};
    }

    void plan_size() {
        if (!given("--cpus"))
            choose("--cpus", fmt::format("{}", chosen_cpus()), "cpus",
                   "half of the host's, 2 to 8");
        if (!given("--memory"))
            choose("--memory", fmt::format("{}M", chosen_memory()), "memory",
                   "a quarter of the host's, 1 to 4 GiB");
    }

    /// Whether cloud-init waits for data in there; a system that cannot be read may have it.
    [[nodiscard]] bool wants_seed() const {
        if (request_.seed != SeedWish::Auto) return request_.seed == SeedWish::Always;
        if (plan_.facts.is_iso) return false;
        return !plan_.facts.system.has_value() || plan_.facts.system->has_cloud_init;
    }

    void plan_seed() {
        if (!wants_seed()) return;
        SeedPlan seed;
        seed.path = plan_.folder + "/seed.img";
        seed.login = guest_login();
        seed.host_name =
            request_.host_name.empty() ? host_name_of(request_.image) : request_.host_name;
        seed.keys = public_keys();
        if (seed.keys.empty()) seed.identity = plan_.folder + "/id_ed25519";
        const char *why = request_.seed == SeedWish::Always ? "asked for"
                          : plan_.facts.system.has_value()
                              ? "the image has cloud-init"
                              : "the image may have cloud-init: its file system is not known";
        choose("--disk", seed.path + ",format=raw,readonly", "seed",
               fmt::format("{}; user {}, {}, host name {}", why, seed.login,
                           seed.keys.empty() ? "a key of its own"
                                             : fmt::format("{} ssh key{}", seed.keys.size(),
                                                           seed.keys.size() == 1 ? "" : "s"),
                           seed.host_name),
               Choice::Place::Last);
        plan_.seed = std::move(seed);
    }

    void plan_network() {
        if (given("--net")) return;
        const u16 port = free_port();
        if (port == 0 || plan_.facts.is_iso) {
            choose("--net", "user", "network", "private, with a way out");
            return;
        }
        choose("--net", fmt::format("user,hostfwd=tcp:127.0.0.1:{}-:22", port), "network",
               fmt::format("private, with a way out; port {} of this host leads to ssh", port));
        SshAccess ssh;
        ssh.port = port;
        ssh.known_hosts = plan_.folder + "/known_hosts";
        if (plan_.seed.has_value()) {
            ssh.login = plan_.seed->login;
            ssh.identity = plan_.seed->identity;
        } else if (plan_.facts.system.has_value()) {
            ssh.login = plan_.facts.system->user;
        } else {
            ssh.login = "root";
        }
        ssh.server_is_missing =
            plan_.facts.system.has_value() && !plan_.facts.system->has_ssh_server;
        plan_.ssh = std::move(ssh);
    }

    const LaunchRequest &request_;
    LaunchPlan plan_;
};

} // namespace

Result<LaunchPlan> plan_launch(const LaunchRequest &request) {
    return Planner(request).plan();
}

Result<> prepare_launch(const LaunchPlan &plan) {
    if (plan.folder.empty()) return {};
    TRY(make_private_directory(plan.folder));
    if (!plan.seed.has_value()) return {};
    SeedContent content{plan.seed->login, plan.seed->keys, plan.seed->host_name};
    if (content.keys.empty()) content.keys.push_back(TRY(own_public_key(plan.seed->identity)));
    const std::vector<std::byte> bytes = build_seed(content);
    // The same one stays, with its time: a snapshot of the machine knows it by that.
    const auto old = FileBytes::read(plan.seed->path);
    if (old.has_value() && std::ranges::equal(old->span(), bytes)) return {};
    // To the guest another one is another machine, which gets host keys of its own.
    if (plan.ssh.has_value()) ::unlink(plan.ssh->known_hosts.c_str());
    return write_private_file(plan.seed->path,
                              {reinterpret_cast<const char *>(bytes.data()), bytes.size()});
}

std::vector<std::string> ssh_command(const SshAccess &ssh) {
    std::vector<std::string> words{"ssh", "-p", fmt::format("{}", ssh.port)};
    if (!ssh.identity.empty()) words.insert(words.end(), {"-i", ssh.identity});
    words.insert(words.end(), {"-o", "UserKnownHostsFile=" + ssh.known_hosts, "-o",
                               "StrictHostKeyChecking=accept-new", ssh.login + "@127.0.0.1"});
    return words;
}

} // namespace tandem::machine
