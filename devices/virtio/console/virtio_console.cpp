#include "devices/virtio/console/virtio_console.h"

#include "devices/virtio/console/console_port.h"
#include "devices/virtio/core/config_space.h"

namespace tandem::devices {

using namespace virtio_console;

namespace {

struct ConsoleState {
    static constexpr u32 kVersion = 1;
    std::vector<u8> unsent;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.unsent);
    }
};

/// Of a console with ports.
struct PortsState {
    static constexpr u32 kVersion = 1;
    std::vector<ConsolePortState> ports;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.ports);
    }
};

} // namespace

VirtioConsole::VirtioConsole(Char *console, const std::vector<NamedPort> &ports,
                             OpenListener on_open)
    : on_open_(std::move(on_open)) {
    ports_.push_back(std::make_unique<Port>(*this, 0, NamedPort{"", console}));
    for (const NamedPort &port : ports)
        ports_.push_back(std::make_unique<Port>(*this, static_cast<u32>(ports_.size()), port));
}

VirtioConsole::~VirtioConsole() = default;

void VirtioConsole::attached() {
    for (const auto &port : ports_) port->listen();
}

u64 VirtioConsole::features() const {
    return (ports_[0]->has_line() ? kFeatureEmergencyWrite : 0) |
           (has_ports() ? kFeatureMultiport : 0);
}

u32 VirtioConsole::queue_count() const {
    // §5.3.2: a pair for the console, one for control, one for each further port.
    return has_ports() ? 2 + static_cast<u32>(ports_.size()) * 2 : 2;
}

void VirtioConsole::read_config(u32 offset, std::span<std::byte> target) {
    read_config_struct(Config{.max_ports = static_cast<u32>(ports_.size())}, offset, target);
}

void VirtioConsole::write_config(u32 offset, std::span<const std::byte> source) {
    // §5.3.5: a character for emergencies, before the driver is up; lost if there is no room.
    if (offset == offsetof(Config, emergency_write) && ports_[0]->has_line())
        static_cast<void>(ports_[0]->line().write(source.first(1)));
}

void VirtioConsole::notify(u32 queue) {
    const std::scoped_lock lock(transport().mutex());
    if (queue == kControlReceiveQueue) {
        for (const auto &port : ports_) port->look_at_host(); // after a pause
        send_messages();
    } else if (queue == kControlTransmitQueue) {
        take_messages();
    } else {
        Port &port = *ports_[queue < kControlReceiveQueue ? 0 : queue / 2 - 1];
        if (queue % 2 == 0)
            port.receive();
        else
            port.transmit();
    }
}

// -------------------------------------------------------------------------------------- control

void VirtioConsole::take_messages() {
    if (!transport().is_running() || !is_multiport()) return;
    Virtqueue &queue = transport().queue(kControlTransmitQueue);
    for (;;) {
        const Virtqueue::Pop pop = queue.pop(chain_);
        if (pop == Virtqueue::Pop::Broken) transport().fail();
        if (pop != Virtqueue::Pop::Chain) break;
        Control message;
        const bool is_whole = chain_.read_object(0, message);
        queue.push(chain_, 0);
        if (is_whole) execute(message);
    }
    transport().signal_used(kControlTransmitQueue);
    send_messages();
}

void VirtioConsole::execute(const Control &message) {
    // Messages that make no sense are ignored, as §5.3.6.2 has no answer to them.
    if (message.event == kDeviceReady && message.value == 1) {
        for (const auto &port : ports_) {
            port->state.guest_knows = false;
            port->state.owed = port->has_line() ? console_message::kAdd : u8{0};
        }
        return;
    }
    if (message.port >= ports_.size() || !ports_[message.port]->has_line()) return;
    Port &port = *ports_[message.port];
    if (message.event == kPortReady && message.value == 1) {
        port.state.guest_knows = true;
        port.state.owed |= port.is_console() ? console_message::kConsole : console_message::kName;
        port.look_at_host();
    } else if (message.event == kPortOpen) {
        port.set_guest_open(message.value != 0);
        port.receive();
    }
}

void VirtioConsole::send_messages() {
    if (!transport().is_running() || !is_multiport()) return;
    Virtqueue &queue = transport().queue(kControlReceiveQueue);
    for (u32 number = 0; number < ports_.size(); ++number) {
        Port &port = *ports_[number];
        while (port.state.owed != 0) {
            const Virtqueue::Pop pop = queue.pop(chain_);
            if (pop == Virtqueue::Pop::Broken) transport().fail();
            if (pop != Virtqueue::Pop::Chain) return transport().signal_used(kControlReceiveQueue);
            const u8 owed = port.state.owed & static_cast<u8>(-port.state.owed);
            port.state.owed &= static_cast<u8>(~owed);
            Control message{.port = number, .event = kPortAdd, .value = 1};
            std::string_view name;
            switch (owed) {
            case console_message::kConsole: message.event = kConsolePort; break;
            case console_message::kName:
                message.event = kPortName;
                name = port.name();
                break;
            case console_message::kOpen:
                message.event = kPortOpen;
                port.state.host_was_open = port.line().is_connected();
                message.value = port.state.host_was_open ? 1 : 0;
                break;
            default: break;
            }
            // A buffer that is too small loses the end; drivers' are of a page.
            u64 length = 0;
            for (const auto part :
                 {std::as_bytes(std::span(&message, 1)), std::as_bytes(std::span(name))}) {
                const u64 fits = std::min<u64>(part.size(), chain_.writable_bytes() - length);
                static_cast<void>(chain_.write(length, part.first(fits)));
                length += fits;
            }
            chain_.report_written(transport().memory(), length);
            queue.push(chain_, static_cast<u32>(length));
        }
    }
    transport().signal_used(kControlReceiveQueue);
}

// ---------------------------------------------------------------------------------------- state

void VirtioConsole::reset() {
    for (const auto &port : ports_) port->reset();
    features_ = 0;
}

void VirtioConsole::save(StateWriter &writer) const {
    save_state(writer, "virtio-console", ConsoleState{ports_[0]->state.unsent});
    if (!has_ports()) return;
    PortsState state;
    for (const auto &port : ports_) state.ports.push_back(port->state);
    save_state(writer, "virtio-console-ports", state);
}

Result<> VirtioConsole::restore(StateReader &reader) {
    ConsoleState console;
    if (auto result = restore_state(reader, "virtio-console", console); !result) return result;
    if (has_ports()) {
        PortsState state;
        if (auto result = restore_state(reader, "virtio-console-ports", state); !result)
            return result;
        if (state.ports.size() != ports_.size())
            return failure("snapshot: virtio-console has another number of ports");
        for (std::size_t i = 0; i < ports_.size(); ++i) {
            ConsolePortState &port = state.ports[i];
            port.owed &= ports_[i]->has_line() ? console_message::kAll : u8{0};
            ports_[i]->state = std::move(port);
        }
    }
    ports_[0]->state.unsent = std::move(console.unsent);
    return {};
}

} // namespace tandem::devices
