#include "machine/accel/jit/jit_cpu_profile.h"

#include "frontend-arm/mmu/tcr.h"
#include "jit/tiering/engine.h"
#include "machine/profile/frame_walker.h"

#include <limits>

namespace tandem::machine {
namespace {

/// Reads words, and walks the tables once for those on one page.
class Peek final : public profile::StackMemory {
public:
    Peek(const arm::ArmState &state, JitProfiling &shared) : state_(state), shared_(shared) {}

    bool read(u64 va, std::span<u64> out) override {
        if (va % sizeof(u64) != 0) return false;
        for (u64 &word : out) {
            const std::byte *at = find(va);
            if (at == nullptr) return false;
            // The guest may be writing it.
            word = __atomic_load_n(reinterpret_cast<const u64 *>(at), __ATOMIC_RELAXED);
            va += sizeof(u64);
        }
        return true;
    }

private:
    const std::byte *find(u64 va) {
        const u64 page = va & ~u64{0xfff};
        if (page != va_page_ || host_ == nullptr) {
            u64 physical = 0;
            bool writable = false;
            va_page_ = page;
            host_ = shared_.mmu.probe(state_, page, physical)
                        ? shared_.memory.page(physical & ~u64{0xfff}, writable)
                        : nullptr;
            if (host_ == nullptr) return nullptr;
        }
        return host_ + (va & 0xfff);
    }

    const arm::ArmState &state_;
    JitProfiling &shared_;
    u64 va_page_ = 0;
    const std::byte *host_ = nullptr;
};

} // namespace

std::byte *PeekedMemory::page(u64 physical_page, bool &writable) {
    writable = false;
    // What a snapshot has yet to bring cannot be waited for.
    return memory_.is_complete() ? memory_.span(GuestPhysAddr{physical_page}, 4096).data()
                                 : nullptr;
}

void JitCpuProfile::capture(const profile::HostRegisters &host,
                            profile::Sample &sample) const noexcept {
    const jit::Position position = jit::Engine::position(state_, host.pc, host.sp);
    sample.activity = position.activity;
    describe(position.pc, sample);
}

void JitCpuProfile::describe(u64 pc, profile::Sample &sample) const {
    namespace reg = arm::reg;
    const bool is_kernel = state_.el != 0;
    sample.has_guest = true;
    sample.space =
        u64{arm::current_asid(state_)} << 48 | (state_.sysreg[reg::TTBR0_EL1] & 0xffff'ffff'fffe);
    sample.vectors = state_.sysreg[reg::VBAR_EL1];
    sample.vectors_physical = 0;
    static_cast<void>(shared_.mmu.probe(state_, sample.vectors, sample.vectors_physical));
    sample.task = is_kernel ? state_.banked_sp[0] : 0;
    sample.name = {};
    Peek memory(state_, shared_);
    if (const u32 offset = shared_.profiler.name_offset();
        offset != 0 && sample.task >> 55 == 0x1ff) {
        std::array<u64, 2> name{};
        if (memory.read(sample.task + offset, name))
            sample.name = std::bit_cast<std::array<char, 16>>(name);
    }
    const std::array<u64, 2> &code_bits = state_.pac.mask[0];
    walk_stack(memory, {pc, state_.gpr[30], state_.gpr[29], is_kernel, code_bits}, sample);
}

u64 JitCpuProfile::instructions_left(u64 executed) const {
    if (next_ == 0) return std::numeric_limits<u64>::max();
    return next_ > executed ? next_ - executed : 1;
}

void JitCpuProfile::has_executed(u64 executed) {
    if (next_ == 0 || executed < next_) return;
    const u64 interval = shared_.profiler.guest_interval();
    profile::Sample sample;
    sample.weight = interval;
    describe(state_.pc, sample);
    shared_.profiler.add(sample);
    next_ = (executed / interval + 1) * interval;
}

} // namespace tandem::machine
