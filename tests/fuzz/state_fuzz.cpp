/// libFuzzer: any bytes as the saved state of a device, which then has to work, or refuse and be
/// reset. The first byte picks the device, two say how many bytes are state; the rest is a script.
#include "devices/core/state.h"
#include "devices/testing/specimen.h"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    using namespace tandem;
    using namespace tandem::devices;
    using namespace tandem::devices::testing;
    if (size < 3) return 0;
    const auto kinds = specimen_kinds();
    const auto specimen = kinds[data[0] % kinds.size()].create();
    const std::span<const u8> input(data + 3, size - 3);
    const size_t length = std::min<size_t>(data[1] | size_t{data[2]} << 8, input.size());
    StateReader reader(std::as_bytes(input.first(length)));
    if (!specimen->device().restore(reader).has_value()) specimen->device().reset();
    run_script(*specimen, input.subspan(length));
    return 0;
}
