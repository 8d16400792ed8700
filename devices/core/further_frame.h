#pragma once
/// A register frame beside the one that resets, saves and describes its device.
#include "devices/core/mmio_device.h"

namespace tandem::devices {

class FurtherFrame : public MmioDevice {
public:
    void reset() final {}
    void save(StateWriter &) const final {}
    [[nodiscard]] Result<> restore(StateReader &) final { return {}; }
    void describe(FdtNode &, const FdtPlacement &) const final {}
};

} // namespace tandem::devices
