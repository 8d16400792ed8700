#pragma once
/// Virtio 9P transport (virtio device 9; Linux's include/uapi/linux/virtio_9p.h): 9P2000.L over one
/// queue, for guests without virtio-fs.
#include "devices/virtio/core/request_runner.h"
#include "devices/virtio/p9/p9_session.h"

namespace tandem::devices {

class Virtio9p final : public VirtioDevice, private RequestHandler {
public:
    /// `tag` names the share to the guest.
    Virtio9p(FileSystem &, std::string_view tag);
    /// Leaves the file system as it was found: another device may use it next.
    ~Virtio9p() override { session_.reset(); }

    [[nodiscard]] std::string_view name() const override { return "virtio-9p"; }
    [[nodiscard]] u32 device_id() const override { return 9; }
    [[nodiscard]] u64 features() const override { return kFeatureMountTag; }
    [[nodiscard]] u32 queue_count() const override { return 1; }
    /// Linux has no more than this many requests and buffers under way.
    [[nodiscard]] u16 queue_max_size(u32) const override { return 256; }
    void read_config(u32 offset, std::span<std::byte>) override;
    void write_config(u32, std::span<const std::byte>) override {}
    void set_features(u64) override {}
    void notify(u32 queue) override { runner_.notify(queue); }
    void quiesce() override { runner_.quiesce(); }
    void reset() override { session_.reset(); }
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;

private:
    static constexpr u64 kFeatureMountTag = 1 << 0;

    void attached() override { runner_.attach(transport()); }
    std::optional<u64> answer(u32, const DescriptorChain &chain) override {
        return session_.answer(chain);
    }

    FileSystem &files_;
    std::string tag_;
    P9Session session_;
    RequestRunner runner_;
};

} // namespace tandem::devices
