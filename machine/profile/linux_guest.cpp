#include "machine/profile/linux_guest.h"

#include "machine/profile/kallsyms.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace tandem::machine::profile {
namespace {

/// The vectors are in the kernel's text, and its read-only data follows within this.
constexpr u64 kMaxImage = u64{64} << 20;
/// The tables lie so near to their tokens.
constexpr std::size_t kMaxTables = std::size_t{8} << 20;
constexpr u64 kMaxTask = 16384;
constexpr u32 kFirstInterval = 100, kMaxInterval = 10'000;

constexpr bool is_kernel_address(u64 va) {
    return va >> 55 == 0x1ff;
}

} // namespace

bool LinuxGuest::learn_from(const Sample &sample) {
    if (!sample.has_guest || sample.vectors_physical == 0 || !is_kernel_address(sample.vectors))
        return false;
    if (name_offset() == 0) find_name_offset(sample);
    if (has_symbols_ || samples_++ < next_attempt_) return false;
    samples_ = 0;
    next_attempt_ = std::clamp(next_attempt_ * 2, kFirstInterval, kMaxInterval);
    return find_symbols(sample);
}

bool LinuxGuest::find_symbols(const Sample &sample) {
    const GuestPhysAddr begin{sample.vectors_physical};
    const u64 ram_end = memory_.base().value() + memory_.size();
    if (!memory_.contains(begin, 1)) return false;
    const auto live = memory_.span(begin, std::min(kMaxImage, ram_end - begin.value()));
    const auto table = find_token_table(live);
    if (!table.has_value()) return false;
    // From a copy: the guest may write meanwhile.
    const std::size_t first = *table - std::min(*table, kMaxTables);
    const auto tables = live.subspan(first, std::min(live.size() - first, 2 * kMaxTables));
    const std::vector<std::byte> copy(tables.begin(), tables.end());
    const auto found = find_kallsyms(copy, sample.vectors + first);
    if (!found.has_value()) return false;
    for (const KernelSymbol &symbol : *found)
        symbols_.add(symbol.address, symbol.type, symbol.name);
    has_symbols_ = true;
    return true;
}

/// The first task is part of the kernel's image, and everybody knows its name.
void LinuxGuest::find_name_offset(const Sample &sample) {
    const u64 distance = sample.task - sample.vectors;
    if (sample.task % 8 != 0 || sample.task < sample.vectors || distance > kMaxImage) return;
    const auto live = memory_.span(GuestPhysAddr{sample.vectors_physical + distance}, kMaxTask);
    if (live.empty()) return;
    std::array<std::byte, kMaxTask> task;
    std::ranges::copy(live, task.begin());
    const std::string_view text(reinterpret_cast<const char *>(task.data()), task.size());
    // TASK_COMM_LEN is 16.
    for (std::size_t at = text.find("swapper"); at != std::string_view::npos;
         at = text.find("swapper", at + 1)) {
        const std::string_view name = text.substr(at, 16);
        const std::string_view rest = name.substr(std::min(name.find('\0'), name.size()));
        if (name.size() == 16 && !rest.empty() &&
            rest.find_first_not_of('\0') == std::string_view::npos) {
            name_offset_.store(static_cast<u32>(at), std::memory_order_relaxed);
            return;
        }
    }
}

} // namespace tandem::machine::profile
