/// libFuzzer: any file as the user's device tree. What is accepted is written again, and reading
/// that back makes the same tree.
#include "machine/boot/fdt_tree.h"
#include "support/check.h"

#include <algorithm>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    using tandem::machine::FdtTree;
    const auto tree = FdtTree::parse(std::as_bytes(std::span(data, size)));
    if (!tree.has_value()) {
        CHECK(!tree.error().message.empty());
        return 0;
    }
    (*tree)->root().find_or_add("chosen").strings("bootargs", {"console=ttyAMA0"});
    const auto blob = (*tree)->flatten();
    if (!blob.has_value()) return 0;
    const auto again = FdtTree::parse(*blob);
    CHECK(again.has_value());
    const auto second = (*again)->flatten();
    CHECK(second.has_value());
    CHECK(std::ranges::equal(*blob, *second));
    return 0;
}
