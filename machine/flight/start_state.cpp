#include "machine/flight/start_state.h"

#include <fmt/format.h>

#include <memory>

namespace tandem::machine::flight {
namespace {

using replay::CutEntry;
using replay::JournalReader;
using replay::PageEntry;
using replay::StateEntry;

struct Memory {
    std::unique_ptr<reverse::PagedMemory> pages;
    std::vector<u64> is_loaded; ///< a bit for each
};

} // namespace

Result<> load_start(replay::Session &session, Board &board, std::span<OverlayDisk *const> disks,
                    const std::string &path) {
    JournalReader &journal = session.journal();
    const auto is_of_start = [&] {
        return std::holds_alternative<PageEntry>(journal.next().what) ||
               std::holds_alternative<StateEntry>(journal.next().what);
    };
    if (!is_of_start()) return {};
    const auto damaged = [&] {
        return failure(
            fmt::format("{}: damaged: its start makes no sense; use another copy", path));
    };
    std::vector<Memory> memories;
    for (auto &pages : reverse::memories_of(session, board, disks)) {
        const u64 words = (pages->page_count() + 63) / 64;
        memories.push_back({std::move(pages), std::vector<u64>(words)});
    }
    std::vector<std::byte> state;
    for (bool is_complete = false; !is_complete; journal.advance()) {
        const auto &what = journal.next().what;
        if (const auto *page = std::get_if<PageEntry>(&what)) {
            if (page->memory >= memories.size()) return damaged();
            Memory &memory = memories[page->memory];
            if (page->index >= memory.pages->page_count()) return damaged();
            TRY(memory.pages->set_page(page->index, page->bytes.data()));
            memory.is_loaded[page->index / 64] |= u64{1} << (page->index % 64);
        } else if (const auto *piece = std::get_if<StateEntry>(&what)) {
            state.insert(state.end(), piece->bytes.begin(), piece->bytes.end());
            is_complete = piece->is_last;
        } else if (const auto *cut = std::get_if<CutEntry>(&what)) {
            return failure(fmt::format("{}, within its start; use another copy", cut->reason));
        } else {
            return damaged();
        }
    }
    for (Memory &memory : memories) {
        std::vector<u64> others(memory.is_loaded.size());
        memory.pages->collect_written(others);
        for (std::size_t i = 0; i < others.size(); ++i) others[i] &= ~memory.is_loaded[i];
        TRY(reverse::for_each_bit(others,
                                  [&](u64 page) { return memory.pages->set_page(page, nullptr); }));
    }
    board.stop_tracking();
    if (!session.start_from(state).has_value()) return damaged();
    return {};
}

} // namespace tandem::machine::flight
