/// libFuzzer: any bytes as a disk that somebody wants to run.
#include "machine/inspect/image_facts.h"
#include "machine/storage/raw_disk.h"
#include "machine/storage/testing/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    using namespace tandem::machine;
    testing::MemoryFile file(std::as_bytes(std::span(data, size)));
    if (const auto disk = RawDisk::create(file.open_again(), FormatSource::Named);
        disk.has_value()) {
        ImageFacts facts;
        inspect_disk(**disk, facts);
    }
    return 0;
}
