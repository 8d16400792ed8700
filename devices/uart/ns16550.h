#pragma once
/// NS16550A UART (PC16550D data sheet), as PCs have it, with its other end a Char. Characters leave
/// at once unless the back end has no room; then they wait in the transmit FIFO and LSR.THRE holds
/// the guest back. Baud rate and frame format are kept and have no effect.
#include "devices/backend/char.h"
#include "devices/core/byte_device.h"
#include "devices/core/clock.h"
#include "devices/core/irq_line.h"
#include "devices/uart/ns16550_state.h"

#include <mutex>

namespace tandem::devices {

class Ns16550 final : public ByteDevice, private CharListener, private TimerListener {
public:
    Ns16550(Char &, Clock &, IrqLine);
    ~Ns16550() override;

    [[nodiscard]] std::string_view name() const override { return "ns16550"; }
    [[nodiscard]] u64 size() const override { return 8; }
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;
    void pause() override;
    void resume() override;
    void describe(FdtNode &parent, const FdtPlacement &) const override;

private:
    u8 read_byte(u32 offset) override;
    void write_byte(u32 offset, u8 value) override;
    void readable() override;
    void writable() override;
    void timer_expired() override;

    [[nodiscard]] u32 fifo_depth() const;
    [[nodiscard]] u32 trigger_level() const;
    [[nodiscard]] bool is_looped_back() const;
    [[nodiscard]] bool shows_divisor() const;
    [[nodiscard]] u8 modem_lines() const;
    [[nodiscard]] u8 line_status() const;
    [[nodiscard]] u8 pending_interrupt() const;
    [[nodiscard]] u8 read_data();
    [[nodiscard]] u8 read_identification();
    [[nodiscard]] u8 read_line_status();
    [[nodiscard]] u8 read_modem_status();
    void write_data(u8 character);
    void write_fifo_control(u8 value);
    void write_modem_control(u8 value);
    void flush_transmit();
    void pull_input();
    void push_received(u8 character);
    void restart_timeout();
    void cancel_timeout();
    void update_interrupt();

    Char &backend_;
    Clock &clock_;
    mutable std::mutex mutex_;
    IrqLine irq_;
    Ns16550State state_;
    bool is_paused_ = false;
    std::unique_ptr<Timer> timeout_;
};

} // namespace tandem::devices
