#pragma once
/// The values of command line options, from text.
#include "machine/board/machine_config.h"
#include "support/result.h"

#include <optional>
#include <string>
#include <string_view>

namespace tandem::app {

/// "2G", "512M", "65536K"; a number alone is MiB.
[[nodiscard]] Result<u64> parse_size(std::string_view text);
/// The same, but a number alone is bytes; `what` names the option.
[[nodiscard]] Result<u64> parse_bytes(std::string_view what, std::string_view text);
/// "FILE[,format=F][,cache=MODE][,readonly][,snapshot]"; other commas belong to the name.
[[nodiscard]] Result<machine::DiskConfig> parse_disk(std::string_view text);
/// "DIR[:TAG][,readonly][,type=virtiofs|9p]"; the tag is "share" if none is given.
[[nodiscard]] Result<machine::ShareConfig> parse_share(std::string_view text);
/// "none" or
/// "user[,hostfwd=tcp|udp:ADDR:PORT-:PORT]...[,tftp=DIR][,bootfile=FILE][,queues=N][,SHAPE]...".
[[nodiscard]] Result<machine::NetConfig> parse_net(std::string_view text);
/// "MODEL[,pauth=impdef|qarma5]"; whether the model exists is the machine's business.
[[nodiscard]] Result<> parse_cpu(std::string_view text, machine::MachineConfig &);
/// "stdio", "none", "file:F", "pty", "tcp:ADDR:PORT", "unix:PATH", with ",log=F" behind it; `what`
/// names the option.
[[nodiscard]] Result<machine::SerialConfig> parse_serial(std::string_view what,
                                                         std::string_view text);
/// "NAME=WHERE", where WHERE is as a serial line has it.
[[nodiscard]] Result<machine::PortConfig> parse_port(std::string_view text);
/// Of these and `guest_agent`'s: those that the configuration has by name get their lines, others
/// are added.
[[nodiscard]] Result<> parse_ports(const std::vector<std::string> &ports,
                                   const std::string &guest_agent, machine::MachineConfig &);
/// "[cid=N,]path=PATH"; a path may have commas.
/// "console" or as parse_serial(), and "DIR[,readonly]"; either may be empty.
[[nodiscard]] Result<> parse_semihosting(std::string_view console, std::string_view folder,
                                         std::optional<machine::SemihostingConfig> &);
[[nodiscard]] Result<machine::VsockConfig> parse_vsock(std::string_view text);
/// "on[,stats=SECONDS]" or "none".
[[nodiscard]] Result<devices::DisplayMode> parse_screen_option(std::string_view text);
[[nodiscard]] Result<devices::InputKind> parse_input(std::string_view text);
/// "none", "sdl[,in=on]" or "wav=OUT[,in=IN]".
[[nodiscard]] Result<machine::SoundConfig> parse_audio(std::string_view text);
[[nodiscard]] Result<std::optional<machine::BalloonConfig>> parse_balloon(std::string_view text);
/// "pci" or "mmio".
[[nodiscard]] Result<machine::VirtioBus> parse_bus(std::string_view text);
/// "unix:PATH": the path.
[[nodiscard]] Result<std::string> parse_qmp(std::string_view text);
/// "auto", "jit" or "interp"; empty: as it is.
[[nodiscard]] Result<> parse_accelerator(std::string_view text, machine::MachineConfig &);
/// "auto", "t1" or "t2"; empty: as it is.
[[nodiscard]] Result<> parse_tier(std::string_view text, machine::MachineConfig &);
/// "reset", "shutdown", "poweroff" or "none".
[[nodiscard]] Result<machine::WatchdogAction> parse_watchdog(std::string_view text);
/// "pause", "shutdown", "exit-failure" or "none".
[[nodiscard]] Result<machine::PanicAction> parse_panic_action(std::string_view text);
/// --cache, --cache-size and --no-cache as typed.
struct CacheTexts {
    std::string directory, size;
    bool is_off = false;
};
/// `usual` is the directory where none is given.
[[nodiscard]] Result<machine::TranslationCacheConfig> parse_cache(const CacheTexts &,
                                                                  std::string usual);
/// A number without sign, in range; `what` names the option.
[[nodiscard]] Result<unsigned> parse_count(std::string_view what, std::string_view text);
/// Seconds, with a fraction if you like, in nanoseconds.
[[nodiscard]] Result<u64> parse_seconds(std::string_view what, std::string_view text);
/// A moment of guest time, "1.5s" or in nanoseconds; "count:N" instructions; or "text:TEXT" that
/// the guest says.
[[nodiscard]] Result<machine::replay::StopPoint> parse_stop_point(std::string_view what,
                                                                  std::string_view text);
/// The options of a deterministic machine as typed.
struct DeterministicTexts {
    bool deterministic = false;
    std::string seed, schedule, until, record, record_ring, record_when;
};
[[nodiscard]] Result<> parse_deterministic(const DeterministicTexts &, machine::MachineConfig &);
/// The profiler's options as typed.
struct ProfileTexts {
    std::string path, rate, clock;
};
/// Nothing if no file is named.
[[nodiscard]] Result<std::optional<machine::ProfileConfig>> parse_profile(const ProfileTexts &);
/// A list of decode, ir, opt, asm.
[[nodiscard]] Result<> parse_trace(std::string_view text, machine::TraceConfig &);
/// "FIRST..LAST" or "FIRST+LENGTH", in any C notation.
[[nodiscard]] Result<> parse_trace_filter(std::string_view text, machine::TraceConfig &);

} // namespace tandem::app
