#pragma once
/// DesignWare DW_apb_i2c (databook 2.01a) as the one master of a bus. What is put into the transmit
/// FIFO is on the bus at once; it waits there only for room in the receive FIFO.
#include "devices/core/irq_line.h"
#include "devices/core/word_device.h"
#include "devices/i2c/i2c_target.h"

namespace tandem::devices {

struct DwI2cState {
    static constexpr u32 kVersion = 1;
    static constexpr u32 kFifoDepth = 16;

    template <typename T>
    struct Fifo {
        std::array<T, kFifoDepth> items{};
        u32 head = 0, count = 0;

        [[nodiscard]] bool is_full() const { return count == kFifoDepth; }
        void push(T item) { items[(head + count++) % kFifoDepth] = item; }
        T pop() {
            const T item = items[head];
            head = (head + 1) % kFifoDepth;
            --count;
            return item;
        }
        [[nodiscard]] bool is_valid() const { return head < kFifoDepth && count <= kFifoDepth; }
        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.items, self.head, self.count);
        }
    };

    u32 control = 0, target = 0;
    u32 interrupt_mask = 0, latched = 0; ///< bits of IC_RAW_INTR_STAT that stay until cleared
    u32 receive_level = 0, transmit_level = 0;
    u32 abort_source = 0;
    bool enabled = false;
    bool owns_bus = false; ///< between a START and its STOP
    bool reads = false;    ///< what was addressed does
    std::array<u16, 4> clock_counts{};
    u32 data_hold = 1;
    u8 data_setup = 0x64, spike_length = 1;
    Fifo<u16> transmit;
    Fifo<u8> receive;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.control, self.target, self.interrupt_mask, self.latched, self.receive_level,
                self.transmit_level, self.abort_source, self.enabled, self.owns_bus, self.reads,
                self.clock_counts, self.data_hold, self.data_setup, self.spike_length,
                self.transmit, self.receive);
    }
};

class DwI2c final : public WordDevice {
public:
    /// `bus` and who is on it outlive the controller.
    DwI2c(const I2cBus &bus, IrqLine irq);

    [[nodiscard]] std::string_view name() const override { return "dw-i2c"; }
    [[nodiscard]] u64 size() const override { return 0x1000; }
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;
    void describe(FdtNode &parent, const FdtPlacement &) const override;

private:
    u32 read_word(u32 offset) override;
    void write_word(u32 offset, u32 value) override;

    [[nodiscard]] u32 raw_interrupts() const;
    [[nodiscard]] u32 status() const;
    u32 clear(u32 interrupts);
    void enable(u32 value);
    void put_command(u32 command);
    void run_commands();
    /// False: the transfer has been aborted.
    [[nodiscard]] bool address(I2cDirection);
    void abort_transfer(u32 source);
    void stop_transfer();
    [[nodiscard]] I2cTarget *addressed() const;
    void update_interrupt();

    const I2cBus &bus_;
    IrqLine irq_;
    DwI2cState state_;
};

} // namespace tandem::devices
