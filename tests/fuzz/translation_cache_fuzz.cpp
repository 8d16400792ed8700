/// libFuzzer: any bytes as part of a translation cache. The first byte says whether they are a
/// whole shard, its index, or a region.
#include "jit/disk_cache/shard.h"
#include "support/check.h"
#include "tests/fuzz/memory_file_path.h"

#include <array>

namespace {

using namespace tandem;
using namespace tandem::jit;

void read_shard(std::span<const unsigned char> input) {
    const fuzz::MemoryFilePath file(input);
    const auto shard = Shard::open(file.path());
    if (!shard.has_value()) {
        CHECK(!shard.error().message.empty());
        return;
    }
    for (const ShardEntry &entry : (*shard)->index().entries)
        if (const auto packed = (*shard)->read(entry); packed.has_value())
            static_cast<void>(unpack(entry, *packed));
}

/// What is placed lies in the arena; nothing else is written.
void place(RegionRecord record) {
    constexpr std::size_t kSize = std::size_t{1} << 20;
    static std::array<std::byte, kSize> memory;
    static CodeArena arena({memory.data(), memory.data(), kSize});
    static const std::array<ir::Helper, 2> helpers{};
    static const std::array<const void *, 2> table{};
    const RegionSymbols symbols{.side_exit = memory.data(),
                                .exit_lookup = memory.data(),
                                .exit_pc_set = memory.data(),
                                .exits = {memory.data()},
                                .helpers = helpers,
                                .helper_table = table.data()};
    const u64 size = record.image.code.size();
    const auto placed = place_image(std::move(record.image), symbols, arena);
    CHECK(!placed.has_value() || placed->code.window().size >= size);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    if (size == 0) return 0;
    const std::span input(data + 1, size - 1);
    switch (data[0] % 3) {
    case 0: read_shard(input); break;
    case 1: static_cast<void>(decode_index(std::as_bytes(input))); break;
    default:
        auto record = decode(std::as_bytes(input));
        if (!record.has_value()) break;
        const auto again = decode(encode(*record));
        CHECK(again.has_value() && again->id() == record->id());
        CHECK(entry_keys(*record).size() >= 1);
        place(std::move(*record));
    }
    return 0;
}
