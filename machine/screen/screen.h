#pragma once
/// What the machine's screens show, for whoever looks at them. Outlives boards. Any thread.
#include "devices/backend/display.h"
#include "machine/screen/picture.h"

#include <mutex>
#include <optional>
#include <vector>

namespace tandem::machine {

class ScreenWatch;
struct ScreenChanges;

struct ScreenInfo {
    u32 width = 0, height = 0; ///< of what is shown; 0: nothing is
    u64 updates = 0;           ///< since the machine has started
    u64 hash = 0;              ///< of the picture; equal pictures have equal ones
};

struct Cursor {
    Picture picture; ///< colours are multiplied by alpha; empty: there is none
    u32 hot_x = 0, hot_y = 0;
    u32 x = 0, y = 0; ///< of its tip
};

class Screen final : public devices::Display {
public:
    explicit Screen(std::size_t outputs) : outputs_(outputs) {}

    void show(u32 output, u32 width, u32 height) override;
    void update(u32 output, const devices::DisplayRectangle &, const devices::PixelRows &) override;
    void set_cursor(u32 output, u32 hot_x, u32 hot_y, const devices::PixelRows &) override;
    void move_cursor(u32 output, u32 x, u32 y) override;

    [[nodiscard]] std::size_t outputs() const { return outputs_.size(); }
    /// Empty if nothing is shown there.
    [[nodiscard]] Picture picture(std::size_t output) const;
    [[nodiscard]] Cursor cursor(std::size_t output) const;
    [[nodiscard]] std::vector<ScreenInfo> info() const;

private:
    friend class ScreenWatch;
    struct Output {
        Picture picture;
        Cursor cursor;
        u64 updates = 0;
    };

    /// `make` changes the output and says what of it has changed.
    template <typename Make>
    void change(u32 output, const Make &make);

    mutable std::mutex watches_mutex_; ///< guards the next; held while they are told; before mutex_
    mutable std::vector<ScreenWatch *> watches_;
    mutable std::mutex mutex_; ///< guards what is in there; their number stays
    std::vector<Output> outputs_;
};

} // namespace tandem::machine
