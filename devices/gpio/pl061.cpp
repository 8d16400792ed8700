#include "devices/gpio/pl061.h"

#include "devices/core/fdt_node.h"
#include "devices/core/primecell.h"

namespace tandem::devices {

namespace {

#define TANDEM_REGISTERS "devices/gpio/pl061_registers.inc"
#include "devices/core/register_table.inc"

constexpr PrimecellId kId(0x00041061);
constexpr u32 kKeyPower = 116; ///< Linux's KEY_POWER

} // namespace

Pl061::Pl061(IrqLine irq) : irq_(irq) {}

void Pl061::reset() {
    const std::scoped_lock lock(mutex_);
    state_ = {.inputs = state_.inputs}; // the outside keeps driving its pins
    irq_.set(false);
}

u8 Pl061::pins() const {
    return static_cast<u8>((state_.outputs & state_.direction) |
                           (state_.inputs & ~state_.direction));
}

u8 Pl061::raw_interrupts() const {
    // A level interrupt follows its pin; GPIOIEV says which level.
    const u8 at_level = static_cast<u8>(~(pins() ^ state_.rising));
    return static_cast<u8>((state_.latched & ~state_.level_sensitive) |
                           (at_level & state_.level_sensitive));
}

void Pl061::latch_edges(u8 before) {
    const u8 after = pins();
    const u8 changed = before ^ after;
    const u8 wanted = static_cast<u8>(state_.both_edges | ~(after ^ state_.rising));
    state_.latched |= static_cast<u8>(changed & wanted & ~state_.level_sensitive);
    irq_.set((raw_interrupts() & state_.enabled) != 0);
}

void Pl061::set_input(u32 pin, bool level) {
    const std::scoped_lock lock(mutex_);
    const u8 before = pins();
    const u8 mask = static_cast<u8>(1u << (pin & 7));
    state_.inputs = static_cast<u8>(level ? state_.inputs | mask : state_.inputs & ~mask);
    latch_edges(before);
}

u32 Pl061::read_word(u32 offset) {
    const std::scoped_lock lock(mutex_);
    // DDI 0190B 3.3.1: the address selects which bits are read.
    if (offset < static_cast<u32>(Register::GPIODIR)) return pins() & (offset >> 2);
    switch (static_cast<Register>(offset)) {
    case Register::GPIODIR: return state_.direction;
    case Register::GPIOIS: return state_.level_sensitive;
    case Register::GPIOIBE: return state_.both_edges;
    case Register::GPIOIEV: return state_.rising;
    case Register::GPIOIE: return state_.enabled;
    case Register::GPIORIS: return raw_interrupts();
    case Register::GPIOMIS: return raw_interrupts() & state_.enabled;
    case Register::GPIOAFSEL: return state_.alternate;
    default: return PrimecellId::covers(offset) ? kId.read(offset) : 0;
    }
}

void Pl061::write_word(u32 offset, u32 word) {
    const std::scoped_lock lock(mutex_);
    const u8 before = pins();
    const u8 value = static_cast<u8>(word);
    if (offset < static_cast<u32>(Register::GPIODIR)) {
        const u8 mask = static_cast<u8>(offset >> 2);
        state_.outputs = static_cast<u8>((state_.outputs & ~mask) | (value & mask));
    } else {
        switch (static_cast<Register>(offset)) {
        case Register::GPIODIR: state_.direction = value; break;
        case Register::GPIOIS: state_.level_sensitive = value; break;
        case Register::GPIOIBE: state_.both_edges = value; break;
        case Register::GPIOIEV: state_.rising = value; break;
        case Register::GPIOIE: state_.enabled = value; break;
        case Register::GPIOIC: state_.latched &= static_cast<u8>(~value); break;
        case Register::GPIOAFSEL: state_.alternate = value; break;
        default: break;
        }
    }
    latch_edges(before);
}

void Pl061::save(StateWriter &writer) const {
    const std::scoped_lock lock(mutex_);
    save_state(writer, name(), state_);
}

Result<> Pl061::restore(StateReader &reader) {
    Pl061State state;
    if (auto result = restore_state(reader, name(), state); !result) return result;
    const std::scoped_lock lock(mutex_);
    state_ = state;
    irq_.drive((raw_interrupts() & state_.enabled) != 0);
    return {};
}

void Pl061::describe(FdtNode &parent, const FdtPlacement &placement) const {
    FdtNode &node = parent.child(fdt_unit_name("pl061", placement.base));
    node.strings("compatible", {"arm,pl061", "arm,primecell"});
    fdt_reg(node, placement.base, size());
    fdt_spi(node, placement.spi, kFdtLevelHigh);
    node.flag("gpio-controller");
    node.cells("#gpio-cells", {2});
    node.strings("clock-names", {"apb_pclk"});
    node.cells("clocks", {placement.clock_phandle});
    const u32 controller = node.phandle();

    FdtNode &keys = parent.child("gpio-keys");
    keys.strings("compatible", {"gpio-keys"});
    FdtNode &power = keys.child("poweroff");
    power.strings("label", {"GPIO Key Poweroff"});
    power.cells("linux,code", {kKeyPower});
    power.cells("gpios", {controller, kPowerKeyPin, 0});
}

} // namespace tandem::devices
