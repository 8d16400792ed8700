#include "devices/pcie/root_port.h"

#include "support/check.h"

#include <utility>

namespace tandem::devices {

namespace {

constexpr PciIdentity kIdentity{.vendor = 0x1b36, // as on other boards of this kind
                                .device = 0x000c,
                                .class_code = 0x06'04'00};
constexpr u32 kSlotPowered = 0x01c0; ///< slot control: power and its indicator on, nothing else

constexpr bool covers(u32 offset, unsigned size_log2, u32 at, u32 bytes) {
    return offset < at + bytes && at < offset + (1u << size_log2);
}

} // namespace

RootPort::RootPort(std::string name, u32 slot, Listener listener)
    : PciFunction(std::move(name), kIdentity, PciHeader::Type1), listener_(std::move(listener)) {
    constexpr u32 kWide = 1; // PCI-to-PCI Bridge 1.2, 3.2.5.10: 64-bit addresses
    config_.define(pci::kHeaderType, 1, 1 | pci::kHeaderMultifunction);
    config_.define(pci::kInterruptPin, 1, 1);
    config_.define(pci::kPrefetchBase, 2, kWide, 0xfff0);
    config_.define(pci::kPrefetchLimit, 2, kWide, 0xfff0);
    add_msix(1, kMsixBar);
    add_express();
    const u32 at = express_capability();
    express::define(config_, at, express::Kind::RootPort);
    const u32 link = config_.get(at + express::kLinkCapabilities, 4);
    config_.define(at + express::kLinkCapabilities, 4, link | slot << express::kPortNumberShift);
    const u32 slots = config_.get(at + express::kSlotCapabilities, 4);
    config_.define(at + express::kSlotCapabilities, 4, slots | slot << express::kSlotNumberShift);
}

// ------------------------------------------------------------------------------------- the slot

void RootPort::plug(std::unique_ptr<PciFunction> function, Plugged how) {
    CHECK(below_ == nullptr);
    function->connect(secondary_bus_, 0);
    {
        const std::scoped_lock lock(mutex_);
        below_ = std::move(function);
        if (how == Plugged::Cold) {
            set(express::kSlotControl, kSlotPowered);
            settle();
        } else {
            // Old guests look at the button alone; others see both and do not wait for a second
            // press.
            tell(express::kPresenceChanged | express::kButtonPressed);
        }
    }
    mapping_changed();
}

std::unique_ptr<PciFunction> RootPort::unplug() {
    std::unique_ptr<PciFunction> function;
    {
        const std::scoped_lock lock(mutex_);
        function = std::move(below_);
        is_wanted_ = has_blinked_ = false;
        tell(express::kPresenceChanged);
    }
    mapping_changed();
    return function;
}

bool RootPort::is_off() const {
    const u32 control = get(express::kSlotControl);
    return (control & express::kPowerOff) != 0 &&
           (control & express::kPowerIndicator) == express::kPowerIndicatorOff;
}

RootPort::Button RootPort::press_button() {
    const std::scoped_lock lock(mutex_);
    if (is_off()) {
        is_wanted_ = true;
        return Button::IsReleased;
    }
    // A second press while the indicator blinks cancels (6.7.1.5).
    if ((get(express::kSlotControl) & express::kPowerIndicator) == express::kPowerIndicatorBlinks)
        return Button::Busy;
    is_wanted_ = true;
    tell(express::kButtonPressed);
    return Button::Pressed;
}

bool RootPort::is_released() const {
    const std::scoped_lock lock(mutex_);
    return is_wanted_ && is_off();
}

std::optional<SlotAnswer> RootPort::take_answer() {
    if (!is_wanted_) return {};
    if (is_off()) return SlotAnswer::Released;
    const u32 indicator = get(express::kSlotControl) & express::kPowerIndicator;
    if (indicator == express::kPowerIndicatorBlinks) {
        has_blinked_ = true;
    } else if (has_blinked_ && indicator == express::kPowerIndicatorOn) {
        is_wanted_ = has_blinked_ = false;
        return SlotAnswer::Refused;
    }
    return {};
}

void RootPort::settle() {
    const bool is_powered = (get(express::kSlotControl) & express::kPowerOff) == 0 &&
                            (get(express::kLinkControl) & express::kLinkDisable) == 0;
    is_linked_ = below_ != nullptr && is_powered;
    set(express::kLinkStatus, is_linked_ ? express::kLinkRunning | express::kLinkActive : 0);
    const u32 events = get(express::kSlotStatus) & ~express::kPresent;
    set(express::kSlotStatus, below_ != nullptr ? events | express::kPresent : events);
}

void RootPort::tell(u32 events) {
    const bool was_linked = is_linked_;
    settle();
    if (is_linked_ != was_linked) events |= express::kLinkChanged;
    set(express::kSlotStatus, get(express::kSlotStatus) | events);
    update_interrupt();
}

void RootPort::update_interrupt() {
    // 6.7.3.4: a message is sent when the first of the enabled events comes; the pin stays up while
    // there is one.
    const u32 control = get(express::kSlotControl), status = get(express::kSlotStatus);
    const bool has_event =
        (control & status & express::kSimpleEvents) != 0 ||
        ((control & express::kLinkChangedEnable) != 0 && (status & express::kLinkChanged) != 0);
    const bool interrupts = (control & express::kInterruptEnable) != 0 && has_event;
    set_intx(interrupts);
    if (!std::exchange(has_interrupted_, interrupts) && interrupts) signal_vector(0);
}

// -------------------------------------------------------------------------------------- routing

bool RootPort::update_routing() {
    secondary_number_ = config_.get(pci::kSecondaryBus, 1);
    const bool is_master = is_bus_master();
    return !is_master_.exchange(is_master) && is_master;
}

RootPort::Buses RootPort::buses() const {
    const std::scoped_lock lock(mutex_);
    const Buses numbers{config_.get(pci::kSecondaryBus, 1), config_.get(pci::kSubordinateBus, 1)};
    return numbers.secondary <= numbers.subordinate ? numbers : Buses{};
}

std::array<std::optional<RootPort::Window>, 2> RootPort::windows() const {
    const std::scoped_lock lock(mutex_);
    if ((config_.get(pci::kCommand, 2) & pci::kCommandMemory) == 0) return {};
    // PCI-to-PCI Bridge 1.2, 3.2.5.8: registers have bits 31 to 20; the limit's lower bits are
    // ones.
    constexpr u32 kMask = 0xfff0, kShift = 16;
    constexpr u64 kLow = 0xf'ffff;
    const auto window = [](u64 base, u64 limit) -> std::optional<Window> {
        if (base > limit) return {};
        return Window{base, limit};
    };
    const auto at = [this](u32 offset) { return u64{config_.get(offset, 2) & kMask} << kShift; };
    const u64 base_upper = u64{config_.get(pci::kPrefetchBaseUpper, 4)} << 32;
    const u64 limit_upper = u64{config_.get(pci::kPrefetchLimitUpper, 4)} << 32;
    return {
        window(at(pci::kMemoryBase), at(pci::kMemoryLimit) | kLow),
        window(base_upper | at(pci::kPrefetchBase), limit_upper | at(pci::kPrefetchLimit) | kLow)};
}

PciFunction *RootPort::reachable() const {
    const std::scoped_lock lock(mutex_);
    return is_linked_ && !is_in_reset_ ? below_.get() : nullptr;
}

void RootPort::Secondary::set_interrupt(u32, bool level) {
    port_.bus()->set_interrupt(kBehind + port_.number(), level);
}

void RootPort::Secondary::send_message(u32 function, u64 address, u32 data) {
    port_.bus()->send_message(port_.secondary_number_ << 8 | function, address, data);
}

void RootPort::write_config(u32 offset, unsigned size_log2, u32 value) {
    PciFunction::write_config(offset, size_log2, value);
    bool resets = false, remaps = false, opens = false;
    std::optional<SlotAnswer> answer;
    {
        const std::scoped_lock lock(mutex_);
        opens = update_routing();
        const bool is_in_reset = (config_.get(pci::kBridgeControl, 2) & pci::kBridgeReset) != 0;
        resets = is_in_reset && !is_in_reset_;
        remaps = std::exchange(is_in_reset_, is_in_reset) != is_in_reset;
        const bool was_linked = is_linked_;
        const bool is_command =
            covers(offset, size_log2, express_capability() + express::kSlotControl, 2);
        tell(is_command ? express::kCommandCompleted : 0);
        if (is_linked_ != was_linked) remaps = true;
        if (was_linked && !is_linked_) resets = true;
        if (is_command) answer = take_answer();
    }
    if (resets && below_ != nullptr) below_->reset();
    if (remaps) mapping_changed();
    if (opens && below_ != nullptr) below_->bus_opened();
    if (answer.has_value()) listener_(*answer);
}

// ---------------------------------------------------------------------------------------- state

void RootPort::reset() {
    {
        const std::scoped_lock lock(mutex_);
        reset_function();
        if (below_ != nullptr) set(express::kSlotControl, kSlotPowered);
        is_in_reset_ = is_wanted_ = has_blinked_ = false;
        has_interrupted_ = false;
        update_routing();
        settle();
    }
    if (below_ != nullptr) below_->reset();
    mapping_changed();
}

void RootPort::pause() {
    if (below_ != nullptr) below_->pause();
}

void RootPort::resume() {
    if (below_ != nullptr) below_->resume();
    if (is_released()) listener_(SlotAnswer::Released); // before it was saved, perhaps
}

void RootPort::save(StateWriter &writer) const {
    {
        const std::scoped_lock lock(mutex_);
        save_state(writer, "pcie-root-port",
                   SavedState{saved_function(), below_ != nullptr, is_wanted_, has_blinked_,
                              has_interrupted_});
    }
    if (below_ != nullptr) below_->save(writer);
}

Result<> RootPort::restore(StateReader &reader) {
    SavedState state;
    if (auto result = restore_state(reader, "pcie-root-port", state); !result) return result;
    {
        const std::scoped_lock lock(mutex_);
        if ((state.is_occupied != 0) != (below_ != nullptr))
            return failure("snapshot: " + name() + " has another device, or none");
        if (auto result = restore_function(state.function); !result) return result;
        is_wanted_ = state.is_wanted != 0;
        has_blinked_ = state.has_blinked != 0;
        is_in_reset_ = (config_.get(pci::kBridgeControl, 2) & pci::kBridgeReset) != 0;
        has_interrupted_ = state.has_interrupted != 0;
        update_routing();
        settle();
        update_interrupt();
    }
    if (below_ != nullptr)
        if (auto result = below_->restore(reader); !result) return result;
    mapping_changed();
    return {};
}

} // namespace tandem::devices
