#pragma once
/// Whole files in memory, and what goes wrong when reading them, told in one line.
#include "support/bits.h"
#include "support/result.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace tandem::machine {

/// The bytes of a file, or of a decompressed payload.
class FileBytes {
public:
    FileBytes() = default;
    FileBytes(std::unique_ptr<std::byte[]> data, std::size_t size)
        : data_(std::move(data)), size_(size) {}

    [[nodiscard]] std::span<const std::byte> span() const { return {data_.get(), size_}; }
    [[nodiscard]] std::size_t size() const { return size_; }

    /// Reads at most `limit` bytes. The error reads "PATH: reason; mend". `option` is the option
    /// that named the file, for the mend.
    [[nodiscard]] static Result<FileBytes> read(const std::string &path, u64 limit = ~u64{0});

private:
    std::unique_ptr<std::byte[]> data_;
    std::size_t size_ = 0;
};

/// Little-endian number at `offset`; 0 when the bytes are not all there.
template <typename T>
[[nodiscard]] T read_le(std::span<const std::byte> bytes, u64 offset) {
    T value = 0;
    if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return 0;
    __builtin_memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
}

/// Whether the bytes at `offset` are `text`.
[[nodiscard]] bool has_text(std::span<const std::byte> bytes, u64 offset, std::string_view text);

/// "4 KiB", "1.5 GiB": for messages.
[[nodiscard]] std::string human_size(u64 bytes);

} // namespace tandem::machine
