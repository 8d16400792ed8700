#pragma once
/// Flash cells kept in a file: what a guest programs outlives the machine.
#include "machine/host/flash_storage.h"
#include "support/scoped_fd.h"

#include <string>

namespace tandem::machine {

class FlashFile final : public devices::FlashStorage {
public:
    /// The file is locked while this lives. One that does not exist is made, `size` bytes of zero;
    /// a shorter one is padded to `size`, which is a multiple of the page size.
    [[nodiscard]] static Result<std::unique_ptr<FlashFile>> open(const std::string &path, u64 size);
    ~FlashFile() override;

    std::span<std::byte> cells() override { return memory_->cells(); }
    std::vector<Range> populated() override { return memory_->populated(); }
    bool read_only() const override { return false; }
    /// Writes through to the host's page cache; the destructor forces that to the disk.
    bool persist(u64 offset, u64 length) override;

private:
    FlashFile(ScopedFd file, std::unique_ptr<MemoryFlash> memory)
        : file_(std::move(file)), memory_(std::move(memory)) {}

    ScopedFd file_;
    std::unique_ptr<MemoryFlash> memory_;
};

} // namespace tandem::machine
