#pragma once
/// The side of a move at which the machine arrives. What comes in is not trusted; nothing runs, and
/// nothing is taken from the source, before all of it has been checked.
#include "machine/move/channel.h"
#include "machine/move/page_receiver.h"

#include <map>
#include <string>

namespace tandem::machine::move {

/// The states of its parts, by name.
using PartStates = std::map<std::string, std::vector<std::byte>, std::less<>>;

/// What the target asks of the machine that is to be the one that arrives.
class ArrivingMachine {
public:
    virtual ~ArrivingMachine() = default;
    [[nodiscard]] virtual std::vector<std::unique_ptr<PageSink>> sinks() = 0;
    /// All pages are there. `released` is what the source said its disks are like.
    [[nodiscard]] virtual Result<> complete(const PartStates &, std::string_view released) = 0;
};

class Target {
public:
    /// Greeted already.
    explicit Target(Channel &channel) : channel_(channel) {}

    /// What comes, JSON.
    [[nodiscard]] Result<std::string> manifest();
    /// Takes it in, up to the moment in which it may run. Returns whether it does, or stands still.
    /// When it fails the source has been told.
    [[nodiscard]] Result<GoByte> receive(ArrivingMachine &);
    /// The machine that comes is not wanted.
    [[nodiscard]] std::unexpected<Error> refuse(const Error &);

private:
    [[nodiscard]] Result<GoByte> take_in(ArrivingMachine &);
    [[nodiscard]] Result<> take_state(std::span<const std::byte> payload);

    Channel &channel_;
    PartStates states_;
    std::size_t state_bytes_ = 0;
};

} // namespace tandem::machine::move
