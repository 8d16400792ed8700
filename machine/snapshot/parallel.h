#pragma once
/// Work of many equal pieces on a few threads.
#include "support/bits.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace tandem::machine::snapshot {

/// Takes numbers below a limit, each once.
class Ticket {
public:
    explicit Ticket(u64 limit) : limit_(limit) {}
    [[nodiscard]] bool take(u64 &number) {
        number = next_.fetch_add(1, std::memory_order_relaxed);
        return number < limit_;
    }

private:
    std::atomic<u64> next_ = 0;
    u64 limit_;
};

/// Calls worker(ticket) on several threads at a time, this one among them; returns when all have
/// returned. Each takes numbers until there are none.
template <typename Worker>
void work_in_parallel(u64 pieces, Worker worker) {
    static constexpr u64 kMaxThreads = 16;
    Ticket ticket(pieces);
    const u64 wanted =
        std::min({pieces, kMaxThreads, u64{std::max(1u, std::thread::hardware_concurrency())}});
    std::vector<std::thread> threads;
    for (u64 i = 1; i < wanted; ++i) threads.emplace_back([&] { worker(ticket); });
    worker(ticket);
    for (std::thread &thread : threads) thread.join();
}

} // namespace tandem::machine::snapshot
