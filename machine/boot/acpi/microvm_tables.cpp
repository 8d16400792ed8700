#include "machine/boot/acpi/microvm_tables.h"

#include "machine/board/microvm/memory_map.h"
#include "machine/boot/acpi/aml.h"
#include "machine/boot/acpi/byte_writer.h"

#include <fmt/format.h>

#include <numeric>

namespace tandem::machine {
namespace {

using namespace microvm;
using devices::PlatformEvents;

constexpr std::string_view kOemId = "TANDEM", kOemTableId = "MICROVM";
constexpr u64 kChecksumAt = 9, kLengthAt = 4;
constexpr u64 kRootSize = 36;

// ---------------------------------------------------------------------------------- the DSDT

using namespace aml;

Term device_of(std::string_view object, std::string_view id, unsigned uid, const Term &rest) {
    return device(object, concat({name("_HID", string(id)), name("_UID", integer(uid)), rest}));
}

Term processors(unsigned count) {
    Term all;
    for (unsigned i = 0; i < count; ++i)
        all = concat({all, device_of(fmt::format("C{:03X}", i), "ACPI0007", i, {})});
    return all;
}

Term serial_port() {
    return device("COM1", concat({name("_HID", eisa_id("PNP0501")), name("_UID", integer(0)),
                                  name("_CRS", resources({io_ports(kUartPort, 8),
                                                          interrupt(kUartLine, Trigger::Edge)}))}));
}

Term virtio_devices(unsigned count) {
    Term all;
    for (unsigned slot = 0; slot < count; ++slot) {
        const Term where =
            resources({memory32_fixed(static_cast<u32>(kVirtioBase + slot * kVirtioStride),
                                      static_cast<u32>(kVirtioStride)),
                       interrupt(kVirtioLine + slot, Trigger::Edge)});
        all = concat({all, device_of(fmt::format("VR{:02X}", slot), "LNRO0005", slot,
                                     concat({name("_CCA", integer(1)), name("_CRS", where)}))});
    }
    return all;
}

/// 5.6.9.1: the device calls _EVT with the number of the interrupt; which of its events came, a
/// register says. The power button is a device that is notified (4.8.3.2.2.3).
Term events() {
    const Term method_body =
        concat({store("EVTS", local(0)), when(and_of(local(0), integer(PlatformEvents::kPowerKey)),
                                              notify("\\_SB.PWRB", 0x80))});
    const Term generic = device_of(
        "GED0", "ACPI0013", 0,
        concat({name("_CRS", resources({interrupt(kEventsLine, Trigger::Edge)})),
                operation_region("EREG", Space::Memory, kEventsBase + PlatformEvents::kEvents, 4),
                dword_field("EREG", "EVTS"), method("_EVT", 1, method_body)}));
    const Term button =
        device("PWRB", concat({name("_HID", eisa_id("PNP0C0C")), name("_UID", integer(0))}));
    return concat({generic, button});
}

Term dsdt_body(unsigned cpus, unsigned virtio_slots) {
    // 7.4.2.6: what SLP_TYP says for soft off.
    const Term soft_off = name(
        "_S5", package({integer(PlatformEvents::kSoftOff), integer(0), integer(0), integer(0)}));
    return concat({soft_off, scope("\\_SB", concat({processors(cpus), serial_port(),
                                                    virtio_devices(virtio_slots), events()}))});
}

// -------------------------------------------------------------------------------- the tables

class Builder {
public:
    explicit Builder(u64 address) : address_(address) {}

