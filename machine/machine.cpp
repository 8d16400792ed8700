#include "machine/machine.h"

#include "machine/board/create_board.h"
#include "machine/board/memory_map.h"
#include "machine/boot/file_bytes.h"
#include "machine/control/qmp_server.h"
#include "machine/debug/gdb/gdb_server.h"
#include "machine/display/open_displays.h"
#include "machine/host/flash_file.h"
#include "machine/host/logged_char.h"
#include "machine/host/net/silent_net.h"
#include "machine/host/net/stream_net.h"
#include "machine/host/net/tap_net.h"
#include "machine/host/net/user_net.h"
#include "machine/host/vsock/host_vsock.h"
#include "machine/machine_debug.h"
#include "machine/machine_hotplug.h"
#include "machine/machine_move.h"
#include "machine/screen/screen_config.h"
#include "machine/sensors/sensor_text.h"
#include "machine/snapshot/catalog.h"
#include "machine/sound/open_sound.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tandem::machine {

Result<std::unique_ptr<Machine>> Machine::create(const MachineConfig &config,
                                                 std::unique_ptr<move::Arrival> arrival) {
    TRY(check_config(config));
    std::unique_ptr<Machine> machine{new Machine(config)};
    if (!config.incoming.empty()) {
        machine->arrival_ =
            arrival != nullptr ? std::move(arrival) : TRY(move::Arrival::open(config.incoming));
        machine->phase_ = Phase::Coming;
    }
    if (!config.restore.empty()) machine->start_from_ = TRY(machine->open_saved(config.restore));
    TRY(machine->open_backends());
    TRY(machine->open_session());
    TRY(machine->open_profiler());
    TRY(machine->open_displays());
    return machine;
}

/// Any thread; the machine's mutex makes one thing of each request.
class Machine::Control final : public MachineControl {
public:
    explicit Control(Machine &machine) : machine_(machine) {}

    RunState run_state() const override {
        const std::lock_guard lock(machine_.mutex_);
        if (machine_.has_ended_) return RunState::Shutdown;
        switch (machine_.phase_.load()) {
        case Phase::Coming: return RunState::InMigrate;
        case Phase::Leaving: return RunState::FinishMigrate;
        case Phase::Gone: return RunState::PostMigrate;
        case Phase::Here: break;
        }
        if (machine_.paused_) return machine_.has_run_ ? RunState::Paused : RunState::Prelaunch;
        return RunState::Running; // or about to
    }
    std::string machine_name() const override { return machine_.config_.name; }
    std::vector<int> cpu_threads() const override {
        const std::lock_guard lock(machine_.mutex_);
        if (machine_.board_ == nullptr) return std::vector<int>(machine_.config_.cpus);
        return machine_.board_->cpu_threads();
    }
    std::vector<ControlledDisk> disks() const override {
        const std::lock_guard lock(machine_.mutex_);
        std::vector<ControlledDisk> disks;
        for (std::size_t i = 0; i < machine_.disks_.size(); ++i) {
            const DiskConfig &config = machine_.config_.disks[i];
            const HostDisk &disk = *machine_.disks_[i];
            disks.push_back({.name = config.node,
                             .path = config.path,
                             .format = std::string{format_name(disk.format())},
                             .size = disk.size(),
                             .read_only = disk.read_only(),
                             .uses_page_cache = config.cache != CacheMode::None &&
                                                config.cache != CacheMode::Directsync,
                             .ignores_flushes = config.cache == CacheMode::Unsafe,
                             .writes_back = config.cache != CacheMode::Writethrough &&
                                            config.cache != CacheMode::Directsync});
        }
        return disks;
    }
    void pause() override { machine_.pause(); }
    Result<> resume() override { return machine_.resume(); }
    void press_power_key() override { machine_.press_power_key(); }
    void reset() override { machine_.reset(); }
    DebugTarget &debug_target() override { return *machine_.debugged_; }
    Result<> serve_debugger(const std::optional<GdbAddress> &where) override {
        return machine_.serve_debugger(where);
    }
    void quit() override { machine_.stop({StopReason::Quit, 0}, EventCause::ControlQuit); }

