#pragma once
/// One PCI function as a device of a flat address range, so that what tests any MMIO device tests
/// it too: configuration space, then each base address register's range.
#include "devices/core/mmio_device.h"
#include "devices/pcie/pci_function.h"
#include "devices/testing/fakes.h"

#include <algorithm>

namespace tandem::devices::testing {

/// Remembers messages, and drives the line with INTA.
class FakePciBus final : public PciBus {
public:
    struct Message {
        u64 address = 0;
        u32 data = 0;
    };
    explicit FakePciBus(IrqLine line) : line_(line) {}
    void mapping_changed() override {}
    void set_interrupt(u32, bool level) override { line_.set(level); }
    void send_message(u32, u64 address, u32 data) override { messages.push_back({address, data}); }

    std::vector<Message> messages;

private:
    IrqLine line_;
};

class PciFrame final : public MmioDevice {
public:
    static constexpr u64 kBarStride = 0x4000; ///< the most that a function's registers take
    static constexpr u64 kSize = kBarStride * (1 + PciFunction::kBarCount);

    /// `bars` are the ones that there are.
    PciFrame(PciFunction &function, std::vector<u32> bars)
        : function_(function), bars_(std::move(bars)) {}

    [[nodiscard]] static constexpr u64 bar(u32 index) { return kBarStride * (1 + index); }

    [[nodiscard]] std::string_view name() const override { return function_.name(); }
    [[nodiscard]] u64 size() const override { return kSize; }
    [[nodiscard]] bool read(u64 offset, unsigned size_log2, u64 &value) override {
        value = 0;
        if (offset < ConfigSpace::kSize) {
            value = function_.read_config(static_cast<u32>(offset), std::min(size_log2, 2u));
        } else if (const u32 bar = bar_of(offset); bar != PciFunction::kBarCount) {
            value = function_.read_bar(bar, offset % kBarStride, size_log2);
        }
        return true;
    }
    [[nodiscard]] bool write(u64 offset, unsigned size_log2, u64 value) override {
        if (offset < ConfigSpace::kSize) {
            function_.write_config(static_cast<u32>(offset), std::min(size_log2, 2u),
                                   static_cast<u32>(value));
        } else if (const u32 bar = bar_of(offset); bar != PciFunction::kBarCount) {
            function_.write_bar(bar, offset % kBarStride, size_log2, value);
        }
        return true;
    }
    void reset() override { function_.reset(); }
    void save(StateWriter &writer) const override { function_.save(writer); }
    [[nodiscard]] Result<> restore(StateReader &reader) override {
        return function_.restore(reader);
    }
    void pause() override { function_.pause(); }
    void resume() override { function_.resume(); }
    void describe(FdtNode &, const FdtPlacement &) const override {}

private:
    /// The register whose range this is, or kBarCount.
    [[nodiscard]] u32 bar_of(u64 offset) const {
        const auto found = std::ranges::find_if(bars_, [&](u32 index) {
            return offset >= bar(index) && offset - bar(index) < range_of(index);
        });
        return found == bars_.end() ? PciFunction::kBarCount : *found;
    }
    /// MSI-X tables have their own, smaller range.
    [[nodiscard]] static u64 range_of(u32 index) {
        return index == 1 ? u64{Msix::kBarSize} : kBarStride;
    }

    PciFunction &function_;
    std::vector<u32> bars_;
};

} // namespace tandem::devices::testing
