#include "devices/sound/hda_controller.h"

#include <algorithm>
#include <cstring>

namespace tandem::devices {

namespace {

constexpr PciIdentity kIdentity{.vendor = 0x8086, // an ICH6's, which every driver knows
                                .device = 0x2668,
                                .revision = 1,
                                .class_code = 0x04'03'00, // multimedia: high definition audio
                                .subsystem_vendor = 0x1af4,
                                .subsystem = 0x1100};

enum Register : u32 {
#define REGISTER(name, offset, bytes, reset, writable, cleared, own) k##name = offset,
#define STREAM(name, offset, bytes, reset, writable, cleared, own)
#include "devices/sound/hda_registers.inc"
#undef REGISTER
#undef STREAM
};
/// From the start of a stream's descriptor.
enum StreamRegister : u32 {
#define REGISTER(name, offset, bytes, reset, writable, cleared, own)
#define STREAM(name, offset, bytes, reset, writable, cleared, own) kStream##name = offset,
#include "devices/sound/hda_registers.inc"
#undef REGISTER
#undef STREAM
};

constexpr u32 kLinkRunning = 1 << 0; ///< GCTL.CRST
constexpr u32 kCodecs = 1 << 0;      ///< in STATESTS: one, at the first SDI
constexpr u32 kGlobalInterrupt = 1u << 31, kControllerInterrupt = 1 << 30;
constexpr u32 kPointerReset = 1 << 15; ///< of CORBRP and RIRBWP
constexpr u32 kRun = 1 << 1;           ///< of CORBCTL, RIRBCTL and a stream's CTL
constexpr u32 kCommandMemoryError = 1 << 0;
constexpr u32 kResponseInterrupt = 1 << 0, kResponseOverrun = 1 << 2;
constexpr u32 kImmediateBusy = 1 << 0, kImmediateValid = 1 << 1;
constexpr u32 kPositionsEnabled = 1 << 0;
constexpr u32 kRingEntries = 256;
constexpr u32 kStreamReset = 1 << 0; ///< of a stream's CTL
constexpr u32 kCompleted = 1 << 2, kFifoError = 1 << 3, kDescriptorError = 1 << 4,
              kFifoReady = 1 << 5; ///< of STS; enables of the first three are in CTL
constexpr u32 kStreamInterrupts = kCompleted | kFifoError | kDescriptorError;
/// 3.3.14: 24 MHz.
constexpr u64 kWallTicks = 24, kWallNs = 1000;

/// Between two looks at streams.
constexpr u64 kLeastWait = 100'000;

/// An entry of the response ring (4.4.2.1).
struct Response {
    u32 value = 0;
    u32 codec = 0;
};

bool touches(u64 offset, u64 bytes, u32 first, u32 count) {
    return offset < first + count && first < offset + bytes;
}

} // namespace

constexpr HdaController::Rules HdaController::make_rules() {
    Rules rules;
    const auto add = [&rules](u32 offset, u32 bytes, u32 reset, u32 writable, u32 cleared,
                              u32 own) {
        for (u32 i = 0; i < bytes; ++i) {
            const auto byte = [i](u32 value) { return static_cast<u8>(value >> (i * 8)); };
            rules.reset[offset + i] = byte(reset);
            rules.writable[offset + i] = byte(writable);
            rules.cleared[offset + i] = byte(cleared);
            rules.kept[offset + i] = byte(writable | cleared | own);
        }
    };
#define REGISTER(name, offset, bytes, reset, writable, cleared, own)                               \
    add(offset, bytes, reset, writable, cleared, own);
#define STREAM(name, offset, bytes, reset, writable, cleared, own)                                 \
    for (u32 stream = 0; stream < kStreams; ++stream)                                              \
        add(kFirstStream + stream * kStreamStride + (offset), bytes, reset, writable, cleared, own);
#include "devices/sound/hda_registers.inc"
#undef REGISTER
#undef STREAM
    return rules;
}
constexpr HdaController::Rules HdaController::kRules = HdaController::make_rules();

HdaController::HdaController(Clock &clock, DmaSpace &memory, Sound &sound)
    : PciFunction("sound", kIdentity), clock_(clock), memory_(memory), sound_(sound),
      registers_(kRules.reset), timer_(clock.create_timer(*this)) {
    add_bar(kRegisterBar, kBarSize, BarKind::Memory32);
    config_.define(pci::kInterruptPin, 1, 1);
}

u32 HdaController::get(u32 offset, u32 bytes) const {
    u32 value = 0;
    std::memcpy(&value, registers_.data() + offset, bytes);
    return value;
}

void HdaController::set(u32 offset, u32 bytes, u32 value) {
    std::memcpy(registers_.data() + offset, &value, bytes);
}

u64 HdaController::address(u32 low, u32 mask) const {
    return u64{get(low + 4, 4)} << 32 | (get(low, 4) & mask);
}

bool HdaController::is_in_reset() const {
    return (get(kGCTL, 4) & kLinkRunning) == 0;
}

u64 HdaController::read_own_bar(u32, u64 offset, unsigned size_log2) {
    const std::scoped_lock lock(mutex_);
    if (offset >= kFileSize) return 0;
    File now = registers_;
    const u32 status = interrupt_status();
    const u32 wall = static_cast<u32>((clock_.now_ns() - wall_began_) * kWallTicks / kWallNs);
    std::memcpy(now.data() + kINTSTS, &status, sizeof(status));
    if (!is_in_reset()) std::memcpy(now.data() + kWALCLK, &wall, sizeof(wall));
    u64 value = 0;
    std::memcpy(&value, now.data() + offset, std::size_t{1} << size_log2);
    return value;
}

void HdaController::write_own_bar(u32, u64 offset, unsigned size_log2, u64 value) {
    const std::scoped_lock lock(mutex_);
    const u64 bytes = u64{1} << size_log2;
    // 3.3.7, CRST: until it is set nothing else can be written.
    if (offset >= kFileSize || (is_in_reset() && !touches(offset, bytes, kGCTL, 8))) return;
    const bool was_running = !is_in_reset();
    for (u64 i = offset; i < offset + bytes; ++i) {
        const u8 byte = static_cast<u8>(value >> ((i - offset) * 8));
        const u8 kept = registers_[i] & static_cast<u8>(~kRules.writable[i]);
        registers_[i] =
            static_cast<u8>((kept | (byte & kRules.writable[i])) & ~(byte & kRules.cleared[i]));
    }
    if (was_running == is_in_reset()) set_link_reset(was_running);
    if (is_in_reset()) return update_interrupt();
    follow_command_registers();
    if (touches(offset, bytes, kCORBWP, 2) || touches(offset, bytes, kCORBCTL, 1) ||
        touches(offset, bytes, kRIRBCTL, 1))
        run_commands();
    if (touches(offset, bytes, kICIS, 2)) run_immediate_command();
    for (u32 stream = 0; stream < kStreams; ++stream)
        if (touches(offset, bytes, kFirstStream + stream * kStreamStride, 4) ||
            touches(offset, bytes, kSSYNC_ICH, 8))
            follow_stream(stream);
    update_interrupt();
}

void HdaController::reset_link() {
    const u32 wake = get(kWAKEEN, 2);
    registers_ = kRules.reset;
    set(kWAKEEN, 2, wake);
    for (HdaStream &stream : streams_) stream.reset();
    codec_.reset();
    responses_ = 0;
    deadline_ = 0;
    timer_->cancel();
}

void HdaController::set_link_reset(bool active) {
    if (active) return reset_link();
    wall_began_ = clock_.now_ns();
    // 4.3: codecs say that they are there.
    set(kSTATESTS, 2, kCodecs);
}

void HdaController::follow_command_registers() {
    if ((get(kCORBRP, 2) & kPointerReset) != 0) set(kCORBRP, 2, kPointerReset);
    // 3.3.27: always read as 0.
    if ((get(kRIRBWP, 2) & kPointerReset) != 0) {
        set(kRIRBWP, 2, 0);
        responses_ = 0;
    }
}

void HdaController::run_commands() {
    const bool runs = (get(kCORBCTL, 1) & kRun) != 0 && (get(kRIRBCTL, 1) & kRun) != 0;
    if (!runs || !is_bus_master() || (get(kCORBRP, 2) & kPointerReset) != 0) return;
    const u64 ring = address(kCORBLBASE, ~0u);
    const u32 last = get(kCORBWP, 2);
    // At most once around.
    for (u32 next = get(kCORBRP, 2); next != last;) {
        next = (next + 1) % kRingEntries;
        u32 command = 0;
        if (!memory_.read_object(GuestPhysAddr{ring + next * sizeof(command)}, command)) {
            set(kCORBSTS, 1, kCommandMemoryError);
            set(kCORBCTL, 1, get(kCORBCTL, 1) & ~kRun);
            return;
        }
        set(kCORBRP, 2, next);
        // To another codec nobody answers.
        if (bits32(command, 31, 28) == 0) respond(codec_.execute(command));
    }
}

void HdaController::respond(u32 value) {
    const u32 next = (get(kRIRBWP, 2) + 1) % kRingEntries;
    set(kRIRBWP, 2, next);
    const Response response{.value = value, .codec = 0};
    if (!memory_.write_object(GuestPhysAddr{address(kRIRBLBASE, ~0u) + next * sizeof(response)},
                              response))
        set(kRIRBSTS, 1, get(kRIRBSTS, 1) | kResponseOverrun);
    const u32 wanted = get(kRINTCNT, 2) == 0 ? kRingEntries : get(kRINTCNT, 2);
    if (++responses_ < wanted) return;
    responses_ = 0;
    set(kRIRBSTS, 1, get(kRIRBSTS, 1) | kResponseInterrupt);
}

void HdaController::run_immediate_command() {
    const u32 status = get(kICIS, 2);
    if ((status & kImmediateBusy) == 0) return;
    const u32 command = get(kICOI, 4);
    const bool is_answered = bits32(command, 31, 28) == 0;
    if (is_answered) set(kICII, 4, codec_.execute(command));
    set(kICIS, 2, is_answered ? kImmediateValid : 0);
}

HdaStream::Settings HdaController::settings_of(u32 stream) const {
    const u32 base = kFirstStream + stream * kStreamStride;
    return {.list = address(base + kStreamBDPL, ~0u),
            .last_entry = get(base + kStreamLVI, 2),
            .cyclic_bytes = get(base + kStreamCBL, 4),
            .format = {static_cast<u16>(get(base + kStreamFMT, 2))},
            .access = stream == kCapture ? DmaAccess::Write : DmaAccess::Read};
}

void HdaController::follow_stream(u32 stream) {
    const u32 control = stream_register(stream, kStreamCTL, 2);
    if ((control & kStreamReset) != 0) {
        // 3.3.35, SRST: all of the descriptor but itself.
        const u32 base = kFirstStream + stream * kStreamStride;
        std::copy_n(kRules.reset.begin() + base, kStreamStride, registers_.begin() + base);
        set_stream_register(stream, kStreamCTL, 2, kStreamReset);
        streams_[stream].reset();
    } else {
        // 3.3.16: streams that are to begin together are ready, and wait for the last.
        const bool waits = bit(get(kSSYNC, 4) | get(kSSYNC_ICH, 4), stream);
        const bool is_on = (control & kRun) != 0;
        const u32 status = stream_register(stream, kStreamSTS, 1);
        set_stream_register(stream, kStreamSTS, 1,
                            is_on ? status | kFifoReady : status & ~kFifoReady);
        if (is_on && !waits && !streams_[stream].is_running())
            streams_[stream].start(clock_.now_ns());
        else if (!is_on || waits)
            streams_[stream].stop();
    }
    arm_timer();
}

void HdaController::timer_expired() {
    const std::scoped_lock lock(mutex_);
    // It may have been armed anew.
    if (deadline_ == 0 || clock_.now_ns() < deadline_) return;
    for (u32 stream = 0; stream < kStreams; ++stream) advance(stream);
    write_positions();
    arm_timer();
    update_interrupt();
}

void HdaController::advance(u32 stream) {
    if (!streams_[stream].is_running() || !is_bus_master()) return;
    const HdaStream::Settings settings = settings_of(stream);
    const auto direction =
        stream == kCapture ? HdaCodec::Direction::Capture : HdaCodec::Direction::Playback;
    const u32 tag = stream_register(stream, kStreamCTL_UPPER, 1) >> 4;
    const bool is_connected = codec_.is_connected(direction, tag, settings.format);
    u32 position = stream_register(stream, kStreamLPIB, 4);
    const HdaStream::Events events = streams_[stream].advance(
        settings, clock_.now_ns(), position, memory_, [&](std::span<std::byte> piece) {
            if (stream == kCapture)
                record(piece, settings.format, is_connected);
            else
                play(piece, settings.format, is_connected);
        });
    set_stream_register(stream, kStreamLPIB, 4, position);
    u32 status = stream_register(stream, kStreamSTS, 1);
    if (events.has_completed) status |= kCompleted;
    if (events.memory_is_absent) status |= kFifoError;
    if (events.list_is_broken) {
        status = (status | kDescriptorError) & ~kFifoReady;
        set_stream_register(stream, kStreamCTL, 2, stream_register(stream, kStreamCTL, 2) & ~kRun);
    }
    set_stream_register(stream, kStreamSTS, 1, status);
}

void HdaController::play(std::span<const std::byte> piece, HdaFormat format, bool is_connected) {
    if (!is_connected) return;
    std::array<SoundFrame, 512> frames;
    const std::size_t frame_bytes = format.frame_bytes();
    while (!piece.empty()) {
        const std::size_t count = std::min(frames.size(), piece.size() / frame_bytes);
        for (std::size_t i = 0; i < count; ++i) {
            std::memcpy(&frames[i], piece.data() + i * frame_bytes, frame_bytes);
            if (format.channels() == 1) frames[i].right = frames[i].left;
        }
        sound_.play(format.rate(), std::span(frames).first(count));
        piece = piece.subspan(count * frame_bytes);
    }
}

void HdaController::record(std::span<std::byte> piece, HdaFormat format, bool is_connected) {
    if (!is_connected) {
        std::ranges::fill(piece, std::byte{0});
        return;
    }
    std::array<SoundFrame, 512> frames;
    const std::size_t frame_bytes = format.frame_bytes();
    while (!piece.empty()) {
        const std::size_t count = std::min(frames.size(), piece.size() / frame_bytes);
        sound_.record(format.rate(), std::span(frames).first(count));
        // A single channel is the left one.
        for (std::size_t i = 0; i < count; ++i)
            std::memcpy(piece.data() + i * frame_bytes, &frames[i], frame_bytes);
        piece = piece.subspan(count * frame_bytes);
    }
}

void HdaController::write_positions() {
    if ((get(kDPLBASE, 4) & kPositionsEnabled) == 0 || !is_bus_master()) return;
    // 3.6.1: 8 bytes for each stream, of which the first four are the position.
    const u64 base = address(kDPLBASE, ~u32{kPositionsEnabled});
    for (u32 stream = 0; stream < kStreams; ++stream)
        static_cast<void>(memory_.write_object(GuestPhysAddr{base + stream * 8},
                                               stream_register(stream, kStreamLPIB, 4)));
}

void HdaController::arm_timer() {
    u64 next = 0;
    for (u32 stream = 0; stream < kStreams; ++stream) {
        if (!streams_[stream].is_running()) continue;
        const u64 deadline = streams_[stream].next_deadline(settings_of(stream));
        if (next == 0 || deadline < next) next = deadline;
    }
    // Also where nothing could be moved: a timer in the past would never end.
    if (next != 0) next = std::max(next, clock_.now_ns() + kLeastWait);
    deadline_ = next;
    if (next != 0)
        timer_->arm(next);
    else
        timer_->cancel();
}

u32 HdaController::interrupt_status() const {
    u32 status = 0;
    for (u32 stream = 0; stream < kStreams; ++stream)
        if ((stream_register(stream, kStreamSTS, 1) & stream_register(stream, kStreamCTL, 2) &
             kStreamInterrupts) != 0)
            status |= 1u << stream;
    // Of RIRBCTL, RINTCTL and RIRBOIC are where their status bits are; of CORBCTL and CORBSTS, too.
    const u32 controller =
        (get(kRIRBSTS, 1) & get(kRIRBCTL, 1) & (kResponseInterrupt | kResponseOverrun)) |
        (get(kCORBSTS, 1) & get(kCORBCTL, 1) & kCommandMemoryError) |
        (get(kSTATESTS, 2) & get(kWAKEEN, 2));
    if (controller != 0) status |= kControllerInterrupt;
    return (status & get(kINTCTL, 4)) != 0 ? status | kGlobalInterrupt : status;
}

void HdaController::update_interrupt() {
    set_intx((interrupt_status() & get(kINTCTL, 4) & kGlobalInterrupt) != 0);
}

void HdaController::reset() {
    {
        const std::scoped_lock lock(mutex_);
        reset_function();
        set(kWAKEEN, 2, 0);
        reset_link();
        wall_began_ = 0;
    }
    mapping_changed();
}

void HdaController::save(StateWriter &writer) const {
    const std::scoped_lock lock(mutex_);
    SavedState state{.function = saved_function(),
                     .registers = registers_,
                     .responses = responses_,
                     .wall_began = wall_began_,
                     .deadline = deadline_,
                     .codec = codec_.saved(),
                     .streams = {}};
    for (u32 stream = 0; stream < kStreams; ++stream)
        state.streams[stream] = streams_[stream].saved();
    save_state(writer, "hda", state);
}

Result<> HdaController::restore(StateReader &reader) {
    SavedState state;
    if (auto result = restore_state(reader, "hda", state); !result) return result;
    {
        const std::scoped_lock lock(mutex_);
        if (auto result = restore_function(state.function); !result) return result;
        for (u32 i = 0; i < kFileSize; ++i)
            registers_[i] = static_cast<u8>((state.registers[i] & kRules.kept[i]) |
                                            (kRules.reset[i] & ~kRules.kept[i]));
        responses_ = state.responses;
        wall_began_ = state.wall_began;
        deadline_ = state.deadline;
        codec_.restore(state.codec);
        for (u32 stream = 0; stream < kStreams; ++stream)
            streams_[stream].restore(state.streams[stream]);
        if (deadline_ != 0)
            timer_->arm(deadline_);
        else
            timer_->cancel();
        update_interrupt();
    }
    mapping_changed();
    return {};
}

} // namespace tandem::devices