    std::vector<ControlledSnapshot> snapshots() const override {
        std::vector<ControlledSnapshot> list;
        for (const snapshot::CatalogEntry &entry : catalog_.entries())
            list.push_back({.tag = entry.tag,
                            .bytes = entry.bytes,
                            .seconds = entry.seconds,
                            .guest_ns = entry.guest_ns,
                            .based_on = entry.based_on,
                            .damage = entry.damage});
        return list;
    }
    Result<SnapshotReport> save_snapshot(const std::string &tag, SameTag same) override {
        const std::string path = TRY(catalog_.path_of(tag));
        if (same == SameTag::Refuse && catalog_.find(tag).has_value())
            return failure(fmt::format("{}: there is a snapshot of that tag; remove it first, or "
                                       "take another",
                                       tag));
        const Saved saved = TRY(machine_.save(path));
        return SnapshotReport{saved.bytes, saved.pause_ns, saved.based_on};
    }
    Result<> load_snapshot(const std::string &tag) override {
        return machine_.load(TRY(catalog_.find(tag)));
    }
    Result<> delete_snapshot(const std::string &tag) override {
        return machine_.remove_snapshot(tag);
    }

    Result<> add_disk(const BlockNode &node) override { return machine_.hotplug_->add_disk(node); }
    Result<> remove_disk(const std::string &node) override {
        return machine_.hotplug_->remove_disk(node);
    }
    Result<> add_net(const NetdevConfig &net) override { return machine_.hotplug_->add_net(net); }
    Result<> remove_net(const std::string &id) override {
        return machine_.hotplug_->remove_net(id);
    }
    Result<> add_forward(const std::string &netdev, const HostForward &forward) override {
        return machine_.hotplug_->add_forward(netdev, forward);
    }
    Result<> remove_forward(const std::string &netdev, const HostForward &forward) override {
        return machine_.hotplug_->remove_forward(netdev, forward);
    }
    Result<> plug(const DeviceRequest &request) override {
        return machine_.hotplug_->plug(request);
    }
    Result<> unplug(const std::string &id) override { return machine_.hotplug_->unplug(id); }
    std::vector<PluggedDevice> devices() const override {
        const std::lock_guard lock(machine_.mutex_);
        return machine_.config_.plugged;
    }
    std::vector<devices::PciFunctionView> pci_functions() const override {
        const std::lock_guard control(machine_.control_mutex_);
        const std::lock_guard lock(machine_.mutex_);
        return machine_.board_ != nullptr ? machine_.board_->pci_functions()
                                          : std::vector<devices::PciFunctionView>{};
    }
    std::optional<BalloonInfo> balloon() const override {
        const std::lock_guard lock(machine_.mutex_);
        if (machine_.board_ == nullptr) return std::nullopt;
        return machine_.board_->balloon();
    }
    Result<> set_balloon(u64 bytes) override { return machine_.set_balloon(bytes); }
    Result<> send_input(std::span<const InputAction> actions) override {
        return machine_.send_input(actions);
    }
    Result<> press_keys(std::vector<u16> codes, u64 hold_ns) override {
        return machine_.press_keys(std::move(codes), hold_ns);
    }
    std::vector<PointerInfo> pointers() const override { return machine_.input_->pointers(); }
    const Screen &screen() const override { return machine_.screen_; }
    Result<> set_screen(u32 output, const devices::DisplayMode &mode) override {
        return machine_.change_screen(output, mode);
    }
    std::optional<devices::QuantityValues> sensors() const override {
        const std::lock_guard lock(machine_.mutex_);
        return machine_.board_ != nullptr ? machine_.board_->sensors() : machine_.config_.sensors;
    }
    Result<> set_sensor(devices::Quantity quantity, const devices::QuantityValue &value) override {
        return machine_.set_sensor(quantity, value);
    }
    std::optional<VncInfo> vnc() const override {
        if (machine_.vnc_ == nullptr) return std::nullopt;
        return machine_.vnc_->info();
    }
    Result<> set_vnc_password(const std::string &password) override {
        if (machine_.vnc_ == nullptr || !machine_.config_.display.vnc->has_password)
            return failure("Could not set password");
        machine_.vnc_->set_password(password);
        return {};
    }
    std::string link() const override {
        const std::lock_guard lock(machine_.mutex_);
        return to_text(machine_.config_.net.link);
    }
    Result<> change_link(const std::string &settings) override {
        return machine_.change_link(settings);
    }
    Result<std::string> dump_recording() override { return machine_.dump_recording(); }

