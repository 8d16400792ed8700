#pragma once
/// A regular file or block device of the host, with a cache mode.
#include "machine/storage/byte_file.h"
#include "machine/storage/image_lock.h"
#include "support/scoped_fd.h"

#include <atomic>
#include <string_view>
#include <utility>

namespace tandem::machine {

/// What lies between a write and the medium.
enum class CacheMode : u8 {
    Writeback,    ///< the host's page cache; a flush reaches the medium
    Writethrough, ///< the page cache, but every write reaches the medium
    None,         ///< no page cache (O_DIRECT); a flush empties the drive's cache
    Directsync,   ///< no page cache, and every write reaches the medium
    Unsafe,       ///< flushes are ignored
};

inline constexpr std::pair<std::string_view, CacheMode> kCacheModes[] = {
    {"writeback", CacheMode::Writeback}, {"writethrough", CacheMode::Writethrough},
    {"none", CacheMode::None},           {"directsync", CacheMode::Directsync},
    {"unsafe", CacheMode::Unsafe},
};

/// Locked is the rule. Of an image that is only looked at another process may be writing to it.
enum class Locking : u8 { Locked, Unlocked };

class HostFile final : public ByteFile {
public:
    /// Opens an existing image and locks it.
    [[nodiscard]] static Result<std::unique_ptr<HostFile>> open(const std::string &path, DiskAccess,
                                                                CacheMode = CacheMode::Writeback,
                                                                Locking = Locking::Locked);
    /// Makes a new, empty image file, or empties one that nobody uses, and locks it.
    [[nodiscard]] static Result<std::unique_ptr<HostFile>> create(const std::string &path);
    /// An unnamed file that ends with its descriptor.
    [[nodiscard]] static Result<std::unique_ptr<HostFile>> create_temporary(u64 size);

    const std::string &name() const override { return path_; }
    bool writable() const override { return access_ == DiskAccess::ReadWrite; }
    u64 size() const override { return size_.load(std::memory_order_acquire); }
    StoreStatus read(u64 offset, u64 length, std::span<iovec>, bool may_wait) override;
    StoreStatus write(u64 offset, u64 length, std::span<iovec>) override;
    StoreStatus flush() override;
    StoreStatus punch_hole(u64 offset, u64 length) override;
    StoreStatus zero(u64 offset, u64 length, bool may_unmap) override;
    StoreStatus resize(u64 size) override;
    Extent extent(u64 offset, u64 length) override;
    u64 allocated() const override;

private:
    HostFile(std::string path, ScopedFd file, DiskAccess access, CacheMode cache, u64 size)
        : path_(std::move(path)), file_(std::move(file)), access_(access), cache_(cache),
          size_(size) {}

    /// The descriptor for this access: O_DIRECT only takes aligned ones.
    [[nodiscard]] int descriptor_for(u64 offset, std::span<const iovec>) const;
    [[nodiscard]] StoreStatus failed(const char *what, int error);
    void grow(u64 end);

    std::string path_;
    ScopedFd file_;
    ScopedFd direct_; ///< the same file with O_DIRECT, if the cache mode wants it
    DiskAccess access_;
    CacheMode cache_;
    bool is_device_ = false;
    std::atomic<u64> size_;
    std::atomic<bool> told_ = false; ///< a failure has been reported
};

} // namespace tandem::machine
