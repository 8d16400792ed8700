#pragma once
/// fw_cfg: named blobs for firmware and kernels, read through a selector and a data port, or copied
/// by the device itself (the DMA interface). Layout and keys as documented for QEMU's device of
/// this name, which EDK2, U-Boot and Linux (qemu_fw_cfg) know.
#include "devices/core/dma_space.h"
#include "devices/core/mmio_device.h"

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace tandem::devices {

struct FwCfgState {
    static constexpr u32 kVersion = 2;

    struct Item {
        u16 key = 0;
        std::vector<u8> data;

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.key, self.data);
        }
    };

    u16 selected = 0;
    u32 position = 0;        ///< in the selected item
    u32 dma_high = 0;        ///< first half of the DMA address, kept for the write of the second
    std::vector<Item> items; ///< what is offered, for a machine that has not loaded it itself

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.selected, self.position, self.dma_high, self.items);
    }
};

class FwCfg final : public MmioDevice {
public:
    /// Well-known keys.
    static constexpr u16 kSignature = 0x00, kInterfaceVersion = 0x01, kCpuCount = 0x05,
                         kKernelAddress = 0x07, kKernelSize = 0x08, kInitrdAddress = 0x0a,
                         kInitrdSize = 0x0b, kKernelData = 0x11, kInitrdData = 0x12,
                         kCommandLineSize = 0x14, kCommandLine = 0x15, kFileDirectory = 0x19,
                         kFirstFile = 0x20;
    static constexpr std::size_t kMaxFileName = 55;

    explicit FwCfg(DmaSpace &);

    // Before the machine starts.
    void add_item(u16 key, std::vector<std::byte> data);
    void add_item(u16 key, u32 value); ///< little-endian
    /// A file of the directory, such as "etc/system-states" or "opt/..."; at most 55 characters.
    void add_file(std::string name, std::vector<std::byte> data);

    [[nodiscard]] std::string_view name() const override { return "fw_cfg"; }
    [[nodiscard]] u64 size() const override { return 0x18; }
    [[nodiscard]] bool read(u64 offset, unsigned size_log2, u64 &value) override;
    [[nodiscard]] bool write(u64 offset, unsigned size_log2, u64 value) override;
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;
    void describe(FdtNode &parent, const FdtPlacement &) const override;

private:
    void rebuild_directory();
    void select(u16 key);
    [[nodiscard]] std::span<const std::byte> rest() const;
    void run_dma(GuestPhysAddr control);

    DmaSpace &memory_;
    mutable std::mutex mutex_;
    FwCfgState state_; ///< but for `items`, which live in items_
    std::map<u16, std::vector<std::byte>> items_;
    std::map<std::string, u16> files_; ///< sorted by name, as the directory lists them
    u16 next_file_ = kFirstFile;
};

} // namespace tandem::devices