    Result<> move(const std::string &where) override { return machine_.move(where); }
    void cancel_move() override {
        if (const auto departure = machine_.departure(); departure != nullptr) departure->cancel();
    }
    MoveReport move_report() const override {
        const auto departure = machine_.departure();
        return departure != nullptr ? departure->report() : MoveReport{};
    }
    MoveParameters move_parameters() const override {
        const std::lock_guard lock(machine_.mutex_);
        return machine_.move_parameters_;
    }
    void set_move_parameters(const MoveParameters &parameters) override {
        {
            const std::lock_guard lock(machine_.mutex_);
            machine_.move_parameters_ = parameters;
        }
        if (const auto departure = machine_.departure(); departure != nullptr)
            departure->set_parameters(parameters);
    }

private:
    Machine &machine_;
    const snapshot::Catalog catalog_{machine_.config_.snapshots};
};

Machine::Machine(const MachineConfig &config)
    : config_(config), input_(std::make_unique<InputHub>(config.inputs)),
      screen_(config.screens.size()) {
    watcher_ = std::make_unique<Watcher>(
        config.timeout_ns,
        [this](int signal) { stop({StopReason::Signal, signal}, EventCause::Signal); },
        [this] { stop({StopReason::Timeout, 0}, EventCause::Signal); });
    pauser_ = std::make_unique<Errand>([this] { pause(); });
    control_ = std::make_unique<Control>(*this);
    debugged_ = std::make_unique<Debugged>(*this);
    hotplug_ = std::make_unique<Hotplug>(*this);
    for (std::size_t i = 0; i < config_.disks.size(); ++i)
        if (config_.disks[i].node.empty()) config_.disks[i].node = fmt::format("disk{}", i);
    paused_ = config.starts_stopped;
}

Machine::~Machine() {
    {
        const std::lock_guard lock(mutex_);
        has_ended_ = true; // if it has never run
    }
    changed_.notify_all();
    {
        const std::lock_guard lock(gdb_mutex_);
        gdb_is_over_ = true;
    }
    static_cast<void>(serve_debugger(std::nullopt));
}

Result<std::unique_ptr<devices::Char>> Machine::open_line(const SerialConfig &config,
                                                          const LineUse &use) {
    if (!config.log.empty()) {
        SerialConfig without_log = config;
        without_log.log.clear();
        return LoggedChar::create(TRY(open_line(without_log, use)), config.log);
    }
    switch (config.kind) {
    case SerialConfig::Kind::Stdio: return create_stdio_serial(*this);
    case SerialConfig::Kind::None: break;
    case SerialConfig::Kind::File: return create_file_serial(config.path);
    case SerialConfig::Kind::Pty: return create_pty_serial(use);
    case SerialConfig::Kind::Tcp: return create_tcp_serial(use, config.address, config.port);
    case SerialConfig::Kind::Unix: return create_unix_serial(use, config.path);
    }
    return std::make_unique<devices::Char>();
}

Result<> Machine::open_flash() {
    auto code = TRY(MemoryFlash::create(kFlashBankSize));
    // A snapshot has the cells, and so has a machine that comes.
    const bool is_empty = start_from_.has_value() || arrival_ != nullptr;
    if (!config_.bios.empty() && !is_empty) {
        const FileBytes firmware = TRY(FileBytes::read(config_.bios, kFlashBankSize + 1));
        if (firmware.size() > kFlashBankSize)
            return failure(fmt::format("{}: larger than the flash bank ({}); use firmware built "
                                       "for the virt board",
                                       config_.bios, human_size(kFlashBankSize)));
        std::ranges::copy(firmware.span(), code->cells().begin());
    }
    flash_[0] = std::move(code);
    if (config_.nvram.empty() || config_.leaves_files_alone()) {
        auto variables = TRY(MemoryFlash::create(kFlashBankSize));
        if (!config_.nvram.empty()) {
            const FileBytes saved = TRY(FileBytes::read(config_.nvram, kFlashBankSize));
            std::ranges::copy(saved.span(), variables->cells().begin());
        }
        flash_[1] = std::move(variables);
    } else if (arrival_ != nullptr) {
        flash_[1] = TRY(FlashFile::open_released(config_.nvram, kFlashBankSize));
    } else {
        flash_[1] = TRY(FlashFile::open(config_.nvram, kFlashBankSize));
    }
    return {};
}

