#pragma once
/// The DMA engine of one stream (Intel HD Audio 1.0a, 3.6 and 4.5): walks a cyclic list of buffers
/// at the pace of guest time. Guarded by the controller's mutex.
#include "devices/core/dma_space.h"
#include "devices/sound/hda_format.h"

#include <functional>
#include <optional>
#include <span>

namespace tandem::devices {

class HdaStream {
public:
    /// What registers say of it. The guest changes them at any time.
    struct Settings {
        u64 list = 0;         ///< address of the buffer descriptors
        u32 last_entry = 0;   ///< of the list
        u32 cyclic_bytes = 0; ///< of all buffers together
        HdaFormat format = {};
        DmaAccess access = DmaAccess::Read;
    };
    /// What has happened on the way.
    struct Events {
        bool has_completed = false;  ///< a buffer that asks for an interrupt
        bool list_is_broken = false; ///< the stream cannot go on
        bool memory_is_absent = false;
    };
    /// Bytes of whole frames that have been fetched, or are to be stored once they are filled.
    using Exchange = std::function<void(std::span<std::byte>)>;

    void start(u64 now);
    void stop() { state_.is_running = false; }
    void reset() { state_ = {}; }
    [[nodiscard]] bool is_running() const { return state_.is_running; }

    /// Moves what is due by now. `position` is where it is in the cyclic buffer.
    [[nodiscard]] Events advance(const Settings &, u64 now, u32 &position, DmaSpace &,
                                 const Exchange &);
    /// When the current buffer is complete, or is to be looked at again.
    [[nodiscard]] u64 next_deadline(const Settings &) const;

    struct State {
        bool is_running = false;
        bool has_entry = false; ///< the current one has been fetched
        u8 entry = 0;           ///< its number
        u64 address = 0;        ///< of its buffer
        u32 length = 0;
        bool interrupts = false;
        u32 offset = 0; ///< of what comes next in it
        u64 began = 0;  ///< when the frames that follow began to count
        u64 frames = 0; ///< moved since

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.is_running, self.has_entry, self.entry, self.address, self.length,
                    self.interrupts, self.offset, self.began, self.frames);
        }
    };
    [[nodiscard]] const State &saved() const { return state_; }
    /// Any state is harmless.
    void restore(const State &state) { state_ = state; }

private:
    /// 3.6.3.
    struct Descriptor {
        u64 address = 0;
        u32 length = 0;
        u32 control = 0;
        static constexpr u32 kInterrupt = 1;
    };

    /// Frames to move by now.
    [[nodiscard]] u64 take_due(const Settings &, u64 now);
    [[nodiscard]] bool fetch_entry(const Settings &, DmaSpace &, Events &);
    void move(const Settings &, std::span<std::byte>, u32 &position, DmaSpace &, Events &);

    State state_;
};

} // namespace tandem::devices
