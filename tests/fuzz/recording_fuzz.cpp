/// libFuzzer: any bytes as a recording. The first byte says whether they are a whole file, or only
/// what lies behind a good header, or within a good chunk.
#include "machine/replay/journal/format.h"
#include "machine/replay/journal/journal_reader.h"
#include "machine/replay/recording.h"
#include "support/check.h"

#include <xxhash.h>
#include <zstd.h>

#include <cstring>

namespace {

using namespace tandem;
using namespace tandem::machine;
using namespace tandem::machine::replay;

void append(std::vector<std::byte> &file, const void *data, std::size_t size) {
    const auto *bytes = static_cast<const std::byte *>(data);
    file.insert(file.end(), bytes, bytes + size);
}

std::vector<std::byte> with_header(std::span<const std::byte> behind) {
    std::vector<std::byte> file;
    RecordingHeader header;
    header.manifest_hash = ::XXH3_64bits(nullptr, 0);
    header.header_hash = ::XXH3_64bits(&header, offsetof(RecordingHeader, header_hash));
    append(file, &header, sizeof header);
    append(file, behind.data(), behind.size());
    return file;
}

std::vector<std::byte> chunk_of(std::span<const std::byte> entries) {
    std::vector<std::byte> packed(::ZSTD_compressBound(entries.size()));
    const std::size_t size =
        ::ZSTD_compress(packed.data(), packed.size(), entries.data(), entries.size(), 1);
    const ChunkHeader header{.bytes = static_cast<u32>(size),
                             .raw_bytes = static_cast<u32>(entries.size()),
                             .hash = ::XXH3_64bits(packed.data(), size)};
    std::vector<std::byte> chunk;
    append(chunk, &header, sizeof header);
    append(chunk, packed.data(), size);
    return chunk;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    if (size == 0) return 0;
    const auto input = std::as_bytes(std::span(data + 1, size - 1));
    std::vector<std::byte> file(input.begin(), input.end());
    if (data[0] % 3 == 1) file = with_header(input);
    if (data[0] % 3 == 2) file = with_header(chunk_of(input));
    auto bytes = std::make_unique<std::byte[]>(file.size());
    if (!file.empty()) std::memcpy(bytes.get(), file.data(), file.size());
    const auto reader = JournalReader::open("fuzz", FileBytes{std::move(bytes), file.size()});
    if (!reader.has_value()) {
        CHECK(!reader.error().error.message.empty());
        return 0;
    }
    static_cast<void>(parse_recording((*reader)->manifest(), "fuzz"));
    for (u64 moment = 0;; (*reader)->advance()) {
        const Entry &entry = (*reader)->next();
        CHECK(entry.moment >= moment);
        moment = entry.moment;
        if (std::holds_alternative<EndEntry>(entry.what)) break;
        if (const auto *cut = std::get_if<CutEntry>(&entry.what); cut != nullptr) {
            CHECK(!cut->reason.empty());
            break;
        }
        if (const auto *got = std::get_if<InputEntry>(&entry.what); got != nullptr)
            CHECK(got->bytes.size() <= kMaxInput);
    }
    return 0;
}
