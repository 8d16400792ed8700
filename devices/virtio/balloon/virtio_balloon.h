#pragma once
/// Virtio balloon (virtio 1.2 §5.5): the guest gives pages when asked, reports pages that it does
/// not use, and says how it is off for memory. Whatever it gives or reports goes back to the host
/// and reads as zeros from then on, so that runs do not depend on when the host takes it.
#include "devices/core/clock.h"
#include "devices/virtio/balloon/balloon_config.h"
#include "devices/virtio/core/virtio_device.h"

#include <array>
#include <functional>
#include <memory>
#include <optional>

namespace tandem::devices {

/// By tag; nothing: the guest has not said.
inline constexpr std::size_t kBalloonStatistics = 10;
using BalloonStatistics = std::array<std::optional<u64>, kBalloonStatistics>;
inline constexpr std::array<std::string_view, kBalloonStatistics> kBalloonStatisticNames{
#define STATISTIC(tag, name) name,
#include "devices/virtio/balloon/balloon_statistics.inc"
};

struct VirtioBalloonState {
    static constexpr u32 kVersion = 1;

    u32 target = 0, actual = 0, poison = 0; ///< as in the configuration
    u64 deadline = 0;                       ///< of the next question for statistics; 0: none
    u16 known = 0;                          ///< a bit for each statistic that was said
    std::array<u64, kBalloonStatistics> statistics{};

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.target, self.actual, self.poison, self.deadline, self.known, self.statistics);
    }
};

class VirtioBalloon final : public VirtioDevice, private TimerListener {
public:
    static constexpr u32 kInflateQueue = 0, kDeflateQueue = 1;

    struct Options {
        u64 statistics_ns = 0; ///< how often the guest is asked; 0: it says what it likes
        /// Told how many pages the guest has given, with the mutex held.
        std::function<void(u64 pages)> on_change;
    };
    VirtioBalloon(Clock &, Options);
    ~VirtioBalloon() override;

    // Any thread.
    /// Asks the guest for so many pages in all.
    void set_target(u32 pages);
    [[nodiscard]] u32 actual();
    [[nodiscard]] BalloonStatistics statistics();

    [[nodiscard]] std::string_view name() const override { return "virtio-balloon"; }
    [[nodiscard]] u32 device_id() const override { return 5; }
    [[nodiscard]] u64 features() const override;
    [[nodiscard]] u32 queue_count() const override { return 4; }
    [[nodiscard]] u16 queue_max_size(u32) const override { return 128; }
    void read_config(u32 offset, std::span<std::byte>) override;
    void write_config(u32 offset, std::span<const std::byte>) override;
    void set_features(u64 features) override { features_ = features; }
    void notify(u32 queue) override;
    void reset() override;
    void save(StateWriter &) const override;
    [[nodiscard]] Result<> restore(StateReader &) override;

private:
    void timer_expired() override;
    void arm_timer();
    [[nodiscard]] virtio_balloon::Config config() const;
    [[nodiscard]] std::optional<u32> statistics_queue() const;
    [[nodiscard]] std::optional<u32> reporting_queue() const;
    void take_pages();
    void discard_listed_pages();
    void let_pages_go();
    void take_reports(u32 queue);
    void read_statistics(u32 queue);
    void ask_for_statistics(u32 queue);

    Clock &clock_;
    const Options options_;
    u64 features_ = 0;
    VirtioBalloonState state_;
    DescriptorChain chain_;
    std::unique_ptr<Timer> timer_;
};

} // namespace tandem::devices
