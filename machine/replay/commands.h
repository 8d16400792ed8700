#pragma once
/// What a person or a program asks of a deterministic machine while it runs.
#include "machine/replay/gate.h"

#include <deque>
#include <string>

namespace tandem::machine::replay {

struct Command {
    enum class Kind : u8 {
        PressPowerKey,
        Reset,
        SetBalloon, ///< to `text` bytes
        SetLink,    ///< to the settings in `text`
        SetScreen,  ///< number and size, as in "0 1280x800"
        SetSensor,  ///< its name and values, as in "acceleration 0:9.81:0"
    };
    Kind kind{};
    std::string text = {};
};

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
            posted_.push_back(std::move(command));
        }
        gate_.arrived();
    }

private:
    bool fetch(std::vector<std::byte> &piece) override {
        const std::lock_guard lock(mutex_);
        if (posted_.empty()) return false;
        const Command command = std::move(posted_.front());
        posted_.pop_front();
        piece.assign(1, static_cast<std::byte>(command.kind));
        const auto text = std::as_bytes(std::span(command.text));
        piece.insert(piece.end(), text.begin(), text.end());
        return true;
    }
    void enter(std::span<const std::byte> piece) override {
        if (piece.empty() || piece[0] > std::byte{static_cast<u8>(Command::Kind::SetSensor)})
            return;
        const auto text = piece.subspan(1);
        execute_({static_cast<Command::Kind>(piece[0]),
                  {reinterpret_cast<const char *>(text.data()), text.size()}});
    }

    Gate &gate_;
    std::function<void(Command)> execute_;
    std::mutex mutex_;
    std::deque<Command> posted_;
};

} // namespace tandem::machine::replay
