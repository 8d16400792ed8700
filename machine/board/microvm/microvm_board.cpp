#include "machine/board/microvm/microvm_board.h"

#include "devices/uart/ns16550.h"
#include "machine/accel/kvm/x86/start_state.h"
#include "machine/board/microvm/memory_map.h"
#include "machine/boot/acpi/microvm_tables.h"
#include "machine/boot/x86/x86_loader.h"
#include "support/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace tandem::machine {

using namespace microvm;

namespace {

/// Local APICs are numbered from 0.
std::vector<u64> apic_numbers(unsigned cpus) {
    std::vector<u64> numbers(cpus);
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
}

} // namespace

Result<std::unique_ptr<MicrovmBoard>> MicrovmBoard::create(const MachineConfig &config,
                                                           const HostBackends &backends) {
    auto host = TRY(KvmHost::open());
    auto vm = TRY(KvmVm::create(*host));
    static constexpr GuestMemory::Hole kHole{x86::kHoleStart, x86::kHoleEnd - x86::kHoleStart};
    auto ram = TRY(GuestMemory::create(GuestPhysAddr{0}, config.memory, kHole));
    std::unique_ptr<MicrovmBoard> board{
        new MicrovmBoard(config, backends, std::move(host), std::move(vm), std::move(ram))};
    TRY(board->build());
    return board;
}

MicrovmBoard::MicrovmBoard(const MachineConfig &config, const HostBackends &backends,
                           std::unique_ptr<KvmHost> host, std::unique_ptr<KvmVm> vm,
                           std::unique_ptr<GuestMemory> ram)
    : config_(config), backends_(backends), host_(std::move(host)), vm_(std::move(vm)),
      ram_(std::move(ram)), map_(*ram_), cpus_(apic_numbers(config.cpus)) {}

MicrovmBoard::~MicrovmBoard() {
    // Who calls devices goes first, then devices, each of which waits for its back end.
    doorbells_.reset();
    progress_.reset();
    slots_.clear();
    events_.reset();
    uart_.reset();
    cpus_.detach();
}

Result<> MicrovmBoard::build() {
    const std::span<std::byte> all{ram_->host(), ram_->size()};
    const u64 below_hole = std::min(ram_->size(), x86::kHoleStart);
    TRY(vm_->map(0, all.first(below_hole)));
    if (below_hole < all.size()) TRY(vm_->map(x86::kHoleEnd, all.subspan(below_hole)));
    const KvmWiring wiring{.memory = &map_, .ports = &ports_, .events = this};
    accelerator_ = TRY(KvmAccelerator::create(*vm_, wiring, config_.cpus));
    cpus_.attach(*accelerator_);
    uart_ = std::make_unique<devices::Ns16550>(*backends_.serial, clock_, line(kUartLine));
    ports_.add_device(kUartPort, *uart_);
    events_ = std::make_unique<devices::PlatformEvents>(
        line(kEventsLine),
        devices::PlatformEvents::Actions{[this] { cpus_.stop(StopReason::PowerOff); },
                                         [this] { cpus_.stop(StopReason::Reset); }});
    map_.add_device(GuestPhysAddr{kEventsBase}, *events_);
    return add_virtio();
}

Result<> MicrovmBoard::add_virtio() {
    doorbells_ = TRY(Doorbells::create(*vm_));
    virtio_ = std::make_unique<VirtioParts>(config_, backends_, clock_, ram_->size());
    for (VirtioParts::Part &part : virtio_->take()) {
        const auto slot = static_cast<unsigned>(slots_.size());
        CHECK(slot < kVirtioSlots); // check_config() has counted
        const u64 base = kVirtioBase + slot * kVirtioStride;
        TRY(vm_->use_edges(kVirtioLine + slot));
        auto &device = *slots_.emplace_back(std::make_unique<devices::VirtioMmio>(
            part.name, std::move(part.device), map_, line(kVirtioLine + slot)));
        map_.add_device(GuestPhysAddr{base}, device);
        for (u32 queue = 0; queue < device.queue_count(); ++queue)
            TRY(doorbells_->add(device, base, devices::VirtioMmio::kQueueNotify, queue));
    }
    return {};
}

