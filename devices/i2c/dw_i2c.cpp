#include "devices/i2c/dw_i2c.h"

#include "devices/core/fdt_node.h"

#include <algorithm>

namespace tandem::devices {

namespace {

#define TANDEM_REGISTERS "devices/i2c/dw_i2c_registers.inc"
#include "devices/core/register_table.inc"

constexpr u32 kResetControl =
    IC_CON_MASTER_MODE | 2u << 1 | IC_CON_RESTART_EN | IC_CON_SLAVE_DISABLE;
constexpr u32 kResetTarget = 0x55;
constexpr u32 kWritableControl = 0x3ff;
constexpr u32 kWritableTarget = 0x1fff;
constexpr u32 kAllInterrupts = 0xfff;
constexpr u32 kResetMask = 0x8ff;
/// FIFOs of kFifoDepth, fast mode, one interrupt line, 32-bit bus.
constexpr u32 kParameters = (DwI2cState::kFifoDepth - 1) << 16 | (DwI2cState::kFifoDepth - 1) << 8 |
                            1u << 7 | 1u << 5 | 2u << 2 | 2u;
constexpr u32 kVersionText = 0x3230'312a; ///< "201*"
constexpr u32 kComponentType = 0x4457'0140;
constexpr u32 kFlushCountShift = 23;

/// IC_CLR_RX_UNDER and those after it, in their order: the interrupt of each.
constexpr std::array kCleared{IC_RAW_INTR_STAT_RX_UNDER,  IC_RAW_INTR_STAT_RX_OVER,
                              IC_RAW_INTR_STAT_TX_OVER,   IC_RAW_INTR_STAT_RD_REQ,
                              IC_RAW_INTR_STAT_TX_ABRT,   IC_RAW_INTR_STAT_RX_DONE,
                              IC_RAW_INTR_STAT_ACTIVITY,  IC_RAW_INTR_STAT_STOP_DET,
                              IC_RAW_INTR_STAT_START_DET, IC_RAW_INTR_STAT_GEN_CALL};

} // namespace

DwI2c::DwI2c(const I2cBus &bus, IrqLine irq) : bus_(bus), irq_(irq) {
    reset();
}

void DwI2c::reset() {
    const std::scoped_lock lock(bus_.mutex());
    if (state_.owns_bus) stop_transfer();
    state_ = {};
    state_.control = kResetControl;
    state_.target = kResetTarget;
    state_.interrupt_mask = kResetMask;
    update_interrupt();
}

// ------------------------------------------------------------------------------------- registers

u32 DwI2c::raw_interrupts() const {
    u32 raw = state_.latched;
    if (!state_.enabled) return raw;
    if (state_.receive.count > state_.receive_level) raw |= IC_RAW_INTR_STAT_RX_FULL;
    if (state_.transmit.count <= state_.transmit_level) raw |= IC_RAW_INTR_STAT_TX_EMPTY;
    return raw;
}

u32 DwI2c::status() const {
    u32 status = 0;
    if (state_.owns_bus) status |= IC_STATUS_ACTIVITY | IC_STATUS_MST_ACTIVITY;
    if (!state_.transmit.is_full()) status |= IC_STATUS_TFNF;
    if (state_.transmit.count == 0) status |= IC_STATUS_TFE;
    if (state_.receive.count != 0) status |= IC_STATUS_RFNE;
    if (state_.receive.is_full()) status |= IC_STATUS_RFF;
    return status;
}

u32 DwI2c::clear(u32 interrupts) {
    state_.latched &= ~interrupts;
    if ((interrupts & IC_RAW_INTR_STAT_TX_ABRT) != 0) state_.abort_source = 0;
    update_interrupt();
    return 0;
}

u32 DwI2c::read_word(u32 offset) {
    const std::scoped_lock lock(bus_.mutex());
    if (offset >= static_cast<u32>(Register::IC_CLR_RX_UNDER) &&
        offset <= static_cast<u32>(Register::IC_CLR_GEN_CALL))
        return clear(kCleared[(offset - static_cast<u32>(Register::IC_CLR_RX_UNDER)) / 4]);
    switch (static_cast<Register>(offset)) {
    case Register::IC_CON: return state_.control;
    case Register::IC_TAR: return state_.target;
    case Register::IC_DATA_CMD: {
        if (state_.receive.count == 0) {
            state_.latched |= IC_RAW_INTR_STAT_RX_UNDER;
            update_interrupt();
            return 0;
        }
        const u32 data = state_.receive.pop();
        run_commands(); // one may have waited for the room
        update_interrupt();
        return data;
    }
    case Register::IC_SS_SCL_HCNT: return state_.clock_counts[0];
    case Register::IC_SS_SCL_LCNT: return state_.clock_counts[1];
    case Register::IC_FS_SCL_HCNT: return state_.clock_counts[2];
    case Register::IC_FS_SCL_LCNT: return state_.clock_counts[3];
    case Register::IC_INTR_STAT: return raw_interrupts() & state_.interrupt_mask;
    case Register::IC_INTR_MASK: return state_.interrupt_mask;
    case Register::IC_RAW_INTR_STAT: return raw_interrupts();
    case Register::IC_RX_TL: return state_.receive_level;
    case Register::IC_TX_TL: return state_.transmit_level;
    case Register::IC_CLR_INTR: return clear(kAllInterrupts);
    case Register::IC_ENABLE:
    case Register::IC_ENABLE_STATUS: return state_.enabled ? 1 : 0;
    case Register::IC_STATUS: return status();
    case Register::IC_TXFLR: return state_.transmit.count;
    case Register::IC_RXFLR: return state_.receive.count;
    case Register::IC_SDA_HOLD: return state_.data_hold;
    case Register::IC_TX_ABRT_SOURCE: return state_.abort_source;
    case Register::IC_SDA_SETUP: return state_.data_setup;
    case Register::IC_FS_SPKLEN: return state_.spike_length;
    case Register::IC_COMP_PARAM_1: return kParameters;
    case Register::IC_COMP_VERSION: return kVersionText;
    case Register::IC_COMP_TYPE: return kComponentType;
    default: return 0;
    }
}

void DwI2c::write_word(u32 offset, u32 value) {
    const std::scoped_lock lock(bus_.mutex());
    const bool is_idle = !state_.enabled; // databook 5.3: these can be written only then
    switch (static_cast<Register>(offset)) {
    case Register::IC_CON:
        if (is_idle) state_.control = value & kWritableControl;
        break;
    case Register::IC_TAR:
        if (is_idle) state_.target = value & kWritableTarget;
        break;
    case Register::IC_DATA_CMD: put_command(value); break;
    case Register::IC_SS_SCL_HCNT:
    case Register::IC_SS_SCL_LCNT:
    case Register::IC_FS_SCL_HCNT:
    case Register::IC_FS_SCL_LCNT:
        if (is_idle)
            state_.clock_counts[(offset - static_cast<u32>(Register::IC_SS_SCL_HCNT)) / 4] =
                static_cast<u16>(value);
        break;
    case Register::IC_INTR_MASK: state_.interrupt_mask = value & kAllInterrupts; break;
    case Register::IC_RX_TL:
        state_.receive_level = std::min(value & 0xff, DwI2cState::kFifoDepth - 1);
        break;
    case Register::IC_TX_TL:
        state_.transmit_level = std::min(value & 0xff, DwI2cState::kFifoDepth - 1);
        break;
    case Register::IC_ENABLE: enable(value); break;
    case Register::IC_SDA_HOLD:
        if (is_idle) state_.data_hold = value & 0xff'ffff;
        break;
    case Register::IC_SDA_SETUP:
        if (is_idle) state_.data_setup = static_cast<u8>(value);
        break;
    case Register::IC_FS_SPKLEN:
        if (is_idle) state_.spike_length = static_cast<u8>(value);
        break;
    default: break; // read-only, of a slave or of high speed
    }
    update_interrupt();
}

void DwI2c::enable(u32 value) {
    const bool wanted = (value & IC_ENABLE_ENABLE) != 0;
    if (wanted && state_.enabled && (value & IC_ENABLE_ABORT) != 0 && state_.owns_bus)
        abort_transfer(IC_TX_ABRT_SOURCE_USER_ABRT);
    if (wanted == state_.enabled) return;
    state_.enabled = wanted;
    // Databook 5.3.23: both FIFOs are flushed, and what is on the bus ends.
    state_.transmit = {};
    state_.receive = {};
    if (state_.owns_bus) stop_transfer();
}

// ------------------------------------------------------------------------------------------- bus

void DwI2c::put_command(u32 command) {
    if (!state_.enabled) return;
    // Databook 5.3.6: until software has seen an abort, the FIFO stays flushed.
    if ((state_.latched & IC_RAW_INTR_STAT_TX_ABRT) != 0) return;
    if (state_.transmit.is_full()) {
        state_.latched |= IC_RAW_INTR_STAT_TX_OVER;
        return;
    }
    state_.transmit.push(static_cast<u16>(command & 0x7ff));
    run_commands();
}

void DwI2c::run_commands() {
    while (state_.transmit.count != 0) {
        const u32 command = state_.transmit.items[state_.transmit.head];
        const bool reads = (command & IC_DATA_CMD_CMD) != 0;
        const bool has_room = !state_.receive.is_full();
        if (reads && !has_room && (state_.control & IC_CON_RX_FIFO_FULL_HLD_CTRL) != 0) return;
        static_cast<void>(state_.transmit.pop());
        if ((state_.control & IC_CON_MASTER_MODE) == 0)
            return abort_transfer(IC_TX_ABRT_SOURCE_MASTER_DIS);
        if (!state_.owns_bus || (command & IC_DATA_CMD_RESTART) != 0 || reads != state_.reads)
            if (!address(reads ? I2cDirection::Read : I2cDirection::Write)) return;
        I2cTarget &target = *addressed();
        if (!reads) {
            if (!target.write(static_cast<u8>(command)))
                return abort_transfer(IC_TX_ABRT_SOURCE_TXDATA_NOACK);
        } else if (const u8 data = target.read(); has_room) {
            state_.receive.push(data);
        } else {
            state_.latched |= IC_RAW_INTR_STAT_RX_OVER;
        }
        if ((command & IC_DATA_CMD_STOP) != 0) stop_transfer();
    }
}

I2cTarget *DwI2c::addressed() const {
    if ((state_.target & (IC_TAR_SPECIAL | IC_TAR_10BITADDR_MASTER)) != 0) return nullptr;
    return bus_.find(state_.target & IC_TAR_ADDRESS);
}

bool DwI2c::address(I2cDirection direction) {
    state_.latched |= IC_RAW_INTR_STAT_START_DET | IC_RAW_INTR_STAT_ACTIVITY;
    state_.owns_bus = true;
    state_.reads = direction == I2cDirection::Read;
    if (I2cTarget *target = addressed(); target != nullptr && target->start(direction)) return true;
    abort_transfer((state_.target & IC_TAR_SPECIAL) != 0 ? IC_TX_ABRT_SOURCE_GCALL_NOACK
                   : (state_.target & IC_TAR_10BITADDR_MASTER) != 0
                       ? IC_TX_ABRT_SOURCE_10ADDR1_NOACK
                       : IC_TX_ABRT_SOURCE_7B_ADDR_NOACK);
    return false;
}

void DwI2c::abort_transfer(u32 source) {
    state_.abort_source = source | state_.transmit.count << kFlushCountShift;
    state_.latched |= IC_RAW_INTR_STAT_TX_ABRT;
    state_.transmit = {};
    if (state_.owns_bus) stop_transfer();
}

void DwI2c::stop_transfer() {
    if (I2cTarget *target = addressed(); target != nullptr) target->stop();
    state_.owns_bus = false;
    state_.latched |= IC_RAW_INTR_STAT_STOP_DET;
}

void DwI2c::update_interrupt() {
    irq_.set((raw_interrupts() & state_.interrupt_mask) != 0);
}

// ----------------------------------------------------------------------------------------- state

void DwI2c::save(StateWriter &writer) const {
    const std::scoped_lock lock(bus_.mutex());
    save_state(writer, name(), state_);
}

Result<> DwI2c::restore(StateReader &reader) {
    DwI2cState state;
    if (auto result = restore_state(reader, name(), state); !result) return result;
    if (!state.transmit.is_valid() || !state.receive.is_valid())
        return failure("snapshot: the I2C controller's FIFOs are damaged");
    const std::scoped_lock lock(bus_.mutex());
    state_ = state;
    // Another machine's bus may have nobody there.
    if (state_.owns_bus && addressed() == nullptr) state_.owns_bus = false;
    irq_.drive((raw_interrupts() & state_.interrupt_mask) != 0);
    return {};
}

void DwI2c::describe(FdtNode &parent, const FdtPlacement &placement) const {
    FdtNode &node = parent.child(fdt_unit_name("i2c", placement.base));
    node.strings("compatible", {"snps,designware-i2c"});
    fdt_reg(node, placement.base, size());
    fdt_spi(node, placement.spi, kFdtLevelHigh);
    node.cells("clocks", {placement.clock_phandle});
    node.cells("clock-frequency", {400'000});
    node.cells("#address-cells", {1});
    node.cells("#size-cells", {0});
    bus_.describe(node);
}

} // namespace tandem::devices
