#pragma once
/// Virtio GPU device (virtio 1.2 §5.7) in two dimensions: pictures in the host's memory that the
/// driver fills, shows on outputs, and points on.
#include "devices/virtio/core/virtio_device.h"
#include "devices/virtio/gpu/gpu_resource.h"

#include <map>

namespace tandem::devices {

class VirtioGpu final : public VirtioDevice {
public:
    static constexpr u32 kControlQueue = 0, kCursorQueue = 1;
    static constexpr std::size_t kMaxResources = 4096;
    static constexpr u64 kMaxPieces = 1u << 18;      ///< of all resources' backings
    static constexpr u64 kMaxBytes = u64{256} << 20; ///< of all resources' pixels

    /// At most kMaxOutputs modes, each with sides of kMinScreenSide to kMaxScreenSide.
    VirtioGpu(Display &backend, std::span<const DisplayMode> modes);
    ~VirtioGpu() override;

    [[nodiscard]] std::string_view name() const override { return "virtio-gpu"; }
    [[nodiscard]] u32 device_id() const override { return 16; }
    [[nodiscard]] u64 features() const override { return virtio_gpu::kFeatureEdid; }
    [[nodiscard]] u32 queue_count() const override { return 2; }
    [[nodiscard]] u16 queue_max_size(u32 queue) const override {
        return queue == kControlQueue ? 256 : 16;
    }
    void read_config(u32 offset, std::span<std::byte>) override;
    void write_config(u32 offset, std::span<const std::byte>) override;
    void set_features(u64) override {}
    void notify(u32 queue) override;
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;

    /// Any thread, without the mutex: the screen has become another; the driver is told.
    void set_mode(u32 output, const DisplayMode &);

private:
    struct Output {
        u32 width = 0, height = 0, dpi = 0; ///< what the driver is told
        u32 resource = 0;                   ///< that is shown; 0: nothing is
        u32 x = 0, y = 0;                   ///< where in it
        u32 shown_width = 0, shown_height = 0;
        u32 cursor = 0; ///< resource; 0: none
        u32 cursor_x = 0, cursor_y = 0, hot_x = 0, hot_y = 0;

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.width, self.height, self.dpi, self.resource, self.x, self.y,
                    self.shown_width, self.shown_height, self.cursor, self.cursor_x, self.cursor_y,
                    self.hot_x, self.hot_y);
        }
        [[nodiscard]] virtio_gpu::Rectangle shown() const {
            return {x, y, shown_width, shown_height};
        }
    };
    struct State {
        static constexpr u32 kVersion = 1;
        u32 events = 0;
        std::vector<Output> outputs;
        std::vector<GpuResource> resources;

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.events, self.outputs, self.resources);
        }
    };

    struct Command;
    static const Command kCommands[];

    /// Answers the request in chain_; how many bytes were written.
    [[nodiscard]] u32 answer();
    template <typename Request, virtio_gpu::Type (VirtioGpu::*Run)(const Request &)>
    virtio_gpu::Type run();
    /// Appends to the response.
    template <typename Body>
    void respond(const Body &);

    virtio_gpu::Type get_display_info();
    virtio_gpu::Type get_edid(const virtio_gpu::EdidRequest &);
    virtio_gpu::Type create_resource(const virtio_gpu::CreateResource &);
    virtio_gpu::Type unref_resource(const virtio_gpu::ResourceRequest &);
    virtio_gpu::Type set_scanout(const virtio_gpu::SetScanout &);
    virtio_gpu::Type flush_resource(const virtio_gpu::FlushResource &);
    virtio_gpu::Type transfer_to_host(const virtio_gpu::TransferToHost &);
    virtio_gpu::Type attach_backing(const virtio_gpu::AttachBacking &);
    virtio_gpu::Type detach_backing(const virtio_gpu::ResourceRequest &);
    virtio_gpu::Type update_cursor(const virtio_gpu::CursorRequest &);
    virtio_gpu::Type move_cursor(const virtio_gpu::CursorRequest &);

    [[nodiscard]] GpuResource *find(u32 id);
    [[nodiscard]] u64 pixel_bytes() const;
    [[nodiscard]] u64 pieces() const;
    /// The backend shows what the output has, all of it.
    void show(u32 output);
    void show_cursor(u32 output);
    void hide(u32 output);
    /// Nothing is shown, and there are no pictures.
    void clear();

    Display &backend_;
    u32 events_ = 0;
    std::vector<Output> outputs_;
    std::map<u32, GpuResource> resources_;
    DescriptorChain chain_;
    std::vector<std::byte> response_;
};

} // namespace tandem::devices
