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
    /// The same for a file that another process has until acquire(), and whose cells come from
    /// there.
    [[nodiscard]] static Result<std::unique_ptr<FlashFile>> open_released(const std::string &path,
                                                                          u64 size);
    ~FlashFile() override;

    /// Lets another process have the file; the cells stay.
    void release();
    /// Gives the file the cells, and locks it again.
    [[nodiscard]] Result<> acquire();

    std::span<std::byte> cells() override { return memory_->cells(); }
    std::vector<Range> populated() override { return memory_->populated(); }
    bool read_only() const override { return false; }
    /// Writes through to the host's page cache; the destructor forces that to the disk.
    bool persist(u64 offset, u64 length) override;

private:
    FlashFile(std::string path, ScopedFd file, std::unique_ptr<MemoryFlash> memory)
        : path_(std::move(path)), file_(std::move(file)), memory_(std::move(memory)) {}

    std::string path_;
    ScopedFd file_; ///< closed while it is released
    std::unique_ptr<MemoryFlash> memory_;
};

} // namespace tandem::machine
