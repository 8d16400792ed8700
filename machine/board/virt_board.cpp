#include "machine/board/virt_board.h"

#include "devices/flash/cfi_flash.h"
#include "devices/fwcfg/fw_cfg.h"
#include "devices/gpio/pl061.h"
#include "devices/gpio/power_key.h"
#include "devices/i2c/dw_i2c.h"
#include "devices/panic/pv_panic.h"
#include "devices/pcie/host_bridge.h"
#include "devices/rtc/pl031.h"
#include "devices/sensors/sensor_set.h"
#include "devices/sound/hda_controller.h"
#include "devices/uart/pl011.h"
#include "devices/virtio/transport/virtio_mmio.h"
#include "devices/virtio/transport/virtio_pci.h"
#include "devices/watchdog/sbsa_watchdog.h"
#include "frontend-arm/state/pstate.h"
#include "machine/board/memory_map.h"
#include "machine/board/stop_relay.h"
#include "machine/boot/acpi/acpi_tables.h"
#include "machine/boot/acpi/smbios.h"
#include "machine/boot/boot_loader.h"
#include "machine/boot/file_bytes.h"
#include "machine/link/shaped_net.h"
#include "support/check.h"
#include "support/zeros.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace tandem::machine {
namespace {

std::vector<u64> affinities_of(const MachineConfig &config) {
    std::vector<u64> affinities;
    for (unsigned i = 0; i < config.cpus; ++i)
        affinities.push_back(arm::mpidr_of(i, config.gic_version == 3));
    return affinities;
}

struct ClockState {
    static constexpr u32 kVersion = 1;
    u64 now_ns = 0;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.now_ns);
    }
};

} // namespace

class VirtBoard::RandomNumbers final : public arm::Entropy {
public:
    explicit RandomNumbers(devices::Entropy &source) : source_(source) {}
    bool random(u64 &value, bool) override {
        source_.fill(std::as_writable_bytes(std::span(&value, 1)));
        return true;
    }

private:
    devices::Entropy &source_;
};

Result<std::unique_ptr<VirtBoard>> VirtBoard::create(const MachineConfig &config,
                                                     const HostBackends &backends) {
    auto ram = TRY(GuestMemory::create(GuestPhysAddr{kRamBase}, config.memory));
    std::unique_ptr<VirtBoard> board{new VirtBoard(config, backends, std::move(ram))};
    TRY(board->build());
    return board;
}

VirtBoard::VirtBoard(const MachineConfig &config, const HostBackends &backends,
                     std::unique_ptr<GuestMemory> ram)
    : config_(config), backends_(backends),
      host_clock_(backends.clock == nullptr ? std::make_unique<HostClock>() : nullptr),
      clock_(host_clock_ != nullptr ? *host_clock_ : *backends.clock), ram_(std::move(ram)),
      written_(ram_->dirty_log()), map_(*ram_), affinities_(affinities_of(config)),
      cpus_(affinities_, backends.sequencer), psci_(cpus_, kRamBase + ram_->size()),
      random_(std::make_unique<RandomNumbers>(*backends.entropy)),
      interrupts_(
          InterruptController::create(config.gic_version, affinities_, cpus_, cpus_, map_)) {}

VirtBoard::~VirtBoard() {
    // Timers call devices, devices call CPUs, CPUs need the accelerator: in that order. A device
    // waits for its back end.
    power_key_.reset();
    semihosting_.reset();
    pcie_.reset();
    devices_.clear();
    cpus_.detach();
    ram_->set_source(nullptr);
}

