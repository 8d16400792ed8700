#include "app/option_values.h"

#include "machine/host/net/forward_text.h"
#include "machine/host/net/mac_text.h"
#include "machine/screen/screen_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

namespace tandem::app {
namespace {

/// The whole text as an unsigned number; base 0 takes a 0x prefix.
bool parse_number(std::string_view text, u64 &value, int base = 10) {
    if (base == 0) {
        base = 10;
        if (text.starts_with("0x") || text.starts_with("0X")) {
            text.remove_prefix(2);
            base = 16;
        }
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

/// A number with a suffix; `plain_shift` is the scale of a number without one.
Result<u64> parse_scaled(std::string_view what, std::string_view text, unsigned plain_shift,
                         std::string_view examples) {
    const auto bad = [&] {
        return failure(fmt::format("{} {}: not a size; write it like {}", what, text, examples));
    };
    static constexpr std::string_view kSuffixes = "KMGTP";
    std::string_view digits = text;
    if (digits.ends_with("iB")) digits.remove_suffix(2);
    if (digits.empty()) return bad();
    unsigned shift = plain_shift;
    const char last = digits.back() >= 'a' ? static_cast<char>(digits.back() - 32) : digits.back();
    if (const std::size_t at = kSuffixes.find(last); at != std::string_view::npos) {
        shift = 10 * (static_cast<unsigned>(at) + 1);
        digits.remove_suffix(1);
    }
    u64 value = 0;
    if (!parse_number(digits, value)) return bad();
    if (value > (~u64{0} >> shift))
        return failure(fmt::format("{} {}: too large; use less", what, text));
    return value << shift;
}

/// What follows the last comma; a file's name may hold others.
std::optional<std::string_view> last_option(std::string_view text) {
    const std::size_t comma = text.rfind(',');
    if (comma == std::string_view::npos) return std::nullopt;
    return text.substr(comma + 1);
}

} // namespace

Result<u64> parse_size(std::string_view text) {
    return parse_scaled("--memory", text, 20, "512M, 2G or 4096 (MiB)");
}

Result<u64> parse_bytes(std::string_view what, std::string_view text) {
    return parse_scaled(what, text, 0, "512M, 2G or 65536 (bytes)");
}

Result<machine::DiskConfig> parse_disk(std::string_view text) {
    machine::DiskConfig disk;
    std::optional<machine::DiskBus> bus;
    std::string_view name = text;
    while (const std::optional<std::string_view> last = last_option(name)) {
        const std::string_view option = *last;
        if (option == "readonly") {
            disk.readonly = true;
        } else if (option == "snapshot") {
            disk.snapshot = true;
        } else if (option.starts_with("bus=")) {
            const auto found = std::ranges::find(machine::kDiskBuses, option.substr(4),
                                                 [](const auto &row) { return row.first; });
            if (found == std::end(machine::kDiskBuses) || found->second == machine::DiskBus::Port)
                return failure(fmt::format(
                    "--disk {}: unknown {}; use pci, mmio, scsi or scsi-mmio", text, option));
            bus = found->second;
        } else if (option == "media=cdrom") {
            disk.is_cdrom = true;
        } else if (option.starts_with("media=") && option != "media=disk") {
            return failure(fmt::format("--disk {}: unknown {}; use disk or cdrom", text, option));
        } else if (option.starts_with("format=")) {
            disk.format = machine::format_named(option.substr(7));
            if (!disk.format.has_value())
                return failure(fmt::format("--disk {}: unknown {}; use raw, qcow2, vmdk or vhdx",
                                           text, option));
        } else if (option.starts_with("cache=")) {
            const auto mode = value_in(machine::kCacheModes, option.substr(6));
            if (!mode.has_value())
                return failure(fmt::format("--disk {}: unknown {}; use writeback, none, "
                                           "writethrough, directsync or unsafe",
                                           text, option));
            disk.cache = *mode;
        } else {
            break;
        }
        name.remove_suffix(option.size() + 1);
    }
    if (name.empty()) return failure(fmt::format("--disk {}: no file; name one", text));
    disk.path = std::string{name};
    disk.bus = bus.value_or(disk.is_cdrom ? machine::DiskBus::Scsi : machine::DiskBus::Pci);
    if (disk.is_cdrom && !is_scsi(disk.bus))
        return failure(fmt::format("--disk {}: a CD-ROM drive is a SCSI one; use bus=scsi or "
                                   "bus=scsi-mmio",
                                   text));
    disk.readonly = disk.readonly || disk.is_cdrom;
    return disk;
}

Result<machine::ShareConfig> parse_share(std::string_view text) {
    machine::ShareConfig share;
    std::string_view name = text;
    while (const std::optional<std::string_view> last = last_option(name)) {
        const std::string_view option = *last;
        if (option == "readonly") {
            share.readonly = true;
        } else if (option == "type=virtiofs") {
            share.protocol = machine::ShareConfig::Protocol::VirtioFs;
        } else if (option == "type=9p") {
            share.protocol = machine::ShareConfig::Protocol::NineP;
        } else if (option.starts_with("type=")) {
            return failure(fmt::format("--share {}: {} is unknown; use type=virtiofs or type=9p",
                                       text, option));
        } else {
            break;
        }
        name.remove_suffix(option.size() + 1);
    }
    const std::size_t colon = name.rfind(':');
    // A colon before a slash belongs to the folder.
    const bool has_tag =
        colon != std::string_view::npos && name.find('/', colon) == std::string_view::npos;
    share.tag = has_tag ? std::string{name.substr(colon + 1)} : "share";
    if (has_tag) name = name.substr(0, colon);
    if (name.empty()) return failure(fmt::format("--share {}: no folder; name one", text));
    if (share.tag.empty())
        return failure(fmt::format("--share {}: no tag after the colon; name one", text));
    share.path = std::string{name};
    return share;
}

Result<> parse_cpu(std::string_view text, machine::MachineConfig &config) {
    const std::size_t comma = text.find(',');
    config.cpu_model = std::string{text.substr(0, comma)};
    config.architected_pauth = false;
    if (comma == std::string_view::npos) return {};
    const std::string_view option = text.substr(comma + 1);
    if (option != "pauth=impdef" && option != "pauth=qarma5")
        return failure(
            fmt::format("--cpu {}: {} is unknown; use pauth=impdef or pauth=qarma5", text, option));
    config.architected_pauth = option == "pauth=qarma5";
    return {};
}

Result<machine::SerialConfig> parse_serial(std::string_view what, std::string_view text) {
    using Kind = machine::SerialConfig::Kind;
    machine::SerialConfig serial;
    static constexpr std::string_view kLog = ",log=";
    if (const std::size_t log = text.rfind(kLog); log != std::string_view::npos) {
        serial.log = std::string{text.substr(log + kLog.size())};
        if (serial.log.empty())
            return failure(fmt::format("{} {}: no file to log to; name one", what, text));
        text = text.substr(0, log);
    }
    if (text == "stdio") {
        serial.kind = Kind::Stdio;
    } else if (text == "none") {
        serial.kind = Kind::None;
    } else if (text == "pty") {
        serial.kind = Kind::Pty;
    } else if (text.starts_with("file:") && text.size() > 5) {
        serial.kind = Kind::File;
        serial.path = std::string{text.substr(5)};
    } else if (text.starts_with("unix:") && text.size() > 5) {
        serial.kind = Kind::Unix;
        serial.path = std::string{text.substr(5)};
    } else if (text.starts_with("tcp:")) {
        serial.kind = Kind::Tcp;
        std::string_view address = text.substr(4);
        const std::size_t colon = address.rfind(':');
        u64 port = 0;
        if (colon == std::string_view::npos || !parse_number(address.substr(colon + 1), port) ||
            port > 0xffff)
            return failure(fmt::format("{} {}: no port; write tcp:ADDRESS:PORT", what, text));
        serial.port = static_cast<u16>(port);
        address = address.substr(0, colon);
        // An IPv6 address is written in brackets.
        if (address.starts_with('[') && address.ends_with(']'))
            address = address.substr(1, address.size() - 2);
        serial.address = std::string{address};
    } else {
        return failure(fmt::format("{} {}: unknown; use stdio, none, file:F, pty, "
                                   "tcp:ADDRESS:PORT or unix:PATH",
                                   what, text));
    }
    return serial;
}

namespace {

/// An option of `--net`, and what networks have it.
struct NetOption {
    std::string_view name;
    std::initializer_list<machine::NetConfig::Kind> kinds; ///< none: all but none
    Result<> (*apply)(machine::NetConfig &, std::string_view value);
};

using NetKind = machine::NetConfig::Kind;
const NetOption kNetOptions[] = {
    {"hostfwd",
     {NetKind::User, NetKind::Passt},
     [](machine::NetConfig &net, std::string_view value) -> Result<> {
         net.forwards.push_back(TRY(machine::parse_forward(value)));
         return {};
     }},
    {"tftp",
     {NetKind::User},
     [](machine::NetConfig &net, std::string_view value) -> Result<> {
         if (value.empty()) return failure("no name; write tftp=NAME");
         net.tftp = std::string{value};
         return {};
     }},
    {"bootfile",
     {NetKind::User},
     [](machine::NetConfig &net, std::string_view value) -> Result<> {
         if (value.empty()) return failure("no name; write bootfile=NAME");
         net.bootfile = std::string{value};
         return {};
     }},
    {"path",
     {NetKind::Stream},
     [](machine::NetConfig &net, std::string_view value) -> Result<> {
         net.where = std::string{value};
         return {};
     }},
    {"ifname",
     {NetKind::Tap},
     [](machine::NetConfig &net, std::string_view value) -> Result<> {
         static constexpr std::size_t kMaxName = 15; // IFNAMSIZ, with its zero
         if (value.empty() || value.size() > kMaxName || value.find('/') != std::string_view::npos)
             return failure(fmt::format("no interface's name; use 1 to {} letters", kMaxName));
         net.where = std::string{value};
         return {};
     }},
    {"queues",
     {},
     [](machine::NetConfig &net, std::string_view value) -> Result<> {
         net.queues = TRY(parse_count("--net queues", value));
         return {};
     }},
    {"mac",
     {},
     [](machine::NetConfig &net, std::string_view value) -> Result<> {
         const auto mac = machine::parse_mac(value);
         if (!mac.has_value())
             return failure(
                 fmt::format("{} is no card's address; write it like 52:54:00:12:34:57", value));
         net.mac = *mac;
         return {};
     }},
};

} // namespace

Result<machine::NetConfig> parse_net(std::string_view text) {
    machine::NetConfig net;
    const auto bad = [text](std::string_view why) {
        return failure(fmt::format("--net {}: {}", text, why));
    };
    std::string_view rest = text;
    const auto next = [&rest](char end) {
        const std::size_t at = std::min(rest.find(end), rest.size());
        const std::string_view word = rest.substr(0, at);
        rest.remove_prefix(std::min(at + 1, rest.size()));
        return word;
    };
    const auto kind = value_in(machine::kNetKinds, next(','));
    if (!kind.has_value() || (*kind == NetKind::None && !rest.empty()))
        return bad("unknown; use user, passt, stream, tap or none");
    net.kind = *kind;
    while (!rest.empty()) {
        std::string_view option = next(',');
        if (machine::is_link_setting(option)) {
            const auto applied = machine::apply_link_settings(option, net.link);
            if (!applied.has_value()) return bad(applied.error().message);
            continue;
        }
        const std::string_view name = option.substr(0, option.find('='));
        option.remove_prefix(std::min(name.size() + 1, option.size()));
        const auto *known = std::ranges::find(kNetOptions, name, &NetOption::name);
        if (known == std::end(kNetOptions))
            return bad("unknown option; use hostfwd=, tftp=, bootfile=, path=, ifname=, queues=, "
                       "mac=, latency=, jitter=, loss=, rate= or profile=");
        if (known->kinds.size() != 0 &&
            std::ranges::find(known->kinds, *kind) == known->kinds.end())
            return bad(fmt::format("{}= is not for such a network; leave it out", name));
        if (const auto applied = known->apply(net, option); !applied.has_value())
            return bad(fmt::format("{}: {}", name, applied.error().message));
    }
    if (*kind == NetKind::Stream && net.where.empty()) return bad("no socket; add path=PATH");
    return net;
}

Result<machine::PortConfig> parse_port(std::string_view text) {
    static constexpr std::size_t kMaxName = 64;
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    const bool is_named =
        equals != std::string_view::npos && !name.empty() && name.size() <= kMaxName &&
        std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~' && c != '/'; });
    if (!is_named)
        return failure(fmt::format("--port {}: write NAME=WHERE, with a name of 1 to {} letters, "
                                   "digits and signs other than /",
                                   text, kMaxName));
    const std::string what = fmt::format("--port {}", name);
    return machine::PortConfig{std::string{name}, TRY(parse_serial(what, text.substr(equals + 1)))};
}

Result<> parse_ports(const std::vector<std::string> &ports, const std::string &guest_agent,
                     machine::MachineConfig &config) {
    std::vector<machine::PortConfig> given;
    for (const std::string &text : ports) given.push_back(TRY(parse_port(text)));
    if (!guest_agent.empty())
        given.push_back(
            TRY(parse_port(fmt::format("{}={}", machine::kGuestAgentPort, guest_agent))));
    for (machine::PortConfig &known : config.ports) {
        const auto found = std::ranges::find(given, known.name, &machine::PortConfig::name);
        if (found == given.end()) continue;
        known = std::move(*found);
        given.erase(found);
    }
    std::ranges::move(given, std::back_inserter(config.ports));
    return {};
}

Result<> parse_semihosting(std::string_view console, std::string_view folder,
                           std::optional<machine::SemihostingConfig> &semihosting) {
    static constexpr std::string_view kReadonly = ",readonly";
    if (!console.empty() || !folder.empty()) semihosting.emplace();
    if (!console.empty() && console != "console")
        semihosting->line = TRY(parse_serial("--semihosting", console));
    if (folder.empty()) return {};
    semihosting->readonly = folder.ends_with(kReadonly);
    if (semihosting->readonly) folder.remove_suffix(kReadonly.size());
    if (folder.empty())
        return failure(fmt::format("--semihosting-folder {}: no folder; name one", kReadonly));
    semihosting->folder = std::string{folder};
    return {};
}

Result<machine::VsockConfig> parse_vsock(std::string_view text) {
    static constexpr std::string_view kCid = "cid=", kPath = "path=";
    machine::VsockConfig vsock;
    std::string_view rest = text;
    if (rest.starts_with(kCid)) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        if (!parse_number(rest.substr(kCid.size(), comma - kCid.size()), vsock.cid))
            return failure(fmt::format("--vsock {}: cid is no number; use 3 or more", text));
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    if (!rest.starts_with(kPath) || rest.size() == kPath.size())
        return failure(fmt::format("--vsock {}: write [cid=N,]path=PATH", text));
    vsock.path = std::string{rest.substr(kPath.size())};
    return vsock;
}

Result<std::optional<machine::BalloonConfig>> parse_balloon(std::string_view text) {
    static constexpr std::string_view kStatistics = "on,stats=";
    if (text == "none") return std::nullopt;
    machine::BalloonConfig balloon;
    if (text.starts_with(kStatistics))
        balloon.statistics_ns =
            TRY(parse_seconds("--balloon stats", text.substr(kStatistics.size())));
    else if (text != "on")
        return failure(
            fmt::format("--balloon {}: unknown; use on, on,stats=SECONDS or none", text));
    return balloon;
}

Result<machine::SoundConfig> parse_audio(std::string_view text) {
    static constexpr std::string_view kWav = "wav=", kIn = ",in=";
    machine::SoundConfig sound;
    if (text == "none") return sound;
    if (text == "sdl" || text == "sdl,in=on") {
        sound.kind = machine::SoundConfig::Kind::Sdl;
        sound.hears = text != "sdl";
        return sound;
    }
    if (!text.starts_with(kWav))
        return failure(fmt::format(
            "--audio {}: unknown; use none, sdl[,in=on] or wav=OUT.wav[,in=IN.wav]", text));
    sound.kind = machine::SoundConfig::Kind::Wav;
    const std::string_view files = text.substr(kWav.size());
    const std::size_t in = files.rfind(kIn);
    sound.out = files.substr(0, in);
    if (in != std::string_view::npos) sound.in = files.substr(in + kIn.size());
    if (sound.out.empty() || (in != std::string_view::npos && sound.in.empty()))
        return failure(fmt::format("--audio {}: no file; write wav=OUT.wav[,in=IN.wav]", text));
    return sound;
}

Result<devices::DisplayMode> parse_screen_option(std::string_view text) {
    const auto mode = machine::parse_screen(text);
    if (!mode.has_value())
        return failure(fmt::format("--screen {}: {}", text, mode.error().message));
    return *mode;
}

Result<devices::InputKind> parse_input(std::string_view text) {
    if (const auto kind = value_in(devices::kInputKinds, text)) return *kind;
    return failure(fmt::format("--input {}: unknown; use keyboard, mouse, tablet or touch", text));
}

Result<machine::VirtioBus> parse_bus(std::string_view text) {
    if (text == "pci") return machine::VirtioBus::Pci;
    if (text == "mmio") return machine::VirtioBus::Mmio;
    return failure(fmt::format("--bus {}: unknown; use pci or mmio", text));
}

Result<std::string> parse_qmp(std::string_view text) {
    static constexpr std::string_view kUnix = "unix:";
    if (!text.starts_with(kUnix) || text.size() == kUnix.size())
        return failure(fmt::format("--qmp {}: not a socket; write unix:PATH", text));
    return std::string{text.substr(kUnix.size())};
}

Result<unsigned> parse_count(std::string_view what, std::string_view text) {
    u64 value = 0;
    if (!parse_number(text, value) || value > 0xffff'ffff)
        return failure(fmt::format("{} {}: not a count; give a number", what, text));
    return static_cast<unsigned>(value);
}

Result<u64> parse_seconds(std::string_view what, std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    static constexpr double kMax = 1e9;
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value) ||
        value <= 0 || value > kMax)
        return failure(fmt::format("{} {}: not a time; give seconds above 0", what, text));
    return static_cast<u64>(value * 1e9);
}

Result<machine::replay::StopPoint> parse_stop_point(std::string_view what, std::string_view text) {
    static constexpr std::string_view kText = "text:", kCount = "count:";
    const auto wrong = [&] {
        return failure(fmt::format("{} {}: nowhere to stop; give a guest time in seconds, as 1.5s, "
                                   "or nanoseconds, count:N instructions, or text:TEXT",
                                   what, text));
    };
    machine::replay::StopPoint point;
    if (text.starts_with(kText)) {
        point.text = text.substr(kText.size());
        if (point.text.empty()) return wrong();
    } else if (text.starts_with(kCount)) {
        if (!parse_number(text.substr(kCount.size()), point.position) || point.position == 0)
            return wrong();
    } else if (text.ends_with('s')) {
        point.moment = TRY(parse_seconds(what, text.substr(0, text.size() - 1)));
    } else if (!parse_number(text, point.moment) || point.moment == 0) {
        return wrong();
    }
    return point;
}

namespace {

/// The value of that name; an empty text leaves it as it is. False: there is none.
template <typename T, std::size_t N>
bool choose(std::string_view text, const std::pair<std::string_view, T> (&choices)[N], T &value) {
    const auto found = value_in(choices, text);
    if (found.has_value()) value = *found;
    return text.empty() || found.has_value();
}

} // namespace

Result<> parse_accelerator(std::string_view text, machine::MachineConfig &config) {
    using machine::AcceleratorKind;
    static constexpr std::pair<std::string_view, AcceleratorKind> kKinds[] = {
        {"auto", AcceleratorKind::Auto},
        {"jit", AcceleratorKind::Jit},
        {"kvm", AcceleratorKind::Kvm},
        {"interp", AcceleratorKind::Interpreter}};
    if (choose(text, kKinds, config.accelerator)) return {};
    return failure(fmt::format("--accel {}: unknown; use auto, jit, kvm or interp", text));
}

Result<> parse_tier(std::string_view text, machine::MachineConfig &config) {
    using machine::Tier;
    static constexpr std::pair<std::string_view, Tier> kTiers[] = {
        {"auto", Tier::Auto}, {"t1", Tier::Baseline}, {"t2", Tier::Optimising}};
    if (choose(text, kTiers, config.tier)) return {};
    return failure(fmt::format("--tier {}: unknown; use auto, t1 or t2", text));
}

Result<machine::PanicAction> parse_panic_action(std::string_view text) {
    machine::PanicAction action{};
    if (choose(text, machine::kPanicActions, action)) return action;
    return failure(
        fmt::format("--on-panic {}: unknown; use pause, shutdown, exit-failure or none", text));
}

Result<machine::WatchdogAction> parse_watchdog(std::string_view text) {
    machine::WatchdogAction action{};
    if (choose(text, machine::kWatchdogActions, action)) return action;
    return failure(
        fmt::format("--watchdog {}: unknown; use reset, shutdown, poweroff or none", text));
}

Result<machine::TranslationCacheConfig> parse_cache(const CacheTexts &texts, std::string usual) {
    machine::TranslationCacheConfig cache;
    if (texts.is_off && !(texts.directory.empty() && texts.size.empty()))
        return failure("--no-cache: there is nothing for --cache and --cache-size to say; leave "
                       "one or the other out");
    if (!texts.size.empty()) cache.max_bytes = TRY(parse_bytes("--cache-size", texts.size));
    if (!texts.is_off)
        cache.directory = texts.directory.empty() ? std::move(usual) : texts.directory;
    return cache;
}

namespace {

/// "SECONDS", perhaps with an s behind it, or a size.
Result<machine::RingConfig> parse_ring(std::string_view what, std::string_view text,
                                       const std::string &when) {
    machine::RingConfig ring{.text = when};
    const bool is_size = !text.empty() && std::string_view("KMGTkmgt").contains(text.back());
    if (is_size)
        ring.bytes = TRY(parse_bytes(what, text));
    else
        ring.time_ns =
            TRY(parse_seconds(what, text.ends_with('s') ? text.substr(0, text.size() - 1) : text));
    return ring;
}

} // namespace

Result<> parse_deterministic(const DeterministicTexts &texts, machine::MachineConfig &config) {
    if (!texts.deterministic && texts.record.empty()) {
        for (const auto &[option, text] : {std::pair{"--seed", &texts.seed},
                                           {"--schedule", &texts.schedule},
                                           {"--until", &texts.until},
                                           {"--record-ring", &texts.record_ring},
                                           {"--record-when", &texts.record_when}})
            if (!text->empty())
                return failure(fmt::format("{}: only a deterministic machine has it; add "
                                           "--deterministic or --record F",
                                           option));
        return {};
    }
    if (!texts.record_ring.empty() && texts.record.empty())
        return failure("--record-ring: there is no file for it; add --record F");
    if (!texts.record_when.empty() && texts.record_ring.empty())
        return failure(
            "--record-when: all of the run is recorded; add --record-ring SECONDS, or leave "
            "it out");
    machine::DeterministicConfig &wanted = config.deterministic.emplace();
    wanted.record = texts.record;
    if (!texts.seed.empty()) {
        const auto [end, error] =
            std::from_chars(texts.seed.data(), texts.seed.data() + texts.seed.size(), wanted.seed);
        if (error != std::errc{} || end != texts.seed.data() + texts.seed.size())
            return failure(fmt::format("--seed {}: not a number; give one below 2^64", texts.seed));
    }
    if (!texts.schedule.empty()) {
        const auto known = machine::replay::schedule_named(texts.schedule);
        if (!known.has_value())
            return failure(fmt::format("--schedule {}: unknown; use round-robin, random, pct or "
                                       "chaos",
                                       texts.schedule));
        wanted.schedule = *known;
    }
    if (!texts.record_ring.empty())
        wanted.ring = TRY(parse_ring("--record-ring", texts.record_ring, texts.record_when));
    if (!texts.until.empty()) wanted.stop_at = TRY(parse_stop_point("--until", texts.until));
    return {};
}

Result<std::optional<machine::ProfileConfig>> parse_profile(const ProfileTexts &texts) {
    if (texts.path.empty()) {
        for (const auto &[option, text] :
             {std::pair{"--profile-rate", &texts.rate}, {"--profile-clock", &texts.clock}})
            if (!text->empty())
                return failure(fmt::format("{}: there is no profile; add --profile F", option));
        return std::nullopt;
    }
    machine::ProfileConfig config;
    config.path = texts.path;
    if (!texts.rate.empty()) config.rate_hz = TRY(parse_count("--profile-rate", texts.rate));
    if (!texts.clock.empty() && texts.clock != "cpu" && texts.clock != "guest")
        return failure(fmt::format("--profile-clock {}: unknown; use cpu or guest", texts.clock));
    config.by_guest_time = texts.clock == "guest";
    return config;
}

Result<> parse_trace(std::string_view text, machine::TraceConfig &trace) {
    while (!text.empty()) {
        const std::size_t comma = std::min(text.find(','), text.size());
        const std::string_view word = text.substr(0, comma);
        if (word == "decode") {
            trace.decode = true;
        } else if (word == "ir") {
            trace.ir = true;
        } else if (word == "opt") {
            trace.optimised = true;
        } else if (word == "asm") {
            trace.assembly = true;
        } else if (word == "llvm") {
            trace.llvm = true;
        } else {
            return failure(
                fmt::format("-d {}: unknown stage; use decode, ir, opt, asm and llvm", word));
        }
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return {};
}

Result<> parse_trace_filter(std::string_view text, machine::TraceConfig &trace) {
    const auto bad = [text] {
        return failure(
            fmt::format("--dfilter {}: not a range; write FIRST..LAST or FIRST+LENGTH", text));
    };
    if (const std::size_t dots = text.find(".."); dots != std::string_view::npos) {
        if (!parse_number(text.substr(0, dots), trace.first, 0) ||
            !parse_number(text.substr(dots + 2), trace.last, 0))
            return bad();
        return {};
    }
    u64 length = 0;
    const std::size_t plus = text.find('+');
    if (plus == std::string_view::npos || !parse_number(text.substr(0, plus), trace.first, 0) ||
        !parse_number(text.substr(plus + 1), length, 0) || length == 0)
        return bad();
    trace.last = trace.first + length - 1;
    return {};
}

} // namespace tandem::app
