#include "machine/board/microvm/microvm_check.h"

#include "machine/board/microvm/memory_map.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem::machine {
namespace {

struct Row {
    bool is_asked_for;
    const char *option, *reason, *mend;
};

Result<> check_slots(const MachineConfig &config) {
    const auto on = [&config](DiskBus bus) {
        return static_cast<std::size_t>(std::ranges::count(config.disks, bus, &DiskConfig::bus));
    };
    // As machine/board/virtio_parts.cpp makes them.
    const std::size_t devices =
        on(DiskBus::Pci) + on(DiskBus::Mmio) + (on(DiskBus::Scsi) != 0 ? 1 : 0) +
        (on(DiskBus::ScsiMmio) != 0 ? 1 : 0) + config.shares.size() + config.inputs.size() +
        (config.screens.empty() ? 0 : 1) + 1 /* entropy */ +
        (config.net.kind != NetConfig::Kind::None ? 1 : 0) +
        (config.console.has_value() || !config.ports.empty() ? 1 : 0) +
        (config.vsock.has_value() ? 1 : 0) + (config.balloon.has_value() ? 1 : 0);
    if (devices <= microvm::kVirtioSlots) return {};
    return failure(fmt::format("--disk: {} virtio devices; a machine under KVM has {} slots: put "
                               "several disks on one adapter (bus=scsi), or use fewer",
                               devices, microvm::kVirtioSlots));
}

} // namespace

Result<> check_microvm(const MachineConfig &config) {
    // clang-format off
    const Row rows[] = {
        {config.deterministic.has_value(), "--deterministic and --record",
         "KVM does not count a guest's instructions, so that no run is the same twice",
         "use an arm64 guest, which the JIT (--accel jit) records"},
        {!config.bios.empty(), "--bios", "a machine under KVM has no flash for firmware", "give a kernel with --kernel"},
        {!config.nvram.empty(), "--nvram", "a machine under KVM has no flash for firmware", "leave it out"},
        {!config.dtb.empty(), "--dtb", "x86-64 guests have ACPI tables, no device tree", "leave it out"},
        {!config.acpi, "--no-acpi", "x86-64 guests have ACPI tables alone", "leave it out"},
        {config.cpu_model != "max", "--cpu", "a machine under KVM has the host's processor", "leave it out"},
        {config.gdb.has_value(), "--gdb", "a machine under KVM cannot be debugged yet", "leave it out"},
        {config.profile.has_value(), "--profile", "a machine under KVM cannot be profiled", "use perf kvm on the host"},
        {config.perf_map, "--perf-map", "KVM translates no code that could be named", "leave it out"},
        {config.trace.any(), "-d", "KVM translates no code that could be printed", "leave it out"},
        {config.semihosting.has_value(), "--semihosting", "programs for x86-64 have none", "leave it out"},
        {config.watchdog.has_value(), "--watchdog", "a machine under KVM has none yet", "leave it out"},
        {config.on_panic.has_value(), "--on-panic", "a machine under KVM cannot tell yet", "leave it out"},
        {!config.restore.empty(), "--restore", "a machine under KVM has no snapshots yet", "give a kernel with --kernel"},
        {!config.incoming.empty(), "--incoming", "a machine under KVM cannot be moved yet", "leave it out"},
        {!config.plugged.empty(), "device_add",
         "a machine under KVM has no slots to plug devices into yet", "start it with them"},
    };
    // clang-format on
    const auto row = std::ranges::find(rows, true, &Row::is_asked_for);
    if (row != std::end(rows))
        return failure(fmt::format("{}: {}; {}", row->option, row->reason, row->mend));
    return check_slots(config);
}

} // namespace tandem::machine
