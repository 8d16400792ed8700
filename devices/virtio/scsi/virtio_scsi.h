#pragma once
/// Virtio SCSI host adapter (virtio 1.2 §5.6): each unit is logical unit 0 of a target of its own.
#include "devices/scsi/scsi_unit.h"
#include "devices/virtio/core/virtio_device.h"
#include "devices/virtio/scsi/scsi_host_config.h"

#include <condition_variable>
#include <memory>
#include <optional>
#include <vector>

namespace tandem::devices {

struct VirtioScsiState {
    static constexpr u32 kVersion = 1;

    u32 units = 0; ///< as many must be there
    u32 sense_bytes = virtio_scsi::kDefaultSenseBytes;
    u32 cdb_bytes = virtio_scsi::kDefaultCdbBytes;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.units, self.sense_bytes, self.cdb_bytes);
    }
};

class VirtioScsi final : public VirtioDevice {
public:
    static constexpr u16 kQueueSize = 256;
    static constexpr std::size_t kMaxUnits = 256;

    /// `queues`: for requests; drivers use one for each CPU.
    VirtioScsi(std::vector<std::unique_ptr<ScsiUnit>> units, u32 queues);
    ~VirtioScsi() override;

    [[nodiscard]] std::string_view name() const override { return "virtio-scsi"; }
    [[nodiscard]] u32 device_id() const override { return 8; }
    [[nodiscard]] u64 features() const override { return 0; }
    [[nodiscard]] u32 queue_count() const override {
        return virtio_scsi::kFirstRequestQueue + queues_;
    }
    [[nodiscard]] u16 queue_max_size(u32) const override { return kQueueSize; }
    void read_config(u32 offset, std::span<std::byte>) override;
    void write_config(u32 offset, std::span<const std::byte>) override;
    void set_features(u64) override {}
    void notify(u32 queue) override;
    void quiesce() override;
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;

private:
    struct Request;
    struct Target {
        std::unique_ptr<ScsiUnit> unit;
        u32 in_flight = 0; ///< requests at the back end
    };
    /// A task management function that waits for its target's requests.
    struct WaitingTask {
        DescriptorChain chain;
        u32 target = 0;
        bool resets = false;
    };

    [[nodiscard]] virtio_scsi::Config config() const;
    [[nodiscard]] Request &take_request();
    /// The target of an address; none if it is none of this adapter's.
    [[nodiscard]] std::optional<u32> target_of(const virtio_scsi::Lun &) const;

    void serve_requests(u32 queue);
    /// Reads the request in the chain. True: submit it. False: it is done already, or failed the
    /// device.
    [[nodiscard]] bool prepare(Request &);
    void submit(std::span<Request *const>);
    /// Ends a request; the mutex is held.
    void finish(Request &, u8 response);
    void complete(Request &, BlockStatus);

    void serve_control();
    /// Nothing: it waits.
    [[nodiscard]] std::optional<u8> manage(const virtio_scsi::TaskRequest &, DescriptorChain &);
    void answer_control(const DescriptorChain &, std::span<const std::byte>);
    void end_waiting(u32 target);

    std::vector<Target> targets_;
    const u32 queues_;
    VirtioScsiState state_;
    std::vector<std::unique_ptr<Request>> requests_; ///< all that were ever made
    std::vector<Request *> idle_;
    std::vector<WaitingTask> waiting_;
    u32 in_flight_ = 0; ///< of all targets
    std::condition_variable_any none_in_flight_;
};

} // namespace tandem::devices