Result<> Machine::open_net() {
    const NetConfig &wanted = config_.net;
    if (wanted.kind == NetConfig::Kind::None) return {};
    if (!config_.meets_host()) {
        net_ = std::make_unique<SilentNet>(wanted);
        return {};
    }
    switch (wanted.kind) {
    case NetConfig::Kind::None: break;
    case NetConfig::Kind::User: {
        auto net =
            TRY(UserNet::create(wanted, arrival_ != nullptr ? Forwards::Closed : Forwards::Open));
        user_net_ = net.get();
        net_ = std::move(net);
        break;
    }
    case NetConfig::Kind::Passt:
    case NetConfig::Kind::Stream: net_ = TRY(StreamNet::create(wanted)); break;
    case NetConfig::Kind::Tap: net_ = TRY(TapNet::create(wanted)); break;
    }
    return {};
}

Result<> Machine::open_backends() {
    for (const DiskConfig &disk : config_.disks) {
        const bool overlay = !disk.readonly && (disk.snapshot || config_.leaves_files_alone());
        const DiskOptions options{disk.readonly,
                                  overlay,
                                  disk.serial.empty() ? disk.node : disk.serial,
                                  disk.format,
                                  disk.cache,
                                  arrival_ != nullptr ? DiskStart::Released : DiskStart::Acquired};
        disks_.push_back(TRY(HostDisk::open(disk.path, options)));
    }
    if (start_from_.has_value()) TRY(check_disks(*start_from_));
    TRY(open_flash());
    TRY(open_net());
    for (const NetdevConfig &netdev : config_.netdevs)
        netdevs_.push_back(TRY(
            UserNet::create(netdev.net, arrival_ != nullptr ? Forwards::Closed : Forwards::Open)));
    if (config_.vsock.has_value()) {
        if (config_.vsock->path.empty() || !config_.meets_host())
            vsock_ = std::make_unique<devices::Vsock>();
        else
            vsock_ = TRY(HostVsock::create(config_.vsock->path));
    }
    if (config_.sound.has_value()) sound_ = TRY(open_sound(*config_.sound));
    for (const ShareConfig &share : config_.shares) shares_.push_back(TRY(HostShare::open(share)));
    if (!config_.control.empty()) server_ = TRY(QmpServer::create(config_.control, *control_));
    if (config_.gdb.has_value()) TRY(serve_debugger(config_.gdb));
    // Last, because they may change the terminal.
    serial_ = TRY(open_line(config_.serial, kSerialLine));
    if (config_.console.has_value()) console_ = TRY(open_line(*config_.console, kConsoleLine));
    if (config_.semihosting.has_value() && config_.semihosting->line.has_value())
        semihosting_ = TRY(open_line(*config_.semihosting->line, kSemihostingLine));
    for (const PortConfig &port : config_.ports)
        ports_.push_back(TRY(open_line(port.line, kPortLine)));
    return {};
}

Result<> Machine::open_profiler() {
    if (!config_.profile.has_value()) return {};
    const std::string &what = !config_.name.empty()     ? config_.name
                              : !config_.kernel.empty() ? config_.kernel
                                                        : config_.bios;
    profiler_ = TRY(profile::Profiler::create(*config_.profile, config_.symbols, what));
    return {};
}

Result<> Machine::open_displays() {
    if (!config_.display.any()) return {};
    const DisplayWiring wiring{.machine = *control_,
                               .inputs = config_.inputs,
                               .screens = config_.screens,
                               .title = config_.name.empty() ? "Tandem" : config_.name};
    if (config_.display.vnc.has_value()) vnc_ = TRY(open_vnc(*config_.display.vnc, wiring));
    if (config_.display.sdl.has_value()) windows_ = TRY(open_windows(*config_.display.sdl, wiring));
    return {};
}

Result<std::string> Machine::finish_profile() {
    return profiler_ != nullptr ? profiler_->finish() : Result<std::string>{};
}

void Machine::tell(MachineEvent event, EventCause cause) {
    if (server_ != nullptr) server_->machine_event(event, cause);
    const std::lock_guard lock(gdb_mutex_);
    if (gdb_ != nullptr) gdb_->machine_event(event, cause);
}

