#pragma once
/// Intel High Definition Audio controller (specification 1.0a) as a PCI function, with one codec: a
/// stream to a loudspeaker and one from a microphone. DMA is made when timers expire, so that guest
/// time alone says what the guest sees of it.
#include "devices/backend/sound.h"
#include "devices/core/clock.h"
#include "devices/core/dma_space.h"
#include "devices/pcie/pci_function.h"
#include "devices/sound/hda_codec.h"
#include "devices/sound/hda_stream.h"

#include <array>

namespace tandem::devices {

class HdaController final : public PciFunction, private TimerListener {
public:
    static constexpr u32 kRegisterBar = 0;
    static constexpr u64 kBarSize = 0x4000;

    /// They outlive it. The back end is called with the function's mutex held.
    HdaController(Clock &, DmaSpace &, Sound &);

    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;

private:
    /// In the order of their descriptors: input streams come first (3.3.35).
    enum Stream : u32 { kCapture, kPlayback, kStreams };
    static constexpr u32 kFirstStream = 0x80, kStreamStride = 0x20;
    static constexpr u32 kFileSize = kFirstStream + kStreams * kStreamStride;

    /// The registers as bytes, and for each bit who changes it.
    using File = std::array<u8, kFileSize>;
    struct Rules {
        File reset{}, writable{}, cleared{}, kept{};
    };
    static const Rules kRules;
    static constexpr Rules make_rules();

    struct SavedState {
        static constexpr u32 kVersion = 1;
        State function;
        File registers{};
        u32 responses = 0;
        u64 wall_began = 0, deadline = 0;
        HdaCodec::State codec;
        std::array<HdaStream::State, kStreams> streams;

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.function, self.registers, self.responses, self.wall_began, self.deadline,
                    self.codec, self.streams);
        }
    };

    u64 read_own_bar(u32 bar, u64 offset, unsigned size_log2) override;
    void write_own_bar(u32 bar, u64 offset, unsigned size_log2, u64 value) override;
    void timer_expired() override;

    // With the mutex held.
    [[nodiscard]] u32 get(u32 offset, u32 bytes) const;
    void set(u32 offset, u32 bytes, u32 value);
    [[nodiscard]] u64 address(u32 low, u32 mask) const;
    [[nodiscard]] u32 stream_register(u32 stream, u32 offset, u32 bytes) const {
        return get(kFirstStream + stream * kStreamStride + offset, bytes);
    }
    void set_stream_register(u32 stream, u32 offset, u32 bytes, u32 value) {
        set(kFirstStream + stream * kStreamStride + offset, bytes, value);
    }
    [[nodiscard]] bool is_in_reset() const;
    /// All but what survives a reset of the link (3.3.7).
    void reset_link();
    void set_link_reset(bool active);
    void follow_command_registers();
    void run_commands();
    void respond(u32 response);
    void run_immediate_command();
    void follow_stream(u32 stream);
    [[nodiscard]] HdaStream::Settings settings_of(u32 stream) const;
    void advance(u32 stream);
    void play(std::span<const std::byte>, HdaFormat, bool is_connected);
    void record(std::span<std::byte>, HdaFormat, bool is_connected);
    void write_positions();
    void arm_timer();
    [[nodiscard]] u32 interrupt_status() const;
    void update_interrupt();

    Clock &clock_;
    DmaSpace &memory_;
    Sound &sound_;
    File registers_{};
    u32 responses_ = 0;  ///< since the last interrupt for them
    u64 wall_began_ = 0; ///< when the wall clock was 0
    u64 deadline_ = 0;   ///< of the timer; 0: none
    HdaCodec codec_;
    std::array<HdaStream, kStreams> streams_;
    std::unique_ptr<Timer> timer_;
};

} // namespace tandem::devices
