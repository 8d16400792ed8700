#pragma once
/// Appends little-endian numbers and fixed-width text to a byte vector: what firmware tables are
/// made of.
#include "support/bits.h"

#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace tandem::machine {

class ByteWriter {
public:
    ByteWriter &u8_(u64 value) { return number(value, 1); }
    ByteWriter &u16_(u64 value) { return number(value, 2); }
    ByteWriter &u32_(u64 value) { return number(value, 4); }
    ByteWriter &u64_(u64 value) { return number(value, 8); }
    /// Exactly `width` bytes, padded with `fill`.
    ByteWriter &text(std::string_view text, std::size_t width, char fill = ' ') {
        for (std::size_t i = 0; i < width; ++i)
            bytes_.push_back(static_cast<u8>(i < text.size() ? text[i] : fill));
        return *this;
    }
    ByteWriter &append(std::span<const u8> bytes) {
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
        return *this;
    }
    ByteWriter &zeros(std::size_t count) {
        bytes_.resize(bytes_.size() + count);
        return *this;
    }
    /// Overwrites what is already there.
    void patch(std::size_t offset, u64 value, unsigned width) {
        std::memcpy(&bytes_[offset], &value, width);
    }
    [[nodiscard]] std::size_t size() const { return bytes_.size(); }
    [[nodiscard]] const std::vector<u8> &bytes() const { return bytes_; }

private:
    ByteWriter &number(u64 value, unsigned width) {
        for (unsigned i = 0; i < width; ++i) bytes_.push_back(static_cast<u8>(value >> (i * 8)));
        return *this;
    }
    std::vector<u8> bytes_;
};

} // namespace tandem::machine
