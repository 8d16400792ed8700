#pragma once
/// The physical address space: a flat, sorted, immutable map of ranges, replaced as a whole when
/// something is added. Readers take no lock; a replaced map is kept until the space is destroyed,
/// because ranges are only added while the board is assembled.
#include "devices/core/dma_space.h"
#include "devices/core/mmio_device.h"
#include "devices/flash/cfi_flash.h"
#include "ir/frontend.h"
#include "machine/memory/guest_memory.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

namespace tandem::machine {

/// Told what caches of guest memory must know; the accelerator. Any thread.
class MemoryObserver {
public:
    virtual ~MemoryObserver() = default;
    /// A bus master other than a vCPU wrote RAM.
    virtual void memory_written(GuestPhysAddr, u64 length) = 0;
    /// PhysicalBus::page() answers differently now.
    virtual void map_changed() = 0;
};

class PhysicalMap final : public ir::PhysicalBus, public devices::DmaSpace {
public:
    explicit PhysicalMap(GuestMemory &ram);
    ~PhysicalMap() override;

    /// Before any vCPU runs.
    void set_observer(MemoryObserver *observer) { observer_ = observer; }

    /// Ranges must not overlap others. The device outlives the map.
    void add_device(GuestPhysAddr base, devices::MmioDevice &device);
    /// A device whose cells (its whole range) are read and executed directly while it wants so.
    /// Needs its window before the device exists, and `cells` as long as the map.
    [[nodiscard]] devices::RomWindow &create_window(std::span<std::byte> cells);
    void add_rom(GuestPhysAddr base, devices::RomWindow &, devices::MmioDevice &device);

    /// For people: what is where, by address.
    struct Placed {
        u64 base;
        u64 size;
        std::string_view name;
    };
    [[nodiscard]] std::vector<Placed> layout() const;

    /// Of a byte of RAM in host memory; nothing if it is none.
    [[nodiscard]] std::optional<GuestPhysAddr> address_of(const std::byte *host) const;

    /// RAM and ROM: how many bytes, up to the first that is neither.
    [[nodiscard]] std::size_t read_some(u64 physical, std::span<std::byte> out);
    /// RAM; likewise.
    [[nodiscard]] std::size_t write_some(u64 physical, std::span<const std::byte> in);

    std::byte *page(u64 physical_page, bool &writable) override;
    bool read(u64 physical, unsigned size_log2, u64 &value) override;
    bool write(u64 physical, unsigned size_log2, u64 value) override;

    bool tracks_stores_to(u64 physical_page) const override;
    void will_store(u64 physical_page) override;
    void has_written(u64 physical, u64 length) override {
        written(GuestPhysAddr{physical}, length);
    }

    bool read(GuestPhysAddr, std::span<std::byte>) override;
    bool write(GuestPhysAddr, std::span<const std::byte>) override;
    std::byte *map(GuestPhysAddr, u64 length, devices::DmaAccess) override;
    void discard(GuestPhysAddr address, u64 length) override;
    void written(GuestPhysAddr, u64 length) override;

private:
    class Window final : public devices::RomWindow {
    public:
        Window(PhysicalMap &map, std::span<std::byte> cells) : map_(map), cells_(cells) {}
        void set_direct(bool direct) override;
        [[nodiscard]] std::byte *direct_cells() const {
            return is_direct_.load(std::memory_order_acquire) ? cells_.data() : nullptr;
        }

    private:
        PhysicalMap &map_;
        std::span<std::byte> cells_;
        std::atomic<bool> is_direct_ = true;
    };
    struct Range {
        u64 base;
        u64 size;
        devices::MmioDevice *device;
        const Window *window; ///< of a ROM
    };
    using Ranges = std::vector<Range>;

    void add(Range range);
    [[nodiscard]] const Range *find(u64 physical) const;

    GuestMemory &ram_;
    MemoryObserver *observer_ = nullptr;
    std::atomic<const Ranges *> current_;
    std::mutex mutex_;                             ///< guards the replacement
    std::vector<std::unique_ptr<Ranges>> history_; ///< the last one is current
    std::vector<std::unique_ptr<Window>> windows_;
};

} // namespace tandem::machine
