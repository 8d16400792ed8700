#include "devices/sound/hda_stream.h"

#include <algorithm>
#include <array>

namespace tandem::devices {

namespace {

constexpr u64 kSecond = 1'000'000'000;
/// Between two looks: buffers may be shorter, or longer.
constexpr u64 kLeastWait = 1'000'000, kMostWait = 10'000'000;
/// A host that is later than this has kept the guest from filling its buffers, too: sound waits.
constexpr u64 kMostLate = 50'000'000;
constexpr std::size_t kPieceBytes = 4096;
static_assert(kPieceBytes >= HdaFormat::kMaxFrameBytes);
/// So many buffers in a row without a byte: all of a list.
constexpr u32 kMostEmpty = 256;

} // namespace

void HdaStream::start(u64 now) {
    // 3.3.35, RUN: it goes on where it was, if it has only been stopped.
    state_.is_running = true;
    state_.began = now;
    state_.frames = 0;
}

u64 HdaStream::take_due(const Settings &settings, u64 now) {
    const u64 rate = settings.format.rate();
    if (now < state_.began) return 0;
    // By whole seconds, so that no product wraps and no fraction is lost.
    const u64 seconds = std::min(state_.frames / rate, (now - state_.began) / kSecond);
    state_.frames -= seconds * rate;
    state_.began += seconds * kSecond;
    const u64 most = state_.frames + rate * kMostLate / kSecond;
    const u64 elapsed = std::min(now - state_.began, 2 * kSecond);
    u64 due = elapsed * rate / kSecond;
    if (due > most || now - state_.began > 2 * kSecond) {
        due = most;
        state_.began = now - due * kSecond / rate;
    }
    const u64 frames = due > state_.frames ? due - state_.frames : 0;
    state_.frames += frames;
    return frames;
}

HdaStream::Events HdaStream::advance(const Settings &settings, u64 now, u32 &position,
                                     DmaSpace &memory, const Exchange &exchange) {
    Events events;
    if (!state_.is_running) return events;
    const u64 frame_bytes = settings.format.frame_bytes();
    std::array<std::byte, kPieceBytes> buffer;
    for (u64 bytes = take_due(settings, now) * frame_bytes; bytes != 0 && !events.list_is_broken;) {
        const auto piece =
            std::span(buffer).first(std::min<u64>(bytes, kPieceBytes / frame_bytes * frame_bytes));
        bytes -= piece.size();
        if (settings.access == DmaAccess::Write) {
            exchange(piece);
            move(settings, piece, position, memory, events);
        } else {
            std::ranges::fill(piece, std::byte{0});
            move(settings, piece, position, memory, events);
            exchange(piece);
        }
    }
    return events;
}

void HdaStream::move(const Settings &settings, std::span<std::byte> piece, u32 &position,
                     DmaSpace &memory, Events &events) {
    while (!piece.empty()) {
        if (!state_.has_entry && !fetch_entry(settings, memory, events)) return;
        const u32 left = state_.length > state_.offset ? state_.length - state_.offset : 0;
        const u32 count = static_cast<u32>(std::min<u64>(left, piece.size()));
        const GuestPhysAddr address{state_.address + state_.offset};
        const auto part = piece.first(count);
        const bool is_there = settings.access == DmaAccess::Write ? memory.write(address, part)
                                                                  : memory.read(address, part);
        if (!is_there) {
            events.memory_is_absent = true;
            if (settings.access == DmaAccess::Read) std::ranges::fill(part, std::byte{0});
        }
        piece = piece.subspan(count);
        state_.offset += count;
        // 3.3.38, CBL: the position wraps there, wherever buffers end.
        position = position < settings.cyclic_bytes ? position : 0;
        const u64 moved = u64{position} + count;
        position = static_cast<u32>(settings.cyclic_bytes == 0 ? 0 : moved % settings.cyclic_bytes);
        if (state_.offset < state_.length) continue;
        events.has_completed |= state_.interrupts;
        state_.has_entry = false;
        state_.entry =
            state_.entry >= settings.last_entry ? u8{0} : static_cast<u8>(state_.entry + 1);
    }
}

bool HdaStream::fetch_entry(const Settings &settings, DmaSpace &memory, Events &events) {
    for (u32 i = 0; i < kMostEmpty; ++i) {
        Descriptor descriptor;
        if (!memory.read_object(
                GuestPhysAddr{settings.list + u64{state_.entry} * sizeof(Descriptor)}, descriptor))
            break;
        const bool interrupts = (descriptor.control & Descriptor::kInterrupt) != 0;
        if (descriptor.length != 0) {
            state_.has_entry = true;
            state_.address = descriptor.address;
            state_.length = descriptor.length;
            state_.interrupts = interrupts;
            state_.offset = 0;
            return true;
        }
        events.has_completed |= interrupts;
        state_.entry =
            state_.entry >= settings.last_entry ? u8{0} : static_cast<u8>(state_.entry + 1);
    }
    events.list_is_broken = true;
    state_.is_running = false;
    return false;
}

u64 HdaStream::next_deadline(const Settings &settings) const {
    const u64 rate = settings.format.rate();
    const u64 frame_bytes = settings.format.frame_bytes();
    u64 frames = 0;
    if (state_.has_entry && state_.length > state_.offset)
        frames = (state_.length - state_.offset + frame_bytes - 1) / frame_bytes;
    // Without an entry, soon: it may be short.
    frames = std::clamp(frames, rate * kLeastWait / kSecond, rate * kMostWait / kSecond);
    return state_.began + ((state_.frames + frames) * kSecond + rate - 1) / rate;
}

} // namespace tandem::devices
