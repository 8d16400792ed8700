#pragma once
/// Virtio socket device (virtio 1.2 §5.10): streams between programs of the guest and of the host,
/// with flow control both ways.
#include "devices/backend/vsock.h"
#include "devices/virtio/core/virtio_device.h"
#include "devices/virtio/vsock/vsock_config.h"
#include "devices/virtio/vsock/vsock_state.h"

#include <deque>
#include <map>

namespace tandem::devices {

class VirtioVsock final : public VirtioDevice, private VsockListener {
public:
    static constexpr u32 kReceiveQueue = 0, kTransmitQueue = 1, kEventQueue = 2;

    VirtioVsock(Vsock &backend, u64 guest_cid) : backend_(backend), guest_cid_(guest_cid) {}
    ~VirtioVsock() override;

    [[nodiscard]] std::string_view name() const override { return "virtio-vsock"; }
    [[nodiscard]] u32 device_id() const override { return 19; }
    [[nodiscard]] u64 features() const override { return virtio_vsock::kFeatureStream; }
    [[nodiscard]] u32 queue_count() const override { return 3; }
    [[nodiscard]] u16 queue_max_size(u32 queue) const override {
        return queue == kEventQueue ? 16 : 256;
    }
    void read_config(u32 offset, std::span<std::byte>) override;
    void write_config(u32, std::span<const std::byte>) override {}
    void set_features(u64) override {}
    void notify(u32 queue) override;
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;

private:
    using TransportReset = VirtioVsockState::TransportReset;
    using Streams = std::map<VsockPorts, VsockStream>;

    void attached() override { backend_.set_listener(this); }
    void events_wait() override;

    // To the driver.
    void transmit_to_driver();
    void send_transport_reset();
    /// Writes the next packet of the stream into chain_; false if it has none now.
    [[nodiscard]] bool write_packet(VsockStream &, u64 &length);
    [[nodiscard]] virtio_vsock::Header header_to(VsockPorts, u16 operation) const;
    [[nodiscard]] static u32 credit_of(const VsockStream &);
    [[nodiscard]] static bool has_packet(const VsockStream &);
    void enqueue(VsockStream &);

    // From the driver.
    void take_packets();
    void take_packet();
    void take_data(Streams::iterator, const virtio_vsock::Header &);
    void take_shutdown(Streams::iterator, u32 flags);

    // From the host.
    void take_events();
    void take_event(VsockEvent &);

    VsockStream &add(VsockPorts, VsockStream::Phase);
    /// The stream ends, without a word to the driver.
    void forget(Streams::iterator);
    /// It ends with a reset.
    void abort(VsockPorts);
    void widen_window(VsockStream &);

    Vsock &backend_;
    const u64 guest_cid_;
    Streams streams_;
    std::deque<VsockPorts> queued_, resets_;
    TransportReset transport_reset_{};
    DescriptorChain chain_;
    std::vector<std::byte> buffer_;
    VsockEvent event_;
};

} // namespace tandem::devices
