#include "machine/snapshot/page_loader.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <array>
#include <cstring>
#include <map>

namespace tandem::machine::snapshot {

Result<std::unique_ptr<PageLoader>> PageLoader::create(std::shared_ptr<SnapshotFile> file,
                                                       std::string_view name,
                                                       std::span<std::byte> target,
                                                       std::function<void(Error)> on_damage) {
    const Region *region = file->find_region(name);
    if (region == nullptr || region->pages.size() != target.size() / kPageSize)
        return failure(
            fmt::format("{}: has another amount of {}; restore it with the memory it was "
                        "made with",
                        file->path(), name));
    std::unique_ptr<PageLoader> loader{
        new PageLoader(std::move(file), target, std::move(on_damage))};
    loader->index_pages(*region);
    return loader;
}

PageLoader::~PageLoader() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
}

void PageLoader::index_pages(const Region &region) {
    // Frames of all files in one row of numbers; then the pages of each, by counting.
    std::map<const SnapshotFile *, u32> first_frame;
    std::vector<SnapshotFile::PageOrigin> origins(region.pages.size());
    frame_of_page_.assign(region.pages.size(), kNoFrame);
    for (u64 page = 0; page < origins.size(); ++page) {
        const SnapshotFile::PageOrigin from = origins[page] = file_->origin(region, page);
        if (from.file == nullptr) continue;
        const auto [file, is_new] =
            first_frame.try_emplace(from.file, static_cast<u32>(frames_.size()));
        if (is_new)
            for (u64 frame = 0; frame < from.region->frames.size(); ++frame)
                frames_.push_back({from.file, from.region, frame});
        frame_of_page_[page] = file->second + from.code / kPagesPerFrame;
    }
    first_use_.assign(frames_.size() + 1, 0);
    for (const u32 frame : frame_of_page_)
        if (frame != kNoFrame) ++first_use_[frame + 1];
    for (std::size_t i = 1; i < first_use_.size(); ++i) first_use_[i] += first_use_[i - 1];
    uses_.resize(first_use_.back());
    std::vector<u32> next(first_use_.begin(), first_use_.end() - 1);
    for (u32 page = 0; page < origins.size(); ++page)
        if (frame_of_page_[page] != kNoFrame)
            uses_[next[frame_of_page_[page]]++] = {
                page, static_cast<u8>(origins[page].code % kPagesPerFrame)};
    states_ = std::vector<std::atomic<FrameState>>(frames_.size());
}

void PageLoader::need(u64 offset, u64 length) {
    if (length == 0) return;
    for (u64 page = offset / kPageSize; page <= (offset + length - 1) / kPageSize; ++page)
        if (const u32 frame = frame_of_page_[page]; frame != kNoFrame) load(frame);
}

void PageLoader::load(u32 number) {
    std::atomic<FrameState> &state = states_[number];
    // Acquire pairs with the release below: who sees Loaded sees the bytes.
    FrameState seen = state.load(std::memory_order_acquire);
    if (seen == FrameState::Loaded) [[likely]]
        return;
    if (seen == FrameState::Packed &&
        state.compare_exchange_strong(seen, FrameState::Loading, std::memory_order_acquire)) {
        // Not in the thread's own storage, which takes its room from every thread's stack.
        thread_local const auto buffer = std::make_unique<std::array<std::byte, kFrameSize>>();
        std::array<std::byte, kFrameSize> &pages = *buffer;
        const Source &source = frames_[number];
        if (source.file->unpack(*source.region, source.frame, pages)) {
            for (u32 i = first_use_[number]; i < first_use_[number + 1]; ++i)
                std::memcpy(target_.data() + u64{uses_[i].page} * kPageSize,
                            pages.data() + uses_[i].slot * kPageSize, kPageSize);
        } else if (!is_damaged_.exchange(true)) {
            on_damage_({fmt::format("{}: damaged: pages cannot be unpacked; use another snapshot",
                                    source.file->path())});
        }
        state.store(FrameState::Loaded, std::memory_order_release);
        state.notify_all();
        return;
    }
    while (state.load(std::memory_order_acquire) != FrameState::Loaded)
        state.wait(FrameState::Loading, std::memory_order_acquire);
}

void PageLoader::load_in_background(std::function<void()> done) {
    thread_ = std::thread([this, done = std::move(done)] {
        // The guest's own needs come first.
        ::setpriority(PRIO_PROCESS, 0, 10);
        for (u32 frame = 0; frame < frames_.size() && !stopping_; ++frame) load(frame);
        if (stopping_) return;
        file_->drop_frames();
        done();
    });
}

} // namespace tandem::machine::snapshot
