#pragma once
/// Looks for a text in what comes piece by piece.
#include "support/bits.h"

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace tandem::machine::replay {

class TextWatch {
public:
    /// Not empty.
    explicit TextWatch(std::string text) : text_(std::move(text)), borders_(text_.size()) {
        for (std::size_t i = 1, length = 0; i < text_.size(); ++i) {
            while (length != 0 && text_[i] != text_[length]) length = borders_[length - 1];
            if (text_[i] == text_[length]) ++length;
            borders_[i] = length;
        }
    }
    /// Whether the text ends within these bytes.
    [[nodiscard]] bool is_in(std::span<const std::byte> bytes) {
        bool is_found = false;
        for (const std::byte byte : bytes) {
            const char next = static_cast<char>(byte);
            while (matched_ != 0 && next != text_[matched_]) matched_ = borders_[matched_ - 1];
            if (next == text_[matched_]) ++matched_;
            if (matched_ != text_.size()) continue;
            is_found = true;
            matched_ = borders_[matched_ - 1];
        }
        return is_found;
    }

private:
    std::string text_;
    /// Of each beginning of the text: the longest end that is a beginning as well (Knuth, Morris
    /// and Pratt).
    std::vector<std::size_t> borders_;
    std::size_t matched_ = 0;
};

} // namespace tandem::machine::replay
