/// libFuzzer: a driver that has set up its virtio device properly and then fills the rings with
/// anything. The first byte picks the device; the next bytes are guest memory from the first ring
/// on, the rest is a script.
#include "devices/testing/specimen.h"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    using namespace tandem;
    using namespace tandem::devices::testing;
    if (size < 3) return 0;
    std::vector<SpecimenKind> kinds;
    for (const SpecimenKind &kind : specimen_kinds())
        if (kind.is_virtio) kinds.push_back(kind);
    const auto specimen = kinds[data[0] % kinds.size()].create();

    std::span<const u8> input(data + 1, size - 1);
    constexpr size_t kRings = 0x1000, kRingBytes = 0x3000;
    const size_t ring_bytes = std::min(input.size() / 2, kRingBytes);
    std::ranges::copy(std::as_bytes(input.first(ring_bytes)),
                      specimen->memory.bytes().begin() + kRings);
    specimen->start();
    run_script(*specimen, input.subspan(ring_bytes));
    return 0;
}
