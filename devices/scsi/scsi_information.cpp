/// What a unit tells of itself: identity, capacity, modes (SPC-4 §6 to §7, SBC-3 §5 to §6).
#include "devices/scsi/scsi_execution.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace tandem::devices {
namespace {

constexpr std::string_view kVendor = "TANDEM";
constexpr std::string_view kRevision = "1";
constexpr u8 kNoDevice = 0x7f; ///< peripheral qualifier and type where there is no unit
constexpr u64 kMaxWriteSameBlocks = 0xffff;
constexpr u64 kMaxUnmapBlocks = 1u << 22;

u8 type_of(ScsiKind kind) {
    return kind == ScsiKind::CdRom ? 0x05 : 0x00;
}

std::string_view product_of(ScsiKind kind) {
    return kind == ScsiKind::CdRom ? "CD-ROM" : "DISK";
}

ScsiReply standard_inquiry(u8 type, ScsiKind kind) {
    ScsiReply out;
    const u8 removable = kind == ScsiKind::CdRom && type != kNoDevice ? 0x80 : 0;
    // Version SPC-3; response format 2 with hierarchical LUNs; commands are queued.
    out.u8s({type, removable, 0x05, 0x12, 31, 0, 0, 0x02});
    out.text(kVendor, 8).text(product_of(kind), 16).text(kRevision, 4);
    return out;
}

void reply_luns(ScsiCommand &command, u64 allotted) {
    ScsiReply out;
    out.be(8, 4).zeros(4).zeros(8); // logical unit 0
    ScsiExecution::reply(command, out.bytes(), allotted);
}

} // namespace

void ScsiUnit::answer_for_none(ScsiCommand &command) {
    const auto allotted = [&command](std::size_t index, unsigned bytes) {
        u64 value = 0;
        for (unsigned i = 0; i < bytes; ++i) value = value << 8 | command.cdb[index + i];
        return value;
    };
    switch (command.cdb[0]) {
    case 0x12: // INQUIRY
        ScsiExecution::reply(command, standard_inquiry(kNoDevice, ScsiKind::Disk).bytes(),
                             allotted(3, 2));
        return;
    case 0xa0: reply_luns(command, allotted(6, 4)); return; // REPORT LUNS
    default: static_cast<void>(ScsiExecution::fail(command, scsi_sense::kNoSuchUnit));
    }
}

ScsiExecution::Start ScsiExecution::test_unit_ready() {
    return good();
}

ScsiExecution::Start ScsiExecution::request_sense() {
    constexpr u8 kDescriptorFormat = 1;
    ScsiSense sense = std::exchange(state().attention, scsi_sense::kNone);
    if (!sense && state().is_tray_open) sense = scsi_sense::kTrayOpen;
    if ((byte(1) & kDescriptorFormat) == 0) return reply(encode(sense), byte(4));
    ScsiReply out;
    out.u8s({0x72, sense.key, sense.code, sense.qualifier, 0, 0, 0, 0});
    return reply(out.bytes(), byte(4));
}

ScsiExecution::Start ScsiExecution::inquiry() {
    constexpr u8 kVitalProductData = 1;
    const u8 page = byte(2);
    const u64 allotted = field(3, 2);
    if ((byte(1) & ~kVitalProductData) != 0) return fail(scsi_sense::kInvalidField);
    if ((byte(1) & kVitalProductData) != 0) return vital_product_data(page, allotted);
    if (page != 0) return fail(scsi_sense::kInvalidField);
    return reply(standard_inquiry(type_of(unit_.kind_), unit_.kind_).bytes(), allotted);
}

ScsiExecution::Start ScsiExecution::vital_product_data(u8 page, u64 allotted) {
    Block &disk = unit_.backend_;
    const std::string_view serial = disk.identity();
    const auto identity = std::as_bytes(std::span(serial));
    ScsiReply out;
    out.u8s({type_of(unit_.kind_), page}).be(0, 2); // the length follows
    switch (page) {
    case 0x00:
        out.u8s({0x00, 0x80, 0x83});
        if (!is_cdrom()) out.u8s({0xb0, 0xb1, 0xb2});
        break;
    case 0x80: out.text(serial, serial.size()); break;
    case 0x83: // a T10 vendor identification of the unit, in ASCII
        out.u8s(
            {0x02, 0x01, 0x00, static_cast<u8>(8 + std::min<std::size_t>(identity.size(), 247))});
        out.text(kVendor, 8).text(serial, std::min<std::size_t>(serial.size(), 247));
        break;
    case 0xb0: // block limits
        if (is_cdrom()) return fail(scsi_sense::kInvalidField);
        out.u8s({0x01, 0x00});                                         // WSNZ
        out.be(std::max<u32>(disk.preferred_alignment() / 512, 1), 2); // granularity of transfers
        out.be(0, 4).be(0, 4).be(0, 4);
        out.be(disk.can_discard() ? kMaxUnmapBlocks : 0, 4).be(disk.can_discard() ? 1 : 0, 4);
        out.be(std::max<u32>(disk.preferred_alignment() / 512, 1), 4).be(0, 4);
        out.be(kMaxWriteSameBlocks, 8).zeros(20);
        break;
    case 0xb1: // characteristics: not a rotating medium
        if (is_cdrom()) return fail(scsi_sense::kInvalidField);
        out.be(1, 2).zeros(58);
        break;
    case 0xb2: // provisioning: by UNMAP and both WRITE SAME, thin
        if (is_cdrom()) return fail(scsi_sense::kInvalidField);
        out.u8s({0x00, static_cast<u8>(disk.can_discard() ? 0xe0 : 0x00),
                 static_cast<u8>(disk.can_discard() ? 0x02 : 0x00), 0x00});
        break;
    default: return fail(scsi_sense::kInvalidField);
    }
    out.put(2, out.size() - 4, 2);
    return reply(out.bytes(), allotted);
}