Result<> VirtBoard::build() {
    TRY(add_semihosting());
    TRY(add_accelerator());
    cpus_.attach(*accelerator_);
    if (semihosting_ != nullptr) semihosting_->listen();
    interrupts_->map_into(map_);
    add_flash();
    add_device(kUart.base, kUartSpi,
               std::make_unique<devices::Pl011>(*backends_.serial, clock_, line(kUartSpi)));
    add_device(kRtc.base, kRtcSpi, std::make_unique<devices::Pl031>(clock_, line(kRtcSpi)));
    auto gpio = std::make_unique<devices::Pl061>(line(kGpioSpi));
    power_key_ = std::make_unique<devices::PowerKey>(*gpio, clock_);
    add_device(kGpio.base, kGpioSpi, std::move(gpio));
    if (config_.watchdog.has_value())
        add_device(kWatchdog.base, kWatchdogSpi,
                   std::make_unique<devices::SbsaWatchdog>(clock_, line(kWatchdogSpi),
                                                           [this] { watchdog_expired(); }));
    add_sensors();
    auto fw_cfg = std::make_unique<devices::FwCfg>(map_);
    fw_cfg_ = fw_cfg.get();
    fw_cfg_->add_item(devices::FwCfg::kCpuCount, config_.cpus);
    add_device(kFwCfg.base, 0, std::move(fw_cfg));
    add_pcie();
    add_virtio();
    if (backends_.sound != nullptr)
        CHECK(pcie_->add(std::make_unique<devices::HdaController>(clock_, map_, *backends_.sound)));
    if (config_.on_panic.has_value())
        CHECK(pcie_->add(std::make_unique<devices::PvPanic>(
            clock_, [this](devices::GuestPanic event) { guest_panicked(event); })));
    add_plugged();
    return {};
}

void VirtBoard::add_device(u64 base, u32 spi, std::unique_ptr<devices::MmioDevice> device) {
    map_.add_device(GuestPhysAddr{base}, *device);
    devices_.push_back({base, spi, std::move(device)});
}

void VirtBoard::add_flash() {
    for (unsigned bank = 0; bank < backends_.flash.size(); ++bank) {
        devices::FlashStorage &storage = *backends_.flash[bank];
        devices::RomWindow &window = map_.create_window(storage.cells());
        auto flash =
            std::make_unique<devices::CfiFlash>(fmt::format("flash{}", bank), storage, window);
        const u64 base = kFlash.base + bank * kFlashBankSize;
        map_.add_rom(GuestPhysAddr{base}, window, *flash);
        devices_.push_back({base, 0, std::move(flash)});
    }
}

void VirtBoard::add_sensors() {
    if (!config_.sensors.has_value()) return;
    sensors_ = std::make_unique<devices::SensorSet>(*config_.sensors);
    add_device(kI2c.base, kI2cSpi,
               std::make_unique<devices::DwI2c>(sensors_->bus(), line(kI2cSpi)));
}

std::optional<devices::QuantityValues> VirtBoard::sensors() const {
    return sensors_ != nullptr ? std::optional(sensors_->world()) : std::nullopt;
}

void VirtBoard::set_sensor(devices::Quantity quantity, const devices::QuantityValue &value) {
    if (sensors_ != nullptr) sensors_->set(quantity, value);
}

void VirtBoard::add_pcie() {
    const auto range = [](Region region) {
        return devices::PcieHostBridge::Range{region.base, region.size};
    };
    pcie_ = std::make_unique<devices::PcieHostBridge>(
        devices::PcieHostBridge::Config{.ecam = range(kPcieEcam),
                                        .memory = range(kPcieMemory),
                                        .io = range(kPcieIo),
                                        .high_memory = range(kPcieHighMemory),
                                        .first_spi = kPcieSpi,
                                        .ports = kPciePorts},
        interrupts_->spis(), &interrupts_->messages(), backends_.slot_answered);
    map_.add_device(GuestPhysAddr{kPcieEcam.base}, pcie_->ecam());
    map_.add_device(GuestPhysAddr{kPcieMemory.base}, pcie_->memory());
    map_.add_device(GuestPhysAddr{kPcieIo.base}, pcie_->io());
    map_.add_device(GuestPhysAddr{kPcieHighMemory.base}, pcie_->high_memory());
}

void VirtBoard::add_virtio() {
    std::vector<std::unique_ptr<devices::VirtioDevice>> in_slots;
    const auto plug = [&](std::string name, VirtioBus bus,
                          std::unique_ptr<devices::VirtioDevice> device) {
        if (bus == VirtioBus::Mmio) {
            in_slots.push_back(std::move(device));
        } else {
            CHECK(pcie_->add(
                std::make_unique<devices::VirtioPci>(std::move(name), std::move(device), map_)));
        }
    };
    virtio_ = std::make_unique<VirtioParts>(config_, backends_, clock_, ram_->size());
    for (VirtioParts::Part &part : virtio_->take())
        plug(std::move(part.name), part.bus, std::move(part.device));
    in_slots.resize(kVirtioSlots);
    for (unsigned slot = 0; slot < kVirtioSlots; ++slot) {
        const u32 spi = kVirtioSpi + slot;
        add_device(kVirtioBase + slot * kVirtioStride, spi,
                   std::make_unique<devices::VirtioMmio>(
                       fmt::format("virtio{}", slot), std::move(in_slots[slot]), map_, line(spi)));
    }
}

