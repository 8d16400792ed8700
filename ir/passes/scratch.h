#pragma once
/// Working memory of the passes: they run on every block, so they allocate nothing.
#include "ir/block.h"

#include <algorithm>
#include <array>

namespace tandem::ir {

/// One entry for each instruction of a block; left uninitialised.
template <typename T>
struct PerInst {
    std::array<T, kMaxBlockInsts> entries; // NOLINT: uninitialised on purpose
    [[nodiscard]] T &operator[](std::size_t i) { return entries[i]; }
};

/// A list of bounded length for facts that may be forgotten: when it is full, the oldest go.
template <typename T, unsigned capacity = 64>
class BoundedList {
public:
    void push_back(const T &item) {
        if (size_ == capacity) {
            std::copy(items_.begin() + 1, items_.end(), items_.begin());
            --size_;
        }
        items_[size_++] = item;
    }
    template <typename Predicate>
    void remove_if(Predicate predicate) {
        unsigned kept = 0;
        for (unsigned i = 0; i < size_; ++i)
            if (!predicate(items_[i])) items_[kept++] = items_[i];
        size_ = kept;
    }
    void clear() { size_ = 0; }
    [[nodiscard]] const T *begin() const { return items_.data(); }
    [[nodiscard]] const T *end() const { return items_.data() + size_; }

private:
    std::array<T, capacity> items_; // NOLINT: uninitialised on purpose
    unsigned size_ = 0;
};

} // namespace tandem::ir