ScsiExecution::Start ScsiExecution::mode_sense(bool is_long) {
    constexpr u8 kNoBlockDescriptor = 0x08, kAllPages = 0x3f, kWriteProtected = 0x80;
    enum Control : u8 { Current, Changeable, Default, Saved };
    const u8 control = byte(2) >> 6, wanted = byte(2) & 0x3f, subpage = byte(3);
    if (control == Saved) return fail(scsi_sense::kSavingUnsupported);
    if (subpage != 0 && subpage != 0xff) return fail(scsi_sense::kInvalidField);

    ScsiReply pages;
    const auto page = [&](u8 code, std::initializer_list<u8> content) {
        if (wanted != code && wanted != kAllPages) return;
        pages.u8s({code, static_cast<u8>(content.size())});
        // Nothing can be changed.
        if (control == Changeable)
            pages.zeros(content.size());
        else
            pages.u8s(content);
    };
    const u8 locked = state().is_removal_prevented ? 0x02 : 0x00;
    if (is_cdrom()) {
        page(0x01, {0, 0, 0, 0, 0, 0}); // read error recovery
        page(0x08, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
        // Capabilities (MMC-3 §5.5.10): reads CD-R, CD-RW, DVD-ROM; Mode 2 and multi-session; a
        // tray that locks and ejects; 50 x 176 kB/s with 2 MiB of buffer.
        page(0x2a, {0x0f, 0x00, 0x70, 0x00, static_cast<u8>(0x29 | locked), 0x00, 0x22, 0x60, 0x00,
                    0x02, 0x08, 0x00, 0x22, 0x60, 0x00, 0x00, 0x00, 0x00});
    } else {
        page(0x01, {0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0});
        page(0x08, {0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}); // writes are cached
        page(0x0a, {0x02, 0x10, 0, 0, 0, 0, 0, 0, 0, 0}); // commands may be reordered
    }
    if (pages.size() == 0) return fail(scsi_sense::kInvalidField);

    ScsiReply block;
    if (!is_cdrom() && (byte(1) & kNoBlockDescriptor) == 0) {
        block.be(std::min<u64>(unit_.block_count(), 0xff'ffff), 4);
        block.be(unit_.block_size(), 4);
    }
    const u8 specific = unit_.backend_.read_only() && !is_cdrom() ? kWriteProtected : 0;
    const std::size_t content = block.size() + pages.size();
    ScsiReply out;
    if (is_long) {
        out.be(content + 6, 2).u8s({0, specific, 0, 0}).be(block.size(), 2);
    } else {
        out.be(std::min<std::size_t>(content + 3, 255), 1);
        out.u8s({0, specific, static_cast<u8>(block.size())});
    }
    out.append(block.bytes()).append(pages.bytes());
    return reply(out.bytes(), is_long ? field(7, 2) : byte(4));
}
ScsiExecution::Start ScsiExecution::mode_sense_6() {
    return mode_sense(false);
}
ScsiExecution::Start ScsiExecution::mode_sense_10() {
    return mode_sense(true);
}

ScsiExecution::Start ScsiExecution::read_capacity_10() {
    const u64 blocks = unit_.block_count();
    ScsiReply out;
    out.be(blocks == 0 ? 0 : std::min<u64>(blocks - 1, 0xffff'ffff), 4).be(unit_.block_size(), 4);
    return reply(out.bytes(), 8);
}

ScsiExecution::Start ScsiExecution::service_action_in() {
    constexpr u8 kReadCapacity16 = 0x10, kProvisioned = 0x80;
    if ((byte(1) & 0x1f) != kReadCapacity16) return fail(scsi_sense::kInvalidField);
    const u64 physical =
        std::max<u64>(unit_.backend_.preferred_alignment() / unit_.block_size(), 1);
    ScsiReply out;
    out.be(std::max<u64>(unit_.block_count(), 1) - 1, 8).be(unit_.block_size(), 4);
    out.u8s({0, static_cast<u8>(std::countr_zero(physical)),
             static_cast<u8>(unit_.backend_.can_discard() ? kProvisioned : 0), 0});
    out.zeros(16);
    return reply(out.bytes(), field(10, 4));
}

ScsiExecution::Start ScsiExecution::report_luns() {
    const u64 allotted = field(6, 4);
    // SPC-4 §6.33: 0: all, 1: well-known ones, of which there are none, 2: both.
    if (byte(2) > 2 || allotted < 16) return fail(scsi_sense::kInvalidField);
    if (byte(2) == 1) {
        const std::array<u8, 8> none{};
        return reply(none, allotted);
    }
    reply_luns(command_, allotted);
    return good();
}

} // namespace tandem::devices
