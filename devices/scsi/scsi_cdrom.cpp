/// CD-ROM drives (MMC-6): the tray, and what drivers ask about the disc, which has one track of
/// data.
#include "devices/scsi/scsi_execution.h"

#include <algorithm>

namespace tandem::devices {
namespace {

// Media events, MMC-6 §6.6.2.6.
constexpr u8 kNewMedia = 2, kMediaRemoval = 3;

constexpr u8 kDataTrack = 0x14; ///< ADR 1 (position), control: data, copy prohibited
constexpr u8 kLeadOut = 0xaa;
/// 80 minutes of 60 seconds of 75 frames: larger ones are DVDs.
constexpr u64 kMaxCdBlocks = u64{80} * 60 * 75;

/// Minutes, seconds and frames; the first two seconds of a disc are lead-in (MMC-6 §4.2.3).
u32 msf_of(u64 block) {
    const u64 frames = block + 150;
    const u64 minutes = std::min<u64>(frames / 75 / 60, 255);
    return static_cast<u32>(minutes << 16 | frames / 75 % 60 << 8 | frames % 75);
}

} // namespace

ScsiExecution::Start ScsiExecution::start_stop() {
    constexpr u8 kStart = 0x01, kLoadEject = 0x02, kPowerCondition = 0xf0;
    if (!is_cdrom() || (byte(4) & kPowerCondition) != 0 || (byte(4) & kLoadEject) == 0)
        return good();
    const bool opens = (byte(4) & kStart) == 0;
    if (opens == state().is_tray_open) return good();
    if (opens && state().is_removal_prevented) return fail(scsi_sense::kRemovalPrevented);
    state().is_tray_open = opens;
    state().media_event = opens ? kMediaRemoval : kNewMedia;
    if (!opens) state().attention = scsi_sense::kMediumMayHaveChanged;
    return good();
}

ScsiExecution::Start ScsiExecution::prevent_removal() {
    state().is_removal_prevented = (byte(4) & 1) != 0;
    return good();
}

ScsiExecution::Start ScsiExecution::seek_10() {
    return is_in_range(field(2, 4), 1) ? good() : fail(scsi_sense::kOutOfRange);
}

ScsiExecution::Start ScsiExecution::read_toc() {
    constexpr u8 kMsf = 0x02;
    const bool is_msf = (byte(1) & kMsf) != 0;
    const u8 first_track = byte(6);
    // The format's place before MMC-2 was the last byte.
    const u8 format = (byte(2) & 0x0f) != 0 ? byte(2) & 0x0f : byte(9) >> 6;
    const u64 end = unit_.block_count();
    const auto address = [is_msf](u64 block) { return is_msf ? msf_of(block) : block; };
    ScsiReply out;
    out.be(0, 2).u8s({1, 1}); // length; first and last track or session
    switch (format) {
    case 0: // the table of contents
        if (first_track > 1 && first_track != kLeadOut) return fail(scsi_sense::kInvalidField);
        if (first_track <= 1) out.u8s({0, kDataTrack, 1, 0}).be(address(0), 4);
        out.u8s({0, kDataTrack, kLeadOut, 0}).be(address(end), 4);
        break;
    case 1: // the last session
        out.u8s({0, kDataTrack, 1, 0}).be(address(0), 4);
        break;
    case 2: // as it is in the lead-in: first track, last track, lead-out, track 1
        for (const auto &[point, place] : {std::pair<u8, u32>{0xa0, 1u << 16},
                                           {0xa1, 1u << 16},
                                           {0xa2, msf_of(end)},
                                           {0x01, msf_of(0)}})
            out.u8s({1, kDataTrack, 0, point}).be(0, 3).be(place, 4);
        break;
    default: return fail(scsi_sense::kInvalidField);
    }
    out.put(0, out.size() - 2, 2);
    return reply(out.bytes(), field(7, 2));
}

ScsiExecution::Start ScsiExecution::get_configuration() {
    constexpr u16 kCdRomProfile = 0x0008, kDvdRomProfile = 0x0010;
    enum Requested : u8 { All, Current, One };
    const u8 requested = byte(1) & 0x03;
    const u64 first = field(2, 2);
    if (requested > One) return fail(scsi_sense::kInvalidField);
    const bool is_dvd = unit_.block_count() > kMaxCdBlocks;
    const bool is_loaded = !state().is_tray_open;
    const u16 profile = !is_loaded ? u16{0} : is_dvd ? kDvdRomProfile : kCdRomProfile;

    ScsiReply out;
    out.be(0, 4).be(0, 2).be(profile, 2);
    constexpr u8 kPersistent = 0x02;
    const auto feature = [&](u16 code, u8 flags, bool is_current, std::span<const u8> data) {
        if (requested == One ? code != first : code < first) return;
        if (requested == Current && !is_current) return;
        out.be(code, 2).u8s({static_cast<u8>(flags | static_cast<u8>(is_current))});
        out.u8s({static_cast<u8>(data.size())}).append(data);
    };
    ScsiReply profiles;
    profiles.be(kDvdRomProfile, 2).u8s({static_cast<u8>(profile == kDvdRomProfile), 0});
    profiles.be(kCdRomProfile, 2).u8s({static_cast<u8>(profile == kCdRomProfile), 0});
    ScsiReply readable;
    readable.be(unit_.block_size(), 4).be(1, 2).u8s({0x01, 0x00});
    const u8 core[] = {0, 0, 0, 1, 0x01, 0, 0, 0}; // SCSI; DBE
    const u8 removable[] = {0x29, 0, 0, 0};        // a tray that locks and ejects
    const u8 cd_read[] = {0x00, 0, 0, 0};
    feature(0x0000, kPersistent, true, profiles.bytes());
    feature(0x0001, 2 << 2 | kPersistent, true, core);
    feature(0x0003, 1 << 2 | kPersistent, true, removable);
    feature(0x0010, 0, is_loaded, readable.bytes());
    feature(0x001e, 2 << 2, is_loaded && !is_dvd, cd_read);
    feature(0x001f, 0, is_loaded && is_dvd, {});
    out.put(0, out.size() - 4, 4);
    return reply(out.bytes(), field(7, 2));
}

ScsiExecution::Start ScsiExecution::get_event_status() {
    constexpr u8 kPolled = 0x01, kMediaClass = 4, kMediaClasses = 1 << kMediaClass,
                 kNoEvents = 0x80;
    constexpr u8 kDoorOpen = 0x01, kMediaPresent = 0x02;
    if ((byte(1) & kPolled) == 0) return fail(scsi_sense::kInvalidField);
    ScsiReply out;
    if ((byte(4) & kMediaClasses) == 0) {
        out.be(2, 2).u8s({kNoEvents, kMediaClasses});
    } else {
        out.be(6, 2).u8s({kMediaClass, kMediaClasses});
        out.u8s({state().media_event, state().is_tray_open ? kDoorOpen : kMediaPresent, 0, 0});
        if (field(7, 2) >= 8) state().media_event = 0;
    }
    return reply(out.bytes(), field(7, 2));
}

ScsiExecution::Start ScsiExecution::read_disc_info() {
    if ((byte(1) & 0x07) != 0)
        return fail(scsi_sense::kInvalidField); // other kinds than the standard one
    ScsiReply out;
    // A complete disc with a complete last session; one track in one session; for unrestricted use.
    out.be(32, 2).u8s({0x0e, 1, 1, 1, 1, 0x20, 0x00, 0, 0, 0}).zeros(4);
    out.be(0xffff'ffff, 4).be(0xffff'ffff, 4).zeros(10);
    return reply(out.bytes(), field(7, 2));
}

} // namespace tandem::devices
