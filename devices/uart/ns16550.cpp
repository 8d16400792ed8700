#include "devices/uart/ns16550.h"

#include "devices/core/fdt_node.h"

namespace tandem::devices {

namespace {

#define TANDEM_REGISTERS "devices/uart/ns16550_registers.inc"
#include "devices/core/register_table.inc"

// IIR<3:0>, table 4 of the sheet, by priority.
constexpr u8 kLineStatus = 0x6, kDataAvailable = 0x4, kTimeout = 0xc, kTransmitterEmpty = 0x2,
             kModemStatus = 0x0;

/// The timeout is that of four characters. They are here already, so the baud rate does not matter
/// much; this is 115200 baud, which keeps a guest that types fast from an interrupt per key.
constexpr u64 kReceiveTimeoutNs = 4 * 10 * 1'000'000'000ull / 115200;

constexpr u32 kModemOutputs = MCR_DTR | MCR_RTS | MCR_OUT1 | MCR_OUT2 | MCR_LOOP;
constexpr u32 kAllInterrupts = IER_ERBFI | IER_ETBEI | IER_ELSI | IER_EDSSI;

} // namespace

Ns16550::Ns16550(Char &backend, Clock &clock, IrqLine irq)
    : backend_(backend), clock_(clock), irq_(irq), timeout_(clock.create_timer(*this)) {
    reset();
    backend_.set_listener(this);
}

Ns16550::~Ns16550() {
    backend_.set_listener(nullptr);
    timeout_.reset();
}

void Ns16550::reset() {
    const std::scoped_lock lock(mutex_);
    state_ = {};
    timeout_->cancel();
    update_interrupt();
}

u32 Ns16550::fifo_depth() const {
    return (state_.fifo_control & FCR_ENABLE) != 0 ? Ns16550State::kFifoDepth : 1;
}

u32 Ns16550::trigger_level() const {
    constexpr std::array<u32, 4> kLevels{1, 4, 8, 14};
    return fifo_depth() == 1 ? 1 : kLevels[state_.fifo_control >> 6];
}

bool Ns16550::is_looped_back() const {
    return (state_.modem_control & MCR_LOOP) != 0;
}

bool Ns16550::shows_divisor() const {
    return (state_.line_control & LCR_DLAB) != 0;
}

u8 Ns16550::modem_lines() const {
    // Somebody is there.
    if (!is_looped_back()) return MSR_CTS | MSR_DSR | MSR_DCD;
    // 8.7: outputs come back as inputs: RTS as CTS, DTR as DSR, OUT1 as RI, OUT2 as DCD.
    u32 lines = 0;
    if ((state_.modem_control & MCR_RTS) != 0) lines |= MSR_CTS;
    if ((state_.modem_control & MCR_DTR) != 0) lines |= MSR_DSR;
    if ((state_.modem_control & MCR_OUT1) != 0) lines |= MSR_RI;
    if ((state_.modem_control & MCR_OUT2) != 0) lines |= MSR_DCD;
    return static_cast<u8>(lines);
}

u8 Ns16550::line_status() const {
    u32 status = 0;
    if (state_.receive_count != 0) status |= LSR_DR;
    if (state_.overrun) status |= LSR_OE;
    if (state_.transmit_count == 0) status |= LSR_THRE | LSR_TEMT;
    return static_cast<u8>(status);
}

u8 Ns16550::pending_interrupt() const {
    const u32 enabled = state_.interrupt_enable;
    if ((enabled & IER_ELSI) != 0 && state_.overrun) return kLineStatus;
    if ((enabled & IER_ERBFI) != 0 && state_.receive_count >= trigger_level())
        return kDataAvailable;
    if ((enabled & IER_ERBFI) != 0 && state_.timed_out) return kTimeout;
    if ((enabled & IER_ETBEI) != 0 && state_.sent) return kTransmitterEmpty;
    if ((enabled & IER_EDSSI) != 0 && state_.modem_changes != 0) return kModemStatus;
    return IIR_NONE;
}

void Ns16550::update_interrupt() {
    irq_.set(pending_interrupt() != IIR_NONE);
}

u8 Ns16550::read_byte(u32 offset) {
    const std::scoped_lock lock(mutex_);
    switch (static_cast<Register>(offset)) {
    case Register::RBR: return shows_divisor() ? static_cast<u8>(state_.divisor) : read_data();
    case Register::IER:
        return shows_divisor() ? static_cast<u8>(state_.divisor >> 8) : state_.interrupt_enable;
    case Register::IIR: return read_identification();
    case Register::LCR: return state_.line_control;
    case Register::MCR: return state_.modem_control;
    case Register::LSR: return read_line_status();
    case Register::MSR: return read_modem_status();
    case Register::SCR: return state_.scratch;
    }
    return 0xff;
}

void Ns16550::write_byte(u32 offset, u8 value) {
    const std::scoped_lock lock(mutex_);
    switch (static_cast<Register>(offset)) {
    case Register::RBR:
        if (shows_divisor())
            state_.divisor = static_cast<u16>((state_.divisor & 0xff00) | value);
        else
            write_data(value);
        break;
    case Register::IER:
        if (shows_divisor()) {
            state_.divisor = static_cast<u16>((state_.divisor & 0xff) | value << 8);
            break;
        }
        // 8.5.3: an empty transmitter interrupts as soon as that is enabled.
        if ((value & ~state_.interrupt_enable & IER_ETBEI) != 0 && state_.transmit_count == 0)
            state_.sent = true;
        state_.interrupt_enable = static_cast<u8>(value & kAllInterrupts);
        break;
    case Register::IIR: write_fifo_control(value); break;
    case Register::LCR: state_.line_control = value; break;
    case Register::MCR: write_modem_control(value); break;
    case Register::SCR: state_.scratch = value; break;
    case Register::LSR: // for tests in the factory
    case Register::MSR: break;
    }
    update_interrupt();
}

u8 Ns16550::read_identification() {
    const u8 pending = pending_interrupt();
    // Table 4: reading this register takes back what it names, if that is the transmitter.
    if (pending == kTransmitterEmpty) {
        state_.sent = false;
        update_interrupt();
    }
    return static_cast<u8>(pending | (fifo_depth() != 1 ? IIR_FIFOS : 0));
}

u8 Ns16550::read_line_status() {
    const u8 status = line_status();
    state_.overrun = false;
    update_interrupt();
    return status;
}

u8 Ns16550::read_modem_status() {
    const u8 status = static_cast<u8>(modem_lines() | state_.modem_changes);
    state_.modem_changes = 0;
    update_interrupt();
    return status;
}

void Ns16550::write_fifo_control(u8 value) {
    const bool switches = ((state_.fifo_control ^ value) & FCR_ENABLE) != 0;
    state_.fifo_control = (value & FCR_ENABLE) != 0
                              ? static_cast<u8>(value & (FCR_ENABLE | FCR_DMA | FCR_TRIGGER))
                              : u8{0};
    // What waits to be sent has been accepted, so it stays.
    if (switches || (value & FCR_RECEIVE_RESET) != 0) {
        state_.receive_head = state_.receive_count = 0;
        cancel_timeout();
    }
    pull_input();
}

void Ns16550::write_modem_control(u8 value) {
    const u8 before = modem_lines();
    state_.modem_control = static_cast<u8>(value & kModemOutputs);
    const u32 changed = before ^ modem_lines();
    // 8.8: MSR<3:0> tell of changes of MSR<7:4>, of RI of its falling edge only.
    state_.modem_changes |= static_cast<u8>(changed >> 4 & (MSR_DCTS | MSR_DDSR | MSR_DDCD));
    if ((changed & before & MSR_RI) != 0) state_.modem_changes |= MSR_TERI;
    flush_transmit();
    pull_input();
}

// ------------------------------------------------------------------------------------- transmit

void Ns16550::write_data(u8 character) {
    state_.sent = false;
    if (state_.transmit_count >= fifo_depth()) return; // the guest ignored THRE: it is lost
    const u32 tail = (state_.transmit_head + state_.transmit_count) % Ns16550State::kFifoDepth;
    state_.transmit[tail] = character;
    ++state_.transmit_count;
    flush_transmit();
}

void Ns16550::flush_transmit() {
    if (is_paused_) return;
    const u32 before = state_.transmit_count;
    while (state_.transmit_count != 0) {
        const u8 character = state_.transmit[state_.transmit_head];
        if (is_looped_back()) {
            push_received(character);
        } else {
            const auto byte = static_cast<std::byte>(character);
            if (backend_.write(std::span(&byte, 1)) == 0) break;
        }
        state_.transmit_head = (state_.transmit_head + 1) % Ns16550State::kFifoDepth;
        --state_.transmit_count;
    }
    if (before != 0 && state_.transmit_count == 0) state_.sent = true;
}

void Ns16550::writable() {
    const std::scoped_lock lock(mutex_);
    flush_transmit();
    update_interrupt();
}

// -------------------------------------------------------------------------------------- receive

void Ns16550::readable() {
    const std::scoped_lock lock(mutex_);
    pull_input();
    update_interrupt();
}

void Ns16550::pull_input() {
    // What does not fit stays with the back end: the guest cannot be overrun, as with flow control.
    if (is_paused_ || is_looped_back()) return;
    while (state_.receive_count < fifo_depth()) {
        std::byte byte{};
        if (backend_.read(std::span(&byte, 1)) == 0) break;
        push_received(std::to_integer<u8>(byte));
    }
}

void Ns16550::push_received(u8 character) {
    if (state_.receive_count >= fifo_depth()) { // looped back
        state_.overrun = true;
        return;
    }
    const u32 tail = (state_.receive_head + state_.receive_count) % Ns16550State::kFifoDepth;
    state_.receive[tail] = character;
    ++state_.receive_count;
    restart_timeout();
}

u8 Ns16550::read_data() {
    if (state_.receive_count == 0) return 0;
    const u8 character = state_.receive[state_.receive_head];
    state_.receive_head = (state_.receive_head + 1) % Ns16550State::kFifoDepth;
    --state_.receive_count;
    state_.timed_out = false;
    if (state_.receive_count == 0) {
        cancel_timeout();
        pull_input();
    } else {
        restart_timeout();
    }
    update_interrupt();
    return character;
}

void Ns16550::restart_timeout() {
    // 8.9.1: there are characters, and none came or was read for the time of four.
    if (fifo_depth() == 1) return;
    state_.timeout_armed = true;
    state_.timeout_at = clock_.now_ns() + kReceiveTimeoutNs;
    timeout_->arm(state_.timeout_at);
}

void Ns16550::cancel_timeout() {
    state_.timed_out = false;
    if (!state_.timeout_armed) return;
    state_.timeout_armed = false;
    timeout_->cancel();
}

void Ns16550::timer_expired() {
    const std::scoped_lock lock(mutex_);
    if (!state_.timeout_armed || clock_.now_ns() < state_.timeout_at) return;
    state_.timeout_armed = false;
    state_.timed_out = state_.receive_count != 0;
    update_interrupt();
}

// ------------------------------------------------------------------------------------- snapshot

void Ns16550::save(StateWriter &writer) const {
    const std::scoped_lock lock(mutex_);
    save_state(writer, name(), state_);
}

Result<> Ns16550::restore(StateReader &reader) {
    Ns16550State state;
    if (auto result = restore_state(reader, name(), state); !result) return result;
    if (state.receive_head >= Ns16550State::kFifoDepth ||
        state.receive_count > Ns16550State::kFifoDepth ||
        state.transmit_head >= Ns16550State::kFifoDepth ||
        state.transmit_count > Ns16550State::kFifoDepth)
        return failure("snapshot: the UART's FIFOs are damaged");
    const std::scoped_lock lock(mutex_);
    state_ = state;
    if (state_.timeout_armed)
        timeout_->arm(state_.timeout_at);
    else
        timeout_->cancel();
    irq_.drive(pending_interrupt() != IIR_NONE);
    return {};
}

void Ns16550::pause() {
    const std::scoped_lock lock(mutex_);
    is_paused_ = true;
}

void Ns16550::resume() {
    const std::scoped_lock lock(mutex_);
    is_paused_ = false;
    flush_transmit();
    pull_input();
    update_interrupt();
}

void Ns16550::describe(FdtNode &parent, const FdtPlacement &placement) const {
    // Linux: 8250.yaml.
    FdtNode &node = parent.child(fdt_unit_name("serial", placement.base));
    node.strings("compatible", {"ns16550a"});
    fdt_reg(node, placement.base, size());
    node.cells("clock-frequency", {1'843'200});
}

} // namespace tandem::devices
