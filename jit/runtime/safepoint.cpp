#include "jit/runtime/safepoint.h"

#include <immintrin.h>
#include <sched.h>

namespace tandem::jit {

void Backoff::pause() {
    if (++rounds_ < 2000)
        _mm_pause();
    else
        ::sched_yield();
}

void SpinLock::wait() const noexcept {
    Backoff backoff;
    while (locked_.load(std::memory_order_relaxed)) backoff.pause();
}

void World::enter(Safepoint &member) {
    for (;;) {
        // Pairs with stop_others(): either it sees this member inside, or this sees the stop.
        member.inside_.store(true, std::memory_order_seq_cst);
        if (!stopped_.load(std::memory_order_seq_cst)) return;
        exit(member);
        stopped_.wait(true);
    }
}

void World::stop_others(const Safepoint &self) {
    stopped_.store(true, std::memory_order_seq_cst);
    for (Safepoint *member : members_) {
        if (member == &self) continue;
        member->attention_.fetch_or(kAttentionPark, std::memory_order_seq_cst);
        for (Backoff backoff; member->inside_.load(std::memory_order_seq_cst);) backoff.pause();
    }
}

void World::release() {
    stopped_.store(false, std::memory_order_seq_cst);
    stopped_.notify_all();
}

} // namespace tandem::jit
