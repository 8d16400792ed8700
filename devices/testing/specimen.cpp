#include "devices/testing/specimen.h"

#include "devices/fwcfg/fw_cfg.h"
#include "devices/gic/gicv2.h"
#include "devices/gic/gicv2m.h"
#include "devices/gic/gicv3_its.h"
#include "devices/gpio/pl061.h"
#include "devices/i2c/dw_i2c.h"
#include "devices/panic/pv_panic.h"
#include "devices/pcie/host_bridge.h"
#include "devices/power/platform_events.h"
#include "devices/rtc/pl031.h"
#include "devices/sound/hda_controller.h"
#include "devices/testing/pci_frame.h"
#include "devices/uart/ns16550.h"
#include "devices/uart/pl011.h"
#include "devices/virtio/balloon/virtio_balloon.h"
#include "devices/virtio/blk/virtio_blk.h"
#include "devices/virtio/console/virtio_console.h"
#include "devices/virtio/fs/virtio_fs.h"
#include "devices/virtio/gpu/virtio_gpu.h"
#include "devices/virtio/input/virtio_input.h"
#include "devices/virtio/net/virtio_net.h"
#include "devices/virtio/p9/virtio_9p.h"
#include "devices/virtio/rng/virtio_rng.h"
#include "devices/virtio/scsi/virtio_scsi.h"
#include "devices/virtio/transport/virtio_mmio.h"
#include "devices/virtio/transport/virtio_pci.h"
#include "devices/virtio/vsock/virtio_vsock.h"
#include "devices/watchdog/sbsa_watchdog.h"

#include <array>

