#pragma once
/// Virtio file system device (virtio 1.2 §5.11): FUSE over a queue for urgent requests and one for
/// the others.
#include "devices/virtio/core/request_runner.h"
#include "devices/virtio/fs/fuse_session.h"

#include <array>

namespace tandem::devices {

class VirtioFs final : public VirtioDevice, private RequestHandler {
public:
    /// Bytes of a tag (§5.11.4).
    static constexpr std::size_t kMaxTag = 36;

    /// `tag` names the share to the guest; a longer one is cut.
    VirtioFs(FileSystem &, std::string_view tag);
    /// Leaves the file system as it was found: another device may use it next.
    ~VirtioFs() override { files_.reset(); }

    [[nodiscard]] std::string_view name() const override { return "virtio-fs"; }
    [[nodiscard]] u32 device_id() const override { return 26; }
    [[nodiscard]] u64 features() const override { return 0; }
    [[nodiscard]] u32 queue_count() const override { return 2; }
    /// Linux makes requests as large as the queue has descriptors: 1 MiB needs 256 pages and more.
    [[nodiscard]] u16 queue_max_size(u32) const override { return Virtqueue::kMaxSize; }
    void read_config(u32 offset, std::span<std::byte>) override;
    void write_config(u32, std::span<const std::byte>) override {}
    void set_features(u64) override {}
    void notify(u32 queue) override { runner_.notify(queue); }
    void quiesce() override { runner_.quiesce(); }
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;

private:
    struct Config {
        std::array<char, kMaxTag> tag{};
        u32 request_queues = 1;
    };
    static_assert(sizeof(Config) == 40);

    void attached() override { runner_.attach(transport()); }
    std::optional<u64> answer(u32, const DescriptorChain &chain) override {
        return session_.answer(chain);
    }

    FileSystem &files_;
    Config config_;
    FuseSession session_;
    RequestRunner runner_;
};

} // namespace tandem::devices