Result<> VirtBoard::add_semihosting() {
    if (!config_.semihosting.has_value()) return {};
    const SemihostingConfig &wanted = *config_.semihosting;
    const bool has_line = backends_.semihosting != nullptr;
    Semihosting::Wiring wiring;
    wiring.memory = &map_;
    wiring.clock = &clock_;
    wiring.events = &cpus_;
    wiring.console = {has_line ? backends_.semihosting : backends_.serial, has_line};
    if (!wanted.folder.empty())
        wiring.folder =
            std::make_unique<GuestFolder>(TRY(GuestFolder::open(wanted.folder, wanted.readonly)));
    const std::string program = config_.kernel.substr(config_.kernel.rfind('/') + 1);
    wiring.command_line =
        config_.append.empty() ? program : fmt::format("{} {}", program, config_.append);
    wiring.cpus = config_.cpus;
    wiring.ram_end = kRamBase + ram_->size();
    wiring.exit = [this](u8 status) {
        backends_.guest_exited(status);
        stop(StopReason::Exited);
    };
    semihosting_ = std::make_unique<Semihosting>(std::move(wiring));
    return {};
}

Result<> VirtBoard::add_accelerator() {
    arm::CpuOptions cpu_options;
    cpu_options.gic_system_registers = config_.gic_version == 3;
    if (config_.architected_pauth) cpu_options.pac = arm::PacAlgorithm::Qarma5;
    auto model = arm::CpuModel::create(config_.cpu_model, cpu_options);
    if (!model.has_value()) return failure("--cpu: " + model.error().message);
    JitWiring wiring;
    wiring.memory = &map_;
    wiring.interrupts = interrupts_.get();
    wiring.firmware = &psci_;
    wiring.semihosting = semihosting_.get();
    wiring.events = &cpus_;
    wiring.entropy = random_.get();
    wiring.clock = host_clock_.get();
    wiring.counted_clock = backends_.clock;
    wiring.affinities = affinities_;
    JitOptions options;
    options.compile = config_.accelerator != AcceleratorKind::Interpreter;
    switch (config_.tier) {
    case Tier::Auto: options.optimise = jit::Optimise::Hot; break;
    case Tier::Baseline: options.optimise = jit::Optimise::Never; break;
    case Tier::Optimising: options.optimise = jit::Optimise::Always; break;
    }
    options.deterministic = backends_.sequencer != nullptr;
    options.translation_cache = config_.translation_cache;
    options.trace = config_.trace;
    options.perf_map = config_.perf_map;
    options.symbols = config_.symbols;
    options.profiler = backends_.profiler;
    options.ram = ram_.get();
    accelerator_ = TRY(JitAccelerator::create(*model, wiring, options));
    return {};
}

void VirtBoard::describe_cpus(FdtTreeNode &root) const {
    FdtTreeNode &cpus = root.child("cpus");
    cpus.cells("#address-cells", {1});
    cpus.cells("#size-cells", {0});
    std::vector<u32> phandles;
    for (const u64 affinity : affinities_) {
        FdtTreeNode &cpu = cpus.child(fmt::format("cpu@{:x}", affinity));
        cpu.strings("device_type", {"cpu"});
        cpu.strings(
            "compatible",
            {fmt::format("arm,{}", config_.cpu_model == "max" ? "armv8" : config_.cpu_model)});
        cpu.cells("reg", {static_cast<u32>(affinity)});
        cpu.strings("enable-method", {"psci"});
        phandles.push_back(cpu.phandle());
    }
    FdtTreeNode &cluster = cpus.child("cpu-map").child("socket0").child("cluster0");
    for (unsigned i = 0; i < phandles.size(); ++i)
        cluster.child(fmt::format("core{}", i)).cells("cpu", {phandles[i]});
}