    MicrovmTables build(unsigned cpus, unsigned virtio_slots) {
        out_.zeros(kRootSize);
        begin("DSDT", 2);
        const u64 dsdt = start_;
        out_.append(dsdt_body(cpus, virtio_slots));
        end();
        add_fadt(dsdt);
        add_madt(cpus);
        begin("XSDT", 1);
        const u64 xsdt = start_;
        for (const u64 table : listed_) out_.u64_(address_ + table);
        end();
        std::vector<u8> bytes = out_.bytes();
        const std::vector<u8> root = root_pointer(xsdt);
        std::ranges::copy(root, bytes.begin());
        return {address_, std::move(bytes)};
    }

private:
    /// Starts a table; all but the DSDT are listed in the XSDT.
    void begin(std::string_view signature, u8 revision) {
        out_.zeros((8 - out_.size() % 8) % 8);
        start_ = out_.size();
        out_.text(signature, 4).u32_(0).u8_(revision).u8_(0).text(kOemId, 6).text(kOemTableId, 8);
        out_.u32_(1).text("TNDM", 4).u32_(1);
        if (signature != "DSDT" && signature != "XSDT") listed_.push_back(start_);
    }
    void end() {
        out_.patch(start_ + kLengthAt, out_.size() - start_, 4);
        out_.patch(start_ + kChecksumAt, checksum(start_, out_.size() - start_), 1);
    }
    [[nodiscard]] u8 checksum(u64 start, u64 length) const {
        return checksum_of(std::span(out_.bytes()).subspan(start, length));
    }
    static u8 checksum_of(std::span<const u8> bytes) {
        return static_cast<u8>(-std::accumulate(bytes.begin(), bytes.end(), 0));
    }
    void pad_to(u64 offset) { out_.zeros(start_ + offset - out_.size()); }
    /// 5.2.3.2: a register of a byte in memory.
    void byte_register(u64 address) { out_.u8_(0).u8_(8).u8_(0).u8_(1).u64_(address); }

    /// 5.2.9: on hardware-reduced platforms nearly all of it is 0.
    void add_fadt(u64 dsdt) {
        constexpr u32 kPowerButtonIsDevice = 1 << 4, kSleepButtonIsDevice = 1 << 5,
                      kHasReset = 1 << 10, kHardwareReduced = 1 << 20;
        // 5.2.9.3: there is a serial port of the old kind, but neither a VGA card nor a CMOS clock.
        constexpr u16 kLegacyDevices = 1 << 0, kNoVga = 1 << 2, kNoCmosClock = 1 << 5;
        begin("FACP", 6);
        pad_to(109);
        out_.u16_(kLegacyDevices | kNoVga | kNoCmosClock);
        pad_to(112);
        out_.u32_(kPowerButtonIsDevice | kSleepButtonIsDevice | kHasReset | kHardwareReduced);
        byte_register(kEventsBase + PlatformEvents::kReset);
        out_.u8_(PlatformEvents::kResetValue);
        pad_to(131);
        out_.u8_(5); // minor version: 6.5
        pad_to(140);
        out_.u64_(address_ + dsdt);
        pad_to(244);
        byte_register(kEventsBase + PlatformEvents::kSleepControl);
        byte_register(kEventsBase + PlatformEvents::kSleepStatus);
        pad_to(276);
        end();
    }

    void add_madt(unsigned cpus) {
        constexpr u32 kEnabled = 1;
        begin("APIC", 5);
        out_.u32_(kLocalApic).u32_(0);
        // 5.2.12.2: local APICs; 5.2.12.3: the IOAPIC, whose inputs are the system's interrupts;
        // 5.2.12.7: NMIs arrive at LINT1 of all.
        for (unsigned i = 0; i < cpus; ++i) out_.u8_(0).u8_(8).u8_(i).u8_(i).u32_(kEnabled);
        out_.u8_(1).u8_(12).u8_(0).u8_(0).u32_(kIoApic).u32_(0);
        out_.u8_(4).u8_(6).u8_(0xff).u16_(0).u8_(1);
        end();
    }

    /// 5.2.5.3.
    [[nodiscard]] std::vector<u8> root_pointer(u64 xsdt) const {
        constexpr std::size_t kVersion1Size = 20, kChecksum = 8, kExtendedChecksum = 32;
        ByteWriter out;
        out.text("RSD PTR ", 8).u8_(0).text(kOemId, 6).u8_(2).u32_(0);
        out.u32_(kRootSize).u64_(address_ + xsdt).u32_(0);
        out.patch(kChecksum, checksum_of(std::span(out.bytes()).first(kVersion1Size)), 1);
        out.patch(kExtendedChecksum, checksum_of(out.bytes()), 1);
        return out.bytes();
    }

    const u64 address_;
    ByteWriter out_;
    std::vector<u64> listed_;
    u64 start_ = 0;
};

} // namespace

MicrovmTables build_microvm_tables(u64 address, unsigned cpus, unsigned virtio_slots) {
    return Builder(address).build(cpus, virtio_slots);
}

} // namespace tandem::machine
