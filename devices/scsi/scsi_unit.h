#pragma once
/// A SCSI logical unit over a Block back end: a disk (SBC-3) or a CD-ROM drive (MMC-6). The host
/// adapter that owns it guards it with its mutex, and submits its requests without.
#include "devices/backend/block.h"
#include "devices/core/state.h"
#include "devices/scsi/scsi_command.h"

#include <vector>

namespace tandem::devices {

enum class ScsiKind : u8 { Disk, CdRom };

struct ScsiUnitState {
    static constexpr u32 kVersion = 1;

    u64 bytes = 0;                               ///< of the back end: it must be the same
    ScsiSense attention = scsi_sense::kWasReset; ///< told to the next command that asks for it
    u8 media_event = 0;                          ///< MMC-6 §6.6.2.6, told once
    bool is_tray_open = false;
    bool is_removal_prevented = false;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.bytes, self.attention, self.media_event, self.is_tray_open,
                self.is_removal_prevented);
    }
};

class ScsiUnit {
public:
    ScsiUnit(Block &backend, ScsiKind kind) : backend_(backend), kind_(kind) {}

    enum class Start : u8 {
        Done,   ///< the command has its answer
        Submit, ///< submit the request, then call finish() with what came of it
    };
    /// Begins a command. `buffers` gets what the request refers to: it lives as long.
    [[nodiscard]] Start start(ScsiCommand &, BlockRequest &,
                              std::vector<std::span<std::byte>> &buffers);
    void finish(ScsiCommand &, const BlockRequest &, BlockStatus) const;
    /// Answers for a logical unit number that there is no unit for (SPC-4 §6.6.2, §6.33).
    static void answer_for_none(ScsiCommand &);

    [[nodiscard]] Block &backend() { return backend_; }
    [[nodiscard]] ScsiKind kind() const { return kind_; }
    void reset();
    void save(StateWriter &) const;
    [[nodiscard]] Result<> restore(StateReader &);

private:
    friend class ScsiExecution;

    [[nodiscard]] u64 block_size() const { return kind_ == ScsiKind::CdRom ? 2048 : 512; }
    [[nodiscard]] u64 block_count() const { return backend_.size() / block_size(); }

    Block &backend_;
    const ScsiKind kind_;
    ScsiUnitState state_;
};

} // namespace tandem::devices
