#pragma once
/// Virtio console (virtio 1.2 §5.3): a console, and ports with names beside it, each over a Char
/// back end.
#include "devices/backend/char.h"
#include "devices/virtio/console/console_config.h"
#include "devices/virtio/core/virtio_device.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tandem::devices {

class VirtioConsole final : public VirtioDevice {
public:
    static constexpr u32 kReceiveQueue = 0, kTransmitQueue = 1; ///< of the console
    static constexpr u32 kControlReceiveQueue = 2, kControlTransmitQueue = 3;
    static constexpr std::size_t kMaxPorts = 30; ///< with names
    static constexpr std::size_t kMaxName = 64;

    struct NamedPort {
        std::string name;
        Char *line = nullptr;
    };
    /// Told when the guest opens or closes a port with a name; the mutex is held.
    using OpenListener = std::function<void(std::string_view name, bool is_open)>;

    /// Without ports it is a plain console; with them the console may be null. Output of a port
    /// that nobody is connected to is dropped.
    explicit VirtioConsole(Char *console, const std::vector<NamedPort> &ports = {},
                           OpenListener on_open = {});
    ~VirtioConsole() override;

    [[nodiscard]] std::string_view name() const override { return "virtio-console"; }
    [[nodiscard]] u32 device_id() const override { return 3; }
    [[nodiscard]] u64 features() const override;
    [[nodiscard]] u32 queue_count() const override;
    [[nodiscard]] u16 queue_max_size(u32) const override { return 128; }
    void read_config(u32 offset, std::span<std::byte>) override;
    void write_config(u32 offset, std::span<const std::byte>) override;
    void set_features(u64 features) override { features_ = features; }
    void notify(u32 queue) override;
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;

private:
    class Port;

    [[nodiscard]] bool has_ports() const { return ports_.size() > 1; }
    [[nodiscard]] bool is_multiport() const {
        return (features_ & virtio_console::kFeatureMultiport) != 0;
    }
    void attached() override;
    /// Messages of the driver, and those that the device owes it.
    void take_messages();
    void send_messages();
    void execute(const virtio_console::Control &);

    OpenListener on_open_;
    std::vector<std::unique_ptr<Port>> ports_; ///< by number; the console is number 0
    u64 features_ = 0;
    DescriptorChain chain_;
};

} // namespace tandem::devices
