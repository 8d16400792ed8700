#pragma once
/// GICv3 interrupt translation service (IHI 0069H, chapter 5): turns messages of devices into LPIs
/// through tables in guest memory, which the guest changes with commands.
///
/// The entries' formats, which the architecture leaves open, are those of Linux's ABI for saving an
/// ITS (Documentation/virt/kvm/devices/arm-vgic-its.rst). Guests may damage them: every entry is
/// checked when it is used.
///
/// Locks: one mutex over everything; order: before those of the GIC's CPUs.
#include "devices/core/dma_space.h"
#include "devices/core/mmio_device.h"
#include "devices/core/msi_sink.h"
#include "devices/gic/gicv3.h"

#include <array>
#include <mutex>
#include <optional>

namespace tandem::devices {

struct GicV3ItsState {
    static constexpr u32 kVersion = 1;

    bool enabled = false;
    bool stalled = false;
    u64 queue = 0; ///< GITS_CBASER
    u32 write_offset = 0, read_offset = 0;
    std::array<u64, 8> tables{}; ///< GITS_BASER

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.enabled, self.stalled, self.queue, self.write_offset, self.read_offset,
                self.tables);
    }
};

class GicV3Its final : public MmioDevice, public MsiSink {
public:
    /// `base` is where the board maps it: messages to its GITS_TRANSLATER are taken.
    GicV3Its(GicV3 &gic, DmaSpace &memory, GuestPhysAddr base);

    void send_message(u32 requester, u64 address, u32 data) override;

    [[nodiscard]] std::string_view name() const override { return "gicv3-its"; }
    [[nodiscard]] u64 size() const override { return 0x20000; }
    [[nodiscard]] bool read(u64 offset, unsigned size_log2, u64 &value) override;
    [[nodiscard]] bool write(u64 offset, unsigned size_log2, u64 value) override;
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;
    /// Below the interrupt controller's node; the phandle is the parent of MSIs.
    u32 describe_in(FdtNode &controller) const;
    void describe(FdtNode &, const FdtPlacement &) const override {}

private:
    using Command = std::array<u64, 4>;
    struct Device {
        u64 table = 0;
        unsigned event_bits = 0;
    };
    struct Event {
        u32 intid = 0;
        u32 collection = 0;
    };

    [[nodiscard]] u32 read_word(u32 offset) const;
    void write_word(u32 offset, u32 value);
    [[nodiscard]] u32 queue_size() const;
    void run_commands();
    void run(const Command &);

    void map_device(const Command &);
    void map_collection(const Command &);
    void map_event(u32 device, u32 event, u32 intid, u32 collection);
    void move_event(u32 device, u32 event, u32 collection);
    void discard(u32 device, u32 event);

    /// Where the entry is; nothing if the table does not reach that far.
    [[nodiscard]] std::optional<GuestPhysAddr> entry_address(u32 table, u32 index);
    [[nodiscard]] std::optional<Device> find_device(u32 device);
    [[nodiscard]] std::optional<GuestPhysAddr> event_address(u32 device, u32 event);
    [[nodiscard]] std::optional<Event> find_event(u32 device, u32 event);
    [[nodiscard]] std::optional<u32> find_cpu(u32 collection);
    /// The LPI and CPU of an event, if it is mapped all the way.
    struct Target {
        u32 cpu = 0;
        u32 intid = 0;
    };
    [[nodiscard]] std::optional<Target> translate(u32 device, u32 event);

    GicV3 &gic_;
    DmaSpace &memory_;
    const u64 doorbell_;
    mutable std::mutex mutex_;
    GicV3ItsState state_;
};

} // namespace tandem::devices
