#include "devices/core/fdt_node.h"

#include <fmt/format.h>

namespace tandem::devices {

std::string fdt_unit_name(std::string_view name, GuestPhysAddr base) {
    return fmt::format("{}@{:x}", name, base.value());
}

void fdt_reg(FdtNode &node, GuestPhysAddr base, u64 size) {
    node.cells("reg",
               {fdt_high(base.value()), fdt_low(base.value()), fdt_high(size), fdt_low(size)});
}

void fdt_spi(FdtNode &node, u32 spi, u32 flags) {
    node.cells("interrupts", {kFdtInterruptSpi, spi, flags});
}

} // namespace tandem::devices