Result<> Machine::serve_debugger(const std::optional<GdbAddress> &where) {
    if (config_.deterministic.has_value() && !config_.deterministic->record.empty())
        return failure("--gdb: what a debugger changes is not recorded; attach it to the replay: "
                       "tandem replay F --gdb ADDR:PORT");
    std::shared_ptr<GdbServer> previous; // goes without the mutex: its thread may want it
    {
        const std::lock_guard lock(gdb_mutex_);
        if (gdb_ != nullptr && gdb_->is_own_thread())
            return failure("gdbserver: this debugger is connected to it; detach first");
        previous = std::exchange(gdb_, nullptr);
    }
    previous.reset();
    if (!where.has_value()) return {};
    std::shared_ptr<GdbServer> server = TRY(GdbServer::create(*where, *debugged_));
    const std::lock_guard lock(gdb_mutex_);
    if (gdb_is_over_) return failure("gdbserver: the machine has ended; start it again");
    gdb_ = std::move(server);
    return {};
}

void Machine::stop(RunOutcome outcome, EventCause cause) {
    const std::lock_guard lock(mutex_);
    if (outcome_.reason == StopReason::None) {
        outcome_ = outcome;
        cause_ = cause;
    }
    if (board_ != nullptr) board_->stop(outcome.reason);
    if (session_ != nullptr) session_->give_up();
    if (arrival_ != nullptr) arrival_->cancel();
}

void Machine::watchdog_expired() {
    const std::string_view action = name_of(*config_.watchdog);
    fmt::print(stderr, "tandem: the guest's watchdog has expired: {}\r\n", action);
    if (flight_ != nullptr) flight_->dump_after(1, "the guest's watchdog has expired");
    if (server_ != nullptr) server_->watchdog_event(action);
}

void Machine::guest_panicked(devices::GuestPanic event) {
    const bool is_looked_into = event == devices::GuestPanic::CrashLoaded;
    const PanicAction action = is_looked_into ? PanicAction::None : *config_.on_panic;
    fmt::print(stderr, "tandem: the guest has panicked: {}\r\n",
               is_looked_into ? "its crash kernel takes over" : name_of(action));
    // Where the machine ends, so does its recording.
    const bool goes_on = action == PanicAction::Pause || action == PanicAction::None;
    if (flight_ != nullptr && goes_on) flight_->dump_after(1, "the guest has panicked");
    if (server_ != nullptr) server_->panic_event(event, action);
    // A replay does as its recording does, whose guest time stood still.
    if (action == PanicAction::Pause && !config_.is_replay()) pauser_->ask();
}

void Machine::port_changed(std::string_view port, bool is_open) {
    if (server_ != nullptr) server_->port_event(port, is_open);
}

void Machine::press_power_key() {
    const std::lock_guard control(control_mutex_);
    const std::lock_guard lock(mutex_);
    if (session_ != nullptr)
        session_->post({replay::Command::Kind::PressPowerKey});
    else if (board_ != nullptr)
        board_->press_power_key();
    tell(MachineEvent::PowerDown);
}

Result<> Machine::set_balloon(u64 bytes) {
    const std::lock_guard lock(mutex_);
    if (board_ == nullptr) return failure("balloon: the machine does not run; start it first");
    if (session_ != nullptr && !session_->is_live())
        return failure("balloon: a replay does as its recording does; leave it alone");
    if (session_ != nullptr)
        session_->post({replay::Command::Kind::SetBalloon, fmt::format("{}", bytes)});
    else
        board_->set_balloon(bytes);
    return {};
}

Result<> Machine::change_link(std::string_view settings) {
    const std::lock_guard lock(mutex_);
    if (config_.net.kind == NetConfig::Kind::None)
        return failure("link: the machine has no network card; start it with one");
    if (session_ != nullptr && !session_->is_live())
        return failure("link: a replay does as its recording does; leave it alone");
    LinkConfig link = config_.net.link;
    TRY(apply_link_settings(settings, link));
    if (session_ != nullptr) {
        session_->post({replay::Command::Kind::SetLink, std::string(settings)});
        return {};
    }
    config_.net.link = link;
    if (board_ != nullptr) board_->set_link(link);
    return {};
}

Result<> Machine::check_touchable(std::string_view what) const {
    if (session_ == nullptr || session_->is_live()) return {};
    return failure(fmt::format("{}: a replay does as its recording does; leave it alone", what));
}

Result<> Machine::change_screen(u32 output, const devices::DisplayMode &mode) {
    TRY(check_touchable("screen"));
    if (session_ != nullptr)
        session_->post(
            {replay::Command::Kind::SetScreen, fmt::format("{} {}", output, to_text(mode))});
    else
        set_screen(output, mode);
    return {};
}

void Machine::set_screen(u32 output, const devices::DisplayMode &mode) {
    const std::lock_guard lock(mutex_);
    if (output >= config_.screens.size()) return;
    config_.screens[output] = mode;
    if (board_ != nullptr) board_->set_screen(output, mode);
}

