#pragma once
/// A PCI function whose every register a test can see, and a doorbell that remembers messages.
#include "devices/core/msi_sink.h"
#include "devices/pcie/pci_function.h"
#include "devices/testing/fakes.h"

#include <vector>

namespace tandem::devices::testing {

/// Two registers' worth of ranges, MSI-X, and an interrupt the test rings.
class Gadget final : public PciFunction {
public:
    Gadget() : PciFunction("gadget", {.vendor = 0x1234, .device = 0x5678, .class_code = 0x010203}) {
        config_.define(pci::kInterruptPin, 1, 1);
        add_bar(0, 0x100, BarKind::Memory32);
        add_msix(3, 1);
        add_bar(2, u64{1} << 33, BarKind::Memory64);
        add_express();
    }
    void save(StateWriter &) const override {}
    Result<> restore(StateReader &) override { return {}; }
    void reset() override {
        ++resets;
        PciFunction::reset();
    }
    void ring(bool level) {
        const std::scoped_lock lock(mutex_);
        set_intx(level);
    }
    void message(u32 vector) {
        const std::scoped_lock lock(mutex_);
        signal_vector(vector);
    }
    u64 last_offset = 0;
    u32 last_bar = 0;
    int resets = 0, openings = 0;

private:
    void bus_master_enabled() override { ++openings; }
    u64 read_own_bar(u32 bar, u64 offset, unsigned) override { return bar << 16 | (offset & 0xff); }
    void write_own_bar(u32 bar, u64 offset, unsigned, u64) override {
        last_bar = bar;
        last_offset = offset;
    }
};

class Doorbell final : public MsiSink {
public:
    struct Message {
        u32 requester;
        u64 address;
        u32 data;
        bool operator==(const Message &) const = default;
    };
    void send_message(u32 requester, u64 address, u32 data) override {
        messages.push_back({requester, address, data});
    }
    std::vector<Message> messages;
};

} // namespace tandem::devices::testing
