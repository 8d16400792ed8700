#pragma once
/// GICv2m frame (Arm SBSA, appendix E): a doorbell that turns messages into SPIs, for GICv2.
#include "devices/core/mmio_device.h"
#include "devices/core/msi_sink.h"
#include "support/address.h"

namespace tandem::devices {

class GicV2m final : public MmioDevice, public MsiSink {
public:
    /// Messages raise SPIs [first_spi, first_spi + spi_count). `base` is where the board maps it.
    GicV2m(IrqSink &irq, GuestPhysAddr base, u32 first_spi, u32 spi_count);

    void send_message(u32 requester, u64 address, u32 data) override;

    [[nodiscard]] std::string_view name() const override { return "gicv2m"; }
    [[nodiscard]] u64 size() const override { return 0x1000; }
    [[nodiscard]] bool read(u64 offset, unsigned size_log2, u64 &value) override;
    [[nodiscard]] bool write(u64 offset, unsigned size_log2, u64 value) override;
    void reset() override {}
    void save(StateWriter &) const override {}
    [[nodiscard]] Result<> restore(StateReader &) override { return {}; }
    /// Below the interrupt controller's node; the phandle is the parent of MSIs.
    u32 describe_in(FdtNode &controller) const;
    void describe(FdtNode &, const FdtPlacement &) const override {}

private:
    void ring(u32 intid);

    IrqSink &irq_;
    GuestPhysAddr base_;
    u32 first_spi_, spi_count_;
};

} // namespace tandem::devices