Result<> Machine::set_sensor(devices::Quantity quantity, const devices::QuantityValue &value) {
    TRY(check_touchable("sensor"));
    if (session_ != nullptr) {
        session_->post({replay::Command::Kind::SetSensor,
                        fmt::format("{} {}", info_of(quantity).name, to_text(quantity, value))});
        return {};
    }
    const std::lock_guard lock(mutex_);
    if (board_ != nullptr)
        board_->set_sensor(quantity, value);
    else if (config_.sensors.has_value())
        (*config_.sensors)[quantity] = value; // of the board to come
    return {};
}

Result<> Machine::send_input(std::span<const InputAction> actions) {
    TRY(check_touchable("input"));
    return input_->send(actions);
}

Result<> Machine::press_keys(std::vector<u16> codes, u64 hold_ns) {
    TRY(check_touchable("send-key"));
    return input_->press_keys(std::move(codes), hold_ns);
}

void Machine::set_link(const LinkConfig &link) {
    const std::lock_guard lock(mutex_);
    config_.net.link = link;
    if (board_ != nullptr) board_->set_link(link);
}

void Machine::pause() {
    const std::lock_guard control(control_mutex_);
    pause_board();
}

Result<> Machine::resume() {
    const std::lock_guard control(control_mutex_);
    if (phase_ == Phase::Gone) {
        TRY(acquire_files());
        set_phase(Phase::Here);
    }
    resume_board(GuestClock::Runs);
    return {};
}

void Machine::pause_board() {
    const std::lock_guard lock(mutex_);
    if (std::exchange(paused_, true)) return;
    if (board_ != nullptr) board_->pause();
    tell(MachineEvent::Stop);
}

void Machine::resume_board(GuestClock clock) {
    const std::lock_guard lock(mutex_);
    if (phase_ == Phase::Leaving || phase_ == Phase::Gone) return;
    if (!std::exchange(paused_, false)) return;
    has_run_ = true;
    if (board_ != nullptr) {
        board_->end_hold();
        board_->resume(clock);
    }
    tell(MachineEvent::Resume);
}

void Machine::reset() {
    const std::lock_guard lock(mutex_);
    if (board_ == nullptr) return;
    reset_by_control_ = true;
    if (session_ != nullptr)
        session_->post({replay::Command::Kind::Reset});
    else
        board_->stop(StopReason::Reset);
}

bool Machine::goes_on_after(StopReason reason) {
    if (reason == StopReason::Replaced && outcome_.reason == StopReason::None) return true;
    const bool resets = reason == StopReason::Reset && outcome_.reason == StopReason::None;
    const EventCause cause = outcome_.reason != StopReason::None ? cause_
                             : reason == StopReason::Panicked    ? EventCause::GuestPanic
                             : !resets                           ? EventCause::GuestShutdown
                             : reset_by_control_                 ? EventCause::ControlReset
                                                                 : EventCause::GuestReset;
    reset_by_control_ = false;
    const bool goes_on = resets && config_.reboot_allowed;
    has_ended_ = !goes_on;
    tell(goes_on ? MachineEvent::Reset : MachineEvent::Shutdown, cause);
    return goes_on;
}

Result<RunOutcome> Machine::run() {
    auto outcome = run_boards();
    {
        const std::lock_guard lock(mutex_);
        has_ended_ = true; // also where no board could be made
    }
    changed_.notify_all();
    loaded(failure("the machine has ended"));
    debugged_->give_up();
    return outcome;
}

HostBackends Machine::backends() {
    HostBackends backends;
    backends.serial = serial_.get();
    backends.console = console_.get();
    backends.semihosting = semihosting_.get();
    backends.guest_exited = [this](u8 status) { exit_status_ = status; };
    for (const auto &port : ports_) backends.ports.push_back(port.get());
    backends.port_changed = [this](std::string_view port, bool is_open) {
        port_changed(port, is_open);
    };
    for (const auto &disk : disks_) backends.disks.push_back(disk.get());
    for (std::size_t i = 0; i < flash_.size(); ++i) backends.flash[i] = flash_[i].get();
    backends.net = net_.get();
    for (const auto &net : netdevs_) backends.netdevs.push_back(net.get());
    backends.vsock = vsock_.get();
    for (const auto &share : shares_) backends.shares.push_back(share.get());
    if (!config_.screens.empty()) backends.display = &screen_;
    backends.sound = sound_.get();
    for (std::size_t i = 0; i < input_->size(); ++i) backends.inputs.push_back(&input_->device(i));
    backends.entropy = &entropy_;
    backends.balloon_changed = [this](u64 actual) {
        if (server_ != nullptr) server_->balloon_event(actual);
    };
    backends.watchdog_expired = [this] { watchdog_expired(); };
    backends.guest_panicked = [this](devices::GuestPanic event) { guest_panicked(event); };
    backends.slot_answered = [this](u32 port, devices::SlotAnswer answer) {
        hotplug_->slot_answered(port, answer);
    };
    backends.profiler = profiler_.get();
    return backends;
}

