/// libFuzzer: any sequence of accesses, by any vCPU, to any device. The first byte picks the
/// device.
#include "devices/testing/specimen.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    using namespace tandem::devices::testing;
    if (size == 0) return 0;
    const auto kinds = specimen_kinds();
    const auto specimen = kinds[data[0] % kinds.size()].create();
    run_script(*specimen, {data + 1, size - 1});
    return 0;
}
