#pragma once
/// Numbers and bytes in a row, little-endian as the host is. Reading past the end yields zeros and
/// is remembered.
#include "support/bits.h"

#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

namespace tandem::jit {

class ByteWriter {
public:
    explicit ByteWriter(std::vector<std::byte> &out) : out_(out) {}

    template <std::integral T>
    void put(T value) {
        const auto bytes = std::as_bytes(std::span(&value, 1));
        out_.insert(out_.end(), bytes.begin(), bytes.end());
    }
    void put_count(std::size_t count) { put(static_cast<u32>(count)); }
    void put_bytes(std::span<const std::byte> bytes) {
        out_.insert(out_.end(), bytes.begin(), bytes.end());
    }

private:
    std::vector<std::byte> &out_;
};

class ByteReader {
public:
    explicit ByteReader(std::span<const std::byte> bytes) : rest_(bytes) {}

    template <std::integral T>
    [[nodiscard]] T get() {
        T value{};
        const auto bytes = take(sizeof value);
        if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }
    /// How many elements follow, each of at least `least_bytes`; 0 if there are not so many.
    [[nodiscard]] u32 get_count(std::size_t least_bytes) {
        const u32 count = get<u32>();
        if (count <= rest_.size() / least_bytes) return count;
        fail();
        return 0;
    }
    /// Empty if there are not so many.
    [[nodiscard]] std::span<const std::byte> take(std::size_t count) {
        if (count > rest_.size()) {
            fail();
            return {};
        }
        const auto taken = rest_.first(count);
        rest_ = rest_.subspan(count);
        return taken;
    }
    void fail() {
        is_good_ = false;
        rest_ = {};
    }
    /// Nothing was missing so far, and all has been read.
    [[nodiscard]] bool is_complete() const { return is_good_ && rest_.empty(); }
    [[nodiscard]] bool is_good() const { return is_good_; }

private:
    std::span<const std::byte> rest_;
    bool is_good_ = true;
};

} // namespace tandem::jit
