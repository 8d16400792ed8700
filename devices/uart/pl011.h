#pragma once
/// PL011 UART (DDI 0183G), with its other end a Char. Characters leave at once unless the back end
/// has no room; then they wait in the transmit FIFO and UARTFR.TXFF holds the guest back.
#include "devices/backend/char.h"
#include "devices/core/clock.h"
#include "devices/core/irq_line.h"
#include "devices/core/word_device.h"
#include "devices/uart/pl011_state.h"

#include <mutex>

namespace tandem::devices {

class Pl011 final : public WordDevice, private CharListener, private TimerListener {
public:
    Pl011(Char &, Clock &, IrqLine);
    ~Pl011() override;

    [[nodiscard]] std::string_view name() const override { return "pl011"; }
    [[nodiscard]] u64 size() const override { return 0x1000; }
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;
    void pause() override;
    void resume() override;
    void describe(FdtNode &parent, const FdtPlacement &) const override;

private:
    u32 read_word(u32 offset) override;
    void write_word(u32 offset, u32 value) override;
    void readable() override;
    void writable() override;
    void timer_expired() override;

    [[nodiscard]] u32 fifo_depth() const;
    [[nodiscard]] bool is_looped_back() const;
    [[nodiscard]] u32 flags() const;
    [[nodiscard]] u32 read_data();
    void write_data(u8 character);
    void set_control(u32 value);
    void flush_transmit();
    void pull_input();
    void push_received(u32 character);
    void restart_timeout();
    void cancel_timeout();
    void check_transmit_level(u32 count_before);
    void update_interrupt();

    Char &backend_;
    Clock &clock_;
    mutable std::mutex mutex_;
    IrqLine irq_;
    Pl011State state_;
    bool is_paused_ = false;
    std::unique_ptr<Timer> timeout_;
};

} // namespace tandem::devices
