#include "devices/gic/gicv2m.h"

#include "devices/core/fdt_node.h"

namespace tandem::devices {

namespace {
constexpr u32 kTyper = 0x008, kSetSpi = 0x040, kIidr = 0xfcc;
constexpr u32 kImplementer = 0x43b; ///< Arm's JEP106 code
} // namespace

GicV2m::GicV2m(IrqSink &irq, GuestPhysAddr base, u32 first_spi, u32 spi_count)
    : irq_(irq), base_(base), first_spi_(first_spi), spi_count_(spi_count) {}

void GicV2m::ring(u32 intid) {
    const u32 spi = intid - 32;
    if (spi - first_spi_ >= spi_count_) return;
    // The guest has set the SPI to edge-triggered.
    irq_.set_level(spi, true);
    irq_.set_level(spi, false);
}

void GicV2m::send_message(u32, u64 address, u32 data) {
    if (address == base_.value() + kSetSpi) ring(data);
}

bool GicV2m::read(u64 offset, unsigned size_log2, u64 &value) {
    u32 word = 0;
    switch (offset & ~u64{3}) {
    case kTyper: word = (32 + first_spi_) << 16 | spi_count_; break;
    case kIidr: word = kImplementer; break;
    default: break;
    }
    value = (u64{word} >> ((offset & 3) * 8)) & ones(8u << size_log2);
    return true;
}

bool GicV2m::write(u64 offset, unsigned size_log2, u64 value) {
    if (offset == kSetSpi && size_log2 == 2) ring(static_cast<u32>(value));
    return true;
}

u32 GicV2m::describe_in(FdtNode &controller) const {
    FdtNode &node = controller.child(fdt_unit_name("v2m", base_));
    node.strings("compatible", {"arm,gic-v2m-frame"});
    node.flag("msi-controller");
    fdt_reg(node, base_, size());
    return node.phandle();
}

} // namespace tandem::devices
