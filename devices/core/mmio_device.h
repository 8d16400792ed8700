#pragma once
/// A device as the physical address space sees it.
///
/// Threads. read(), write() and describe() may be called from any vCPU thread at any time, so a
/// device guards its state with a mutex of its own. Back ends complete requests on I/O threads and
/// the clock fires timers on its own thread: the same mutex serves. While it holds its mutex a
/// device may set IrqLines, arm timers, and use DmaSpace and Clock; it must not call a back end
/// that can call it back (Block::submit) with the mutex held. reset(), save(), restore(), pause()
/// and resume() are called only while no vCPU runs.
#include "devices/core/state.h"
#include "support/bits.h"
#include "support/result.h"

#include <string_view>

namespace tandem::devices {

class FdtNode;
struct FdtPlacement;

class MmioDevice {
public:
    MmioDevice() = default;
    MmioDevice(const MmioDevice &) = delete;
    MmioDevice &operator=(const MmioDevice &) = delete;
    virtual ~MmioDevice() = default;

    /// Names the device in logs, snapshots and the memory map.
    [[nodiscard]] virtual std::string_view name() const = 0;
    /// Bytes of address space it decodes.
    [[nodiscard]] virtual u64 size() const = 0;

    /// Access of 1 << size_log2 bytes (0..3), naturally aligned, wholly inside size(). The value is
    /// zero-extended. False: the device answers with an error (external abort).
    [[nodiscard]] virtual bool read(u64 offset, unsigned size_log2, u64 &value) = 0;
    [[nodiscard]] virtual bool write(u64 offset, unsigned size_log2, u64 value) = 0;

    /// Back to the state after power-on; drops its interrupt lines.
    virtual void reset() = 0;
    virtual void save(StateWriter &) const = 0;
    /// On failure the device's state is unspecified, but harmless.
    [[nodiscard]] virtual Result<> restore(StateReader &) = 0;

    /// From now until resume() nothing from outside changes the device or guest memory: requests
    /// under way are finished first, what arrives later waits. Timers have been stopped before.
    virtual void pause() {}
    /// Goes on, and looks for what has arrived. A restored device, paused before, needs guest
    /// memory to be there again.
    virtual void resume() {}

    /// Adds the device's own node to the device tree.
    virtual void describe(FdtNode &parent, const FdtPlacement &) const = 0;
};

} // namespace tandem::devices
