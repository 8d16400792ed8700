/// libFuzzer: any text as the value of a command line option. The first byte picks the option.
#include "app/option_values.h"
#include "machine/debug/gdb/gdb_address.h"
#include "support/check.h"

#include <array>

namespace {

using namespace tandem;
using namespace tandem::app;

template <typename T>
bool explains(const Result<T> &result) {
    return result.has_value() || !result.error().message.empty();
}

using Parser = bool (*)(std::string_view);
// clang-format off
constexpr std::array<Parser, 12> kParsers{
    [](std::string_view text) { return explains(parse_size(text)); },
    [](std::string_view text) { return explains(parse_bytes("size", text)); },
    [](std::string_view text) { return explains(parse_disk(text)); },
    [](std::string_view text) { return explains(parse_net(text)); },
    [](std::string_view text) { machine::MachineConfig config; return explains(parse_cpu(text, config)); },
    [](std::string_view text) { return explains(parse_serial("--serial", text)); },
    [](std::string_view text) { return explains(parse_count("--cpus", text)); },
    [](std::string_view text) { return explains(parse_seconds("--timeout", text)); },
    [](std::string_view text) { machine::TraceConfig trace; return explains(parse_trace(text, trace)); },
    [](std::string_view text) { machine::TraceConfig trace; return explains(parse_trace_filter(text, trace)); },
    [](std::string_view text) { return explains(parse_share(text)); },
    [](std::string_view text) { return explains(machine::parse_gdb_address("--gdb", text)); },
};
// clang-format on

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char *>(data + 1), size - 1);
    CHECK(kParsers[data[0] % kParsers.size()](text));
    return 0;
}
