#pragma once
/// The machine's RAM: one shared mapping of a memfd. The only place where guest physical addresses
/// become host memory.
#include "machine/memory/dirty_log.h"
#include "support/address.h"
#include "support/result.h"
#include "support/scoped_fd.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace tandem::machine {

/// Brings RAM in when it is first needed: from a snapshot.
class PageSource {
public:
    virtual ~PageSource() = default;
    /// Returns when these bytes are there. Any thread.
    virtual void need(u64 offset, u64 length) = 0;
};

class GuestMemory {
public:
    /// A range of guest physical addresses that RAM leaves out; what it would hold lies behind it.
    struct Hole {
        u64 offset = ~u64{0}; ///< from `base`; the usual one is behind all RAM
        u64 size = 0;
    };
    /// Reserves `size` bytes (a multiple of 4 KiB) at guest physical `base`. The host gives pages
    /// as they are touched.
    [[nodiscard]] static Result<std::unique_ptr<GuestMemory>> create(GuestPhysAddr base, u64 size,
                                                                     Hole hole);
    [[nodiscard]] static Result<std::unique_ptr<GuestMemory>> create(GuestPhysAddr base, u64 size) {
        return create(base, size, Hole{});
    }
    GuestMemory(const GuestMemory &) = delete;
    GuestMemory &operator=(const GuestMemory &) = delete;
    ~GuestMemory();

    [[nodiscard]] GuestPhysAddr base() const { return base_; }
    [[nodiscard]] u64 size() const { return size_; }
    [[nodiscard]] std::byte *host() const { return host_; }
    [[nodiscard]] bool contains(GuestPhysAddr address, u64 length) const {
        u64 offset = address.value() - base_.value();
        u64 end = size_;
        if (offset >= hole_.offset) [[unlikely]] {
            if (offset - hole_.offset < hole_.size) return false;
            offset -= hole_.size;
        } else {
            end = std::min(end, hole_.offset);
        }
        return offset <= end && length <= end - offset;
    }
    /// Where in RAM an address that it contains is, and back.
    [[nodiscard]] u64 offset_of(GuestPhysAddr address) const {
        const u64 offset = address.value() - base_.value();
        return offset < hole_.offset ? offset : offset - hole_.size;
    }
    [[nodiscard]] GuestPhysAddr address_of(u64 offset) const {
        return base_ + (offset < hole_.offset ? offset : offset + hole_.size);
    }
    /// The bytes at [address, address + length); empty unless all of them are RAM.
    [[nodiscard]] std::span<std::byte> span(GuestPhysAddr address, u64 length) const {
        if (!contains(address, length)) return {};
        return {host_ + offset_of(address), length};
    }

    /// While there is a source, bytes may only be touched after need(). It outlives its use.
    void set_source(PageSource *source) { source_.store(source, std::memory_order_release); }
    void need(u64 offset, u64 length) const {
        PageSource *source = source_.load(std::memory_order_acquire);
        if (source != nullptr) [[unlikely]]
            source->need(offset, length);
    }

    /// All bytes may be touched as they are.
    [[nodiscard]] bool is_complete() const {
        return source_.load(std::memory_order_acquire) == nullptr;
    }

    [[nodiscard]] DirtyLog &dirty_log() { return dirty_log_; }

    struct Range {
        u64 offset = 0, length = 0;
    };
    /// What may not be zero, by whole pages.
    [[nodiscard]] std::vector<Range> populated() const;

    /// Whole pages that are zero again; the host has them back.
    void discard(u64 offset, u64 length);
    /// All zero again, as after power-on; gives the pages back to the host.
    void clear();

private:
    GuestMemory(ScopedFd file, std::byte *host, GuestPhysAddr base, u64 size, Hole hole)
        : file_(std::move(file)), host_(host), base_(base), size_(size), hole_(hole),
          dirty_log_(size) {}

    ScopedFd file_;
    std::byte *host_;
    GuestPhysAddr base_;
    u64 size_;
    Hole hole_;
    std::atomic<PageSource *> source_ = nullptr;
    DirtyLog dirty_log_;
};

} // namespace tandem::machine
