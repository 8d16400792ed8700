#pragma once
/// The screens of a deterministic machine: what they show is among what leaves it.
#include "devices/backend/display.h"
#include "machine/replay/gate.h"

namespace tandem::machine::replay {

class GatedDisplay final : public devices::Display, private GatePort {
public:
    /// `host` outlives it. A replay shows there what the recorded machine did.
    GatedDisplay(Gate &gate, devices::Display &host)
        : gate_(gate), host_(host), port_(gate.add(*this)) {}

    void show(u32 output, u32 width, u32 height) override;
    void update(u32 output, const devices::DisplayRectangle &, const devices::PixelRows &) override;
    void set_cursor(u32 output, u32 hot_x, u32 hot_y, const devices::PixelRows &) override;
    void move_cursor(u32 output, u32 x, u32 y) override;

private:
    /// Nothing comes in.
    bool fetch(std::vector<std::byte> &) override { return false; }
    void enter(std::span<const std::byte>) override {}

    Gate &gate_;
    devices::Display &host_;
    PortId port_;
};

} // namespace tandem::machine::replay
