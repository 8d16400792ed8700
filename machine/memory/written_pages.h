#pragma once
/// Shares the marks of a DirtyLog among several readers: each gets every page that was written
/// since it asked last, whoever else has asked meanwhile. One thread at a time.
#include "machine/memory/dirty_log.h"

#include <array>
#include <cstddef>
#include <utility>

namespace tandem::machine {

class WrittenPages {
public:
    enum class Reader : u8 {
        Saves,    ///< snapshots, for which only what differs is written
        Follower, ///< who copies RAM elsewhere: moves, checkpoints
        Hash,     ///< that of RAM
    };

    /// The log outlives this, and has no other reader.
    explicit WrittenPages(DirtyLog &log) : log_(log), gathered_(log.word_count()) {}

    [[nodiscard]] bool is_on(Reader reader) const { return !pending(reader).empty(); }
    /// From now on; what was written until now is not for this reader. Slow writes down next.
    void start(Reader reader) {
        if (!is_any_on()) log_.start();
        gather();
        pending(reader).assign(log_.word_count(), 0);
    }
    void stop(Reader reader) {
        pending(reader).clear();
        if (!is_any_on()) log_.stop();
    }
    /// Adds to a bitmap of DirtyLog::word_count() words. Slow writes down before these pages are
    /// read.
    void collect(Reader reader, std::span<u64> into) {
        gather();
        std::vector<u64> &marks = pending(reader);
        for (std::size_t i = 0; i < marks.size(); ++i) into[i] |= std::exchange(marks[i], 0);
    }

private:
    [[nodiscard]] std::vector<u64> &pending(Reader reader) {
        return pending_[static_cast<std::size_t>(reader)];
    }
    [[nodiscard]] const std::vector<u64> &pending(Reader reader) const {
        return pending_[static_cast<std::size_t>(reader)];
    }
    [[nodiscard]] bool is_any_on() const {
        for (const auto &marks : pending_)
            if (!marks.empty()) return true;
        return false;
    }
    void gather() {
        log_.collect(gathered_);
        for (std::size_t i = 0; i < gathered_.size(); ++i)
            if (const u64 word = std::exchange(gathered_[i], 0); word != 0)
                for (auto &marks : pending_)
                    if (!marks.empty()) marks[i] |= word;
    }

    DirtyLog &log_;
    std::vector<u64> gathered_;
    std::array<std::vector<u64>, 3> pending_; ///< empty: off
};

} // namespace tandem::machine
