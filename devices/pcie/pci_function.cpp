#include "devices/pcie/pci_function.h"

#include "support/check.h"

namespace tandem::devices {

namespace {
constexpr u32 kBarWide = 1 << 2, kBarPrefetchable = 1 << 3;
constexpr u32 kMsixControl = 2; ///< offset in the capability
constexpr u32 kMsixEnable = 1 << 15, kMsixFunctionMask = 1 << 14;

constexpr u32 bar_register(u32 bar) {
    return pci::kBars + bar * 4;
}
} // namespace

PciFunction::PciFunction(std::string name, const PciIdentity &identity, PciHeader header)
    : config_(header), name_(std::move(name)) {
    config_.define(pci::kVendorId, 2, identity.vendor);
    config_.define(pci::kDeviceId, 2, identity.device);
    config_.define(pci::kRevision, 1, identity.revision);
    config_.define(pci::kProgInterface, 1, identity.class_code & 0xff);
    config_.define(pci::kClassCode, 2, identity.class_code >> 8);
    if (header == PciHeader::Type1) return;
    config_.define(pci::kSubsystemVendorId, 2, identity.subsystem_vendor);
    config_.define(pci::kSubsystemId, 2, identity.subsystem);
}

void PciFunction::connect(PciBus &bus, u32 function) {
    bus_ = &bus;
    number_ = function;
    if (express_capability_ != 0 && !config_.is_bridge())
        express::define(config_, express_capability_, bus.kind());
}

void PciFunction::add_express() {
    express_capability_ = config_.add_capability(pci::kCapabilityExpress, express::kSize);
}

void PciFunction::add_bar(u32 bar, u64 size, BarKind kind) {
    const bool is_wide = kind == BarKind::Memory64;
    CHECK(std::has_single_bit(size) && size >= 16 && bar + (is_wide ? 1 : 0) < kBarCount);
    bars_[bar] = {size, is_wide};
    const u64 writable = ~(size - 1);
    config_.define(bar_register(bar), 4, is_wide ? kBarWide | kBarPrefetchable : 0,
                   static_cast<u32>(writable));
    if (is_wide) config_.define(bar_register(bar + 1), 4, 0, static_cast<u32>(writable >> 32));
}

void PciFunction::add_msix(u32 vectors, u32 bar) {
    CHECK(vectors >= 1 && vectors <= Msix::kMaxVectors);
    add_bar(bar, Msix::kBarSize, BarKind::Memory32);
    msix_.emplace(vectors);
    msix_bar_ = bar;
    msix_capability_ = config_.add_capability(pci::kCapabilityMsix, 12);
    config_.define(msix_capability_ + kMsixControl, 2, vectors - 1,
                   kMsixEnable | kMsixFunctionMask);
    config_.define(msix_capability_ + 4, 4, Msix::kTableOffset | bar);
    config_.define(msix_capability_ + 8, 4, Msix::kPendingOffset | bar);
}

u32 PciFunction::read_config(u32 offset, unsigned size_log2) {
    const std::scoped_lock lock(mutex_);
    u32 value = config_.read(offset, size_log2);
    const u32 status = pci::kStatus * 8; // in bits, as is the access
    if (intx_ && offset * 8 <= status && (offset + (1u << size_log2)) * 8 > status)
        value |= pci::kStatusInterrupt << (status - offset * 8);
    return value;
}

bool PciFunction::initiates_reset(u32 offset, unsigned size_log2, u32 value) const {
    // PCI Express 5.0, 7.5.3.4, Initiate Function Level Reset: bit 15, in the second byte. In a
    // root port it is another one.
    const u32 byte = express_capability_ + express::kDeviceControl + 1;
    if (express_capability_ == 0 || config_.is_bridge() || offset > byte ||
        byte - offset >= 1u << size_log2)
        return false;
    return (value >> ((byte - offset) * 8) & express::kInitiateReset >> 8) != 0;
}

void PciFunction::write_config(u32 offset, unsigned size_log2, u32 value) {
    bool remap = false, master = false;
    {
        const std::scoped_lock lock(mutex_);
        const u32 before = config_.get(pci::kCommand, 2);
        config_.write(offset, size_log2, value);
        const u32 changed = before ^ config_.get(pci::kCommand, 2);
        // A bridge's windows and bus numbers are where BARs 2 to 5 would be.
        remap = (changed & pci::kCommandMemory) != 0 ||
                (offset >= pci::kBars && offset < bar_register(kBarCount + 2));
        master = (changed & pci::kCommandMaster) != 0 && is_bus_master();
        update_intx();
        send_pending();
    }
    if (initiates_reset(offset, size_log2, value)) return reset();
    if (remap) mapping_changed();
    if (master) bus_master_enabled();
}

void PciFunction::bus_opened() {
    {
        const std::scoped_lock lock(mutex_);
        if (!is_bus_master()) return;
        send_pending();
    }
    bus_master_enabled();
}

std::optional<PciFunction::Mapping> PciFunction::mapping(u32 bar) const {
    const std::scoped_lock lock(mutex_);
    const Bar &range = bars_[bar];
    if (range.size == 0 || (config_.get(pci::kCommand, 2) & pci::kCommandMemory) == 0) return {};
    u64 base = config_.get(bar_register(bar), 4) & ~u32{0xf};
    if (range.is_wide) base |= u64{config_.get(bar_register(bar + 1), 4)} << 32;
    return Mapping{base, range.size};
}

PciFunctionView PciFunction::view() const {
    PciFunctionView view{.name = name_, .number = number_};
    for (u32 bar = 0; bar < kBarCount; ++bar) {
        if (bars_[bar].size == 0) continue;
        const auto range = mapping(bar);
        view.bars.push_back({bar, bars_[bar].size, bars_[bar].is_wide,
                             range.has_value() ? std::optional(range->base) : std::nullopt});
    }
    const std::scoped_lock lock(mutex_);
    view.vendor = config_.get(pci::kVendorId, 2);
    view.device = config_.get(pci::kDeviceId, 2);
    if (!config_.is_bridge()) {
        view.subsystem_vendor = config_.get(pci::kSubsystemVendorId, 2);
        view.subsystem = config_.get(pci::kSubsystemId, 2);
    }
    view.class_code = config_.get(pci::kClassCode, 2);
    view.interrupt_pin = config_.get(pci::kInterruptPin, 1);
    view.interrupt_line = config_.get(pci::kInterruptLine, 1);
    return view;
}

u64 PciFunction::read_bar(u32 bar, u64 offset, unsigned size_log2) {
    if (bar != msix_bar_) return read_own_bar(bar, offset, size_log2);
    const std::scoped_lock lock(mutex_);
    return msix_->read(offset, size_log2);
}

void PciFunction::write_bar(u32 bar, u64 offset, unsigned size_log2, u64 value) {
    if (bar != msix_bar_) return write_own_bar(bar, offset, size_log2, value);
    const std::scoped_lock lock(mutex_);
    msix_->write(offset, size_log2, value);
    send_pending();
}

bool PciFunction::uses_msix() const {
    return msix_ && (config_.get(msix_capability_ + kMsixControl, 2) & kMsixEnable) != 0;
}

void PciFunction::set_intx(bool level) {
    intx_ = level;
    update_intx();
}

void PciFunction::update_intx() {
    // PCI Local Bus 3.0, 6.8.3.3: with MSI-X enabled a function does not use its INTx pin.
    const bool level = intx_ && !uses_msix() &&
                       (config_.get(pci::kCommand, 2) & pci::kCommandInterruptDisable) == 0;
    if (level == intx_driven_) return;
    intx_driven_ = level;
    if (bus_ != nullptr) bus_->set_interrupt(number_, level);
}

void PciFunction::signal_vector(u32 vector) {
    if (!uses_msix() || vector >= msix_->vectors()) return;
    msix_->pend(vector);
    send_pending();
}

void PciFunction::send_pending() {
    // A message is a memory write, which needs bus mastering.
    if (!uses_msix() || !is_bus_master() ||
        (config_.get(msix_capability_ + kMsixControl, 2) & kMsixFunctionMask) != 0)
        return;
    while (const MsixEntry *entry = msix_->take())
        if (bus_ != nullptr) bus_->send_message(number_, entry->address, entry->data);
}

void PciFunction::reset_function() {
    config_.reset();
    if (msix_) msix_->reset();
    set_intx(false);
}

void PciFunction::reset() {
    {
        const std::scoped_lock lock(mutex_);
        reset_function();
    }
    mapping_changed();
}

PciFunction::State PciFunction::saved_function() const {
    return {.config = config_.saved(), .msix = msix_ ? msix_->saved() : Msix::State{}};
}

Result<> PciFunction::restore_function(const State &state) {
    if (!config_.restore(state.config) || (msix_ && !msix_->restore(state.msix)))
        return failure("snapshot: " + name_ + " is another kind of PCI function");
    update_intx();
    return {};
}

} // namespace tandem::devices
