#pragma once
/// One bank of parallel NOR flash with the Intel command set (JESD68, CFI publication 100: command
/// set 0x0001): two 16-bit chips side by side on a 32-bit bus, as Linux's cfi-flash driver and
/// EDK2's VirtNorFlashDxe expect of this board.
///
/// In read array mode the guest reads the cells directly, as ROM; any write brings the device in.
#include "devices/backend/flash_storage.h"
#include "devices/core/mmio_device.h"
#include "support/address.h"

#include <mutex>
#include <string>
#include <vector>

namespace tandem::devices {

/// The memory map's side of the bank: whether reads go to the cells or to the device. Writes always
/// go to the device.
class RomWindow {
public:
    virtual ~RomWindow() = default;
    /// Called with the flash's lock held, from a vCPU thread; it takes effect, on all vCPUs, before
    /// the writing vCPU's next instruction, and on others before they see what comes after it.
    virtual void set_direct(bool direct) = 0;
};

struct CfiFlashState {
    static constexpr u32 kVersion = 1;
    enum class Mode : u8 {
        ReadArray,
        ReadStatus,
        ReadIdentifier,
        ReadQuery,
        ProgramData, ///< the next write is the word to program
        EraseConfirm,
        LockConfirm,
        BufferCount, ///< the next write is the number of words less one
        BufferData,
        BufferConfirm,
    };

    Mode mode = Mode::ReadArray;
    u8 status = 0x80;            ///< the same for both chips; bit 7 ready
    u64 target = 0;              ///< of the command under way
    u32 buffer_left = 0;         ///< words still to come
    std::vector<u8> buffer;      ///< write buffer, one block-aligned window
    std::vector<u8> buffer_used; ///< which of its bytes were written
    std::vector<u8> locked;      ///< of each block

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.mode, self.status, self.target, self.buffer_left, self.buffer,
                self.buffer_used, self.locked);
    }
};

class CfiFlash final : public MmioDevice {
public:
    static constexpr u64 kBlockSize = 0x40000; ///< of both chips together
    static constexpr u64 kBufferSize = 0x800;  ///< of both chips together
    static constexpr u32 kBankWidth = 4;

    /// The cells are a multiple of kBlockSize, at most 64 MiB.
    CfiFlash(std::string name, FlashStorage &, RomWindow &);

    [[nodiscard]] std::string_view name() const override { return name_; }
    [[nodiscard]] u64 size() const override { return cells_.size(); }
    [[nodiscard]] bool read(u64 offset, unsigned size_log2, u64 &value) override;
    [[nodiscard]] bool write(u64 offset, unsigned size_log2, u64 value) override;
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;
    /// The banks share one node, which the board asks the first one for: describe_banks().
    void describe(FdtNode &, const FdtPlacement &) const override {}
    static void describe_banks(FdtNode &parent, GuestPhysAddr first, u64 bank_size, u32 banks);

private:
    [[nodiscard]] u16 read_chip_word(u64 chip_offset) const;
    void enter(CfiFlashState::Mode mode);
    void command(u64 offset, u8 code);
    void write_confirm(u64 offset, u8 code);
    void write_buffer_data(u64 offset, unsigned size, u64 value);
    void finish_buffer();
    void program(u64 offset, std::span<const u8> bytes);
    void erase(u64 offset);
    [[nodiscard]] bool refuses(u64 offset);

    std::string name_;
    FlashStorage &storage_;
    RomWindow &window_;
    std::span<std::byte> cells_;
    mutable std::mutex mutex_;
    CfiFlashState state_;
};

} // namespace tandem::devices
