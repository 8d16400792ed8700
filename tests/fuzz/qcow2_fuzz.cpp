/// libFuzzer: any file as a qcow2 image: opened, read, written, checked and repaired. Only what the
/// file says may go wrong, never the process.
#include "machine/storage/qcow2/checker.h"
#include "machine/storage/qcow2/image.h"
#include "machine/storage/testing/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    using namespace tandem;
    using namespace tandem::machine;
    const auto bytes = std::as_bytes(std::span(data, size));
    machine::testing::MemoryFile file(bytes);
    static_cast<void>(qcow2::check(file, qcow2::Repair::None, {}));
    if (auto image = qcow2::Image::open(file.open_again()); image.has_value()) {
        std::vector<std::byte> block(8192, std::byte{1});
        const u64 disk = (*image)->size();
        for (u64 at : {u64{0}, disk / 2, disk - std::min<u64>(disk, block.size())}) {
            if (block.size() > disk - at) continue;
            static_cast<void>(read_bytes(**image, at, block));
            static_cast<void>(write_bytes(**image, at, block));
            static_cast<void>((*image)->discard(at, block.size()));
        }
        static_cast<void>((*image)->create_snapshot("s", 0, 0));
        static_cast<void>((*image)->flush());
    }
    static_cast<void>(qcow2::check(file, qcow2::Repair::All, {}));
    return 0;
}