namespace tandem::devices::testing {

namespace {

struct UartSpecimen final : Specimen {
    Pl011 uart{line, clock, irq.line()};
    MmioDevice &device() override { return uart; }
    void disturb(u32 choice) override {
        if ((choice & 1) != 0)
            line.type("typed");
        else
            line.set_room(choice >> 1 & 7);
    }
};

struct PcUartSpecimen final : Specimen {
    Ns16550 uart{line, clock, irq.line()};
    MmioDevice &device() override { return uart; }
    void disturb(u32 choice) override {
        if ((choice & 1) != 0)
            line.type("typed");
        else
            line.set_room(choice >> 1 & 7);
    }
};

struct PlatformEventsSpecimen final : Specimen {
    PlatformEvents events{irq.line(), {[] {}, [] {}}};
    MmioDevice &device() override { return events; }
    void disturb(u32) override { events.press_power_key(); }
};

struct RtcSpecimen final : Specimen {
    Pl031 rtc{clock, irq.line()};
    MmioDevice &device() override { return rtc; }
};

struct WatchdogSpecimen final : Specimen {
    SbsaWatchdog watchdog{clock, irq.line(), [] {}};
    MmioDevice &device() override { return watchdog; }
};

struct PanicSpecimen final : Specimen {
    FakePciBus bus{irq.line()};
    PvPanic panic{clock, [](GuestPanic) {}};
    PciFrame frame{panic, {PvPanic::kRegisterBar}};
    PanicSpecimen() { panic.connect(bus, 1); }
    MmioDevice &device() override { return frame; }
};

/// Its registers are few: disturb() and meddle() set up what a script rarely does.
struct HdaSpecimen final : Specimen {
    FakePciBus bus{irq.line()};
    HdaController hda{clock, memory, sound};
    PciFrame frame{hda, {HdaController::kRegisterBar}};
    HdaSpecimen() { hda.connect(bus, 1); }
    MmioDevice &device() override { return frame; }
    void start() override {
        hda.write_config(pci::kCommand, 1, pci::kCommandMemory | pci::kCommandMaster);
        put(0x08, 1); // GCTL: out of reset
        put(0x20, 0xc000'0003);
        put(0x40, 0x1000); // rings, and positions behind them
        put(0x50, 0x1800);
        put(0x70, 0x2001);
        put(0x4c, 2, 0);
        put(0x5c, 3, 0);
    }
    void meddle(u32 choice) override {
        const u32 base = 0x80 + (choice & 1) * 0x20;
        for (u32 i = 0; i < 4; ++i) { // buffers of any size, most of them where there is memory
            memory.put(0x3000 + i * 16, u64{choice} << (i == 3 ? 8 : 4) & 0xf'ffff);
            memory.put(0x3008 + i * 16, (choice >> (i * 4) & 0xf) * 40);
            memory.put(0x300c + i * 16, choice >> i & 1);
        }
        put(base + 0x08, choice >> 8 & 0xfff);
        put(base + 0x0c, choice >> 4 & 3, 1);
        put(base + 0x12, (choice >> 2 & 1) == 0 ? 0x0011 : choice >> 16, 1);
        put(base + 0x18, 0x3000);
        put(base + 0x02, 0x10, 0);            // stream 1
        put(0x60, 0x0020'6010 | 0x0007'0000); // DAC: the same
        put(0x68, 1, 1);
        put(base, 0x1e, 1);
    }
    void disturb(u32 choice) override { clock.advance(choice & 0x3f'ffff); }

private:
    void put(u64 offset, u64 value, unsigned size_log2 = 2) {
        hda.write_bar(HdaController::kRegisterBar, offset, size_log2,
                      value & ones(8u << size_log2));
    }
};

struct GpioSpecimen final : Specimen {
    Pl061 gpio{irq.line()};
    MmioDevice &device() override { return gpio; }
};

struct I2cSpecimen final : Specimen {
    /// Without a memory, so that the controller's state is all there is.
    struct Chip final : I2cTarget {
        bool start(I2cDirection) override { return true; }
        bool write(u8 byte) override { return (byte & 0x80) == 0; }
        u8 read() override { return 0x5a; }
        void describe(FdtNode &, u8) const override {}
    };
    std::array<Chip, 4> chips;
    I2cBus bus;
    DwI2c i2c{bus, irq.line()};
    I2cSpecimen() {
        for (u32 i = 0; i < chips.size(); ++i) bus.attach(static_cast<u8>(i * 0x15), chips[i]);
    }
    MmioDevice &device() override { return i2c; }
};

struct FwCfgSpecimen final : Specimen {
    FwCfg fw_cfg{memory};
    FwCfgSpecimen() {
        fw_cfg.add_file("etc/one", std::vector<std::byte>(100, std::byte{1}));
        fw_cfg.add_item(FwCfg::kCpuCount, 2);
    }
    MmioDevice &device() override { return fw_cfg; }
};

struct FlashSpecimen final : Specimen {
    FakeFlashStorage storage{4 * CfiFlash::kBlockSize};
    FakeRomWindow window;
    CfiFlash flash{"flash", storage, window};
    MmioDevice &device() override { return flash; }
};

struct GicV2Specimen final : Specimen {
    GicV2 gic{4, 64, identity, cpus};
    MmioDevice &device() override { return gic.distributor(); }
    MmioDevice *second_frame() override { return &gic.cpu_interface(); }
    void disturb(u32 choice) override {
        identity.cpu = choice & 3;
        if ((choice & 4) != 0)
            gic.set_level(choice >> 4 & 63, (choice & 8) != 0);
        else
            gic.set_ppi(identity.cpu, 16 + (choice >> 4 & 15), (choice & 8) != 0);
    }
};

struct GicV3Specimen final : Specimen {
    GicV3 gic{GicV3Config{.spi_count = 64, .affinities = {0, 1, 2, 0x100}}, cpus};
    MmioDevice &device() override { return gic.distributor(); }
    MmioDevice *second_frame() override { return &gic.redistributors(); }
    void disturb(u32 choice) override {
        const u32 cpu = choice & 3;
        switch (choice >> 2 & 3) {
        case 0: gic.set_level(choice >> 5 & 63, (choice & 16) != 0); break;
        case 1: gic.set_ppi(cpu, 16 + (choice >> 5 & 15), (choice & 16) != 0); break;
        default: {
            // The system registers: S3_0_C4_C6_0 and S3_0_C12_Cm_op2.
            const u32 selector = choice >> 6;
            const u32 encoding =
                (selector & 31) == 0
                    ? 0xc230u
                    : 3u << 14 | 12u << 7 | (8 + (selector >> 3 & 7)) << 3 | (selector & 7);
            u64 value = choice >> 12;
            if ((choice & 16) != 0)
                static_cast<void>(gic.read_system_register(cpu, encoding, value));
            else
                static_cast<void>(gic.write_system_register(cpu, encoding, value));
        }
        }
    }
};

struct GicV2mSpecimen final : Specimen {
    GicV2m frame{irq, GuestPhysAddr(0x8020000), 48, 64};
    MmioDevice &device() override { return frame; }
    void disturb(u32 choice) override { frame.send_message(0, 0x8020040, choice); }
};

/// An ITS that works, and the GIC behind it: both are saved.
struct ItsSpecimen final : Specimen, MmioDevice {
    static constexpr u64 kBase = 0x8080000, kQueue = 0x2000;
    GicV3 gic{GicV3Config{.spi_count = 32, .affinities = {0, 1}, .memory = &memory}, cpus};
    GicV3Its its{gic, memory, GuestPhysAddr(kBase)};
    ItsSpecimen() {
        MmioDevice &redistributors = gic.redistributors();
        for (u64 cpu = 0; cpu < 2; ++cpu) {
            const u64 frame = cpu * GicV3::kRedistributorSize;
            static_cast<void>(redistributors.write(frame + 0x70, 3, 15)); // properties at 0
            static_cast<void>(redistributors.write(frame + 0x78, 3, u64{1} << 62));
            static_cast<void>(redistributors.write(frame, 2, 1));
            // PMR, IGRPEN1
            static_cast<void>(gic.write_system_register(static_cast<u32>(cpu), 0xc230, 0xf0));
            static_cast<void>(gic.write_system_register(static_cast<u32>(cpu), 0xc667, 1));
        }
        static_cast<void>(gic.distributor().write(0, 2, 2));
        static_cast<void>(its.write(0x100, 3, u64{1} << 63 | 0x4000));
        static_cast<void>(its.write(0x108, 3, u64{1} << 63 | 0x5000));
        static_cast<void>(its.write(0x080, 3, u64{1} << 63 | kQueue));
        static_cast<void>(its.write(0x000, 2, 1));
        for (u64 i = 0; i < 16; ++i) memory.put(i, u8{0xa1});
        command({8 | u64{1} << 32, 3, u64{1} << 63 | 0x6000, 0}); // MAPD
        command({9, 0, u64{1} << 63 | 1, 0});                     // MAPC
        for (u64 event = 0; event < 8; ++event)                   // MAPTI
            command({0xa | u64{1} << 32, event | (8192 + event) << 32, 1, 0});
    }
    void command(std::array<u64, 4> words) {
        u64 at = 0;
        static_cast<void>(its.read(0x088, 2, at)); // CWRITER
        memory.put(kQueue + at % 0x1000, words);
        static_cast<void>(its.write(0x088, 3, (at + 32) % 0x1000));
    }
    MmioDevice &device() override { return *this; }
    MmioDevice *second_frame() override { return &gic.redistributors(); }
    void disturb(u32 choice) override {
        if ((choice & 7) == 0) {
            const u64 operand = choice >> 8;
            command({(choice >> 3 & 15) | (operand & 3) << 32, operand >> 2 & 15,
                     u64{choice >> 7 & 1} << 63 | (operand & 0xff00) | (operand & 3), operand & 1});
        } else {
            its.send_message(choice >> 3 & 3, kBase + 0x10040, choice >> 5 & 15);
        }
    }
    std::string_view name() const override { return its.name(); }
    u64 size() const override { return its.size(); }
    bool read(u64 offset, unsigned size_log2, u64 &value) override {
        return its.read(offset, size_log2, value);
    }
    bool write(u64 offset, unsigned size_log2, u64 value) override {
        return its.write(offset, size_log2, value);
    }
    void reset() override {
        gic.reset();
        its.reset();
    }
    void save(StateWriter &writer) const override {
        gic.save(writer);
        its.save(writer);
    }
    Result<> restore(StateReader &reader) override {
        if (auto result = gic.restore(reader); !result) return result;
        return its.restore(reader);
    }
    void describe(FdtNode &parent, const FdtPlacement &) const override {
        static_cast<void>(its.describe_in(parent));
    }
};

/// Where a started queue's areas lie.
struct Rings {
    explicit Rings(u64 queue) : descriptors(0x1000 * (queue + 1)) {}
    u64 descriptors, available = descriptors + 0x400, used = descriptors + 0x800;
    static constexpr u64 kSize = 16;
};

struct MmioSlot : Specimen {
    std::unique_ptr<VirtioMmio> slot;
    void plug(std::unique_ptr<VirtioDevice> virtio) {
        slot = std::make_unique<VirtioMmio>("virtio0", std::move(virtio), memory, irq.line());
    }
    MmioDevice &device() override { return *slot; }
    void write(u64 offset, u64 value) { static_cast<void>(slot->write(offset, 2, value)); }
    u64 read(u64 offset) {
        u64 value = 0;
        static_cast<void>(slot->read(offset, 2, value));
        return value;
    }
    void start() override {
        write(0x070, 0); // Status: reset
        write(0x070, 3); // ACKNOWLEDGE, DRIVER
        for (u64 half = 0; half < 2; ++half) {
            write(0x014, half);        // DeviceFeaturesSel
            write(0x024, half);        // DriverFeaturesSel
            write(0x020, read(0x010)); // all features
        }
        write(0x070, 0xb); // FEATURES_OK
        for (u64 queue = 0; queue < kMaxQueues; ++queue) {
            write(0x030, queue); // QueueSel
            if (read(0x034) == 0) break;
            const Rings rings(queue);
            write(0x038, Rings::kSize); // QueueNum
            write(0x080, rings.descriptors);
            write(0x090, rings.available);
            write(0x0a0, rings.used);
            write(0x044, 1); // QueueReady
        }
        write(0x070, 0xf); // DRIVER_OK
    }
    void notify(u32 queue) override { write(0x050, queue); }
    u32 virtio_status() override { return static_cast<u32>(read(0x070)); }
};

struct PciSlot : Specimen {
    static constexpr u64 kMsix = PciFrame::bar(1), kCommon = PciFrame::bar(4),
                         kNotify = kCommon + 0x3000;
    FakePciBus bus{irq.line()};
    std::unique_ptr<VirtioPci> function;
    std::unique_ptr<PciFrame> frame;
    void plug(std::unique_ptr<VirtioDevice> virtio) {
        function = std::make_unique<VirtioPci>("virtio0", std::move(virtio), memory);
        function->connect(bus, 1);
        frame = std::make_unique<PciFrame>(*function, std::vector<u32>{1, 4});
    }
    MmioDevice &device() override { return *frame; }
    void write(u64 offset, unsigned size_log2, u64 value) {
        static_cast<void>(frame->write(offset, size_log2, value));
    }
    u64 read(u64 offset, unsigned size_log2) {
        u64 value = 0;
        static_cast<void>(frame->read(offset, size_log2, value));
        return value;
    }
    void start() override {
        write(pci::kCommand, 1, pci::kCommandMemory | pci::kCommandMaster);
        write(0x42, 1, 0x8000); // MSI-X, which is the first capability: enable
        for (u64 vector = 0; vector < kMaxQueues; ++vector) write(kMsix + vector * 16 + 12, 2, 0);
        write(kCommon + 0x14, 0, 0); // device_status: reset
        write(kCommon + 0x14, 0, 3);
        for (u64 half = 0; half < 2; ++half) {
            write(kCommon + 0x00, 2, half);
            write(kCommon + 0x08, 2, half);
            write(kCommon + 0x0c, 2, read(kCommon + 0x04, 2));
        }
        write(kCommon + 0x14, 0, 0xb);
        for (u64 queue = 0; queue < kMaxQueues; ++queue) {
            write(kCommon + 0x16, 1, queue);
            if (read(kCommon + 0x18, 1) == 0) break;
            const Rings rings(queue);
            write(kCommon + 0x18, 1, Rings::kSize);
            write(kCommon + 0x1a, 1, queue); // vector
            write(kCommon + 0x20, 3, rings.descriptors);
            write(kCommon + 0x28, 3, rings.available);
            write(kCommon + 0x30, 3, rings.used);
            write(kCommon + 0x1c, 1, 1);
        }
        write(kCommon + 0x14, 0, 0xf);
    }
    void notify(u32 queue) override { write(kNotify + queue * 4, 1, queue); }
    u32 virtio_status() override { return static_cast<u32>(read(kCommon + 0x14, 0)); }
};

template <typename Slot>
struct BlkSpecimen final : Slot {
    BlkSpecimen() { this->plug(std::make_unique<VirtioBlk>(this->disk, 2)); }
    void disturb(u32 choice) override {
        this->disk.holds_requests = (choice & 1) != 0;
        this->disk.answer = (choice & 2) != 0 ? BlockStatus::IoError : BlockStatus::Ok;
        if ((choice & 4) != 0) this->disk.complete_all();
    }
};
template <typename Slot>
struct ConsoleSpecimen final : Slot {
    ConsoleSpecimen() { this->plug(std::make_unique<VirtioConsole>(&this->line)); }
    void disturb(u32 choice) override {
        if ((choice & 1) != 0)
            this->line.type("typed");
        else
            this->line.set_room(choice >> 1 & 7);
    }
};
/// A console that has no line, and a port that has one.
template <typename Slot>
struct PortsSpecimen final : Slot {
    PortsSpecimen() {
        this->plug(std::make_unique<VirtioConsole>(
            nullptr, std::vector<VirtioConsole::NamedPort>{{"port", &this->line}}));
    }
    void disturb(u32 choice) override {
        switch (choice & 7) {
        case 0: this->line.type("typed"); break;
        case 1: this->line.set_room(choice >> 3 & 7); break;
        case 2: this->line.set_connected((choice & 8) != 0); break;
        default: break;
        }
    }
    /// A message where hostile rings point.
    void meddle(u32 choice) override {
        this->memory.put(0, virtio_console::Control{.port = choice & 1,
                                                    .event = static_cast<u16>(choice >> 1 & 7),
                                                    .value = static_cast<u16>(choice >> 4 & 1)});
    }
};
template <typename Slot>
struct NetSpecimen final : Slot {
    NetSpecimen() { this->plug(std::make_unique<VirtioNet>(this->port, u16{2})); }
    void disturb(u32 choice) override {
        this->port.arrive(std::vector<std::byte>(1 + choice % 3000, std::byte{0x5a}));
    }
};
template <typename Slot>
struct VsockSpecimen final : Slot {
    VsockSpecimen() { this->plug(std::make_unique<VirtioVsock>(this->streams, 3)); }
    void disturb(u32 choice) override {
        VsockEvent event{.kind = static_cast<VsockEvent::Kind>(choice % 6),
                         .ports = {.host = choice >> 3 & 3, .guest = choice >> 5 & 3},
                         .count = choice >> 7 & 0xfff,
                         .bytes = {}};
        if (event.kind == VsockEvent::Kind::Data)
            event.bytes.resize(choice >> 7 & 0xffff, std::byte{0x5a});
        this->streams.happen(std::move(event));
    }
    /// A packet where hostile rings point.
    void meddle(u32 choice) override {
        this->memory.put(0, virtio_vsock::Header{.source_cid = 3,
                                                 .destination_cid = virtio_vsock::kHostCid,
                                                 .source_port = choice >> 5 & 3,
                                                 .destination_port = choice >> 3 & 3,
                                                 .length = choice >> 12 & 0x1f,
                                                 .type = virtio_vsock::kTypeStream,
                                                 .operation = static_cast<u16>(choice >> 7 & 7),
                                                 .flags = choice >> 10 & 3,
                                                 .buffer = choice >> 12,
                                                 .forwarded = choice >> 22});
    }
};
template <typename Slot>
struct BalloonSpecimen final : Slot {
    VirtioBalloon *balloon = nullptr;
    BalloonSpecimen() {
        auto device = std::make_unique<VirtioBalloon>(
            this->clock, VirtioBalloon::Options{.statistics_ns = 1'000'000, .on_change = {}});
        balloon = device.get();
        this->plug(std::move(device));
    }
    void disturb(u32 choice) override { balloon->set_target(choice >> 8); }
    /// Page numbers where hostile rings point.
    void meddle(u32 choice) override {
        this->memory.put(0, choice & 0x1f);
        this->memory.put(4, choice >> 5 & 0x1f);
    }
};
template <typename Slot>
struct GpuSpecimen final : Slot {
    static constexpr DisplayMode kModes[] = {{.width = 640, .height = 480}, {64, 64, 200}};
    GpuSpecimen() { this->plug(std::make_unique<VirtioGpu>(this->screen, kModes)); }
    /// A command where hostile rings point.
    void disturb(u32 choice) override {
        static constexpr std::array kTypes{
            virtio_gpu::Type::CreateResource2d, virtio_gpu::Type::UnrefResource,
            virtio_gpu::Type::SetScanout,       virtio_gpu::Type::FlushResource,
            virtio_gpu::Type::TransferToHost2d, virtio_gpu::Type::AttachBacking,
            virtio_gpu::Type::DetachBacking,    virtio_gpu::Type::UpdateCursor};
        this->memory.put(0, virtio_gpu::Header{.type = kTypes[choice & 7]});
        std::array<u32, 8> body{};
        for (u32 &word : body) {
            choice = choice * 0x9e3779b1 + 1;
            word = choice >> 27;
        }
        if (kTypes[choice & 7] == virtio_gpu::Type::CreateResource2d) body[1] = 1;
        this->memory.put(sizeof(virtio_gpu::Header), body);
    }
};
template <typename Slot>
struct InputSpecimen final : Slot {
    InputSpecimen() {
        this->plug(std::make_unique<VirtioInput>(this->hands, InputKind::Keyboard, "keyboard0"));
    }
    void disturb(u32 choice) override {
        const InputEvent key{EV_KEY, static_cast<u16>(choice & 0xff), choice >> 8 & 1};
        InputReport report(1 + (choice >> 9 & 7), key);
        report.push_back({EV_SYN, SYN_REPORT, 0});
        this->hands.happen(std::move(report));
    }
    /// A light where hostile rings point.
    void meddle(u32 choice) override {
        this->memory.put(
            0, virtio_input::Event{EV_LED, static_cast<u16>(choice & 0x13), choice >> 5 & 1});
    }
};
template <typename Slot>
struct RngSpecimen final : Slot {
    RngSpecimen() { this->plug(std::make_unique<VirtioRng>(this->entropy)); }
};
template <typename Slot>
struct FsSpecimen final : Slot {
    FsSpecimen() {
        this->files.add_file("file", "content");
        this->plug(std::make_unique<VirtioFs>(this->files, "share"));
    }
    /// A request that the driver might send, in the place where hostile rings point.
    void disturb(u32 choice) override {
        fuse_in_header header{};
        header.opcode = choice & 1 ? u32{FUSE_INIT} : choice >> 1 & 63;
        header.len = choice >> 7 & 127;
        header.nodeid = choice >> 14 & 3;
        this->memory.put(0, header);
        this->memory.put(sizeof(header), u32{7});
        this->memory.put(sizeof(header) + 4, choice >> 16);
    }
};
template <typename Slot>
struct P9Specimen final : Slot {
    P9Specimen() {
        this->files.add_file("file", "content");
        this->plug(std::make_unique<Virtio9p>(this->files, "share"));
    }
    /// Requests as FsSpecimen has them.
    void disturb(u32 choice) override {
        static constexpr std::string_view kVersion("\x15\0\0\0\x64\0\0\0\x20\0\0\x08\09P2000.L",
                                                   21);
        if ((choice & 1) != 0) {
            std::ranges::copy(std::as_bytes(std::span(kVersion)), this->memory.bytes().begin());
        } else {
            this->memory.put(0, choice >> 1 & 127);
            this->memory.put(4, static_cast<u8>(choice >> 8 & 126));
        }
    }
};
/// A disk and a CD-ROM drive.
template <typename Slot>
struct ScsiSpecimen final : Slot {
    ScsiSpecimen() {
        std::vector<std::unique_ptr<ScsiUnit>> units;
        units.push_back(std::make_unique<ScsiUnit>(this->disk, ScsiKind::Disk));
        units.push_back(std::make_unique<ScsiUnit>(this->disk, ScsiKind::CdRom));
        this->plug(std::make_unique<VirtioScsi>(std::move(units), 1));
    }
    /// The back end's manners, or commands as FsSpecimen has them.
    void disturb(u32 choice) override {
        if ((choice & 7) == 0) {
            this->disk.holds_requests = (choice & 8) != 0;
            this->disk.answer = (choice & 16) != 0 ? BlockStatus::IoError : BlockStatus::Ok;
            if ((choice & 32) != 0) this->disk.complete_all();
            return;
        }
        virtio_scsi::RequestHeader header;
        header.lun = {1, static_cast<u8>(choice & 1), 0x40,
                      static_cast<u8>(choice >> 1 & choice >> 2 & 1)};
        this->memory.put(0, header);
        this->memory.put(sizeof(header), static_cast<u8>(choice >> 3));
        this->memory.put(sizeof(header) + 1 + (choice >> 11 & 15), static_cast<u8>(choice >> 15));
    }
};
struct EmptySlotSpecimen final : MmioSlot {
    EmptySlotSpecimen() { plug(nullptr); }
};

/// Configuration space with a function on bus 0 and one behind a port, and a window for base
/// address registers that a script hits.
struct PcieSpecimen final : Specimen {
    static constexpr u64 kWindow = 0x8000, kBuses = 4;
    /// What disturb() writes to: most of configuration space is nobody's.
    static constexpr std::array<u64, 4> kFunctions{1 << 15, 31 << 15, 31 << 15 | 1 << 12,
                                                   PcieHostBridge::kBusSize};
    PcieHostBridge bridge{{.ecam = {0x100000, kBuses *PcieHostBridge::kBusSize},
                           .memory = {kWindow, 0x8000},
                           .io = {0x200000, 0x1000},
                           .high_memory = {u64{1} << 32, 0x10000},
                           .first_spi = 0,
                           .ports = 2},
                          irq,
                          nullptr};
    PcieSpecimen() {
        static_cast<void>(bridge.add(
            std::make_unique<VirtioPci>("virtio0", std::make_unique<VirtioBlk>(disk, 1), memory)));
        bridge.port(0).plug(
            std::make_unique<VirtioPci>("virtio1", std::make_unique<VirtioNet>(port), memory),
            RootPort::Plugged::Cold);
    }
    /// The port's bus, and its windows open for all addresses.
    void start() override {
        const auto write = [this](u64 offset, u64 value) {
            static_cast<void>(bridge.ecam().write(kFunctions[1] + offset, 2, value));
        };
        write(pci::kPrimaryBus, 0x010100);
        write(pci::kMemoryBase, 0xfff00000);
        write(pci::kCommand, pci::kCommandMemory | pci::kCommandMaster);
    }
    MmioDevice &device() override { return bridge.ecam(); }
    MmioDevice *second_frame() override { return &bridge.memory(); }
    void disturb(u32 choice) override {
        if ((choice & 0xf) == 0xf) {
            static_cast<void>(bridge.port(choice >> 4 & 1).press_button());
            return;
        }
        const u64 offset = kFunctions[choice & 3] | (choice >> 2 & 0xff);
        const unsigned size_log2 = choice >> 10 & 1;
        static_cast<void>(bridge.ecam().write(align_down(offset, 1u << size_log2), size_log2,
                                              (choice >> 11) & ones(8u << size_log2)));
    }
};

template <typename T>
std::unique_ptr<Specimen> make() {
    return std::make_unique<T>();
}

constexpr std::array kKinds{
    SpecimenKind{"pl011", make<UartSpecimen>, false, false, true},
    SpecimenKind{"pl031", make<RtcSpecimen>, true},
    SpecimenKind{"sbsa_watchdog", make<WatchdogSpecimen>},
    SpecimenKind{"pvpanic", make<PanicSpecimen>},
    SpecimenKind{"hda", make<HdaSpecimen>},
    SpecimenKind{"pl061", make<GpioSpecimen>},
    SpecimenKind{"dw_i2c", make<I2cSpecimen>},
    SpecimenKind{"fw_cfg", make<FwCfgSpecimen>},
    SpecimenKind{"flash", make<FlashSpecimen>},
    SpecimenKind{"gicv2", make<GicV2Specimen>},
    SpecimenKind{"gicv3", make<GicV3Specimen>},
    SpecimenKind{"gicv2m", make<GicV2mSpecimen>},
    SpecimenKind{"gicv3_its", make<ItsSpecimen>},
    SpecimenKind{"pcie", make<PcieSpecimen>},
    SpecimenKind{"virtio_blk", make<BlkSpecimen<MmioSlot>>, false, true, true},
    SpecimenKind{"virtio_console", make<ConsoleSpecimen<MmioSlot>>, false, true, true},
    SpecimenKind{"virtio_console_ports", make<PortsSpecimen<MmioSlot>>, false, true, true},
    SpecimenKind{"virtio_net", make<NetSpecimen<MmioSlot>>, false, true, true},
    SpecimenKind{"virtio_rng", make<RngSpecimen<MmioSlot>>, false, true, true},
    SpecimenKind{"virtio_scsi", make<ScsiSpecimen<MmioSlot>>, false, true},
    SpecimenKind{"virtio_fs", make<FsSpecimen<MmioSlot>>, false, true},
    SpecimenKind{"virtio_9p", make<P9Specimen<MmioSlot>>, false, true},
    SpecimenKind{"virtio_blk_pci", make<BlkSpecimen<PciSlot>>, false, true, true},
    SpecimenKind{"virtio_console_pci", make<ConsoleSpecimen<PciSlot>>, false, true, true},
    SpecimenKind{"virtio_console_ports_pci", make<PortsSpecimen<PciSlot>>, false, true, true},
    SpecimenKind{"virtio_net_pci", make<NetSpecimen<PciSlot>>, false, true, true},
    SpecimenKind{"virtio_rng_pci", make<RngSpecimen<PciSlot>>, false, true, true},
    SpecimenKind{"virtio_scsi_pci", make<ScsiSpecimen<PciSlot>>, false, true},
    SpecimenKind{"virtio_fs_pci", make<FsSpecimen<PciSlot>>, false, true},
    SpecimenKind{"virtio_9p_pci", make<P9Specimen<PciSlot>>, false, true},
    SpecimenKind{"virtio_vsock", make<VsockSpecimen<MmioSlot>>, false, true, true},
    SpecimenKind{"virtio_vsock_pci", make<VsockSpecimen<PciSlot>>, false, true, true},
    SpecimenKind{"virtio_gpu", make<GpuSpecimen<MmioSlot>>, false, true},
    SpecimenKind{"virtio_gpu_pci", make<GpuSpecimen<PciSlot>>, false, true},
    SpecimenKind{"virtio_input", make<InputSpecimen<MmioSlot>>, false, true, true},
    SpecimenKind{"virtio_input_pci", make<InputSpecimen<PciSlot>>, false, true, true},
    SpecimenKind{"virtio_balloon", make<BalloonSpecimen<MmioSlot>>, true, true},
    SpecimenKind{"virtio_balloon_pci", make<BalloonSpecimen<PciSlot>>, true, true},
    SpecimenKind{"virtio_empty_slot", make<EmptySlotSpecimen>},
    SpecimenKind{"ns16550", make<PcUartSpecimen>, false, false, true},
    SpecimenKind{"platform_events", make<PlatformEventsSpecimen>},
};

/// Takes little-endian numbers off the front of a script; zeros after its end.
class ScriptReader {
public:
    explicit ScriptReader(std::span<const u8> bytes) : bytes_(bytes) {}
    [[nodiscard]] bool done() const { return bytes_.empty(); }
    u64 take(unsigned count) {
        u64 value = 0;
        for (unsigned i = 0; i < count && !bytes_.empty(); ++i) {
            value |= u64{bytes_.front()} << (i * 8);
            bytes_ = bytes_.subspan(1);
        }
        return value;
    }

private:
    std::span<const u8> bytes_;
};

} // namespace

void Specimen::adopt_surroundings(const Specimen &other) {
    std::ranges::copy(other.memory.bytes(), memory.bytes().begin());
    std::ranges::copy(other.disk.bytes(), disk.bytes().begin());
    disk.holds_requests = other.disk.holds_requests;
    disk.answer = other.disk.answer;
    clock.advance(other.clock.now_ns() - clock.now_ns());
    identity = other.identity;
    line.adopt(other.line);
    port.adopt(other.port);
    streams.adopt(other.streams);
    hands.adopt(other.hands);
    screen = other.screen;
    sound = other.sound;
    entropy = other.entropy;
    files = other.files;
}

std::span<const SpecimenKind> specimen_kinds() {
    return kKinds;
}

void run_script(Specimen &specimen, std::span<const u8> script) {
    ScriptReader reader(script);
    while (!reader.done()) {
        const u32 operation = static_cast<u32>(reader.take(1));
        const unsigned size_log2 = operation >> 3 & 3;
        MmioDevice *device = &specimen.device();
        if ((operation & 0x20) != 0 && specimen.second_frame() != nullptr)
            device = specimen.second_frame();
        switch (operation & 7) {
        case 0:
        case 1: {
            const u64 offset = align_down(reader.take(3) % device->size(), 1u << size_log2);
            if (offset + (u64{1} << size_log2) > device->size()) break;
            u64 value = 0;
            static_cast<void>(device->read(offset, size_log2, value));
            break;
        }
        case 2:
        case 3:
        case 4: {
            const u64 offset = align_down(reader.take(3) % device->size(), 1u << size_log2);
            if (offset + (u64{1} << size_log2) > device->size()) break;
            const u64 value = reader.take(1u << size_log2) & ones(8u << size_log2);
            static_cast<void>(device->write(offset, size_log2, value));
            break;
        }
        case 5: {
            const u64 address = align_down(reader.take(2) % specimen.memory.bytes().size(), 8);
            specimen.memory.put(address, reader.take(1u << size_log2));
            break;
        }
        case 6: specimen.clock.advance(reader.take(4)); break;
        case 7: {
            const u32 choice = static_cast<u32>(reader.take(4));
            specimen.meddle(choice);
            specimen.disturb(choice);
            break;
        }
        }
    }
}

std::vector<std::byte> saved_state(const MmioDevice &device) {
    StateWriter writer;
    device.save(writer);
    return {writer.data().begin(), writer.data().end()};
}

} // namespace tandem::devices::testing
