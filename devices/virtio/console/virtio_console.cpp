#include "devices/virtio/console/virtio_console.h"

#include "devices/virtio/core/config_space.h"

namespace tandem::devices {

namespace {

constexpr u64 kFeatureEmergencyWrite = u64{1} << 2; // VIRTIO_CONSOLE_F_EMERG_WRITE

/// §5.3.4
struct Config {
    u16 columns = 0;
    u16 rows = 0;
    u32 max_ports = 0;
    u32 emergency_write = 0;
};

/// A chain that carries more than this is not a console's; the rest is not sent.
constexpr u64 kMaxOutput = 1u << 20;

} // namespace

VirtioConsole::~VirtioConsole() {
    backend_.set_listener(nullptr);
}

u64 VirtioConsole::features() const {
    return kFeatureEmergencyWrite;
}

void VirtioConsole::read_config(u32 offset, std::span<std::byte> target) {
    read_config_struct(Config{.max_ports = 1}, offset, target);
}

void VirtioConsole::write_config(u32 offset, std::span<const std::byte> source) {
    // §5.3.5: a character for emergencies, before the driver is up; lost if there is no room.
    if (offset == offsetof(Config, emergency_write))
        static_cast<void>(backend_.write(source.first(1)));
}

void VirtioConsole::notify(u32 queue) {
    const std::scoped_lock lock(transport().mutex());
    if (queue == kReceiveQueue)
        receive();
    else
        transmit();
}

void VirtioConsole::readable() {
    const std::scoped_lock lock(transport().mutex());
    receive();
}

void VirtioConsole::writable() {
    const std::scoped_lock lock(transport().mutex());
    transmit();
}

void VirtioConsole::receive() {
    if (!transport().is_running()) return;
    Virtqueue &queue = transport().queue(kReceiveQueue);
    std::array<std::byte, 256> bytes;
    for (;;) {
        const Virtqueue::Pop pop = queue.pop(chain_);
        if (pop == Virtqueue::Pop::Broken) transport().fail();
        if (pop != Virtqueue::Pop::Chain) break;
        const auto wanted = std::span(bytes).first(std::min(chain_.writable_bytes(), bytes.size()));
        const std::size_t count = backend_.read(wanted);
        if (count == 0 && !wanted.empty()) {
            queue.undo_pop(); // for what arrives later
            break;
        }
        static_cast<void>(chain_.write(0, wanted.first(count)));
        chain_.report_written(transport().memory(), count);
        queue.push(chain_, static_cast<u32>(count));
    }
    transport().signal_used(kReceiveQueue);
}

bool VirtioConsole::send_unsent() {
    if (state_.unsent.empty()) return true;
    const std::size_t sent = backend_.write(std::as_bytes(std::span(state_.unsent)));
    state_.unsent.erase(state_.unsent.begin(),
                        state_.unsent.begin() + static_cast<std::ptrdiff_t>(sent));
    return state_.unsent.empty();
}

void VirtioConsole::transmit() {
    if (!transport().is_running() || !send_unsent()) return;
    Virtqueue &queue = transport().queue(kTransmitQueue);
    for (;;) {
        const Virtqueue::Pop pop = queue.pop(chain_);
        if (pop == Virtqueue::Pop::Broken) transport().fail();
        if (pop != Virtqueue::Pop::Chain) break;
        state_.unsent.resize(std::min(chain_.readable_bytes(), kMaxOutput));
        static_cast<void>(chain_.read(0, std::as_writable_bytes(std::span(state_.unsent))));
        queue.push(chain_, 0);
        if (!send_unsent()) break;
    }
    transport().signal_used(kTransmitQueue);
}

void VirtioConsole::reset() {
    state_ = {};
}

void VirtioConsole::save(StateWriter &writer) const {
    save_state(writer, "virtio-console", state_);
}

Result<> VirtioConsole::restore(StateReader &reader) {
    return restore_state(reader, "virtio-console", state_);
}

} // namespace tandem::devices
