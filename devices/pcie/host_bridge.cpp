#include "devices/pcie/host_bridge.h"

#include "support/check.h"

#include <algorithm>
#include <string>

namespace tandem::devices {

namespace {

// PCI Express 5.0, 7.2.2: bus<27:20>, device<19:15>, function<14:12>, register<11:0>.
constexpr u64 kFunctionMask = 0xfff;

/// The root of the hierarchy as device 0: it only has an identity.
class RootComplex final : public PciFunction {
public:
    RootComplex()
        : PciFunction("pcie-root", {.vendor = 0x1b36, // as on other boards of this kind
                                    .device = 0x0008,
                                    .class_code = 0x06'00'00,
                                    .subsystem_vendor = 0x1af4,
                                    .subsystem = 0x1100}) {}
    void save(StateWriter &writer) const override {
        const std::scoped_lock lock(mutex_);
        save_state(writer, "pcie-root", SavedState{saved_function()});
    }
    Result<> restore(StateReader &reader) override {
        SavedState state;
        if (auto result = restore_state(reader, "pcie-root", state); !result) return result;
        const std::scoped_lock lock(mutex_);
        return restore_function(state.function);
    }

private:
    struct SavedState {
        static constexpr u32 kVersion = 1;
        State function;
        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.function);
        }
    };
    u64 read_own_bar(u32, u64, unsigned) override { return 0; }
    void write_own_bar(u32, u64, unsigned, u64) override {}
};

} // namespace

PcieHostBridge::PcieHostBridge(const Config &config, IrqSink &irq, MsiSink *msi,
                               const SlotListener &listener)
    : layout_(config), msi_(msi) {
    CHECK(config.ports <= kMaxPorts);
    for (u32 line = 0; line < kInterrupts; ++line) lines_[line] = {irq, config.first_spi + line};
    place(std::make_unique<RootComplex>(), 0);
    for (u32 index = 0; index < config.ports; ++index) {
        auto port = std::make_unique<RootPort>(
            "port" + std::to_string(index), index,
            [listener, index](SlotAnswer answer) { listener(index, answer); });
        ports_.push_back(port.get());
        place(std::move(port), (kDevices - 1) * kFunctions + index);
    }
}

PcieHostBridge::~PcieHostBridge() = default;

bool PcieHostBridge::add(std::unique_ptr<PciFunction> function) {
    for (u32 device = 0; device < kDevices; ++device) {
        if (numbered_[device * kFunctions] != nullptr) continue;
        place(std::move(function), device * kFunctions);
        return true;
    }
    return false;
}

void PcieHostBridge::place(std::unique_ptr<PciFunction> function, u32 number) {
    function->connect(*this, number);
    numbered_[number] = function.get();
    functions_.push_back(std::move(function));
}

std::vector<PciFunctionView> PcieHostBridge::views() const {
    std::vector<PciFunctionView> views;
    for (const auto &function : functions_) {
        views.push_back(function->view());
        const auto port = std::ranges::find(ports_, function.get());
        if (port == ports_.end()) continue;
        const RootPort::Buses buses = (*port)->buses();
        views.back().bridge = {buses.secondary, buses.subordinate, (*port)->windows()};
        if ((*port)->below() == nullptr) continue;
        views.push_back((*port)->below()->view());
        views.back().bus = buses.secondary;
    }
    return views;
}

// -------------------------------------------------------------------------- configuration space

PciFunction *PcieHostBridge::function_at(u64 ecam_offset) const {
    const u64 bus = ecam_offset / kBusSize;
    const u64 number = ecam_offset % kBusSize >> 12;
    if (bus == 0) return numbered_[number];
    if (number != 0) return nullptr;
    const std::shared_lock lock(map_mutex_);
    return behind_[bus];
}

bool PcieHostBridge::Ecam::read(u64 offset, unsigned size_log2, u64 &value) {
    PciFunction *function = bridge_.function_at(offset);
    const u32 at = static_cast<u32>(offset & kFunctionMask);
    if (function == nullptr) {
        value = ones(8u << size_log2); // nobody answers
    } else if (size_log2 == 3) {
        value = function->read_config(at, 2);
        value |= u64{function->read_config(at + 4, 2)} << 32;
    } else {
        value = function->read_config(at, size_log2);
    }
    return true;
}

bool PcieHostBridge::Ecam::write(u64 offset, unsigned size_log2, u64 value) {
    PciFunction *function = bridge_.function_at(offset);
    const u32 at = static_cast<u32>(offset & kFunctionMask);
    if (function == nullptr) return true;
    function->write_config(at, std::min(size_log2, 2u), static_cast<u32>(value));
    if (size_log2 == 3) function->write_config(at + 4, 2, static_cast<u32>(value >> 32));
    return true;
}

void PcieHostBridge::Ecam::reset() {
    for (const auto &function : bridge_.functions_) function->reset();
}

void PcieHostBridge::Ecam::save(StateWriter &writer) const {
    for (const auto &function : bridge_.functions_) function->save(writer);
}

Result<> PcieHostBridge::Ecam::restore(StateReader &reader) {
    for (const auto &function : bridge_.functions_)
        if (auto result = function->restore(reader); !result) return result;
    bridge_.mapping_changed();
    return {};
}

void PcieHostBridge::Ecam::pause() {
    for (const auto &function : bridge_.functions_) function->pause();
}

void PcieHostBridge::Ecam::resume() {
    for (const auto &function : bridge_.functions_) function->resume();
}

