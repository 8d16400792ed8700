#include "machine/board/memory_map.h"
#include "machine/boot/acpi/acpi_tables.h"
#include "machine/boot/acpi/aml.h"

#include <fmt/format.h>

namespace tandem::machine {
namespace {

using namespace aml;

constexpr u32 kPciInterrupts = 4;

Term device_of(std::string_view object, std::string_view id, unsigned uid, const Term &rest) {
    return device(object, concat({name("_HID", string(id)), name("_UID", integer(uid)), rest}));
}

Term memory(const Region &region) {
    return memory32_fixed(static_cast<u32>(region.base), static_cast<u32>(region.size));
}

Term coherent() {
    return name("_CCA", integer(1));
}

Term processors(unsigned count) {
    Term all;
    for (unsigned i = 0; i < count; ++i)
        all = concat({all, device_of(fmt::format("C{:03X}", i), "ACPI0007", i, {})});
    return all;
}

Term virtio_slots() {
    Term all;
    for (unsigned slot = 0; slot < kVirtioSlots; ++slot) {
        const Region region{kVirtioBase + slot * kVirtioStride, kVirtioStride};
        all = concat(
            {all, device_of(fmt::format("VR{:02X}", slot), "LNRO0005", slot,
                            concat({coherent(),
                                    name("_CRS", resources({memory(region),
                                                            interrupt(spi_intid(kVirtioSpi + slot),
                                                                      Trigger::Edge)}))}))});
    }
    return all;
}

/// Which line INTA to INTD of each device come out at: the swizzle of devices/pcie.
Term pci_routes() {
    constexpr u32 kDevices = 32;
    std::vector<Term> routes;
    for (u32 slot = 0; slot < kDevices; ++slot)
        for (u32 pin = 0; pin < kPciInterrupts; ++pin)
            routes.push_back(
                package({integer(u64{slot} << 16 | 0xffff), integer(pin), integer(0),
                         integer(spi_intid(kPcieSpi) + (slot + pin) % kPciInterrupts)}));
    return package(routes);
}

/// PCI Firmware 3.3, 4.5: the operating system may have all it asks for of hot-plug, PME, AER and
/// the PCI Express capabilities.
Term pci_osc() {
    constexpr u64 kGranted = 0x1d, kUnknownRevision = 0x08, kUnknownUuid = 0x04;
    return method(
        "_OSC", 4,
        concat({create_dword_field(argument(3), 0, "CDW1"),
                when(equal(argument(0), uuid("33DB4D5B-1FF7-401C-9657-7441C03DD766")),
                     concat({create_dword_field(argument(3), 8, "CDW3"), and_into("CDW3", kGranted),
                             when(not_equal(argument(1), integer(1)),
                                  or_into("CDW1", kUnknownRevision))})),
                otherwise(or_into("CDW1", kUnknownUuid)), give_back(argument(3))}));
}

Term pci() {
    const auto last = [](const Region &region) { return region.base + region.size - 1; };
    const Term windows =
        resources({bus_range(0, 0xff),
                   dword_range(Space::Memory, static_cast<u32>(kPcieMemory.base),
                               static_cast<u32>(last(kPcieMemory)), 0),
                   dword_range(Space::Io, 0, static_cast<u32>(kPcieIo.size - 1),
                               static_cast<u32>(kPcieIo.base)),
                   qword_range(Space::Memory, kPcieHighMemory.base, last(kPcieHighMemory), 0)});
    const Term ecam =
        device("RES0", concat({name("_HID", string("PNP0C02")),
                               name("_CRS", resources({qword_range(Space::Memory, kPcieEcam.base,
                                                                   last(kPcieEcam), 0)}))}));
    return device("PCI0", concat({name("_HID", string("PNP0A08")), name("_CID", string("PNP0A03")),
                                  name("_SEG", integer(0)), name("_BBN", integer(0)),
                                  name("_UID", integer(0)), coherent(), name("_PRT", pci_routes()),
                                  name("_CRS", windows), pci_osc(), ecam}));
}

/// The power key: a pin of the PL061 that becomes a notification of the power button.
Term power_button() {
    const Term controller = device_of(
        "GPO0", "ARMH0061", 0,
        concat({name("_CRS",
                     resources({memory(kGpio), interrupt(spi_intid(kGpioSpi), Trigger::Level)})),
                name("_AEI", resources({gpio_interrupt("GPO0", kPowerKeyLine)})),
                method(fmt::format("_E{:02X}", kPowerKeyLine), 0, notify("\\_SB.PWRB", 0x80))}));
    const Term button =
        device("PWRB", concat({name("_HID", string("PNP0C0C")), name("_UID", integer(0))}));
    return concat({controller, button});
}

} // namespace

std::vector<u8> build_dsdt(unsigned cpus) {
    const Term uart = device_of(
        "COM0", "ARMH0011", 0,
        name("_CRS", resources({memory(kUart), interrupt(spi_intid(kUartSpi), Trigger::Level)})));
    const Term fw_cfg = device_of("FWCF", "QEMU0002", 0,
                                  concat({name("_STA", integer(0xb)), coherent(),
                                          name("_CRS", resources({memory(kFwCfg)}))}));
    return scope("\\_SB",
                 concat({processors(cpus), uart, fw_cfg, virtio_slots(), pci(), power_button()}));
}

} // namespace tandem::machine
