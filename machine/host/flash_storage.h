#pragma once
/// Flash cells in memory, which last as long as the machine.
#include "devices/backend/flash_storage.h"
#include "support/result.h"
#include "support/scoped_fd.h"

#include <memory>

namespace tandem::machine {

class MemoryFlash final : public devices::FlashStorage {
public:
    /// `size` bytes (a multiple of the page size), zero.
    [[nodiscard]] static Result<std::unique_ptr<MemoryFlash>> create(u64 size);
    MemoryFlash(const MemoryFlash &) = delete;
    MemoryFlash &operator=(const MemoryFlash &) = delete;
    ~MemoryFlash() override;

    std::span<std::byte> cells() override { return cells_; }
    std::vector<Range> populated() override;
    bool read_only() const override { return false; }
    bool persist(u64, u64) override { return true; }

private:
    MemoryFlash(ScopedFd file, std::span<std::byte> cells)
        : file_(std::move(file)), cells_(cells) {}
    ScopedFd file_;
    std::span<std::byte> cells_;
};

} // namespace tandem::machine
