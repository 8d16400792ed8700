#pragma once
/// libvncserver's state of a screen, one for each client: so a client that stalls holds nobody else
/// up, and no two threads meet in the library's state.
#include "support/bits.h"

#include <mutex>
#include <vector>

struct _rfbScreenInfo;

namespace tandem::machine {

class VncScreens {
public:
    /// All are made at once: making one resets a mutex that all clients of the process use. They
    /// may be used from then on.
    explicit VncScreens(std::size_t count);
    /// Nobody uses one.
    ~VncScreens();
    VncScreens(const VncScreens &) = delete;
    VncScreens &operator=(const VncScreens &) = delete;

    /// There are as many as clients.
    [[nodiscard]] _rfbScreenInfo *take();
    void give_back(_rfbScreenInfo *);

private:
    std::mutex mutex_; ///< guards the next
    std::vector<_rfbScreenInfo *> free_;
};

} // namespace tandem::machine
