#pragma once
/// How host threads that run vCPUs meet.
///
/// Two independent questions are asked of a vCPU:
///  - Has it finished every guest memory access that it began before now? (A TLB invalidation
///    waits for this: an access may be between its TLB check and its load or store.) It has if it
///    is not accessing guest memory, or once it has acknowledged a request made now.
///  - May the code it runs be freed? Only while it is outside the engine or parked in it.
///
/// Requests are bits of ExecContext::attention, tested at every pass of the dispatcher; a vCPU that
/// nobody asks anything of pays one load.
#include "ir/exec_context.h"

#include <atomic>
#include <mutex>
#include <vector>

namespace tandem::jit {

/// Bits of ExecContext::attention.
inline constexpr u32 kAttentionKick = 1u << 0;        ///< return from Engine::run
inline constexpr u32 kAttentionAcknowledge = 1u << 1; ///< a Safepoint ticket was taken
inline constexpr u32 kAttentionPark = 1u << 2;        ///< the world is to stop
inline constexpr u32 kAttentionFlush = 1u << 3;       ///< empty the jump cache

/// A short lock of a vCPU's translation caches. Its owner takes it on each TLB fill, others when
/// they invalidate; nearly never contended.
class SpinLock {
public:
    void lock() noexcept {
        while (locked_.exchange(true, std::memory_order_acquire)) wait();
    }
    void unlock() noexcept { locked_.store(false, std::memory_order_release); }

private:
    void wait() const noexcept;
    std::atomic<bool> locked_ = false;
};

/// One vCPU's side.
class alignas(64) Safepoint {
public:
    explicit Safepoint(std::atomic<u32> &attention) : attention_(attention) {}

    // --- by the vCPU's own thread ---

    /// From here on the vCPU accesses guest memory. A full barrier: pairs with is_accessing().
    void begin_accesses() { accessing_.store(true, std::memory_order_seq_cst); }
    void end_accesses() { accessing_.store(false, std::memory_order_release); }
    /// At a point where no access is under way.
    void acknowledge() { acknowledged_.fetch_add(1, std::memory_order_seq_cst); }

    // --- by others ---

    /// The caller has just made its change (TLB entries gone) with a full barrier after it. True if
    /// it needs to wait; then `ticket` is what to wait with.
    [[nodiscard]] bool request(u64 &ticket) {
        if (!accessing_.load(std::memory_order_seq_cst)) return false;
        ticket = acknowledged_.load(std::memory_order_seq_cst);
        attention_.fetch_or(kAttentionAcknowledge, std::memory_order_seq_cst);
        return true;
    }
    [[nodiscard]] bool passed(u64 ticket) const {
        return acknowledged_.load(std::memory_order_acquire) != ticket ||
               !accessing_.load(std::memory_order_acquire);
    }

private:
    friend class World;
    std::atomic<u32> &attention_;
    std::atomic<bool> accessing_ = false;
    std::atomic<bool> inside_ = false; ///< may hold pointers to blocks or run their code
    std::atomic<u64> acknowledged_ = 0;
};

/// All vCPUs of a machine. Members join and leave while none of them is inside.
class World {
public:
    void join(Safepoint &member) { members_.push_back(&member); }
    void leave(Safepoint &member) { std::erase(members_, &member); }

    /// The member starts to use translated code; waits while the world is stopped.
    void enter(Safepoint &member);
    void exit(Safepoint &member) { member.inside_.store(false, std::memory_order_release); }
    /// At a point where the member holds no pointer to a block.
    void park(Safepoint &member) {
        exit(member);
        enter(member);
    }

    /// Runs `action` while no member is inside. The caller is a member, inside, and holds no
    /// pointer to a block and no lock.
    template <typename Action>
    void stop(Safepoint &self, Action action) {
        exit(self);
        const std::lock_guard guard(mutex_);
        stop_others(self);
        action();
        release();
        self.inside_.store(true, std::memory_order_seq_cst);
    }

private:
    void stop_others(const Safepoint &self);
    void release();

    std::mutex mutex_;
    std::atomic<bool> stopped_ = false;
    std::vector<Safepoint *> members_;
};

/// Waits by spinning for a short while, then lets other threads run.
class Backoff {
public:
    void pause();

private:
    u32 rounds_ = 0;
};

} // namespace tandem::jit
