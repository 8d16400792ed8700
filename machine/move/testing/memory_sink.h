#pragma once
/// Takes the pages that arrive into plain memory, which outlives it.
#include "machine/move/page_receiver.h"

#include <cstring>
#include <vector>

namespace tandem::machine::move::testing {

class MemorySink final : public PageSink {
public:
    explicit MemorySink(std::vector<std::byte> &memory) : memory_(memory) {}
    u64 page_count() const override { return memory_.size() / kPageSize; }
    bool put(u64 page, std::span<const std::byte, kPageSize> bytes) override {
        std::memcpy(memory_.data() + page * kPageSize, bytes.data(), kPageSize);
        return true;
    }
    bool put_zero(u64 page) override {
        std::memset(memory_.data() + page * kPageSize, 0, kPageSize);
        return true;
    }

private:
    std::vector<std::byte> &memory_;
};

} // namespace tandem::machine::move::testing