std::vector<UserNet *> Machine::user_nets() const {
    std::vector<UserNet *> nets;
    if (user_net_ != nullptr) nets.push_back(user_net_);
    for (const auto &net : netdevs_) nets.push_back(net.get());
    return nets;
}

Result<RunOutcome> Machine::run_boards() {
    // Those of a deterministic machine are made once, and stay.
    HostBackends wrapped;
    if (session_ != nullptr) wrapped = session_->wrap(backends());
    open_timeline();
    bool was_reset = false;
    for (;;) {
        if (was_reset) hotplug_->finish_removals();
        const auto board = TRY(create_board(config_, session_ != nullptr ? wrapped : backends()));
        if (session_ != nullptr) session_->set_board(board.get());
        {
            const std::lock_guard lock(mutex_);
            board->set_link(config_.net.link);
        }
        TRY(restore(*board));
        if (const auto arrived = arrive(*board); !arrived.has_value()) {
            const std::lock_guard lock(mutex_);
            if (outcome_.reason == StopReason::None) return std::unexpected(arrived.error());
            static_cast<void>(goes_on_after(outcome_.reason)); // it does not, and says so
            return outcome_;
        }
        TRY(board->prepare());
        if (!std::exchange(is_announced_, true) && !config_.accelerator_line.empty())
            fmt::print(stderr, "tandem: {}\r\n", config_.accelerator_line);
        if (session_ != nullptr) TRY(follow_board(*board));
        debugged_->equip(*board);
        {
            const std::lock_guard lock(mutex_);
            if (outcome_.reason != StopReason::None) {
                static_cast<void>(goes_on_after(outcome_.reason)); // it does not, and says so
                return outcome_;
            }
            board_ = board.get();
            start_from_.reset();
            if (const auto link = board->link(); link.has_value()) config_.net.link = *link;
            // A reset does not start what was stopped, and stops what is debugged.
            const bool travels = timeline_ != nullptr && timeline_->travels();
            const bool stops =
                has_run_ && debugged_->is_attached() && !travels && !std::exchange(paused_, true);
            if (paused_)
                board->pause();
            else
                has_run_ = true;
            if (stops) tell(MachineEvent::Stop);
        }
        changed_.notify_all();
        loaded({});
        auto reason = board->run();
        while (reason.has_value() && stays_at_end(*board, *reason)) reason = board->run();
        if (const auto leaving = departure(); leaving != nullptr)
            leaving->leave_board("the guest was reset, or has ended; move it when it runs");
        const std::lock_guard control(control_mutex_);
        {
            const std::lock_guard lock(mutex_);
            board_ = nullptr;
            config_.sensors = board->sensors(); // a reset leaves the world as it is
        }
        if (config_.statistics) statistics_ = board->statistics_report();
        if (config_.statistics && session_ != nullptr && reason.has_value()) {
            statistics_ += session_->report();
            if (flight_ != nullptr) statistics_ += flight_->report();
        }
        if (!reason.has_value()) return std::unexpected(reason.error());
        {
            const std::lock_guard lock(mutex_);
            was_reset = *reason == StopReason::Reset;
            if (goes_on_after(*reason) && !failure_.has_value()) continue;
            if (outcome_.reason == StopReason::None) outcome_.reason = *reason;
            outcome_.status = exit_status_;
        }
        if (session_ != nullptr) finish_recording(*reason);
        const std::lock_guard lock(mutex_);
        if (failure_.has_value()) return std::unexpected(*failure_);
        // The recording ends there, too.
        if (replay_result_.verdict == replay::Verdict::Finished) outcome_.reason = *reason;
        return outcome_;
    }
}

} // namespace tandem::machine
