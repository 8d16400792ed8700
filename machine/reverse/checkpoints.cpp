#include "machine/reverse/checkpoints.h"

#include "support/check.h"

#include <iterator>

namespace tandem::machine::reverse {

Checkpoints::Checkpoints(replay::Session &session, std::span<OverlayDisk *const> disks,
                         u64 max_bytes)
    : session_(session), max_bytes_(max_bytes) {
    memories_.push_back(nullptr); // the board brings it
    add_lasting_memories(memories_, session, disks);
}

void Checkpoints::set_board(Board &board) {
    memories_.front() = std::make_unique<RamMemory>(board);
    if (histories_.empty())
        for (const auto &memory : memories_) histories_.emplace_back(memory->page_count(), pages_);
    else
        histories_.front().forget();
}

Result<> Checkpoints::take() {
    const u64 here = session_.position();
    if (kept_.contains(here)) return {};
    Checkpoint checkpoint;
    devices::StateWriter writer;
    session_.save(writer);
    checkpoint.state.assign(writer.data().begin(), writer.data().end());
    for (std::size_t i = 0; i < memories_.size(); ++i)
        checkpoint.memories.push_back(TRY(histories_[i].take(*memories_[i])));
    state_bytes_ += checkpoint.state.size();
    kept_.emplace(here, std::move(checkpoint));
    thin_out(here);
    return {};
}

void Checkpoints::adopt(u64 position, const Checkpoint &other) {
    if (kept_.contains(position)) return;
    Checkpoint checkpoint{other.state, {}};
    for (std::size_t i = 0; i < memories_.size(); ++i) {
        PageTable &pages = checkpoint.memories.emplace_back(memories_[i]->page_count());
        other.memories[i].for_each([&](u64 page, const std::byte *bytes) {
            pages.set(page, std::make_shared<const KeptPage>(pages_, bytes));
        });
    }
    state_bytes_ += checkpoint.state.size();
    kept_.emplace(position, std::move(checkpoint));
}

void Checkpoints::thin_out(u64 here) {
    while ((bytes() > max_bytes_ || kept_.size() > kMaxCount) && kept_.size() > 2) {
        // One between two that are close together is missed least, the farther away the less.
        auto least = kept_.end();
        double least_missed = 0;
        for (auto each = std::next(kept_.begin()); std::next(each) != kept_.end(); ++each) {
            if (each->first == here) continue;
            const double gap = static_cast<double>(std::next(each)->first - std::prev(each)->first);
            const u64 distance = each->first < here ? here - each->first : each->first - here;
            const double missed = gap / static_cast<double>(distance);
            if (least != kept_.end() && missed >= least_missed) continue;
            least = each;
            least_missed = missed;
        }
        if (least == kept_.end()) return;
        state_bytes_ -= least->second.state.size();
        kept_.erase(least);
    }
}

void Checkpoints::drop_first() {
    CHECK(kept_.size() > 1);
    state_bytes_ -= kept_.begin()->second.state.size();
    kept_.erase(kept_.begin());
}

u64 Checkpoints::past_bytes() const {
    u64 present = 0;
    for (const PageHistory &history : histories_) present += history.present().count();
    const u64 last_state = kept_.empty() ? 0 : kept_.rbegin()->second.state.size();
    return (pages_ - present) * kPageSize + state_bytes_ - last_state;
}

u64 Checkpoints::last_before(u64 position) const {
    const auto after = kept_.upper_bound(position);
    CHECK(after != kept_.begin());
    return std::prev(after)->first;
}

Result<> Checkpoints::bring_back(u64 position) {
    const Checkpoint &checkpoint = kept_.at(position);
    session_.drain();
    for (std::size_t i = 0; i < memories_.size(); ++i)
        TRY(histories_[i].bring_back(*memories_[i], checkpoint.memories[i]));
    session_.board().forget_memory();
    return session_.restore(checkpoint.state);
}

} // namespace tandem::machine::reverse
