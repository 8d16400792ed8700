#include "devices/scsi/scsi_unit.h"

#include "devices/core/buffer_list.h"
#include "devices/scsi/scsi_execution.h"

#include <algorithm>
#include <utility>

namespace tandem::devices {
namespace {

/// A pattern other than zeros is repeated in a list of buffers.
constexpr u64 kMaxPatternBlocks = 512;

/// Copies from the start of guest memory; false if there is less.
bool take(std::span<const std::span<std::byte>> source, std::span<std::byte> target) {
    for (const std::span<std::byte> &part : source) {
        if (target.empty()) break;
        const std::size_t count = std::min(part.size(), target.size());
        std::ranges::copy(part.first(count), target.begin());
        target = target.subspan(count);
    }
    return target.empty();
}

} // namespace

const ScsiExecution::Row ScsiExecution::kRows[] = {
#define SCSI_COMMAND(code, handler, kinds, needs)                                                  \
    {code, &ScsiExecution::handler, k##kinds, Needs::needs},
#include "devices/scsi/scsi_commands.inc"
#undef SCSI_COMMAND
};

ScsiUnit::Start ScsiUnit::start(ScsiCommand &command, BlockRequest &request,
                                std::vector<std::span<std::byte>> &buffers) {
    return ScsiExecution(*this, command, request, buffers).run();
}

void ScsiUnit::finish(ScsiCommand &command, const BlockRequest &request, BlockStatus status) const {
    if (status == BlockStatus::Ok) {
        command.moved_bytes = command.wanted_bytes;
        return;
    }
    command.status = ScsiStatus::CheckCondition;
    command.sense = status == BlockStatus::Unsupported          ? scsi_sense::kInvalidOperation
                    : request.operation == BlockOperation::Read ? scsi_sense::kReadError
                                                                : scsi_sense::kWriteError;
}

void ScsiUnit::reset() {
    state_ = ScsiUnitState{};
}

void ScsiUnit::save(StateWriter &writer) const {
    ScsiUnitState state = state_;
    state.bytes = backend_.size();
    save_state(writer, "scsi-unit", state);
}

Result<> ScsiUnit::restore(StateReader &reader) {
    if (auto result = restore_state(reader, "scsi-unit", state_); !result) return result;
    if (state_.bytes != backend_.size())
        return failure("snapshot: a SCSI disk has another size than when it was taken");
    return {};
}

// ------------------------------------------------------------------------------------ execution

ScsiExecution::Start ScsiExecution::run() {
    const u8 kind = is_cdrom() ? kCdRom : kDisk;
    const Row *row = std::ranges::find_if(
        kRows, [&](const Row &each) { return each.code == byte(0) && (each.kinds & kind) != 0; });
    const bool is_known = row != std::end(kRows);
    // SAM-5 §5.14: a unit attention goes before everything but commands that ask about the unit.
    if ((!is_known || row->needs != Needs::Always) && state().attention)
        return fail(std::exchange(state().attention, scsi_sense::kNone));
    if (!is_known) return fail(scsi_sense::kInvalidOperation);
    if (row->needs == Needs::Medium && state().is_tray_open) return fail(scsi_sense::kTrayOpen);
    return (this->*row->handler)();
}

ScsiExecution::Start ScsiExecution::fail(ScsiCommand &command, const ScsiSense &sense) {
    command.status = ScsiStatus::CheckCondition;
    command.sense = sense;
    return Start::Done;
}

void ScsiExecution::reply(ScsiCommand &command, std::span<const u8> bytes, u64 allotted) {
    auto left = std::as_bytes(bytes.first(std::min<u64>(bytes.size(), allotted)));
    command.wanted_bytes = left.size();
    for (const std::span<std::byte> &part : command.data_in) {
        const std::size_t count = std::min(part.size(), left.size());
        std::ranges::copy(left.first(count), part.begin());
        left = left.subspan(count);
        command.moved_bytes += count;
    }
}

u64 ScsiExecution::field(std::size_t index, std::size_t bytes) const {
    u64 value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | command_.cdb[index + i];
    return value;
}

bool ScsiExecution::is_in_range(u64 block, u64 blocks) const {
    const u64 count = unit_.block_count();
    return block <= count && blocks <= count - block;
}

ScsiExecution::Start ScsiExecution::submit(BlockOperation operation, u64 block, u64 blocks) {
    request_.operation = operation;
    request_.offset = block * unit_.block_size();
    request_.length = blocks * unit_.block_size();
    request_.may_unmap = false;
    request_.buffers = buffers_;
    return Start::Submit;
}

ScsiExecution::Start ScsiExecution::transfer(BlockOperation operation, u64 block, u64 blocks,
                                             bool has_flags) {
    const bool is_read = operation == BlockOperation::Read;
    // Neither protection information nor (MODE SENSE says so) forced access to the medium.
    if (has_flags && (byte(1) & (is_read ? 0xe0 : 0xe8)) != 0)
        return fail(scsi_sense::kInvalidField);
    if (!is_in_range(block, blocks)) return fail(scsi_sense::kOutOfRange);
    if (!is_read && unit_.backend_.read_only()) return fail(scsi_sense::kWriteProtected);
    const u64 length = blocks * unit_.block_size();
    command_.wanted_bytes = length;
    // Overrun: the adapter says so, and nothing is moved.
    if (length > (is_read ? command_.data_in_bytes : command_.data_out_bytes)) return good();
    if (length == 0) return good();
    slice_buffers(is_read ? command_.data_in : command_.data_out, 0, length, buffers_);
    return submit(operation, block, blocks);
}

ScsiExecution::Start ScsiExecution::read_6() {
    const u64 blocks = byte(4) == 0 ? 256 : byte(4);
    return transfer(BlockOperation::Read, field(1, 3) & 0x1f'ffff, blocks, false);
}
ScsiExecution::Start ScsiExecution::read_10() {
    return transfer(BlockOperation::Read, field(2, 4), field(7, 2), true);
}
ScsiExecution::Start ScsiExecution::read_12() {
    return transfer(BlockOperation::Read, field(2, 4), field(6, 4), true);
}
ScsiExecution::Start ScsiExecution::read_16() {
    return transfer(BlockOperation::Read, field(2, 8), field(10, 4), true);
}
ScsiExecution::Start ScsiExecution::write_6() {
    const u64 blocks = byte(4) == 0 ? 256 : byte(4);
    return transfer(BlockOperation::Write, field(1, 3) & 0x1f'ffff, blocks, false);
}
ScsiExecution::Start ScsiExecution::write_10() {
    return transfer(BlockOperation::Write, field(2, 4), field(7, 2), true);
}
ScsiExecution::Start ScsiExecution::write_12() {
    return transfer(BlockOperation::Write, field(2, 4), field(6, 4), true);
}
ScsiExecution::Start ScsiExecution::write_16() {
    return transfer(BlockOperation::Write, field(2, 8), field(10, 4), true);
}

/// What the host's storage cannot read any more is not looked for: reads find it.
ScsiExecution::Start ScsiExecution::verify(u64 block, u64 blocks) {
    constexpr u8 kByteCheck = 0x06;
    if ((byte(1) & kByteCheck) != 0) return fail(scsi_sense::kInvalidField);
    return is_in_range(block, blocks) ? good() : fail(scsi_sense::kOutOfRange);
}
ScsiExecution::Start ScsiExecution::verify_10() {
    return verify(field(2, 4), field(7, 2));
}
ScsiExecution::Start ScsiExecution::verify_16() {
    return verify(field(2, 8), field(10, 4));
}

ScsiExecution::Start ScsiExecution::synchronize_cache() {
    if (is_cdrom()) return good();
    return submit(BlockOperation::Flush, 0, 0);
}

ScsiExecution::Start ScsiExecution::write_same(u64 block, u64 blocks) {
    constexpr u8 kNoDataOut = 0x01, kUnmap = 0x08, kUnsupported = 0xf6; // protection, ANCHOR, ...
    const bool is_long = byte(0) == 0x93;
    const bool has_data = !is_long || (byte(1) & kNoDataOut) == 0;
    if ((byte(1) & kUnsupported) != 0) return fail(scsi_sense::kInvalidField);
    // SBC-3 §5.42: 0 blocks are all to the end, unless WSNZ (page B0) says otherwise: it does.
    if (blocks == 0) return fail(scsi_sense::kInvalidField);
    if (!is_in_range(block, blocks)) return fail(scsi_sense::kOutOfRange);
    if (unit_.backend_.read_only()) return fail(scsi_sense::kWriteProtected);

    std::array<std::byte, 512> pattern{};
    if (has_data) {
        command_.wanted_bytes = pattern.size();
        if (command_.data_out_bytes < pattern.size()) return good(); // overrun
        static_cast<void>(take(command_.data_out, pattern));
    }
    if (std::ranges::all_of(pattern, [](std::byte each) { return each == std::byte{0}; })) {
        const Start start = submit(BlockOperation::WriteZeroes, block, blocks);
        request_.may_unmap = (byte(1) & kUnmap) != 0 && unit_.backend_.can_discard();
        return start;
    }
    if (blocks > kMaxPatternBlocks) return fail(scsi_sense::kInvalidField);
    for (u64 i = 0; i < blocks; ++i) slice_buffers(command_.data_out, 0, pattern.size(), buffers_);
    return submit(BlockOperation::Write, block, blocks);
}
ScsiExecution::Start ScsiExecution::write_same_10() {
    return write_same(field(2, 4), field(7, 2));
}
ScsiExecution::Start ScsiExecution::write_same_16() {
    return write_same(field(2, 8), field(10, 4));
}

/// SBC-3 §5.28; page B0 allows one descriptor.
ScsiExecution::Start ScsiExecution::unmap() {
    if (!unit_.backend_.can_discard()) return fail(scsi_sense::kInvalidOperation);
    if ((byte(1) & 1) != 0) return fail(scsi_sense::kInvalidField); // ANCHOR
    const u64 length = field(7, 2);
    if (length == 0) return good();
    std::array<std::byte, 24> list{};
    command_.wanted_bytes = length;
    if (length > command_.data_out_bytes) return good(); // overrun
    const auto at = [&list](std::size_t index, std::size_t bytes) {
        u64 value = 0;
        for (std::size_t i = 0; i < bytes; ++i)
            value = value << 8 | std::to_integer<u8>(list[index + i]);
        return value;
    };
    if (length < 8) return fail(scsi_sense::kInvalidParameter);
    static_cast<void>(
        take(command_.data_out, std::span(list).first(std::min<u64>(length, list.size()))));
    const u64 descriptors = std::min(at(2, 2), length - 8) / 16;
    if (descriptors == 0) return good();
    if (descriptors > 1) return fail(scsi_sense::kInvalidParameter);
    const u64 block = at(8, 8), blocks = at(16, 4);
    if (!is_in_range(block, blocks)) return fail(scsi_sense::kOutOfRange);
    if (blocks == 0) return good();
    return submit(BlockOperation::Discard, block, blocks);
}

} // namespace tandem::devices
