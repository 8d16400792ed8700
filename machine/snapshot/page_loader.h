#pragma once
/// Fills a machine's RAM from a snapshot while the machine runs: what is touched first comes first,
/// the rest follows in the background.
#include "machine/memory/guest_memory.h"
#include "machine/snapshot/snapshot_file.h"

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace tandem::machine::snapshot {

class PageLoader final : public PageSource {
public:
    /// The frames of the snapshot have been read; they are dropped when all is loaded. `target` is
    /// all zero, nobody reads or writes a page of it before need() has returned, and it stays until
    /// the loader is gone. on_damage is called at most once, by any thread, with the mend.
    [[nodiscard]] static Result<std::unique_ptr<PageLoader>>
    create(std::shared_ptr<SnapshotFile>, std::string_view region, std::span<std::byte> target,
           std::function<void(Error)> on_damage);
    ~PageLoader() override;

    void need(u64 offset, u64 length) override;
    /// Starts a thread that loads everything, then calls `done`. Once.
    void load_in_background(std::function<void()> done);

private:
    enum class FrameState : u8 { Packed, Loading, Loaded };

    struct Source {
        const SnapshotFile *file;
        const Region *region;
        u64 frame;
    };
    /// A page of the target that a frame has.
    struct Use {
        u32 page;
        u8 slot; ///< within the frame
    };
    static constexpr u32 kNoFrame = ~u32{0};

    PageLoader(std::shared_ptr<SnapshotFile> file, std::span<std::byte> target,
               std::function<void(Error)> on_damage)
        : file_(std::move(file)), target_(target), on_damage_(std::move(on_damage)) {}
    void index_pages(const Region &);
    void load(u32 frame);

    std::shared_ptr<SnapshotFile> file_;
    std::span<std::byte> target_;
    std::function<void(Error)> on_damage_;
    std::vector<u32> frame_of_page_; ///< kNoFrame: it is zero
    std::vector<Source> frames_;
    std::vector<u32> first_use_; ///< of each frame, and the end
    std::vector<Use> uses_;      ///< by frame
    std::vector<std::atomic<FrameState>> states_;
    std::atomic<bool> is_damaged_ = false;
    std::atomic<bool> stopping_ = false;
    std::thread thread_;
};

} // namespace tandem::machine::snapshot
