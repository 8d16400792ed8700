/// libFuzzer: any bytes as the stream of a machine that comes. The first byte says whether they are
/// the raw stream, or cut into frames whose headers are good: a kind, a length of two bytes, a
/// payload.
#include "machine/move/target.h"
#include "machine/move/testing/memory_sink.h"
#include "support/check.h"

#include <sys/socket.h>
#include <xxhash.h>

#include <array>
#include <cstring>

namespace {

using namespace tandem;
using namespace tandem::machine;
using namespace tandem::machine::move;

constexpr u64 kPages = 16;

class Arriving final : public ArrivingMachine {
public:
    std::vector<std::unique_ptr<PageSink>> sinks() override {
        std::vector<std::unique_ptr<PageSink>> sinks;
        for (std::vector<std::byte> &memory : memories_)
            sinks.push_back(std::make_unique<machine::move::testing::MemorySink>(memory));
        return sinks;
    }
    Result<> complete(const PartStates &states, std::string_view) override {
        if (states.empty()) return failure("no state");
        return {};
    }

private:
    std::array<std::vector<std::byte>, 2> memories_{std::vector<std::byte>(kPages * kPageSize),
                                                    std::vector<std::byte>(kPages *kPageSize)};
};

std::vector<std::byte> with_headers(std::span<const std::byte> input) {
    std::vector<std::byte> stream;
    while (input.size() >= 3) {
        u16 length = 0;
        std::memcpy(&length, input.data() + 1, sizeof length);
        const auto kind = static_cast<FrameKind>(input[0]);
        input = input.subspan(3);
        const auto payload = input.first(std::min<std::size_t>(length, input.size()));
        input = input.subspan(payload.size());
        const FrameHeader header{
            kind, static_cast<u32>(payload.size()),
            ::XXH3_64bits_withSeed(payload.data(), payload.size(), static_cast<u64>(kind))};
        const auto *bytes = reinterpret_cast<const std::byte *>(&header);
        stream.insert(stream.end(), bytes, bytes + sizeof header);
        stream.insert(stream.end(), payload.begin(), payload.end());
    }
    return stream;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    if (size == 0) return 0;
    const auto input = std::as_bytes(std::span(data + 1, size - 1));
    std::vector<std::byte> stream(input.begin(), input.end());
    if (data[0] % 2 == 1) stream = with_headers(input);
    std::array<int, 2> pair{};
    CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) == 0);
    // What is sent fits the socket, as inputs are short (run.py), and so do the answers.
    ScopedFd source{pair[1]};
    Channel channel(ScopedFd{pair[0]}, "fuzz");
    CHECK(::send(source.get(), stream.data(), stream.size(), MSG_DONTWAIT | MSG_NOSIGNAL) ==
              static_cast<ssize_t>(stream.size()) ||
          stream.empty());
    ::shutdown(source.get(), SHUT_WR);
    Target target(channel);
    const auto manifest = target.manifest();
    if (!manifest.has_value()) {
        CHECK(!manifest.error().message.empty());
        return 0;
    }
    Arriving machine;
    const auto arrived = target.receive(machine);
    CHECK(arrived.has_value() || !arrived.error().message.empty());
    return 0;
}