void VirtBoard::describe(FdtTree &tree) const {
    FdtTreeNode &root = tree.root();
    root.cells("#address-cells", {2});
    root.cells("#size-cells", {2});
    root.strings("compatible", {"linux,dummy-virt"});
    root.strings("model", {"linux,dummy-virt"});

    FdtTreeNode &psci = root.child("psci");
    psci.strings("compatible", {"arm,psci-1.0", "arm,psci-0.2", "arm,psci"});
    psci.strings("method", {"hvc"});
    // For guests that know PSCI 0.1 only: the function numbers (Arm DEN 0022, section 5.1).
    psci.cells("cpu_suspend", {0xc400'0001});
    psci.cells("cpu_off", {0x8400'0002});
    psci.cells("cpu_on", {0xc400'0003});
    psci.cells("migrate", {0xc400'0005});

    describe_cpus(root);
    const InterruptController::Phandles gic = interrupts_->describe(root);
    root.cells("interrupt-parent", {gic.controller});

    const u32 flags = interrupts_->ppi_flags();
    const u32 ppi = devices::kFdtInterruptPpi;
    FdtTreeNode &timer = root.child("timer");
    timer.strings("compatible", {"arm,armv8-timer", "arm,armv7-timer"});
    timer.flag("always-on");
    timer.cells("interrupts", {ppi, kSecurePhysTimerPpi, flags, ppi, kPhysTimerPpi, flags, ppi,
                               kVirtTimerPpi, flags, ppi, kHypTimerPpi, flags});
    FdtTreeNode &pmu = root.child("pmu");
    pmu.strings("compatible", {"arm,armv8-pmuv3"});
    pmu.cells("interrupts", {ppi, kPmuPpi, flags});

    FdtTreeNode &clock = root.child("apb-pclk");
    clock.strings("compatible", {"fixed-clock"});
    clock.cells("#clock-cells", {0});
    clock.cells("clock-frequency", {24'000'000});
    clock.strings("clock-output-names", {"clk24mhz"});
    const u32 clock_phandle = clock.phandle();

    devices::CfiFlash::describe_banks(root, GuestPhysAddr{kFlash.base}, kFlashBankSize,
                                      static_cast<u32>(backends_.flash.size()));
    for (const PlacedDevice &placed : devices_)
        placed.device->describe(root, {GuestPhysAddr{placed.base}, placed.spi, clock_phandle});
    pcie_->describe(root, gic.controller, gic.messages);
    root.child("chosen").strings("stdout-path", {fmt::format("/pl011@{:x}", kUart.base)});
}

Result<std::vector<std::byte>> VirtBoard::device_tree() const {
    FdtTree tree;
    describe(tree);
    return tree.flatten();
}

void VirtBoard::offer_firmware_tables() {
    const auto add = [this](const char *name, const std::vector<u8> &bytes) {
        const auto view = std::as_bytes(std::span(bytes));
        fw_cfg_->add_file(name, {view.begin(), view.end()});
    };
    const SmbiosFiles smbios = build_smbios(config_.cpus, kRamBase, ram_->size());
    add("etc/smbios/smbios-anchor", smbios.anchor);
    add("etc/smbios/smbios-tables", smbios.tables);
    // Firmware that gets ACPI tables keeps the device tree to itself, which alone has the sensors.
    if (!config_.acpi || sensors_ != nullptr) return;
    const AcpiFiles acpi =
        build_acpi({config_.gic_version, affinities_, config_.watchdog.has_value()});
    add("etc/acpi/tables", acpi.tables);
    add("etc/acpi/rsdp", acpi.rsdp);
    add("etc/table-loader", acpi.loader);
}

Result<CpuStart> VirtBoard::load() {
    BootFiles files{config_.kernel, config_.initrd, config_.dtb, config_.append};
    BootSeeds seeds;
    backends_.entropy->fill(seeds.rng);
    backends_.entropy->fill(seeds.kaslr);
    FdtTree tree;
    describe(tree);
    if (config_.bios.empty()) {
        const BootEntry entry = TRY(load_boot_files(files, seeds, *ram_, tree));
        if (semihosting_ != nullptr) semihosting_->set_free_ram(align_up(entry.end, 16));
        return CpuStart{entry.entry, {entry.device_tree, 0, 0, 0}};
    }
    // Firmware starts at the reset vector in flash, finds the device tree at the start of RAM, and
    // a kernel, if one is given, in fw_cfg.
    TRY(load_device_tree(files, seeds, *ram_, tree));
    offer_firmware_tables();
    const auto offer = [&](const std::string &path, u16 size_key, u16 data_key) -> Result<> {
        if (path.empty()) return {};
        const FileBytes file = TRY(FileBytes::read(path));
        fw_cfg_->add_item(size_key, static_cast<u32>(file.size()));
        fw_cfg_->add_item(data_key, {file.span().begin(), file.span().end()});
        return {};
    };
    TRY(offer(config_.kernel, devices::FwCfg::kKernelSize, devices::FwCfg::kKernelData));
    TRY(offer(config_.initrd, devices::FwCfg::kInitrdSize, devices::FwCfg::kInitrdData));
    if (!config_.append.empty()) {
        const auto text =
            std::as_bytes(std::span(config_.append.c_str(), config_.append.size() + 1));
        fw_cfg_->add_item(devices::FwCfg::kCommandLineSize, static_cast<u32>(text.size()));
        fw_cfg_->add_item(devices::FwCfg::kCommandLine, {text.begin(), text.end()});
    }
    return CpuStart{kFlash.base, {kRamBase, 0, 0, 0}};
}

Result<> VirtBoard::prepare() {
    if (std::exchange(is_prepared_, true)) return {};
    if (!is_restored_) cpus_.start(TRY(load()));
    if (loader_ != nullptr) loader_->load_in_background([this] { ram_->set_source(nullptr); });
    is_running_ = true;
    return {};
}

Result<StopReason> VirtBoard::run() {
    TRY(prepare());
    if (is_restored_) release(GuestClock::Runs);
    if (backends_.profiler == nullptr) return cpus_.run();
    backends_.profiler->begin(*ram_);
    cpus_.set_sampler(backends_.profiler->sampler());
    const StopReason reason = cpus_.run();
    backends_.profiler->end();
    return reason;
}

// ------------------------------------------------------------------------------------- snapshots

template <typename Action>
void VirtBoard::for_each_device(Action action) {
    for (const PlacedDevice &placed : devices_) action(*placed.device);
    action(pcie_->ecam());
}

void VirtBoard::pause() {
    // Nobody asks devices for anything more, then no timer does, then they finish.
    cpus_.pause();
    hold();
}

void VirtBoard::resume(GuestClock clock) {
    release(clock);
    cpus_.resume();
}

void VirtBoard::hold() {
    // What happens by itself in a deterministic machine happens between turns of its CPUs.
    if (host_clock_ == nullptr) return;
    const std::lock_guard lock(hold_mutex_);
    if (holds_++ != 0) return;
    host_clock_->pause();
    for_each_device([](devices::MmioDevice &device) { device.pause(); });
}

void VirtBoard::release(GuestClock clock) {
    if (host_clock_ == nullptr) return;
    const std::lock_guard lock(hold_mutex_);
    if (--holds_ != 0) return;
    for_each_device([](devices::MmioDevice &device) { device.resume(); });
    if (clock == GuestClock::Runs) host_clock_->resume();
}

void VirtBoard::start_reader(WrittenPages::Reader reader) {
    written_.start(reader);
    accelerator_->slow_down_writes();
}

std::vector<u64> VirtBoard::take_written(WrittenPages::Reader reader) {
    std::vector<u64> pages(ram_->dirty_log().word_count());
    written_.collect(reader, pages);
    accelerator_->slow_down_writes();
    return pages;
}

void VirtBoard::start_tracking() {
    start_reader(WrittenPages::Reader::Follower);
}

void VirtBoard::stop_tracking() {
    written_.stop(WrittenPages::Reader::Follower);
}

void VirtBoard::collect_written(std::span<u64> pages) {
    written_.collect(WrittenPages::Reader::Follower, pages);
    accelerator_->slow_down_writes();
}

std::vector<u64> VirtBoard::take_unsaved() {
    if (written_.is_on(WrittenPages::Reader::Saves))
        return take_written(WrittenPages::Reader::Saves);
    start_reader(WrittenPages::Reader::Saves);
    return {};
}

std::vector<VirtBoard::Part> VirtBoard::parts() {
    std::vector<Part> parts;
    const auto add = [&parts](std::string name, auto &part) {
        parts.push_back({std::move(name),
                         [&part](devices::StateWriter &writer) { part.save(writer); },
                         [&part](devices::StateReader &reader) { return part.restore(reader); }});
    };
    parts.push_back({"clock",
                     [this](devices::StateWriter &writer) {
                         devices::save_state(writer, "clock", ClockState{clock_.now_ns()});
                     },
                     [this](devices::StateReader &reader) -> Result<> {
                         ClockState state;
                         TRY(devices::restore_state(reader, "clock", state));
                         host_clock_->set(state.now_ns);
                         return {};
                     }});
    // The controller before those who drive its wires.
    add("interrupts", *interrupts_);
    add("cpus", cpus_);
    for (const PlacedDevice &placed : devices_)
        add(std::string(placed.device->name()), *placed.device);
    add("pcie", pcie_->ecam());
    add("power-key", *power_key_);
    if (sensors_ != nullptr) add("sensors", *sensors_);
    if (ShapedNet *net = virtio_->shaped_net(); net != nullptr) add("link", *net);
    if (semihosting_ != nullptr) add("semihosting", *semihosting_);
    return parts;
}

Result<> VirtBoard::save(snapshot::Writer &writer) {
    ram_->need(0, ram_->size());
    const auto pages_of = [](const auto &ranges) {
        std::vector<snapshot::PageRange> pages;
        for (const auto &[offset, length] : ranges)
            pages.push_back({offset / snapshot::kPageSize, length / snapshot::kPageSize});
        return pages;
    };
    const std::vector<u64> unsaved = take_unsaved();
    TRY(writer.add_region(snapshot::MemoryRegion("ram", {ram_->host(), ram_->size()},
                                                 pages_of(ram_->populated()), unsaved)));
    for (std::size_t bank = 0; bank < backends_.flash.size(); ++bank) {
        devices::FlashStorage &storage = *backends_.flash[bank];
        TRY(writer.add_region(snapshot::MemoryRegion(fmt::format("flash{}", bank), storage.cells(),
                                                     pages_of(storage.populated()))));
    }
    save_devices([&](const std::string &name, std::span<const std::byte> state) {
        writer.add_blob(name, state);
    });
    return {};
}

void VirtBoard::save_devices(const VisitState &visit) {
    for (const Part &part : parts()) {
        devices::StateWriter state;
        part.save(state);
        visit(part.name, state.data());
    }
}

Result<> VirtBoard::restore_devices(std::size_t count, const FindState &find) {
    hold();
    const std::vector<Part> all = parts();
    if (count != all.size())
        return failure("has other devices than this machine; start it as it was there");
    for (const Part &part : all) {
        devices::StateReader reader(TRY(find(part.name)));
        TRY(part.restore(reader));
    }
    is_restored_ = true;
    is_running_ = true;
    return {};
}

u64 VirtBoard::device_hash() {
    u64 hash = 0;
    for (const Part &part : parts()) {
        devices::StateWriter state;
        part.save(state);
        hash = ::XXH3_64bits_withSeed(state.data().data(), state.data().size(), hash);
    }
    return hash;
}

u64 VirtBoard::state_hash() {
    std::unique_ptr<XXH3_state_t, decltype(&::XXH3_freeState)> hash(::XXH3_createState(),
                                                                    &::XXH3_freeState);
    ::XXH3_64bits_reset_withSeed(hash.get(), device_hash());
    const auto add = [&](std::span<const std::byte> bytes) {
        ::XXH3_64bits_update(hash.get(), bytes.data(), bytes.size());
    };
    // Pages that hold zeros count as if they were not there: whether they are is the host's affair.
    const auto add_pages = [&](std::span<const std::byte> memory, const auto &ranges) {
        for (const auto &[offset, length] : ranges)
            for (u64 at = offset; at < offset + length; at += snapshot::kPageSize) {
                const auto page = memory.subspan(at, snapshot::kPageSize);
                if (is_zero(page)) continue;
                add(std::as_bytes(std::span(&at, 1)));
                add(page);
            }
    };
    add_pages({ram_->host(), ram_->size()}, ram_->populated());
    for (devices::FlashStorage *storage : backends_.flash)
        add_pages(storage->cells(), storage->populated());
    return ::XXH3_64bits_digest(hash.get());
}

u64 VirtBoard::ram_hash() {
    const auto look_at = [this](u64 page) {
        const std::byte *bytes = ram_->host() + page * PageSum::kPageSize;
        ram_sum_->set(page,
                      std::span<const std::byte, PageSum::kPageSize>(bytes, PageSum::kPageSize));
    };
    if (ram_sum_.has_value()) {
        const std::vector<u64> pages = take_written(WrittenPages::Reader::Hash);
        for (std::size_t i = 0; i < pages.size(); ++i)
            for (u64 word = pages[i]; word != 0; word &= word - 1)
                look_at(i * 64 + static_cast<u64>(std::countr_zero(word)));
    } else {
        start_reader(WrittenPages::Reader::Hash);
        ram_sum_.emplace(ram_->size() / PageSum::kPageSize);
        for (const auto &[offset, length] : ram_->populated())
            for (u64 at = offset; at < offset + length; at += PageSum::kPageSize)
                look_at(at / PageSum::kPageSize);
    }
    return ram_sum_->value();
}

Result<> VirtBoard::restore_flash(const snapshot::SnapshotFile &file) {
    for (std::size_t bank = 0; bank < backends_.flash.size(); ++bank) {
        devices::FlashStorage &storage = *backends_.flash[bank];
        const auto cells = storage.cells();
        const std::string name = fmt::format("flash{}", bank);
        const snapshot::Region *region = file.find_region(name);
        if (region == nullptr || region->pages.size() != cells.size() / snapshot::kPageSize)
            return failure(fmt::format("{}: has another size of {}; restore it with the program "
                                       "that made it",
                                       file.path(), name));
        static constexpr std::array<std::byte, snapshot::kPageSize> kZeros{};
        std::vector<bool> may_differ_from_zero(region->pages.size());
        for (const auto &[offset, length] : storage.populated())
            for (u64 at = offset; at < offset + length; at += snapshot::kPageSize)
                may_differ_from_zero[at / snapshot::kPageSize] = true;
        bool is_kept = true;
        TRY(file.for_each_page(name, [&](u64 page, std::span<const std::byte> bytes) {
            const auto target = cells.subspan(page * snapshot::kPageSize, snapshot::kPageSize);
            if (bytes.empty()) {
                if (!may_differ_from_zero[page]) return true;
                bytes = kZeros;
            }
            if (std::memcmp(target.data(), bytes.data(), bytes.size()) == 0) return true;
            std::ranges::copy(bytes, target.begin());
            is_kept = storage.persist(page * snapshot::kPageSize, snapshot::kPageSize);
            return is_kept;
        }));
        if (!is_kept)
            return failure(
                fmt::format("--nvram {}: cannot be written; make room on its disk", config_.nvram));
    }
    return {};
}

Result<> VirtBoard::restore(const std::shared_ptr<snapshot::SnapshotFile> &file,
                            std::function<void(Error)> on_damage) {
    loader_ = TRY(snapshot::PageLoader::create(file, "ram", {ram_->host(), ram_->size()},
                                               std::move(on_damage)));
    ram_->set_source(loader_.get());
    const auto restored = restore_devices(
        file->index().blobs.size(), [&](const std::string &name) { return file->blob(name); });
    if (!restored.has_value())
        return failure(fmt::format("{}: {}", file->path(), restored.error().message));
    TRY(restore_flash(*file));
    static_cast<void>(take_unsaved()); // what is written from here on is
    return {};
}

std::vector<int> VirtBoard::cpu_threads() const {
    std::vector<int> threads;
    for (u32 cpu = 0; cpu < affinities_.size(); ++cpu) threads.push_back(cpus_.thread_id(cpu));
    return threads;
}

void VirtBoard::press_power_key() {
    power_key_->press();
}

void VirtBoard::watchdog_expired() {
    backends_.watchdog_expired();
    switch (*config_.watchdog) {
    case WatchdogAction::Reset: stop(StopReason::Reset); break;
    case WatchdogAction::Shutdown: press_power_key(); break;
    case WatchdogAction::PowerOff: stop(StopReason::PowerOff); break;
    case WatchdogAction::None: break;
    }
}

void VirtBoard::guest_panicked(devices::GuestPanic event) {
    backends_.guest_panicked(event);
    if (event == devices::GuestPanic::CrashLoaded) return; // the guest sees to it
    switch (*config_.on_panic) {
    case PanicAction::Shutdown:
    case PanicAction::ExitFailure: stop(StopReason::Panicked); break;
    case PanicAction::Pause: // whoever was told sees to it
    case PanicAction::None: break;
    }
}

std::string VirtBoard::statistics_report() const {
    return accelerator_->statistics_report();
}

} // namespace tandem::machine
