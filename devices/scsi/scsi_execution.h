#pragma once
/// The handlers of scsi_commands.inc: one command that is looked at by its unit.
#include "devices/scsi/scsi_unit.h"

#include <initializer_list>

namespace tandem::devices {

class ScsiExecution {
public:
    using Start = ScsiUnit::Start;

    ScsiExecution(ScsiUnit &unit, ScsiCommand &command, BlockRequest &request,
                  std::vector<std::span<std::byte>> &buffers)
        : unit_(unit), command_(command), request_(request), buffers_(buffers) {}

    [[nodiscard]] Start run();
    [[nodiscard]] static Start fail(ScsiCommand &, const ScsiSense &);
    /// Answers with these bytes, as many as the initiator has allotted.
    static void reply(ScsiCommand &, std::span<const u8> bytes, u64 allotted);

private:
    enum class Needs : u8 { Always, Attention, Medium };
    static constexpr u8 kDisk = 1, kCdRom = 2, kAny = kDisk | kCdRom; ///< kinds of units
    struct Row {
        u8 code;
        Start (ScsiExecution::*handler)();
        u8 kinds;
        Needs needs;
    };
    static const Row kRows[];

    [[nodiscard]] ScsiUnitState &state() { return unit_.state_; }
    [[nodiscard]] bool is_cdrom() const { return unit_.kind_ == ScsiKind::CdRom; }
    [[nodiscard]] u8 byte(std::size_t index) const { return command_.cdb[index]; }
    /// A big-endian field of the descriptor block.
    [[nodiscard]] u64 field(std::size_t index, std::size_t bytes) const;
    [[nodiscard]] Start good() const { return Start::Done; }
    [[nodiscard]] Start fail(const ScsiSense &sense) { return fail(command_, sense); }
    Start reply(std::span<const u8> bytes, u64 allotted) {
        reply(command_, bytes, allotted);
        return Start::Done;
    }

    // scsi_unit.cpp: what moves data.
    [[nodiscard]] bool is_in_range(u64 block, u64 blocks) const;
    [[nodiscard]] Start submit(BlockOperation, u64 block, u64 blocks);
    /// `protection`: whether byte 1 has the protection and FUA fields.
    [[nodiscard]] Start transfer(BlockOperation, u64 block, u64 blocks, bool has_flags);
    [[nodiscard]] Start verify(u64 block, u64 blocks);
    [[nodiscard]] Start write_same(u64 block, u64 blocks);
    Start read_6();
    Start read_10();
    Start read_12();
    Start read_16();
    Start write_6();
    Start write_10();
    Start write_12();
    Start write_16();
    Start verify_10();
    Start verify_16();
    Start write_same_10();
    Start write_same_16();
    Start unmap();
    Start synchronize_cache();

    // scsi_information.cpp: what tells about the unit.
    [[nodiscard]] Start mode_sense(bool is_long);
    [[nodiscard]] Start vital_product_data(u8 page, u64 allotted);
    Start test_unit_ready();
    Start request_sense();
    Start inquiry();
    Start mode_sense_6();
    Start mode_sense_10();
    Start read_capacity_10();
    Start service_action_in();
    Start report_luns();

    // scsi_cdrom.cpp: drives with removable media.
    Start start_stop();
    Start prevent_removal();
    Start seek_10();
    Start read_toc();
    Start get_configuration();
    Start get_event_status();
    Start read_disc_info();

    ScsiUnit &unit_;
    ScsiCommand &command_;
    BlockRequest &request_;
    std::vector<std::span<std::byte>> &buffers_;
};

/// Builds big-endian structures of replies.
class ScsiReply {
public:
    ScsiReply &u8s(std::initializer_list<u8> bytes) {
        bytes_.insert(bytes_.end(), bytes);
        return *this;
    }
    ScsiReply &be(u64 value, unsigned bytes) {
        for (unsigned i = bytes; i-- > 0;) bytes_.push_back(static_cast<u8>(value >> (8 * i)));
        return *this;
    }
    /// Pads with blanks, or cuts.
    ScsiReply &text(std::string_view text, std::size_t width) {
        for (std::size_t i = 0; i < width; ++i)
            bytes_.push_back(i < text.size() ? static_cast<u8>(text[i]) : u8{' '});
        return *this;
    }
    ScsiReply &zeros(std::size_t count) {
        bytes_.resize(bytes_.size() + count);
        return *this;
    }
    ScsiReply &append(std::span<const u8> bytes) {
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
        return *this;
    }
    /// Overwrites a field that could not be known before.
    void put(std::size_t at, u64 value, unsigned bytes) {
        for (unsigned i = 0; i < bytes; ++i)
            bytes_[at + i] = static_cast<u8>(value >> (8 * (bytes - 1 - i)));
    }
    [[nodiscard]] std::span<const u8> bytes() const { return bytes_; }
    [[nodiscard]] std::size_t size() const { return bytes_.size(); }

private:
    std::vector<u8> bytes_;
};

} // namespace tandem::devices
