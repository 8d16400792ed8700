#include "devices/uart/pl011.h"

#include "devices/core/fdt_node.h"
#include "devices/core/primecell.h"

#include <algorithm>

namespace tandem::devices {

namespace {

#define TANDEM_REGISTERS "devices/uart/pl011_registers.inc"
#include "devices/core/register_table.inc"

/// UARTPeriphID: part 0x011, designer 0x41, revision r1p4 (16-byte FIFOs).
constexpr PrimecellId kId(0x00141011);

constexpr u32 kAllInterrupts = 0x7ff;
constexpr u32 kErrors = UARTDR_FE | UARTDR_PE | UARTDR_BE | UARTDR_OE;
constexpr u32 kErrorShift = 8; ///< of the error bits, from UARTDR to UARTRSR

/// The receive timeout is 32 bit times. The character is already here, so the baud rate does not
/// matter much; this is 115200 baud, which keeps a guest that types fast from an interrupt per key.
constexpr u64 kReceiveTimeoutNs = 32 * 1'000'000'000ull / 115200;

/// UARTIFLS: eighths of the FIFO, 1/8, 1/4, 1/2, 3/4, 7/8; the other values are reserved.
constexpr u32 trigger_level(u32 select) {
    constexpr std::array<u32, 8> kLevels{2, 4, 8, 12, 14, 14, 14, 14};
    return kLevels[select & 7];
}

} // namespace

Pl011::Pl011(Char &backend, Clock &clock, IrqLine irq)
    : backend_(backend), clock_(clock), irq_(irq), timeout_(clock.create_timer(*this)) {
    reset();
    backend_.set_listener(this);
}

Pl011::~Pl011() {
    backend_.set_listener(nullptr);
    timeout_.reset();
}

void Pl011::reset() {
    const std::scoped_lock lock(mutex_);
    state_ = {};
    state_.control = UARTCR_RXE | UARTCR_TXE;
    state_.fifo_levels = 0x12;
    timeout_->cancel();
    update_interrupt();
}

u32 Pl011::fifo_depth() const {
    return (state_.line_control & UARTLCR_H_FEN) != 0 ? Pl011State::kFifoDepth : 1;
}

bool Pl011::is_looped_back() const {
    return (state_.control & UARTCR_LBE) != 0;
}

u32 Pl011::flags() const {
    u32 flags = 0;
    if (state_.receive_count == 0) flags |= UARTFR_RXFE;
    if (state_.receive_count >= fifo_depth()) flags |= UARTFR_RXFF;
    if (state_.transmit_count == 0) flags |= UARTFR_TXFE;
    if (state_.transmit_count >= fifo_depth()) flags |= UARTFR_TXFF;
    if (state_.transmit_count != 0) flags |= UARTFR_BUSY;
    if (is_looped_back()) {
        // DDI 0183G 2.4.4: outputs come back as inputs: RTS as CTS, DTR as DSR, Out1 as DCD, Out2
        // as RI.
        if ((state_.control & UARTCR_RTS) != 0) flags |= UARTFR_CTS;
        if ((state_.control & UARTCR_DTR) != 0) flags |= UARTFR_DSR;
        if ((state_.control & UARTCR_Out1) != 0) flags |= UARTFR_DCD;
        if ((state_.control & UARTCR_Out2) != 0) flags |= UARTFR_RI;
    } else {
        flags |= UARTFR_CTS | UARTFR_DSR | UARTFR_DCD; // somebody is there
    }
    return flags;
}

u32 Pl011::read_word(u32 offset) {
    const std::scoped_lock lock(mutex_);
    switch (static_cast<Register>(offset)) {
    case Register::UARTDR: return read_data();
    case Register::UARTRSR: return state_.receive_status;
    case Register::UARTFR: return flags();
    case Register::UARTILPR: return state_.low_power_divisor;
    case Register::UARTIBRD: return state_.integer_divisor;
    case Register::UARTFBRD: return state_.fraction_divisor;
    case Register::UARTLCR_H: return state_.line_control;
    case Register::UARTCR: return state_.control;
    case Register::UARTIFLS: return state_.fifo_levels;
    case Register::UARTIMSC: return state_.interrupt_mask;
    case Register::UARTRIS: return state_.raw_interrupts;
    case Register::UARTMIS: return state_.raw_interrupts & state_.interrupt_mask;
    case Register::UARTDMACR: return state_.dma_control;
    default: return PrimecellId::covers(offset) ? kId.read(offset) : 0;
    }
}

void Pl011::write_word(u32 offset, u32 value) {
    const std::scoped_lock lock(mutex_);
    switch (static_cast<Register>(offset)) {
    case Register::UARTDR: write_data(static_cast<u8>(value)); break;
    case Register::UARTRSR: state_.receive_status = 0; break;
    case Register::UARTILPR: state_.low_power_divisor = value & UARTILPR_ILPDVSR; break;
    case Register::UARTIBRD: state_.integer_divisor = value & UARTIBRD_BAUD_DIVINT; break;
    case Register::UARTFBRD: state_.fraction_divisor = value & UARTFBRD_BAUD_DIVFRAC; break;
    case Register::UARTLCR_H:
        if (((state_.line_control ^ value) & UARTLCR_H_FEN) != 0) {
            // Switching the FIFOs flushes them; output that waits has been accepted, so it stays.
            state_.receive_head = state_.receive_count = 0;
            cancel_timeout();
        }
        state_.line_control = value & 0xff;
        pull_input();
        break;
    case Register::UARTCR: set_control(value & 0xffff); break;
    case Register::UARTIFLS:
        state_.fifo_levels = value & (UARTIFLS_TXIFLSEL | UARTIFLS_RXIFLSEL);
        break;
    case Register::UARTIMSC: state_.interrupt_mask = value & kAllInterrupts; break;
    case Register::UARTICR: state_.raw_interrupts &= ~value; break;
    case Register::UARTDMACR:
        state_.dma_control = value & (UARTDMACR_RXDMAE | UARTDMACR_TXDMAE | UARTDMACR_DMAONERR);
        break;
    default: break; // read-only and unassigned ones
    }
    update_interrupt();
}

void Pl011::set_control(u32 value) {
    state_.control = value;
    flush_transmit();
    pull_input();
}

// ------------------------------------------------------------------------------------- transmit

void Pl011::write_data(u8 character) {
    // Neither UARTEN nor TXE is demanded: early consoles of guests print without setting them.
    if (state_.transmit_count >= fifo_depth())
        return; // the guest ignored TXFF: the character is lost
    const u32 tail = (state_.transmit_head + state_.transmit_count) % Pl011State::kFifoDepth;
    state_.transmit[tail] = character;
    ++state_.transmit_count;
    // The level has been crossed upwards; sending crosses it downwards, which is the interrupt.
    flush_transmit();
}

void Pl011::flush_transmit() {
    const u32 before = state_.transmit_count;
    while (state_.transmit_count != 0) {
        const std::byte character{state_.transmit[state_.transmit_head]};
        if (is_looped_back()) {
            if (state_.receive_count >= fifo_depth()) break;
            push_received(std::to_integer<u32>(character));
        } else if (backend_.write(std::span(&character, 1)) == 0) {
            break;
        }
        state_.transmit_head = (state_.transmit_head + 1) % Pl011State::kFifoDepth;
        --state_.transmit_count;
    }
    check_transmit_level(before);
}

void Pl011::check_transmit_level(u32 count_before) {
    // DDI 0183G 2.8.3: asserted when the FIFO drains to its trigger level (without FIFOs, when the
    // holding register empties), cleared when it is filled above that. Characters leave at once, so
    // most of the time the level is reached within the write. Linux writes half a FIFO unchecked
    // when the interrupt is asserted, so it must not be while there is less room.
    const u32 level = fifo_depth() == 1 ? 0 : trigger_level(state_.fifo_levels);
    if (state_.transmit_count > level)
        state_.raw_interrupts &= ~UARTRIS_TXRIS;
    else if (state_.transmit_count < count_before)
        state_.raw_interrupts |= UARTRIS_TXRIS;
}

void Pl011::writable() {
    const std::scoped_lock lock(mutex_);
    if (is_paused_) return;
    flush_transmit();
    update_interrupt();
}

// -------------------------------------------------------------------------------------- receive

void Pl011::readable() {
    const std::scoped_lock lock(mutex_);
    if (is_paused_) return;
    pull_input();
    update_interrupt();
}

void Pl011::pull_input() {
    // What does not fit stays with the back end: the guest cannot be overrun, as with flow control.
    constexpr u32 kReceiving = UARTCR_UARTEN | UARTCR_RXE;
    if ((state_.control & kReceiving) != kReceiving || is_looped_back()) return;
    while (state_.receive_count < fifo_depth()) {
        std::array<std::byte, Pl011State::kFifoDepth> bytes;
        const std::size_t count =
            backend_.read(std::span(bytes).first(fifo_depth() - state_.receive_count));
        if (count == 0) break;
        for (std::size_t i = 0; i < count; ++i) push_received(std::to_integer<u32>(bytes[i]));
    }
}

void Pl011::push_received(u32 character) {
    const u32 tail = (state_.receive_head + state_.receive_count) % Pl011State::kFifoDepth;
    state_.receive[tail] = static_cast<u16>(character);
    ++state_.receive_count;
    const u32 threshold = fifo_depth() == 1 ? 1 : trigger_level(state_.fifo_levels >> 3);
    if (state_.receive_count >= threshold) state_.raw_interrupts |= UARTRIS_RXRIS;
    restart_timeout();
}

u32 Pl011::read_data() {
    if (state_.receive_count == 0) return 0;
    const u32 data = state_.receive[state_.receive_head];
    state_.receive_head = (state_.receive_head + 1) % Pl011State::kFifoDepth;
    --state_.receive_count;
    state_.receive_status = (data & kErrors) >> kErrorShift;
    const u32 threshold = fifo_depth() == 1 ? 1 : trigger_level(state_.fifo_levels >> 3);
    if (state_.receive_count < threshold) state_.raw_interrupts &= ~UARTRIS_RXRIS;
    if (state_.receive_count == 0) {
        state_.raw_interrupts &= ~UARTRIS_RTRIS;
        cancel_timeout();
        if (is_looped_back())
            flush_transmit();
        else
            pull_input();
    } else {
        restart_timeout();
    }
    update_interrupt();
    return data;
}

void Pl011::restart_timeout() {
    // DDI 0183G 2.8.4: data has been in the FIFO and none came or was read for 32 bit times.
    if (fifo_depth() == 1) return;
    state_.timeout_armed = true;
    state_.timeout_at = clock_.now_ns() + kReceiveTimeoutNs;
    timeout_->arm(state_.timeout_at);
}

void Pl011::cancel_timeout() {
    if (!state_.timeout_armed) return;
    state_.timeout_armed = false;
    timeout_->cancel();
}

void Pl011::timer_expired() {
    const std::scoped_lock lock(mutex_);
    if (!state_.timeout_armed || clock_.now_ns() < state_.timeout_at) return;
    state_.timeout_armed = false;
    if (state_.receive_count != 0) state_.raw_interrupts |= UARTRIS_RTRIS;
    update_interrupt();
}

void Pl011::update_interrupt() {
    irq_.set((state_.raw_interrupts & state_.interrupt_mask) != 0);
}

// ------------------------------------------------------------------------------------- snapshot

void Pl011::save(StateWriter &writer) const {
    const std::scoped_lock lock(mutex_);
    save_state(writer, name(), state_);
}

Result<> Pl011::restore(StateReader &reader) {
    Pl011State state;
    if (auto result = restore_state(reader, name(), state); !result) return result;
    if (state.receive_head >= Pl011State::kFifoDepth ||
        state.receive_count > Pl011State::kFifoDepth ||
        state.transmit_head >= Pl011State::kFifoDepth ||
        state.transmit_count > Pl011State::kFifoDepth)
        return failure("snapshot: the UART's FIFOs are damaged");
    const std::scoped_lock lock(mutex_);
    state_ = state;
    if (state_.timeout_armed)
        timeout_->arm(state_.timeout_at);
    else
        timeout_->cancel();
    irq_.drive((state_.raw_interrupts & state_.interrupt_mask) != 0);
    return {};
}

void Pl011::pause() {
    const std::scoped_lock lock(mutex_);
    is_paused_ = true;
}

void Pl011::resume() {
    const std::scoped_lock lock(mutex_);
    is_paused_ = false;
    flush_transmit();
    pull_input();
    update_interrupt();
}

void Pl011::describe(FdtNode &parent, const FdtPlacement &placement) const {
    FdtNode &node = parent.child(fdt_unit_name("pl011", placement.base));
    node.strings("compatible", {"arm,pl011", "arm,primecell"});
    fdt_reg(node, placement.base, size());
    fdt_spi(node, placement.spi, kFdtLevelHigh);
    node.strings("clock-names", {"uartclk", "apb_pclk"});
    node.cells("clocks", {placement.clock_phandle, placement.clock_phandle});
}

} // namespace tandem::devices
