#pragma once
/// A disk of a deterministic machine. A request completes when the guest's clock says so, a time
/// after it was made that depends on the request alone: data reaches guest memory at that moment,
/// as a whole, and a host that is late is waited for. What is written is taken at the moment of the
/// request.
#include "devices/backend/block.h"
#include "devices/core/clock.h"
#include "machine/replay/gate.h"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace tandem::machine::replay {

class GatedDisk final : public devices::Block, private devices::TimerListener, private GatePort {
public:
    /// `host` outlives it.
    GatedDisk(Gate &, devices::Clock &, devices::Block &host);
    ~GatedDisk() override;

    u64 size() const override { return host_.size(); }
    bool read_only() const override { return host_.read_only(); }
    bool can_discard() const override { return host_.can_discard(); }
    u32 preferred_alignment() const override { return host_.preferred_alignment(); }
    std::string_view identity() const override { return host_.identity(); }
    void submit(std::span<devices::BlockRequest *const> requests) override;
    void drain() override;
    [[nodiscard]] bool is_idle() const { return under_way_.empty(); }

private:
    class Transfer;

    void timer_expired() override;
    /// Only answers come in, when they are asked for.
    bool fetch(std::vector<std::byte> &) override { return false; }
    void enter(std::span<const std::byte>) override {}
    void complete_first();
    [[nodiscard]] std::unique_ptr<Transfer> take_idle();

    Gate &gate_;
    devices::Clock &clock_;
    devices::Block &host_;
    PortId port_;
    std::unique_ptr<devices::Timer> timer_;
    std::deque<std::unique_ptr<Transfer>> under_way_; ///< in the order of their completion
    std::vector<std::unique_ptr<Transfer>> idle_;
};

} // namespace tandem::machine::replay
