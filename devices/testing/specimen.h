#pragma once
/// A device with everything it needs, for tests and fuzz targets that work on any device.
#include "devices/core/mmio_device.h"
#include "devices/testing/fake_file_system.h"
#include "devices/testing/fakes.h"

#include <memory>
#include <span>
#include <string_view>

namespace tandem::devices::testing {

/// The fakes a device is wired to, and the device.
class Specimen {
public:
    virtual ~Specimen() = default;
    /// The device; resets, saves and restores itself.
    [[nodiscard]] virtual MmioDevice &device() = 0;
    /// A second register frame of the same device, or null.
    [[nodiscard]] virtual MmioDevice *second_frame() { return nullptr; }
    // Virtio only. Negotiates features and starts queues whose rings lie in the specimen's memory,
    // so that a script that scribbles there meets a running device.
    virtual void start() {}
    static constexpr u32 kMaxQueues = 6; ///< more are not started
    virtual void notify(u32 queue) { static_cast<void>(queue); }
    [[nodiscard]] virtual u32 virtio_status() { return 0; }
    /// Something from outside: a key typed, a wire set, a CPU's system register; `choice` picks.
    virtual void disturb(u32 choice) { static_cast<void>(choice); }
    /// The guest writes something that makes sense where hostile rings point.
    virtual void meddle(u32 choice) { static_cast<void>(choice); }

    /// Guest memory and what is outside become like another specimen's.
    void adopt_surroundings(const Specimen &);

    FakeMemory memory{1 << 16};
    FakeClock clock;
    FakeIrqSink irq;
    FakeCpuSink cpus;
    FakeIdentity identity;
    FakeChar line;
    FakeBlock disk{1 << 20};
    FakeNet port;
    FakeVsock streams;
    FakeInput hands;
    FakeDisplay screen;
    FakeSound sound;
    FakeEntropy entropy;
    FakeFileSystem files;
};

struct SpecimenKind {
    std::string_view name;
    std::unique_ptr<Specimen> (*create)();
    /// Part of its state outlives a reset (the time of day).
    bool survives_reset = false;
    bool is_virtio = false;
    /// disturb() is the outside alone: while paused, the device does not notice.
    bool is_disturbed_from_outside = false;
};

/// Every device there is.
[[nodiscard]] std::span<const SpecimenKind> specimen_kinds();

/// Drives the device as the bytes say: MMIO of every width anywhere, guest memory, time, the
/// outside. Any bytes are a valid script.
void run_script(Specimen &, std::span<const u8> script);

/// What the device saves.
[[nodiscard]] std::vector<std::byte> saved_state(const MmioDevice &);

} // namespace tandem::devices::testing
