#pragma once
/// Follows what a screen shows.
#include "machine/screen/screen.h"

#include <functional>
#include <vector>

namespace tandem::machine {

/// What has changed on an output since the last look.
struct ScreenChanges {
    bool size = false;
    std::vector<devices::DisplayRectangle> parts =
        {};              ///< of the picture; all of it after another size
    bool cursor = false; ///< its picture or its tip's place in that
    bool cursor_place = false;

    [[nodiscard]] bool any() const { return size || !parts.empty() || cursor || cursor_place; }
};

class ScreenWatch {
public:
    /// `changed` is called, by any thread and without a lock, when there is something to look at
    /// where there was nothing; it returns at once. At first everything has changed. The screen
    /// outlives its watch.
    ScreenWatch(const Screen &, std::function<void()> changed);
    /// Waits for a running call.
    ~ScreenWatch();
    ScreenWatch(const ScreenWatch &) = delete;
    ScreenWatch &operator=(const ScreenWatch &) = delete;

    /// Brings a picture, which only earlier looks at this output have changed, up to date. One
    /// thread at a time.
    [[nodiscard]] ScreenChanges look(std::size_t output, Picture &);

private:
    friend class Screen;
    struct Pending {
        ScreenChanges changes;
        bool is_told = true;
    };
    /// With the screen's mutex held. Whether to tell of it.
    [[nodiscard]] bool add(std::size_t output, const ScreenChanges &);

    const Screen &screen_;
    const std::function<void()> changed_;
    std::vector<Pending> pending_; ///< of each output; guarded by the screen's mutex
};

} // namespace tandem::machine
