#pragma once
/// Virtio network device (virtio 1.2 §5.1) over a Net back end: pairs of queues and a control
/// queue, checksums and large segments from the driver, mergeable receive buffers.
#include "devices/backend/net.h"
#include "devices/virtio/core/virtio_device.h"
#include "devices/virtio/net/flow_table.h"
#include "devices/virtio/net/net_config.h"

#include <optional>
#include <vector>

namespace tandem::devices {

struct VirtioNetState {
    static constexpr u32 kVersion = 2;

    MacAddress mac{};
    /// A frame for which the driver had no room; it goes first.
    std::vector<u8> waiting;
    u16 active_pairs = 1; ///< that the driver has asked for
    FlowTable flows;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        for (auto &byte : self.mac) archive(byte);
        archive(self.waiting, self.active_pairs, self.flows);
    }
};

class VirtioNet final : public VirtioDevice, private NetListener {
public:
    /// Of the first pair; the next one's follow. The control queue is behind the last pair that the
    /// driver knows of (§5.1.2).
    static constexpr u32 kReceiveQueue = 0, kTransmitQueue = 1, kControlQueue = 2;
    static constexpr u16 kMaxPairs = 16;

    explicit VirtioNet(Net &backend, u16 pairs = 1) : VirtioNet(backend, backend.mac(), pairs) {}
    VirtioNet(Net &backend, const MacAddress &mac, u16 pairs = 1);
    ~VirtioNet() override;

    [[nodiscard]] std::string_view name() const override { return "virtio-net"; }
    [[nodiscard]] u32 device_id() const override { return 1; }
    [[nodiscard]] u64 features() const override;
    [[nodiscard]] u32 queue_count() const override { return pairs_ * 2u + 1; }
    [[nodiscard]] u16 queue_max_size(u32 queue) const override {
        return queue == pairs_ * 2u ? 64 : 256;
    }
    void read_config(u32 offset, std::span<std::byte>) override;
    void write_config(u32, std::span<const std::byte>) override {}
    void set_features(u64 features) override { features_ = features; }
    void notify(u32 queue) override;
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;

private:
    void attached() override { backend_.set_listener(this); }
    void frames_wait() override;
    [[nodiscard]] u32 control_queue() const;
    void receive();
    void transmit(u32 queue);
    void control();
    /// Gives the frame to the driver, in the queue of its flow; nothing: it has too few buffers
    /// there now.
    [[nodiscard]] std::optional<u32> deliver(std::span<const std::byte> frame);
    /// Completes what the driver left to the device; false if the header makes no sense.
    [[nodiscard]] bool finish_checksum(const virtio_net::Header &, std::span<std::byte> frame);
    [[nodiscard]] u8 execute(const virtio_net::ControlHeader &);

    Net &backend_;
    const MacAddress mac_; ///< until the driver sets another
    const u16 pairs_;
    u64 features_ = 0;
    VirtioNetState state_;
    DescriptorChain chain_;
    std::vector<DescriptorChain> merged_; ///< the buffers of one frame
    std::vector<std::byte> frame_;        ///< of kMaxFrame bytes
};

} // namespace tandem::devices
