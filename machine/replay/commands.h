#pragma once
/// What a person or a program asks of a deterministic machine while it runs.
#include "machine/replay/gate.h"

#include <deque>

namespace tandem::machine::replay {

enum class Command : u8 { PressPowerKey, Reset };

class Commands final : private GatePort {
public:
    Commands(Gate &gate, std::function<void(Command)> execute)
        : gate_(gate), execute_(std::move(execute)) {
        static_cast<void>(gate.add(*this));
    }

    /// Any thread: it is executed between two instructions.
    void post(Command command) {
        {
            const std::lock_guard lock(mutex_);
            posted_.push_back(command);
        }
        gate_.arrived();
    }

private:
    bool fetch(std::vector<std::byte> &piece) override {
        const std::lock_guard lock(mutex_);
        if (posted_.empty()) return false;
        piece.assign(1, static_cast<std::byte>(posted_.front()));
        posted_.pop_front();
        return true;
    }
    void enter(std::span<const std::byte> piece) override {
        if (piece.size() == 1) execute_(static_cast<Command>(piece[0]));
    }

    Gate &gate_;
    std::function<void(Command)> execute_;
    std::mutex mutex_;
    std::deque<Command> posted_;
};

} // namespace tandem::machine::replay
