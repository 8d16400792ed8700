#pragma once
/// What a device needs to write its device tree node; machine/boot implements it over libfdt.
#include "support/address.h"

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace tandem::devices {

class FdtNode {
public:
    virtual ~FdtNode() = default;
    /// A new child "name" or "name@unit"; lives as long as the tree. Finish a node's own properties
    /// before adding children, and a child before the next one.
    virtual FdtNode &child(std::string_view name) = 0;
    virtual void flag(std::string_view property) = 0;
    virtual void cells(std::string_view property, std::initializer_list<u32> values) = 0;
    virtual void cells(std::string_view property, std::span<const u32> values) = 0;
    virtual void strings(std::string_view property,
                         std::initializer_list<std::string_view> values) = 0;
    /// A phandle of its own for this node, made (and written as "phandle") on first use.
    virtual u32 phandle() = 0;
};

/// Where the board puts a device. #address-cells and #size-cells are 2; interrupts have 3 cells.
struct FdtPlacement {
    GuestPhysAddr base;
    u32 spi = 0;           ///< shared peripheral interrupt number (INTID - 32)
    u32 clock_phandle = 0; ///< the board's fixed 24 MHz APB clock
};

/// Third cell and first cell of an interrupt specifier (Linux: arm,gic.yaml).
inline constexpr u32 kFdtInterruptSpi = 0;
inline constexpr u32 kFdtInterruptPpi = 1;
inline constexpr u32 kFdtEdgeRising = 1;
inline constexpr u32 kFdtLevelHigh = 4;

[[nodiscard]] constexpr u32 fdt_high(u64 value) {
    return static_cast<u32>(value >> 32);
}
[[nodiscard]] constexpr u32 fdt_low(u64 value) {
    return static_cast<u32>(value);
}

/// "name@base", the name of a device's node.
[[nodiscard]] std::string fdt_unit_name(std::string_view name, GuestPhysAddr base);
/// Writes "reg" of one range.
void fdt_reg(FdtNode &node, GuestPhysAddr base, u64 size);
/// Writes "interrupts" of one SPI.
void fdt_spi(FdtNode &node, u32 spi, u32 flags);

} // namespace tandem::devices