// --------------------------------------------------------------------------------- memory space

void PcieHostBridge::mapping_changed() {
    // Under the lock, so that of two changes at a time the later map has both.
    const std::unique_lock lock(map_mutex_);
    map_.clear();
    behind_ = {};
    for (const auto &function : functions_) map_bars(*function, {.first = 0, .last = ~u64{0}});
    for (const RootPort *port : ports_) {
        PciFunction *function = port->reachable();
        if (function == nullptr) continue;
        // No bridge lies behind a port, so what is not for its own bus finds nothing there.
        const RootPort::Buses buses = port->buses();
        if (buses.secondary != 0 && behind_[buses.secondary] == nullptr)
            behind_[buses.secondary] = function;
        for (const auto &window : port->windows())
            if (window.has_value()) map_bars(*function, *window);
    }
}

void PcieHostBridge::map_bars(PciFunction &function, const RootPort::Window &window) {
    for (u32 bar = 0; bar < PciFunction::kBarCount; ++bar) {
        const auto range = function.mapping(bar);
        if (!range.has_value()) continue;
        const u64 first = std::max(range->base, window.first);
        const u64 last = std::min(range->base + (range->size - 1), window.last);
        if (first <= last) map_.push_back({first, last - first + 1, &function, bar, range->base});
    }
}

PcieHostBridge::Mapped PcieHostBridge::find(u64 address) const {
    const std::shared_lock lock(map_mutex_);
    const auto found = std::ranges::find_if(
        map_, [address](const Mapped &mapped) { return address - mapped.base < mapped.size; });
    return found == map_.end() ? Mapped{} : *found;
}

bool PcieHostBridge::Window::read(u64 offset, unsigned size_log2, u64 &value) {
    const u64 address = range_.base + offset;
    const Mapped target = space_ == Space::Memory ? bridge_.find(address) : Mapped{};
    // PCI Local Bus 3.0, 3.7.1: a read that no device claims returns ones.
    value = target.function == nullptr
                ? ones(8u << size_log2)
                : target.function->read_bar(target.bar, address - target.bar_base, size_log2);
    return true;
}

bool PcieHostBridge::Window::write(u64 offset, unsigned size_log2, u64 value) {
    const u64 address = range_.base + offset;
    const Mapped target = space_ == Space::Memory ? bridge_.find(address) : Mapped{};
    if (target.function != nullptr)
        target.function->write_bar(target.bar, address - target.bar_base, size_log2, value);
    return true;
}

// ----------------------------------------------------------------------------------- interrupts

void PcieHostBridge::set_interrupt(u32 function, bool level) {
    // PCI-to-PCI Bridge 1.2, 9.1: INTA of device n comes out at line n modulo 4; that of device 0
    // behind a bridge as the bridge's own.
    const u32 line = function % kBehind / kFunctions % kInterrupts;
    const std::scoped_lock lock(interrupt_mutex_);
    asserted_[line].set(function, level);
    lines_[line].set(asserted_[line].any());
}

void PcieHostBridge::send_message(u32 function, u64 address, u32 data) {
    if (msi_ != nullptr) msi_->send_message(function, address, data);
}

void PcieHostBridge::describe(FdtNode &parent, u32 interrupt_parent, u32 msi_parent) const {
    const auto high = fdt_high, low = fdt_low;
    const Config &at = layout_;
    FdtNode &node = parent.child(fdt_unit_name("pcie", GuestPhysAddr(at.memory.base)));
    node.strings("compatible", {"pci-host-ecam-generic"});
    node.strings("device_type", {"pci"});
    node.cells("#address-cells", {3});
    node.cells("#size-cells", {2});
    node.cells("linux,pci-domain", {0});
    node.cells("bus-range", {0, static_cast<u32>(at.ecam.size / kBusSize) - 1});
    node.flag("dma-coherent");
    fdt_reg(node, GuestPhysAddr(at.ecam.base), at.ecam.size);
    if (msi_parent != 0) node.cells("msi-map", {0, msi_parent, 0, 0x10000});
    // First cell: 1 I/O, 2 memory of 32 bits, 3 of 64 (IEEE 1275 PCI bus binding, 2.2.1.1).
    constexpr u32 kIo = 1u << 24, kMemory32 = 2u << 24, kMemory64 = 3u << 24;
    std::vector<u32> ranges;
    const auto add_range = [&](u32 space, u64 bus_address, const auto &window) {
        ranges.insert(ranges.end(), {space, high(bus_address), low(bus_address), high(window.base),
                                     low(window.base), high(window.size), low(window.size)});
    };
    add_range(kIo, 0, at.io);
    add_range(kMemory32, at.memory.base, at.memory);
    add_range(kMemory64, at.high_memory.base, at.high_memory);
    node.cells("ranges", ranges);
    node.cells("#interrupt-cells", {1});
    // Devices repeat after four, so the mask leaves two bits of the device number, and the pin.
    std::vector<u32> map;
    for (u32 device = 0; device < kInterrupts; ++device)
        for (u32 pin = 0; pin < kInterrupts; ++pin)
            map.insert(map.end(),
                       {device << 11, 0, 0, pin + 1, interrupt_parent, 0, 0, kFdtInterruptSpi,
                        at.first_spi + (device + pin) % kInterrupts, kFdtLevelHigh});
    node.cells("interrupt-map", map);
    node.cells("interrupt-map-mask", {0x1800, 0, 0, 7});
}

} // namespace tandem::devices
