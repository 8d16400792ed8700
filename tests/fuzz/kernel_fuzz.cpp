/// libFuzzer: any file as a kernel: recognised, unpacked and put into the memory of a small machine
/// with its device tree.
#include "machine/boot/boot_loader.h"
#include "machine/boot/kernel_image.h"
#include "tests/fuzz/memory_file_path.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    using namespace tandem;
    using namespace tandem::machine;
    static const auto ram = GuestMemory::create(GuestPhysAddr{0x4000'0000}, 8u << 20).value();

    const Sniffed what = sniff(std::as_bytes(std::span(data, size)));
    CHECK(!what.description.empty());
    CHECK(what.kind != FileKind::Unsupported || !what.mend.empty());

    const fuzz::MemoryFilePath file({data, size});
    FdtTree tree;
    BootFiles files;
    files.kernel = file.path();
    const auto entry = load_boot_files(files, BootSeeds{}, *ram, tree);
    if (entry.has_value())
        CHECK(ram->contains(GuestPhysAddr{entry->device_tree}, 8));
    else
        CHECK(!entry.error().message.empty());
    ram->clear();
    return 0;
}
