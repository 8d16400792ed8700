#pragma once
/// A file in memory that knows which of its writes a power cut could still lose.
#include "machine/storage/byte_file.h"

#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

namespace tandem::machine::testing {

class MemoryFile final : public ByteFile {
public:
    MemoryFile() : medium_(std::make_shared<Medium>()) {}
    explicit MemoryFile(std::span<const std::byte> bytes) : MemoryFile() {
        medium_->now.assign(bytes.begin(), bytes.end());
        medium_->flushed = medium_->now;
    }
    /// Another handle of the same bytes.
    [[nodiscard]] std::unique_ptr<MemoryFile> open_again() const {
        return std::unique_ptr<MemoryFile>{new MemoryFile(medium_)};
    }
    /// The file as it may be found: each sector written since the last flush is new or old.
    template <typename Random>
    [[nodiscard]] MemoryFile after_power_cut(Random &random) const {
        std::vector<std::byte> bytes = medium_->flushed;
        bytes.resize(std::max(bytes.size(), medium_->now.size()));
        std::bernoulli_distribution arrives(static_cast<double>(random() % 101) / 100);
        for (const Write &write : medium_->pending)
            for (u64 at = 0; at < write.bytes.size();) {
                // A sector is written at once or not at all.
                const u64 length =
                    std::min<u64>(kSector - (write.offset + at) % kSector, write.bytes.size() - at);
                if (arrives(random))
                    std::memcpy(bytes.data() + write.offset + at, write.bytes.data() + at, length);
                at += length;
            }
        return MemoryFile(bytes);
    }

    const std::string &name() const override { return name_; }
    bool writable() const override { return true; }
    u64 size() const override { return medium_->now.size(); }
    StoreStatus read(u64 offset, u64 length, std::span<iovec>, bool) override;
    StoreStatus write(u64 offset, u64 length, std::span<iovec>) override;
    StoreStatus flush() override {
        medium_->flushed = medium_->now;
        medium_->pending.clear();
        return StoreStatus::Ok;
    }
    StoreStatus punch_hole(u64 offset, u64 length) override { return zero(offset, length, true); }
    StoreStatus zero(u64 offset, u64 length, bool may_unmap) override;
    StoreStatus resize(u64 size) override {
        medium_->now.resize(size);
        return StoreStatus::Ok;
    }
    Extent extent(u64, u64 length) override { return {ExtentKind::Data, length}; }

private:
    static constexpr u64 kSector = 512;
    /// Larger files are refused: fuzzed images ask for anything.
    static constexpr u64 kMaxSize = 64u << 20;
    struct Write {
        u64 offset;
        std::vector<std::byte> bytes;
    };
    struct Medium {
        std::vector<std::byte> now, flushed;
        std::vector<Write> pending;
    };
    explicit MemoryFile(std::shared_ptr<Medium> medium) : medium_(std::move(medium)) {}
    void put(u64 offset, std::vector<std::byte> bytes);

    std::string name_ = "memory";
    std::shared_ptr<Medium> medium_;
};

} // namespace tandem::machine::testing
