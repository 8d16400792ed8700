#pragma once
/// One port of the virtio console: a queue each way and the line behind them.
#include "devices/virtio/console/virtio_console.h"

namespace tandem::devices {

/// What the device has yet to tell the driver of a port, in the order in which it does.
namespace console_message {
inline constexpr u8 kAdd = 1 << 0, kConsole = 1 << 1, kName = 1 << 2, kOpen = 1 << 3;
inline constexpr u8 kAll = kAdd | kConsole | kName | kOpen;
} // namespace console_message

struct ConsolePortState {
    bool guest_knows = false;   ///< the driver has said that it is ready for the port
    bool guest_is_open = false; ///< the driver has opened it
    bool host_was_open = false; ///< as the driver was told
    u8 owed = 0;                ///< of console_message
    /// Output that the back end had not taken; it goes first.
    std::vector<u8> unsent;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.guest_knows, self.guest_is_open, self.host_was_open, self.owed, self.unsent);
    }
};

/// Everything but the listener's calls with the transport's mutex held.
class VirtioConsole::Port final : private CharListener {
public:
    Port(VirtioConsole &console, u32 number, NamedPort named)
        : console_(console), number_(number), name_(std::move(named.name)), line_(named.line) {}
    ~Port() override {
        if (line_ != nullptr) line_->set_listener(nullptr);
        set_guest_open(false);
    }

    void listen() {
        if (line_ != nullptr) line_->set_listener(this);
    }
    [[nodiscard]] bool has_line() const { return line_ != nullptr; }
    [[nodiscard]] bool is_console() const { return number_ == 0; }
    [[nodiscard]] const std::string &name() const { return name_; }
    [[nodiscard]] Char &line() const { return *line_; }
    [[nodiscard]] u32 receive_queue() const {
        return is_console() ? kReceiveQueue : 2 + number_ * 2;
    }

    void receive();
    void transmit();
    /// The host's end may have been connected or left since the driver was told.
    void look_at_host();
    void set_guest_open(bool is_open);
    void reset();

    ConsolePortState state;

private:
    void readable() override;
    void writable() override;
    void connection_changed() override;
    /// Sends what waits; false if the back end is full.
    [[nodiscard]] bool send_unsent();

    VirtioConsole &console_;
    u32 number_;
    std::string name_;
    Char *line_;
    DescriptorChain chain_;
};

} // namespace tandem::devices
