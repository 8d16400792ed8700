#include "machine/storage/byte_file.h"

#include <fmt/format.h>
#include <sys/uio.h>

namespace tandem::machine {

Result<> ByteFile::read_exactly(u64 offset, std::span<std::byte> target) {
    iovec vector{target.data(), target.size()};
    if (read(offset, target.size(), {&vector, 1}, true) == StoreStatus::Ok) return {};
    return failure(fmt::format("{}: cannot read {} bytes at {}; check the medium", name(),
                               target.size(), offset));
}

Result<> ByteFile::write_exactly(u64 offset, std::span<const std::byte> source) {
    iovec vector{const_cast<std::byte *>(source.data()), source.size()};
    if (write(offset, source.size(), {&vector, 1}) == StoreStatus::Ok) return {};
    return failure(fmt::format("{}: cannot write {} bytes at {}; check the medium and its free "
                               "space",
                               name(), source.size(), offset));
}

Result<> ByteFile::sync() {
    if (flush() == StoreStatus::Ok) return {};
    return failure(fmt::format("{}: cannot flush; check the medium", name()));
}

bool read_bytes(DiskStore &store, u64 offset, std::span<std::byte> target) {
    iovec vector{target.data(), target.size()};
    return store.read(offset, target.size(), {&vector, 1}, true) == StoreStatus::Ok;
}

bool write_bytes(DiskStore &store, u64 offset, std::span<const std::byte> source) {
    iovec vector{const_cast<std::byte *>(source.data()), source.size()};
    return store.write(offset, source.size(), {&vector, 1}) == StoreStatus::Ok;
}

} // namespace tandem::machine
