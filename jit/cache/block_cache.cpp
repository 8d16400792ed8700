#include "jit/cache/block_cache.h"

#include "support/check.h"

#include <algorithm>
#include <utility>

namespace tandem::jit {
namespace {
std::size_t size_of(const TranslationBlock &block) {
    std::size_t owned = 0;
    for (const ArenaPiece &piece : block.owned_code) owned += piece.window().size;
    if (block.side_table != nullptr)
        owned += block.side_table->locations.size() * sizeof(HostLocation) +
                 block.side_table->exits.size() * sizeof(SideExit);
    return sizeof block + owned + block.packed.byte_size() + block.predecoded.byte_size();
}
} // namespace

BlockCache::BlockCache(CodeMap &code_map, TlbBroadcast &vcpus)
    : code_map_(code_map), vcpus_(vcpus),
      buckets_(std::make_unique<Bucket[]>(std::size_t{1} << kBucketBits)) {}

BlockCache::~BlockCache() {
    clear();
}

void BlockCache::join(Softmmu &vcpu) {
    const std::lock_guard guard(mutex_);
    vcpus_.add(vcpu);
}

void BlockCache::leave(Softmmu &vcpu) {
    const std::lock_guard guard(mutex_);
    vcpus_.remove(vcpu);
}

BlockCache::Reservation BlockCache::reserve(u64 physical, u32 length, Softmmu &self) {
    CodePage &page = code_map_.get(physical & kPageMask);
    const u64 mask = CodePage::mask(static_cast<u32>(physical & 0xfff), length);
    std::unique_lock lock(mutex_);
    const bool had_code = page.granules.fetch_or(mask, std::memory_order_seq_cst) != 0;
    page.reservations_made.fetch_add(1, std::memory_order_seq_cst);
    ++page.reservations;
    const Reservation reservation{&page, page.version};
    // A store that passed its TLB check before this is not noticed: it must be made by the time the
    // code is read. What another translator waits for, this one has to wait for too.
    if ((had_code && page.waiting_reservations == 0) ||
        !vcpus_.slow_down_writes(self, page.physical_page))
        return reservation;
    ++page.waiting_reservations;
    lock.unlock();
    ++self.statistics.store_waits;
    TlbBroadcast::wait(self);
    lock.lock();
    --page.waiting_reservations;
    return reservation;
}

bool BlockCache::is_current(const Reservation &reservation, u64 physical, u32 bytes) const {
    return reservation.page->version == reservation.version &&
           !vcpus_.is_any_storing_to(physical, bytes);
}

/// The reservation was for the longest possible block.
void BlockCache::end(const Reservation &reservation) {
    CodePage &page = *reservation.page;
    if (--page.reservations == 0) page.granules.store(page.covered, std::memory_order_seq_cst);
}

TranslationBlock &BlockCache::add(CodePage &page, std::unique_ptr<TranslationBlock> block) {
    if (!std::exchange(page.is_listed, true)) pages_.push_back(&page);
    block->page = &page;
    block->next_in_page = page.blocks;
    page.blocks = block.get();
    bytes_.fetch_add(size_of(*block), std::memory_order_relaxed);
    TranslationBlock &added = *block.release();
    added.is_added.store(true, std::memory_order_release);
    if (added.is_region) {
        ++page.regions;
        return added;
    }
    Bucket &head = bucket(added.physical, added.mode);
    added.next_in_bucket.store(head.load(std::memory_order_relaxed), std::memory_order_relaxed);
    head.store(&added, std::memory_order_release);
    return added;
}

void BlockCache::forget_in_jump_caches(const TranslationBlock &block) {
    for (Softmmu *vcpu : vcpus_.members()) vcpu->forget_block(block, block.page_offset());
}

TranslationBlock *BlockCache::insert(std::unique_ptr<TranslationBlock> block,
                                     const Reservation &reservation) {
    const std::lock_guard guard(mutex_);
    CodePage &page = *reservation.page;
    TranslationBlock *other = find(block->physical, block->mode);
    const bool is_current = this->is_current(reservation, block->physical, block->guest_bytes);
    const bool usable = is_current && other == nullptr;
    if (usable) page.covered |= CodePage::mask(block->page_offset(), block->guest_bytes);
    end(reservation);
    if (!is_current) return nullptr;
    if (!usable) return other;
    return &add(page, std::move(block));
}

void BlockCache::cancel(const Reservation &reservation) {
    const std::lock_guard guard(mutex_);
    end(reservation);
}

bool BlockCache::gains_by(const TranslationBlock &region, u64 physical) const {
    const TranslationBlock *block = find(physical, region.mode);
    const TranslationBlock *other =
        block != nullptr ? block->region.load(std::memory_order_relaxed) : nullptr;
    const u32 demoted =
        block != nullptr ? block->demoted_instructions.load(std::memory_order_relaxed) : 0;
    return std::max(demoted, other != nullptr ? other->guest_instructions : 0) <
           region.guest_instructions;
}

bool BlockCache::promote(std::unique_ptr<TranslationBlock> region,
                         std::span<const Reservation> reservations) {
    const std::lock_guard guard(mutex_);
    CHECK(reservations.size() == region->visits.size() + 1);
    CodePage &page = *reservations[0].page;
    bool usable = is_current(reservations[0], region->physical, region->guest_bytes) &&
                  std::ranges::any_of(region->entry_points, [&](const RegionEntry &entry) {
                      return gains_by(*region, page.physical_page | entry.page_offset);
                  });
    for (std::size_t i = 0; i < region->visits.size(); ++i)
        usable = usable && is_current(reservations[i + 1], region->visits[i].physical,
                                      region->visits[i].bytes);
    if (usable) {
        page.covered |= CodePage::mask(region->page_offset(), region->guest_bytes);
        for (const VisitedCode &visit : region->visits) {
            visit.page->visitors.push_back(region.get());
            visit.page->covered |=
                CodePage::mask(static_cast<u32>(visit.physical & 0xfff), visit.bytes);
        }
    }
    for (const Reservation &reservation : reservations) end(reservation);
    if (!usable) return false;
    TranslationBlock &added = add(page, std::move(region));
    for (const RegionEntry &entry : added.entry_points) {
        TranslationBlock *block = find(page.physical_page | entry.page_offset, added.mode);
        if (block == nullptr || block->code.load(std::memory_order_relaxed) == nullptr) continue;
        block->region.store(&added, std::memory_order_release);
        redirect(*block, entry.code);
    }
    return true;
}

void BlockCache::redirect(TranslationBlock &block, const void *code) {
    block.code.store(code, std::memory_order_release);
    for (const auto &[from, index] : block.incoming)
        set_link(from->window, from->links[index].site, code);
    forget_in_jump_caches(block);
}

void BlockCache::unlist(TranslationBlock &region) {
    for (TranslationBlock **at = &region.page->blocks; *at != nullptr;) {
        TranslationBlock &block = **at;
        if (&block == &region) {
            *at = block.next_in_page;
            continue;
        }
        if (block.region.load(std::memory_order_relaxed) == &region) {
            block.region.store(nullptr, std::memory_order_release);
            redirect(block, block.window.executable);
        }
        at = &block.next_in_page;
    }
}

void BlockCache::demote(TranslationBlock &region) {
    const std::lock_guard guard(mutex_);
    if (region.is_invalid.load(std::memory_order_relaxed)) return;
    for (TranslationBlock *block = region.page->blocks; block != nullptr;
         block = block->next_in_page)
        if (block->region.load(std::memory_order_relaxed) == &region)
            block->demoted_instructions.store(region.guest_instructions, std::memory_order_relaxed);
    unlist(region);
    invalidate(region);
}

void BlockCache::set_code(TranslationBlock &block, CodeWindow window,
                          const CompiledBlock &compiled) {
    const std::lock_guard guard(mutex_);
    if (block.is_invalid.load(std::memory_order_relaxed) ||
        block.code.load(std::memory_order_relaxed) != nullptr)
        return;
    block.window = window;
    block.links.reserve(compiled.links.size());
    for (const LinkSite &site : compiled.links) block.links.push_back({site, nullptr});
    bytes_.fetch_add(block.links.size() * sizeof(TranslationBlock::Link),
                     std::memory_order_relaxed);
    block.code.store(window.executable, std::memory_order_release);
    if (block.page->regions != 0) enter_waiting_region(block);
}

void BlockCache::enter_waiting_region(TranslationBlock &block) {
    const void *code = nullptr;
    TranslationBlock *largest = nullptr;
    for (TranslationBlock *each = block.page->blocks; each != nullptr; each = each->next_in_page) {
        if (!each->is_region || each->mode != block.mode ||
            (largest != nullptr && largest->guest_instructions >= each->guest_instructions))
            continue;
        const auto entry =
            std::ranges::find(each->entry_points, block.page_offset(), &RegionEntry::page_offset);
        if (entry == each->entry_points.end()) continue;
        largest = each;
        code = entry->code;
    }
    if (largest == nullptr) return;
    block.region.store(largest, std::memory_order_release);
    block.code.store(code, std::memory_order_release);
}

bool BlockCache::link(TranslationBlock &from, u32 link, TranslationBlock &to) {
    const std::lock_guard guard(mutex_);
    const void *code = to.code.load(std::memory_order_relaxed);
    if (from.is_invalid.load(std::memory_order_relaxed) ||
        to.is_invalid.load(std::memory_order_relaxed) || code == nullptr)
        return false;
    CHECK(link < from.links.size());
    TranslationBlock::Link &site = from.links[link];
    if (site.target != nullptr) return false;
    site.target = &to;
    to.incoming.push_back({&from, link});
    set_link(from.window, site.site, code);
    return true;
}

void BlockCache::invalidate(TranslationBlock &block) {
    block.is_invalid.store(true, std::memory_order_seq_cst);

    if (block.is_region) {
        --block.page->regions;
        for (const VisitedCode &visit : block.visits) std::erase(visit.page->visitors, &block);
    } else {
        Bucket *at = &bucket(block.physical, block.mode);
        while (at->load(std::memory_order_relaxed) != &block)
            at = &at->load(std::memory_order_relaxed)->next_in_bucket;
        // A reader standing on this block still finds the rest of the chain through it.
        at->store(block.next_in_bucket.load(std::memory_order_relaxed), std::memory_order_release);
    }
    for (const auto &[from, index] : block.incoming) {
        TranslationBlock::Link &link = from->links[index];
        clear_link(from->window, link.site);
        link.target = nullptr;
    }
    block.incoming.clear();
    for (TranslationBlock::Link &link : block.links) {
        if (link.target == nullptr) continue;
        std::erase_if(link.target->incoming, [&](const auto &each) { return each.from == &block; });
        // Other vCPUs in this block must not get around its stale links: those targets may go too.
        clear_link(block.window, link.site);
        link.target = nullptr;
    }
    if (block.code.load(std::memory_order_relaxed) != nullptr) forget_in_jump_caches(block);
    garbage_bytes_.fetch_add(size_of(block), std::memory_order_relaxed);
    dead_blocks_.emplace_back(&block);
}

void BlockCache::invalidate_in_page(CodePage &page, u64 physical, u64 length,
                                    Statistics &statistics) {
    const std::lock_guard guard(mutex_);
    ++page.version;
    u64 granules = 0;
    // With a region go the blocks that enter it.
    const auto is_hit = [&](const TranslationBlock &block) {
        const TranslationBlock *region = block.region.load(std::memory_order_relaxed);
        return block.overlaps(physical, length) ||
               (region != nullptr && region->overlaps(physical, length));
    };
    const auto drop = [&](TranslationBlock &block) {
        invalidate(block);
        ++statistics.invalidated_blocks;
    };
    std::vector<std::pair<u64, u64>> gone{{physical, length}};
    for (TranslationBlock **at = &page.blocks; *at != nullptr;) {
        TranslationBlock &block = **at;
        if (is_hit(block)) {
            *at = block.next_in_page;
            gone.emplace_back(block.physical, block.guest_bytes);
            drop(block);
        } else {
            granules |= CodePage::mask(block.page_offset(), block.guest_bytes);
            at = &block.next_in_page;
        }
    }
    // Visitors know the blocks that they were made from, at crossings. Those may have gone with
    // another region, and their memory may be another block's one day.
    for (TranslationBlock *region : std::vector(page.visitors)) {
        if (std::ranges::any_of(gone, [&](const auto &code) {
                return region->overlaps(code.first, code.second);
            })) {
            unlist(*region);
            drop(*region);
            continue;
        }
        for (const VisitedCode &visit : region->visits)
            if (visit.page == &page)
                granules |= CodePage::mask(static_cast<u32>(visit.physical & 0xfff), visit.bytes);
    }
    page.covered = granules;
    page.granules.store(granules, std::memory_order_seq_cst);
}

void BlockCache::code_written(u64 physical, u64 length, Statistics &statistics) {
    for (u64 at = physical; at < physical + length;) {
        const u64 end = std::min(physical + length, (at & kPageMask) + 4096);
        CodePage *page = code_map_.find(at & kPageMask);
        if (page != nullptr &&
            page->covers(static_cast<u32>(at & 0xfff), static_cast<u32>(end - at)))
            invalidate_in_page(*page, at, end - at, statistics);
        at = end;
    }
}

std::vector<u32> BlockCache::warm_offsets(u64 page, u32 mode) {
    std::vector<std::pair<u32, u32>> warm; // samples, offset
    const std::lock_guard guard(mutex_);
    const CodePage *code = code_map_.find(page);
    for (const TranslationBlock *block = code != nullptr ? code->blocks : nullptr; block != nullptr;
         block = block->next_in_page) {
        const u32 samples = block->samples.load(std::memory_order_relaxed);
        if (!block->is_region && block->mode == mode && samples != 0)
            warm.emplace_back(samples, block->page_offset());
    }
    std::ranges::sort(warm, std::greater{});
    std::vector<u32> offsets;
    for (const auto &[samples, offset] : warm) offsets.push_back(offset);
    return offsets;
}

bool BlockCache::hits_block_at(u64 physical, u32 length, u64 running) {
    const CodePage *page = code_map_.find(physical & kPageMask);
    if (page == nullptr) return false;
    const std::lock_guard guard(mutex_);
    const auto is_hit = [&](const TranslationBlock *block) {
        return block->overlaps(physical, length) && block->overlaps(running, 1);
    };
    for (const TranslationBlock *block = page->blocks; block != nullptr;
         block = block->next_in_page)
        if (is_hit(block)) return true;
    return std::ranges::any_of(page->visitors, is_hit);
}

void BlockCache::collect() {
    const std::lock_guard guard(mutex_);
    dead_blocks_.clear();
    bytes_.fetch_sub(std::min(bytes_.load(), garbage_bytes_.exchange(0)));
}

void BlockCache::clear() {
    const std::lock_guard guard(mutex_);
    for (CodePage *page : pages_) {
        while (TranslationBlock *block = page->blocks) {
            page->blocks = block->next_in_page;
            delete block;
        }
        page->visitors.clear();
        page->regions = 0;
        page->covered = 0;
        page->granules.store(0, std::memory_order_seq_cst);
        page->is_listed = false;
        ++page->version;
    }
    pages_.clear();
    for (std::size_t i = 0; i < std::size_t{1} << kBucketBits; ++i)
        buckets_[i].store(nullptr, std::memory_order_relaxed);
    dead_blocks_.clear();
    bytes_ = 0;
    garbage_bytes_ = 0;
}

} // namespace tandem::jit
