/// libFuzzer: any bytes as an image of another program. A first byte with the lowest bit set makes
/// it VHDX: the rest is what its tables begin with, 256 bytes for each MiB, with checksums made
/// right.
#include "machine/storage/read_only/vhdx.h"
#include "machine/storage/read_only/vmdk.h"
#include "machine/storage/testing/memory_file.h"

#include <algorithm>
#include <cstring>

namespace {

using namespace tandem;
using namespace tandem::machine;

void read_some(DiskStore &disk) {
    std::vector<std::byte> block(200'000);
    for (const u64 at : {u64{0}, disk.size() / 2, disk.size() - std::min<u64>(disk.size(), 4096)}) {
        const u64 length = std::min<u64>(block.size(), disk.size() - at);
        static_cast<void>(disk.extent(at, length));
        static_cast<void>(read_bytes(disk, at, std::span(block).first(length)));
    }
}

void try_vmdk(std::span<const std::byte> bytes) {
    const machine::testing::MemoryFile file(bytes);
    const auto open_file = [&](const std::string &) -> Result<std::unique_ptr<ByteFile>> {
        return std::unique_ptr<ByteFile>{file.open_again()};
    };
    if (auto image = VmdkImage::open(file.open_again(), open_file); image.has_value())
        read_some(**image);
}

void try_vhdx(std::span<const std::byte> bytes) {
    constexpr u64 kMebibyte = u64{1} << 20, kPiece = 256;
    std::vector<std::byte> content(4 * kMebibyte);
    const auto put = [&](u64 at) {
        const auto piece = bytes.first(std::min<std::size_t>(bytes.size(), kPiece));
        std::ranges::copy(piece, content.begin() + static_cast<std::ptrdiff_t>(at));
        bytes = bytes.subspan(piece.size());
    };
    const auto seal = [&](u64 at, std::string_view signature, std::size_t length) {
        const auto table = std::span(content).subspan(at, length);
        std::memcpy(table.data(), signature.data(), signature.size());
        const u32 checksum = vhdx_checksum(table);
        std::memcpy(table.data() + 4, &checksum, sizeof checksum);
    };
    put(64 * 1024);
    seal(64 * 1024, "head", 4096);
    put(192 * 1024);
    seal(192 * 1024, "regi", 65536);
    for (u64 at = kMebibyte; at < content.size(); at += 65536) put(at);
    machine::testing::MemoryFile file(content);
    if (auto image = VhdxImage::open(file.open_again()); image.has_value()) read_some(**image);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    if (size == 0) return 0;
    const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
    (data[0] & 1) != 0 ? try_vhdx(bytes) : try_vmdk(bytes);
    return 0;
}
