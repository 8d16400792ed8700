#pragma once
/// A serial line of a deterministic machine.
#include "devices/backend/char.h"
#include "machine/replay/gate.h"
#include "machine/replay/text_watch.h"

#include <deque>

namespace tandem::machine::replay {

class GatedChar final : public devices::Char, private devices::CharListener, private GatePort {
public:
    /// Whether the machine is told that somebody connects to the line, or leaves.
    enum class Presence : u8 { Ignored, Told };

    /// `host` outlives it.
    GatedChar(Gate &, devices::Char &host, Presence);
    ~GatedChar() override;

    std::size_t write(std::span<const std::byte> bytes) override;
    std::size_t read(std::span<std::byte>) override;
    bool is_connected() const override { return is_connected_; }
    void set_listener(devices::CharListener *listener) override { listener_ = listener; }
    /// Before the machine runs: `seen` is called by the instruction that completes the text, each
    /// time it is said first.
    void watch(std::string text, std::function<void()> seen);
    /// Any thread: output that the host does not take is lost from now on.
    void give_up();

    // The machine's thread, between two instructions.
    void save(devices::StateWriter &) const;
    /// The host gets no output a second time.
    [[nodiscard]] Result<> restore(devices::StateReader &);

private:
    /// What the guest has not read; the rest waits with the host.
    static constexpr std::size_t kMaxWaiting = 4096;

    void readable() override { gate_.arrived(); }
    void writable() override;
    void connection_changed() override { gate_.arrived(); }
    bool fetch(std::vector<std::byte> &piece) override;
    void enter(std::span<const std::byte> piece) override;

    Gate &gate_;
    devices::Char &host_;
    PortId port_;
    const Presence presence_;
    bool is_connected_; ///< as the machine was told
    devices::CharListener *listener_ = nullptr;
    std::deque<std::byte> waiting_;
    struct Watch {
        TextWatch text;
        std::function<void()> seen;
    };
    std::vector<Watch> watches_;
    u64 written_ = 0;   ///< bytes, by the guest
    u64 passed_on_ = 0; ///< the most of them that ever was
    std::mutex mutex_;  ///< guards what follows
    std::condition_variable changed_;
    bool has_room_ = false;
    bool has_given_up_ = false;
};

} // namespace tandem::machine::replay
