#pragma once
/// A wire from a device to an interrupt controller.
#include "support/bits.h"

namespace tandem::devices {

/// The controller's end of its wires. Any thread; must not call back into a device.
class IrqSink {
public:
    virtual ~IrqSink() = default;
    virtual void set_level(u32 input, bool level) = 0;
};

/// The device's end; guarded by the device's mutex. A default-made line is not connected.
class IrqLine {
public:
    IrqLine() = default;
    IrqLine(IrqSink &sink, u32 input) : sink_(&sink), input_(input) {}

    [[nodiscard]] bool level() const { return level_; }
    void set(bool level) {
        if (level != level_) drive(level);
    }
    /// Sets the level even if it seems unchanged: for restore(), where either end may be newer.
    void drive(bool level) {
        level_ = level;
        if (sink_ != nullptr) sink_->set_level(input_, level);
    }

private:
    IrqSink *sink_ = nullptr;
    u32 input_ = 0;
    bool level_ = false;
};

} // namespace tandem::devices
