#include "machine/move/target.h"

#include <fmt/format.h>

#include <cstring>

namespace tandem::machine::move {
namespace {

constexpr int kAnswerMs = 30'000;
constexpr u32 kMaxManifest = 1u << 20;
constexpr u32 kMaxPartName = 256;
constexpr std::size_t kMaxParts = 1024, kMaxStateBytes = std::size_t{256} << 20;

std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

std::unexpected<Error> damaged(std::string_view what) {
    return failure(
        fmt::format("what arrives is damaged: {}; use the same Tandem on both sides", what));
}

} // namespace

Result<std::string> Target::manifest() {
    const Frame frame = TRY(channel_.expect(FrameKind::Machine, kAnswerMs));
    if (frame.payload.size() > kMaxManifest) return refuse({"a manifest that is too long"});
    return text_of(frame.payload);
}

std::unexpected<Error> Target::refuse(const Error &error) {
    channel_.send_failure(error.message);
    return std::unexpected(error);
}

Result<GoByte> Target::receive(ArrivingMachine &machine) {
    auto taken = take_in(machine);
    if (!taken.has_value()) return refuse(taken.error());
    return taken;
}

Result<> Target::take_state(std::span<const std::byte> payload) {
    u32 length = 0;
    if (payload.size() < sizeof length) return damaged("a state without a name");
    std::memcpy(&length, payload.data(), sizeof length);
    payload = payload.subspan(sizeof length);
    if (length > kMaxPartName || length > payload.size()) return damaged("a state without a name");
    const auto bytes = payload.subspan(length);
    const bool is_new =
        states_.try_emplace(text_of(payload.first(length)), bytes.begin(), bytes.end()).second;
    if (!is_new) return damaged("the state of a part comes twice");
    state_bytes_ += bytes.size();
    if (states_.size() > kMaxParts || state_bytes_ > kMaxStateBytes)
        return damaged("more state than a machine has");
    return {};
}

Result<GoByte> Target::take_in(ArrivingMachine &machine) {
    PageReceiver pages(machine.sinks());
    TRY(channel_.send(FrameKind::Accepted));
    for (bool has_ended = false; !has_ended;) {
        // The source may take its time: a slow line, a long round.
        const Frame frame = TRY(channel_.receive(Channel::kForever));
        switch (frame.kind) {
        case FrameKind::Pages: TRY(pages.take_pages(frame.payload)); break;
        case FrameKind::ZeroPages: TRY(pages.take_zero_pages(frame.payload)); break;
        case FrameKind::RoundEnd: TRY(channel_.send(FrameKind::RoundTaken)); break;
        case FrameKind::State: TRY(take_state(frame.payload)); break;
        case FrameKind::End:
            TRY(machine.complete(states_, text_of(frame.payload)));
            has_ended = true;
            break;
        default:
            return damaged(fmt::format("frame {} is out of turn", static_cast<u32>(frame.kind)));
        }
    }
    TRY(channel_.send(FrameKind::Ready));
    const Frame go = TRY(channel_.expect(FrameKind::Go, kAnswerMs));
    if (go.payload.size() != 1) return damaged("the last frame");
    // From here on the machine is ours; that the source has been told so makes it true.
    TRY(channel_.send(FrameKind::Running));
    return static_cast<GoByte>(go.payload[0]) == GoByte::Runs ? GoByte::Runs : GoByte::StandsStill;
}

} // namespace tandem::machine::move
