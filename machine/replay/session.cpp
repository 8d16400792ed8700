#include "machine/replay/session.h"

#include <fmt/format.h>

namespace tandem::machine::replay {

Session::Session(const DeterministicConfig &config, u32 cpus, Owner owner)
    : clock_(config.calendar_start), schedule_(create_schedule(config.schedule, cpus, config.seed)),
      entropy_(config.seed), gate_(clock_),
      sequencer_(clock_, gate_, *schedule_, {config.stop_at, std::move(owner.stop)}),
      commands_(gate_, std::move(owner.execute)) {}

HostBackends Session::wrap(const HostBackends &host) {
    HostBackends inside = host;
    const auto line = [this](devices::Char *outside) -> devices::Char * {
        if (outside == nullptr) return nullptr;
        return lines_.emplace_back(std::make_unique<GatedChar>(gate_, *outside)).get();
    };
    inside.serial = line(host.serial);
    inside.console = line(host.console);
    for (devices::Block *&disk : inside.disks)
        disk = disks_.emplace_back(std::make_unique<GatedDisk>(clock_, *disk)).get();
    if (host.net != nullptr) {
        net_ = std::make_unique<GatedNet>(gate_, *host.net);
        inside.net = net_.get();
    }
    inside.entropy = &entropy_;
    inside.clock = &clock_;
    inside.sequencer = &sequencer_;
    return inside;
}

void Session::give_up() {
    for (const auto &line : lines_) line->give_up();
}

RunHash Session::hash() const {
    return {.instructions = sequencer_.executed(),
            .state = board_->state_hash(),
            .outputs = gate_.outputs()};
}

std::string Session::report() const {
    const RunHash all = hash();
    const u64 now = clock_.now_ns();
    return fmt::format("state: guest time {}.{:09} s, {} instructions, hash {:016x}, outputs "
                       "{:016x}\n",
                       now / 1'000'000'000, now % 1'000'000'000, all.instructions, all.state,
                       all.outputs);
}

} // namespace tandem::machine::replay
