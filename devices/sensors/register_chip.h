#pragma once
/// A chip whose registers of a byte are read and written one after the other from the one that a
/// transfer's first byte names, as with all sensors here.
#include "devices/core/state.h"
#include "devices/i2c/i2c_target.h"
#include "devices/sensors/quantities.h"

#include <string_view>

namespace tandem::devices {

struct RegisterChipState {
    static constexpr u32 kVersion = 1;

    u8 selected = 0;
    bool is_selecting = false; ///< the next byte names a register
    std::array<u8, 256> registers{};

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.selected, self.is_selecting, self.registers);
    }
};

class RegisterChip : public I2cTarget {
public:
    /// `world` outlives the chip.
    RegisterChip(std::string_view name, const QuantityValues &world) : name_(name), world_(world) {}

    [[nodiscard]] bool start(I2cDirection) final;
    [[nodiscard]] bool write(u8 byte) final;
    [[nodiscard]] u8 read() final;

    /// Power has come.
    void reset();
    void save(StateWriter &writer) const { save_state(writer, name_, state_); }
    [[nodiscard]] Result<> restore(StateReader &reader) {
        return restore_state(reader, name_, state_);
    }

protected:
    /// Everything is 0 before.
    virtual void set_reset_values() = 0;
    /// The guest begins to read: registers of results become what is measured now.
    virtual void measure() = 0;
    /// The guest has written to the register of that number.
    virtual void write_register(u8 number, u8 value) = 0;
    /// The guest has read it.
    virtual void has_read(u8 /*number*/) {}
    /// The next byte is the next register's.
    [[nodiscard]] virtual bool advances() const { return true; }

    [[nodiscard]] u8 &at(u8 number) { return state_.registers[number]; }
    [[nodiscard]] u8 at(u8 number) const { return state_.registers[number]; }
    [[nodiscard]] const QuantityValues &world() const { return world_; }
    void put_little_endian(u8 number, i64 value);
    void put_big_endian(u8 number, i64 value);

private:
    [[nodiscard]] u8 take_selected();

    const std::string_view name_;
    const QuantityValues &world_;
    RegisterChipState state_;
};

/// value / step, as a converter of 16 bits gives it.
[[nodiscard]] i64 to_counts(i64 value, i64 step);

} // namespace tandem::devices
