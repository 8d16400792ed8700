#include "devices/virtio/balloon/virtio_balloon.h"

#include "devices/virtio/core/config_space.h"

#include <algorithm>

namespace tandem::devices {

using namespace virtio_balloon;

VirtioBalloon::VirtioBalloon(Clock &clock, Options options)
    : clock_(clock), options_(std::move(options)), timer_(clock.create_timer(*this)) {}

VirtioBalloon::~VirtioBalloon() = default;

u64 VirtioBalloon::features() const {
    return kFeatureStatistics | kFeaturePagePoison | kFeatureReporting;
}

// Queues of features that were not accepted do not exist, and those behind them move up: so Linux
// (virtio_pci_common.c, vp_find_vqs) and every device count them, whatever §5.5.2 numbers them.
std::optional<u32> VirtioBalloon::statistics_queue() const {
    if ((features_ & kFeatureStatistics) == 0) return {};
    return 2;
}

std::optional<u32> VirtioBalloon::reporting_queue() const {
    if ((features_ & kFeatureReporting) == 0) return {};
    return (features_ & kFeatureStatistics) != 0 ? 3 : 2;
}

Config VirtioBalloon::config() const {
    return {.target = state_.target,
            .actual = state_.actual,
            .free_page_hint = 0,
            .poison = state_.poison};
}

void VirtioBalloon::read_config(u32 offset, std::span<std::byte> target) {
    read_config_struct(config(), offset, target);
}

void VirtioBalloon::write_config(u32 offset, std::span<const std::byte> source) {
    Config written = config();
    const auto bytes = std::as_writable_bytes(std::span(&written, 1));
    if (offset >= bytes.size()) return;
    std::ranges::copy(source.first(std::min(source.size(), bytes.size() - offset)),
                      bytes.begin() + offset);
    state_.poison = written.poison;
    if (std::exchange(state_.actual, written.actual) == written.actual) return;
    if (options_.on_change) options_.on_change(state_.actual);
}

void VirtioBalloon::notify(u32 queue) {
    const std::scoped_lock lock(transport().mutex());
    if (!transport().is_running()) return;
    if (queue == kInflateQueue)
        take_pages();
    else if (queue == kDeflateQueue)
        let_pages_go();
    else if (queue == statistics_queue())
        read_statistics(queue);
    else if (queue == reporting_queue())
        take_reports(queue);
}

// ----------------------------------------------------------------------------------------- pages

void VirtioBalloon::discard_listed_pages() {
    // Neighbours together, in either direction: the host has one call for a range.
    u64 first = 0, count = 0;
    const auto discard = [&] {
        if (count != 0)
            transport().memory().discard(GuestPhysAddr(first * kPageSize), count * kPageSize);
    };
    std::array<u32, 256> pages;
    for (u64 at = 0; at + sizeof(u32) <= chain_.readable_bytes();) {
        const u64 entries =
            std::min<u64>(pages.size(), (chain_.readable_bytes() - at) / sizeof(u32));
        const auto some = std::span(pages).first(entries);
        static_cast<void>(chain_.read(at, std::as_writable_bytes(some)));
        at += some.size_bytes();
        for (const u32 page : some) {
            if (count != 0 && page == first + count) {
                ++count;
            } else if (count != 0 && u64{page} + 1 == first) {
                --first, ++count;
            } else {
                discard();
                first = page;
                count = 1;
            }
        }
    }
    discard();
}

void VirtioBalloon::take_pages() {
    Virtqueue &queue = transport().queue(kInflateQueue);
    for (unsigned i = 0; i < Virtqueue::kMaxSize; ++i) {
        const Virtqueue::Pop pop = queue.pop(chain_);
        if (pop == Virtqueue::Pop::Broken) transport().fail();
        if (pop != Virtqueue::Pop::Chain) break;
        discard_listed_pages();
        queue.push(chain_, 0);
    }
    transport().signal_used(kInflateQueue);
}

void VirtioBalloon::let_pages_go() {
    // They come back as the guest touches them.
    Virtqueue &queue = transport().queue(kDeflateQueue);
    for (unsigned i = 0; i < Virtqueue::kMaxSize; ++i) {
        const Virtqueue::Pop pop = queue.pop(chain_);
        if (pop == Virtqueue::Pop::Broken) transport().fail();
        if (pop != Virtqueue::Pop::Chain) break;
        queue.push(chain_, 0);
    }
    transport().signal_used(kDeflateQueue);
}

void VirtioBalloon::take_reports(u32 index) {
    Virtqueue &queue = transport().queue(index);
    // §5.5.6.7: a driver that fills free pages expects to find what it filled them with.
    const bool keeps_content = (features_ & kFeaturePagePoison) != 0 && state_.poison != 0;
    for (unsigned i = 0; i < Virtqueue::kMaxSize; ++i) {
        const Virtqueue::Pop pop = queue.pop(chain_);
        if (pop == Virtqueue::Pop::Broken) transport().fail();
        if (pop != Virtqueue::Pop::Chain) break;
        if (!keeps_content) chain_.discard_writable(transport().memory());
        queue.push(chain_, 0);
    }
    transport().signal_used(index);
}

// ------------------------------------------------------------------------------------ statistics

void VirtioBalloon::read_statistics(u32 index) {
    // The driver's buffer stays available until the device asks for the next ones by returning it.
    Virtqueue &queue = transport().queue(index);
    const Virtqueue::Pop pop = queue.pop(chain_);
    if (pop == Virtqueue::Pop::Broken) transport().fail();
    if (pop != Virtqueue::Pop::Chain) return;
    static constexpr u64 kMostEntries = 64;
    Statistic entry;
    for (u64 i = 0; i < kMostEntries && chain_.read_object(i * sizeof entry, entry); ++i) {
        if (entry.tag >= kBalloonStatistics) continue;
        state_.statistics[entry.tag] = entry.value;
        state_.known |= static_cast<u16>(1u << entry.tag);
    }
    queue.undo_pop();
    if (options_.statistics_ns != 0 && state_.deadline == 0) {
        state_.deadline = clock_.now_ns() + options_.statistics_ns;
        arm_timer();
    }
}

void VirtioBalloon::ask_for_statistics(u32 index) {
    Virtqueue &queue = transport().queue(index);
    const Virtqueue::Pop pop = queue.pop(chain_);
    if (pop == Virtqueue::Pop::Broken) transport().fail();
    if (pop != Virtqueue::Pop::Chain) return;
    queue.push(chain_, 0);
    transport().signal_used(index);
}

void VirtioBalloon::arm_timer() {
    if (state_.deadline != 0)
        timer_->arm(state_.deadline);
    else
        timer_->cancel();
}

void VirtioBalloon::timer_expired() {
    const std::scoped_lock lock(transport().mutex());
    if (state_.deadline == 0 || clock_.now_ns() < state_.deadline) return;
    state_.deadline = 0;
    if (const auto queue = statistics_queue(); queue.has_value() && transport().is_running())
        ask_for_statistics(*queue);
}

// --------------------------------------------------------------------------------------- control

void VirtioBalloon::set_target(u32 pages) {
    const std::scoped_lock lock(transport().mutex());
    if (std::exchange(state_.target, pages) != pages) transport().signal_config_change();
}

u32 VirtioBalloon::actual() {
    const std::scoped_lock lock(transport().mutex());
    return state_.actual;
}

BalloonStatistics VirtioBalloon::statistics() {
    const std::scoped_lock lock(transport().mutex());
    BalloonStatistics statistics;
    for (std::size_t tag = 0; tag < statistics.size(); ++tag)
        if (bit(state_.known, static_cast<unsigned>(tag))) statistics[tag] = state_.statistics[tag];
    return statistics;
}

// ----------------------------------------------------------------------------------------- state

void VirtioBalloon::reset() {
    // What is asked for outlives the driver; what it gave is its own again.
    const u32 target = state_.target, actual = state_.actual;
    state_ = {};
    state_.target = target;
    features_ = 0;
    arm_timer();
    if (actual != 0 && options_.on_change) options_.on_change(0);
}

void VirtioBalloon::save(StateWriter &writer) const {
    save_state(writer, "virtio-balloon", state_);
}

Result<> VirtioBalloon::restore(StateReader &reader) {
    if (auto result = restore_state(reader, "virtio-balloon", state_); !result) return result;
    arm_timer();
    return {};
}

} // namespace tandem::devices