std::string MicrovmBoard::command_line() const {
    // Where nothing else is said the guest speaks where somebody listens.
    if (config_.append.find("console=") != std::string::npos) return config_.append;
    const char *console = config_.serial.kind != SerialConfig::Kind::None ? "console=ttyS0"
                          : backends_.console != nullptr                  ? "console=hvc0"
                                                                          : "";
    if (*console == '\0') return config_.append;
    return config_.append.empty() ? console : fmt::format("{} {}", console, config_.append);
}

Result<CpuStart> MicrovmBoard::load() {
    const MicrovmTables tables =
        build_microvm_tables(x86::kTables, config_.cpus, static_cast<unsigned>(slots_.size()));
    x86::BootFiles files{.kernel = config_.kernel,
                         .initrd = config_.initrd,
                         .append = command_line(),
                         .rng_seed = {},
                         .acpi = tables.root};
    backends_.entropy->fill(files.rng_seed);
    const x86::Entry entry = TRY(x86::load_kernel(files, *ram_));
    CHECK(tables.bytes.size() <= x86::kTablesEnd - x86::kTables);
    std::ranges::copy(std::as_bytes(std::span(tables.bytes)),
                      ram_->span(GuestPhysAddr{x86::kTables}, tables.bytes.size()).begin());
    x86::write_start_tables(ram_->span(GuestPhysAddr{0}, x86::kLowEnd));
    CpuStart start{.entry = entry.address, .arguments = {}};
    start.arguments[x86::kStartInfo] = entry.info;
    start.arguments[x86::kStartProtocol] = static_cast<u64>(entry.protocol);
    return start;
}

Result<> MicrovmBoard::prepare() {
    if (std::exchange(is_prepared_, true)) return {};
    cpus_.start(TRY(load()));
    // The others wait inside KVM until CPU 0 calls them.
    for (u32 cpu = 1; cpu < config_.cpus; ++cpu) CHECK(cpus_.power_on(cpu, 0, 0));
    doorbells_->start();
    progress_ = std::make_unique<ProgressWatch>(
        clock_, [this] { return accelerator_->exits(); },
        [](const std::string &line) { fmt::print(stderr, "tandem: {}\r\n", line); });
    is_running_ = true;
    return {};
}

Result<StopReason> MicrovmBoard::run() {
    TRY(prepare());
    const StopReason reason = cpus_.run();
    const std::lock_guard lock(failure_mutex_);
    if (failure_.has_value()) return std::unexpected(*failure_);
    return reason;
}

void MicrovmBoard::cpu_shut_down() {
    cpus_.stop(StopReason::Reset);
}

void MicrovmBoard::cpu_failed(Error error) {
    {
        const std::lock_guard lock(failure_mutex_);
        if (!failure_.has_value()) failure_ = std::move(error);
    }
    cpus_.stop(StopReason::Failure);
}

template <typename Action>
void MicrovmBoard::for_each_device(Action action) {
    action(*uart_);
    action(*events_);
    for (const auto &slot : slots_) action(*slot);
}

void MicrovmBoard::pause() {
    // Nobody asks devices for anything more, then no timer does, then they finish.
    cpus_.pause();
    const std::lock_guard lock(hold_mutex_);
    if (holds_++ != 0) return;
    clock_.pause();
    for_each_device([](devices::MmioDevice &device) { device.pause(); });
}

void MicrovmBoard::resume(GuestClock clock) {
    {
        const std::lock_guard lock(hold_mutex_);
        if (--holds_ == 0) {
            for_each_device([](devices::MmioDevice &device) { device.resume(); });
            if (clock == GuestClock::Runs) clock_.resume();
        }
    }
    cpus_.resume();
}

std::vector<int> MicrovmBoard::cpu_threads() const {
    std::vector<int> threads;
    for (u32 cpu = 0; cpu < config_.cpus; ++cpu) threads.push_back(cpus_.thread_id(cpu));
    return threads;
}

bool MicrovmBoard::is_cpu_on(u32 cpu) const {
    return cpus_.power_of(cpu) == PowerControl::CpuPower::On;
}

std::string MicrovmBoard::statistics_report() const {
    return accelerator_->statistics_report();
}

} // namespace tandem::machine
