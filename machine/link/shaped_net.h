#pragma once
/// A network port behind a link that is as slow, long and lossy as its settings say, in guest time:
/// what it does depends on the moments at which frames come and on its seed alone.
#include "devices/backend/net.h"
#include "devices/core/clock.h"
#include "devices/core/state.h"
#include "machine/link/link_config.h"
#include "machine/replay/random.h"

#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace tandem::machine {

class ShapedNet final : public devices::Net,
                        private devices::NetListener,
                        private devices::TimerListener {
public:
    /// Not shaped yet. `host` and the clock outlive it.
    ShapedNet(devices::Net &host, devices::Clock &, u64 seed);
    ~ShapedNet() override;

    // Any thread.
    void set_link(const LinkConfig &);
    [[nodiscard]] LinkConfig link() const;

    devices::MacAddress mac() const override { return host_.mac(); }
    u16 mtu() const override { return host_.mtu(); }
    bool takes_large_segments() const override { return host_.takes_large_segments(); }
    void send(std::span<const std::byte> frame) override;
    std::size_t receive(std::span<std::byte> frame) override;
    void set_listener(devices::NetListener *) override;

    // While nothing moves: the link with what is on it.
    void save(devices::StateWriter &) const;
    [[nodiscard]] Result<> restore(devices::StateReader &);

private:
    /// What waits for its turn on the wire is dropped behind this, as a router does: more would
    /// make seconds of delay of a slow link.
    static constexpr u64 kMaxQueueNs = 250'000'000;
    static constexpr std::size_t kMaxFrames = 4096, kMaxBytes = 16u << 20;

    struct Frame {
        u64 due_ns = 0;
        std::vector<u8> bytes;

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.due_ns, self.bytes);
        }
    };
    struct Direction {
        LinkDirection settings;
        u64 free_at_ns = 0;  ///< the wire has sent what it took
        u64 last_due_ns = 0; ///< frames stay in order
        std::deque<Frame> frames;
        std::size_t bytes = 0; ///< of them

        [[nodiscard]] bool passes_at_once() const {
            return frames.empty() && !settings.is_shaped();
        }
    };
    struct SavedDirection;
    struct SavedState;

    void frames_wait() override;
    void timer_expired() override;

    // With mutex_ held.
    void accept(Direction &, std::span<const std::byte> frame);
    void take_from_host();
    void send_what_is_due();
    void arm_timer();

    devices::Net &host_;
    devices::Clock &clock_;
    mutable std::mutex mutex_; ///< guards what follows, up to the listener's
    replay::Random random_;
    Direction up_, down_;
    std::vector<std::byte> frame_;
    std::mutex listener_mutex_; ///< held while the listener is called
    devices::NetListener *listener_ = nullptr;
    std::unique_ptr<devices::Timer> timer_;
};

} // namespace tandem::machine
