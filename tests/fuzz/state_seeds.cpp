/// state_seeds DIR: writes an input of state_fuzz for every device: what it saves when new, and a
/// script of accesses.
#include "devices/testing/specimen.h"

#include <fmt/format.h>

#include <fstream>

int main(int argc, char **argv) {
    using namespace tandem;
    using namespace tandem::devices::testing;
    if (argc != 2) {
        fmt::print(stderr, "state_seeds: one argument: the directory to write to\n");
        return 2;
    }
    const auto kinds = specimen_kinds();
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        const auto specimen = kinds[i].create();
        specimen->start();
        const auto state = saved_state(specimen->device());
        std::ofstream file(fmt::format("{}/{}", argv[1], kinds[i].name), std::ios::binary);
        file.put(static_cast<char>(i)).put(static_cast<char>(state.size() & 0xff));
        file.put(static_cast<char>(state.size() >> 8));
        file.write(reinterpret_cast<const char *>(state.data()),
                   static_cast<std::streamsize>(state.size()));
        for (int offset = 0; offset < 64; ++offset)
            file.put(static_cast<char>(offset % 8 + 16)).put(static_cast<char>(offset * 4));
        if (!file.flush()) {
            fmt::print(stderr, "state_seeds: {}: cannot be written\n", argv[1]);
            return 1;
        }
    }
    return 0;
}
