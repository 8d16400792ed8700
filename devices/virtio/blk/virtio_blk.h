#pragma once
/// Virtio block device (virtio 1.2 §5.2) over a Block back end: asynchronous, with as many queues
/// as the board gives it.
#include "devices/backend/block.h"
#include "devices/virtio/blk/blk_config.h"
#include "devices/virtio/core/virtio_device.h"

#include <condition_variable>
#include <memory>
#include <vector>

namespace tandem::devices {

struct VirtioBlkState {
    static constexpr u32 kVersion = 1;

    u64 capacity = 0; ///< in bytes: the disk must be the same

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.capacity);
    }
};

class VirtioBlk final : public VirtioDevice {
public:
    static constexpr u16 kQueueSize = 256;

    VirtioBlk(Block &, u32 queues);
    ~VirtioBlk() override;

    [[nodiscard]] std::string_view name() const override { return "virtio-blk"; }
    [[nodiscard]] u32 device_id() const override { return 2; }
    [[nodiscard]] u64 features() const override;
    [[nodiscard]] u32 queue_count() const override { return queues_; }
    [[nodiscard]] u16 queue_max_size(u32) const override { return kQueueSize; }
    void read_config(u32 offset, std::span<std::byte>) override;
    void write_config(u32, std::span<const std::byte>) override {}
    void set_features(u64) override {}
    void notify(u32 index) override;
    void quiesce() override;
    void reset() override {}
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;

private:
    struct Request;

    [[nodiscard]] virtio_blk::Config config() const;
    [[nodiscard]] Request &take_request();
    /// Reads the request in the chain. True: submit it. False: it is done already, or failed the
    /// device.
    [[nodiscard]] bool prepare(Request &);
    [[nodiscard]] u8 prepare_transfer(Request &, const virtio_blk::RequestHeader &);
    [[nodiscard]] u8 prepare_range(Request &, const virtio_blk::RequestHeader &);
    [[nodiscard]] u8 give_identity(const Request &) const;
    /// Ends a request; the mutex is held.
    void finish(Request &, u8 status);
    void complete(Request &, BlockStatus);

    Block &backend_;
    u32 queues_;
    std::vector<std::unique_ptr<Request>> requests_; ///< all that were ever made
    std::vector<Request *> idle_;
    u32 in_flight_ = 0; ///< handed to the back end, not completed
    std::condition_variable_any none_in_flight_;
};

} // namespace tandem::devices
