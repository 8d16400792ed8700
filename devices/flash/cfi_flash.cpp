#include "devices/flash/cfi_flash.h"

#include "devices/core/fdt_node.h"
#include "devices/flash/cfi_query.h"
#include "support/check.h"

#include <algorithm>

namespace tandem::devices {

namespace {

using Mode = CfiFlashState::Mode;

enum class Command : u8 {
#define COMMAND(name, code) name = code,
#include "devices/flash/cfi_commands.inc"
#undef COMMAND
};

// Status register, one per chip and the same in both.
constexpr u8 kStatusReady = 1 << 7;
constexpr u8 kStatusEraseError = 1 << 5;
constexpr u8 kStatusProgramError = 1 << 4;
constexpr u8 kStatusLocked = 1 << 1;

constexpr u8 kManufacturer = 0x89; // Intel
constexpr u8 kDevice = 0x18;

constexpr u32 kChips = 2;
constexpr u64 kChipWord = 2; ///< bytes on the bus of one chip
constexpr u64 kChipBlock = CfiFlash::kBlockSize / kChips;
constexpr u64 kChipBuffer = CfiFlash::kBufferSize / kChips;
/// Words of one chip in a full buffer.
constexpr u32 kBufferWords = static_cast<u32>(kChipBuffer / kChipWord);

u64 block_of(u64 offset) {
    return offset / CfiFlash::kBlockSize;
}

} // namespace

CfiFlash::CfiFlash(std::string name, FlashStorage &storage, RomWindow &window)
    : name_(std::move(name)), storage_(storage), window_(window), cells_(storage.cells()) {
    CHECK(!cells_.empty() && cells_.size() % kBlockSize == 0 && cells_.size() <= 64u << 20);
    reset();
}

void CfiFlash::reset() {
    const std::scoped_lock lock(mutex_);
    state_ = {};
    state_.locked.assign(cells_.size() / kBlockSize, 0);
    window_.set_direct(true);
}

void CfiFlash::enter(Mode mode) {
    if (mode == state_.mode) return;
    const bool was_direct = state_.mode == Mode::ReadArray;
    state_.mode = mode;
    const bool is_direct = mode == Mode::ReadArray;
    if (is_direct != was_direct) window_.set_direct(is_direct);
}

u16 CfiFlash::read_chip_word(u64 offset) const {
    // Offsets count the bank's bytes; a chip's word address is that over the bank's width.
    const u64 word = offset / kBankWidth;
    switch (state_.mode) {
    case Mode::ReadIdentifier:
        switch (word % (kChipBlock / kChipWord)) {
        case 0: return kManufacturer;
        case 1: return kDevice;
        case 2: return state_.locked[block_of(offset)];
        default: return 0;
        }
    case Mode::ReadQuery:
        return cfi_query(static_cast<u32>(word & 0xff), cells_.size() / kChips, kChipBlock,
                         kChipBuffer);
    default: return state_.status;
    }
}

bool CfiFlash::read(u64 offset, unsigned size_log2, u64 &value) {
    const std::scoped_lock lock(mutex_);
    const std::size_t size = std::size_t{1} << size_log2;
    value = 0;
    if (state_.mode == Mode::ReadArray) {
        std::memcpy(&value, cells_.data() + offset, size);
        return true;
    }
    for (std::size_t i = 0; i < size; ++i) {
        const u16 word = read_chip_word(offset + i);
        value |= static_cast<u64>(static_cast<u8>(word >> (((offset + i) & 1) * 8))) << (i * 8);
    }
    return true;
}

bool CfiFlash::write(u64 offset, unsigned size_log2, u64 value) {
    const std::scoped_lock lock(mutex_);
    const unsigned size = 1u << size_log2;
    const u8 code = static_cast<u8>(value);
    switch (state_.mode) {
    case Mode::ProgramData: {
        std::array<u8, 8> bytes;
        std::memcpy(bytes.data(), &value, bytes.size());
        program(offset, std::span(bytes).first(size));
        enter(Mode::ReadStatus);
        break;
    }
    case Mode::EraseConfirm:
    case Mode::LockConfirm:
    case Mode::BufferConfirm: write_confirm(offset, code); break;
    case Mode::BufferCount: {
        // Words of each chip, less one; both chips get the same number.
        const u32 words = static_cast<u32>(value & 0xffff) + 1;
        if (words > kBufferWords) {
            state_.status |= kStatusProgramError | kStatusEraseError;
            enter(Mode::ReadStatus);
            break;
        }
        state_.buffer_left = words * kBankWidth;
        state_.buffer.assign(kBufferSize, 0xff);
        state_.buffer_used.assign(kBufferSize, 0);
        state_.target = ~u64{0};
        enter(Mode::BufferData);
        break;
    }
    case Mode::BufferData: write_buffer_data(offset, size, value); break;
    default: command(offset, code); break;
    }
    return true;
}

void CfiFlash::command(u64 offset, u8 code) {
    switch (static_cast<Command>(code)) {
    case Command::ReadArray: enter(Mode::ReadArray); break;
    case Command::ReadIdentifier: enter(Mode::ReadIdentifier); break;
    case Command::ReadQuery: enter(Mode::ReadQuery); break;
    case Command::ReadStatus: enter(Mode::ReadStatus); break;
    case Command::ClearStatus: state_.status = kStatusReady; break;
    case Command::Program:
    case Command::ProgramAlternate: enter(Mode::ProgramData); break;
    case Command::WriteBuffer: enter(Mode::BufferCount); break;
    case Command::BlockErase: enter(Mode::EraseConfirm); break;
    case Command::BlockLock: enter(Mode::LockConfirm); break;
    case Command::Confirm: break; // resume, with nothing suspended
    case Command::Suspend: enter(Mode::ReadStatus); break;
    default:
        // A driver probes with other vendors' reset command (0xf0) and expects to read cells.
        enter(Mode::ReadArray);
        break;
    }
    state_.target = offset;
}

void CfiFlash::write_confirm(u64 offset, u8 code) {
    const Mode mode = state_.mode;
    const bool confirmed = code == static_cast<u8>(Command::Confirm);
    enter(Mode::ReadStatus);
    if (mode == Mode::EraseConfirm) {
        if (confirmed)
            erase(offset);
        else
            state_.status |= kStatusEraseError | kStatusProgramError; // a bad command sequence
    } else if (mode == Mode::BufferConfirm) {
        if (confirmed)
            finish_buffer();
        else
            state_.status |= kStatusEraseError | kStatusProgramError;
    } else if (confirmed) {
        state_.locked[block_of(offset)] = 0;
    } else if (code == static_cast<u8>(Command::LockConfirm)) {
        state_.locked[block_of(offset)] = 1;
    } else {
        state_.status |= kStatusEraseError | kStatusProgramError;
    }
}

void CfiFlash::write_buffer_data(u64 offset, unsigned size, u64 value) {
    // The first word's address picks the window; the rest must fall inside.
    if (state_.target == ~u64{0}) state_.target = align_down(offset, kBufferSize);
    const u64 at = offset - state_.target;
    if (at < kBufferSize) {
        for (unsigned i = 0; i < size; ++i) {
            state_.buffer[at + i] = static_cast<u8>(value >> (i * 8));
            state_.buffer_used[at + i] = 1;
        }
    } else {
        state_.status |= kStatusProgramError;
    }
    state_.buffer_left -= std::min(state_.buffer_left, size);
    if (state_.buffer_left == 0) enter(Mode::BufferConfirm);
}

bool CfiFlash::refuses(u64 offset) {
    if (storage_.read_only() || state_.locked[block_of(offset)] != 0) {
        state_.status |= kStatusLocked;
        return true;
    }
    return false;
}

void CfiFlash::finish_buffer() {
    if (state_.target == ~u64{0} || refuses(state_.target)) {
        state_.status |= kStatusProgramError;
        return;
    }
    u64 first = kBufferSize, last = 0;
    for (u64 i = 0; i < kBufferSize; ++i) {
        if (state_.buffer_used[i] == 0) continue;
        cells_[state_.target + i] &= std::byte{state_.buffer[i]};
        first = std::min(first, i);
        last = i;
    }
    if (first <= last && !storage_.persist(state_.target + first, last - first + 1))
        state_.status |= kStatusProgramError;
}

void CfiFlash::program(u64 offset, std::span<const u8> bytes) {
    if (refuses(offset)) {
        state_.status |= kStatusProgramError;
        return;
    }
    // Programming clears bits, only erasing sets them.
    for (std::size_t i = 0; i < bytes.size(); ++i) cells_[offset + i] &= std::byte{bytes[i]};
    if (!storage_.persist(offset, bytes.size())) state_.status |= kStatusProgramError;
}

void CfiFlash::erase(u64 offset) {
    if (refuses(offset)) {
        state_.status |= kStatusEraseError;
        return;
    }
    const u64 start = align_down(offset, kBlockSize);
    std::ranges::fill(cells_.subspan(start, kBlockSize), std::byte{0xff});
    if (!storage_.persist(start, kBlockSize)) state_.status |= kStatusEraseError;
}

void CfiFlash::save(StateWriter &writer) const {
    const std::scoped_lock lock(mutex_);
    save_state(writer, name_, state_);
}

Result<> CfiFlash::restore(StateReader &reader) {
    CfiFlashState state;
    if (auto result = restore_state(reader, name_, state); !result) return result;
    const bool buffering = state.mode == Mode::BufferData || state.mode == Mode::BufferConfirm;
    const bool target_fits = state.target < cells_.size() && is_aligned(state.target, kBufferSize);
    if (state.mode > Mode::BufferConfirm || state.locked.size() != cells_.size() / kBlockSize ||
        (buffering &&
         (state.buffer.size() != kBufferSize || state.buffer_used.size() != kBufferSize ||
          (state.target != ~u64{0} && !target_fits))))
        return failure("snapshot: the flash's state is damaged");
    const std::scoped_lock lock(mutex_);
    state_ = std::move(state);
    window_.set_direct(state_.mode == Mode::ReadArray);
    return {};
}

void CfiFlash::describe_banks(FdtNode &parent, GuestPhysAddr first, u64 bank_size, u32 banks) {
    FdtNode &node = parent.child(fdt_unit_name("flash", first));
    node.strings("compatible", {"cfi-flash"});
    std::vector<u32> reg;
    for (u32 bank = 0; bank < banks; ++bank) {
        const u64 base = first.value() + bank * bank_size;
        reg.insert(reg.end(),
                   {fdt_high(base), fdt_low(base), fdt_high(bank_size), fdt_low(bank_size)});
    }
    node.cells("reg", std::span<const u32>(reg));
    node.cells("bank-width", {kBankWidth});
}

} // namespace tandem::devices
