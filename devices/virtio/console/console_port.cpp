#include "devices/virtio/console/console_port.h"

#include <array>

namespace tandem::devices {

namespace {
/// A chain that carries more than this is not a console's; the rest is not sent.
constexpr u64 kMaxOutput = 1u << 20;
} // namespace

void VirtioConsole::Port::readable() {
    const std::scoped_lock lock(console_.transport().mutex());
    receive();
}

void VirtioConsole::Port::writable() {
    const std::scoped_lock lock(console_.transport().mutex());
    transmit();
}

void VirtioConsole::Port::connection_changed() {
    const std::scoped_lock lock(console_.transport().mutex());
    look_at_host();
    transmit(); // what was held back for somebody who has left goes nowhere
    console_.send_messages();
}

void VirtioConsole::Port::look_at_host() {
    if (line_ == nullptr || !state.guest_knows || line_->is_connected() == state.host_was_open)
        return;
    state.owed |= console_message::kOpen;
}

void VirtioConsole::Port::receive() {
    VirtioTransport &transport = console_.transport();
    if (!transport.is_running() || line_ == nullptr) return;
    // §5.3.6.1: a port that the driver has not opened gets nothing; it waits at the host.
    if (console_.is_multiport() ? !state.guest_is_open : !is_console()) return;
    Virtqueue &queue = transport.queue(receive_queue());
    std::array<std::byte, 4096> bytes;
    for (;;) {
        const Virtqueue::Pop pop = queue.pop(chain_);
        if (pop == Virtqueue::Pop::Broken) transport.fail();
        if (pop != Virtqueue::Pop::Chain) break;
        const auto wanted = std::span(bytes).first(std::min(chain_.writable_bytes(), bytes.size()));
        const std::size_t count = line_->read(wanted);
        if (count == 0 && !wanted.empty()) {
            queue.undo_pop(); // for what arrives later
            break;
        }
        static_cast<void>(chain_.write(0, wanted.first(count)));
        chain_.report_written(transport.memory(), count);
        queue.push(chain_, static_cast<u32>(count));
    }
    transport.signal_used(receive_queue());
}

bool VirtioConsole::Port::send_unsent() {
    if (state.unsent.empty()) return true;
    // Nobody hears it; a console's output is kept by its line for whoever comes.
    if (line_ == nullptr || (!is_console() && !line_->is_connected())) {
        state.unsent.clear();
        return true;
    }
    const std::size_t sent = line_->write(std::as_bytes(std::span(state.unsent)));
    state.unsent.erase(state.unsent.begin(),
                       state.unsent.begin() + static_cast<std::ptrdiff_t>(sent));
    return state.unsent.empty();
}

void VirtioConsole::Port::transmit() {
    VirtioTransport &transport = console_.transport();
    if (!transport.is_running() || !send_unsent()) return;
    const u32 index = receive_queue() + 1;
    Virtqueue &queue = transport.queue(index);
    for (;;) {
        const Virtqueue::Pop pop = queue.pop(chain_);
        if (pop == Virtqueue::Pop::Broken) transport.fail();
        if (pop != Virtqueue::Pop::Chain) break;
        state.unsent.resize(std::min(chain_.readable_bytes(), kMaxOutput));
        static_cast<void>(chain_.read(0, std::as_writable_bytes(std::span(state.unsent))));
        queue.push(chain_, 0);
        if (!send_unsent()) break;
    }
    transport.signal_used(index);
}

void VirtioConsole::Port::set_guest_open(bool is_open) {
    if (std::exchange(state.guest_is_open, is_open) == is_open) return;
    if (!is_console() && console_.on_open_) console_.on_open_(name_, is_open);
}

void VirtioConsole::Port::reset() {
    set_guest_open(false);
    state = {};
}

} // namespace tandem::devices
