#include "machine/storage/raw_disk.h"

#include "machine/storage/image_format.h"
#include "machine/storage/vectors.h"

#include <fmt/format.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>

namespace tandem::machine {
namespace {
constexpr u64 kSectorSize = 512;
}

Result<std::unique_ptr<RawDisk>> RawDisk::create(std::unique_ptr<ByteFile> file,
                                                 FormatSource source) {
    const std::string &path = file->name();
    const u64 size = file->size();
    if (size < kSectorSize)
        return failure(fmt::format("{}: is empty or shorter than a sector; make it larger: "
                                   "truncate -s 1G {}",
                                   path, path));
    if (size % kSectorSize != 0)
        return failure(fmt::format("{}: truncated: {} bytes are no multiple of 512; pad it: "
                                   "truncate -s %512 {}",
                                   path, size, path));
    return std::make_unique<RawDisk>(std::move(file), source);
}

StoreStatus RawDisk::read(u64 offset, u64 length, std::span<iovec> vectors, bool may_wait) {
    // Not what ByteFile makes of the end: a disk that shrank under us has lost its bytes.
    if (offset + length > file_->size()) return StoreStatus::Failed;
    return file_->read(offset, length, vectors, may_wait);
}

StoreStatus RawDisk::write(u64 offset, u64 length, std::span<iovec> vectors) {
    if (offset < kSectorSize && source_ == FormatSource::Sniffed) {
        // The guest must not turn its disk into an image that names the host's files: it would be
        // recognised as one the next time.
        std::array<std::byte, kSectorSize> head{};
        const auto old = std::span(head).first(offset);
        if (!old.empty() && !read_bytes(*this, 0, old)) return StoreStatus::Failed;
        gather(vectors,
               std::span(head).subspan(offset).first(std::min<u64>(length, kSectorSize - offset)));
        if (sniff_image_format(head) != ImageFormat::Raw) return StoreStatus::Failed;
    }
    return file_->write(offset, length, vectors);
}

} // namespace tandem::machine
