#pragma once
/// For tests: a bus with RAM and a device, and an MMU whose "page tables" are a map.
#include "ir/frontend.h"

#include <array>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

namespace tandem::jit::test {

class FakeBus final : public ir::PhysicalBus {
public:
    static constexpr u64 kRamSize = 1 << 20;
    static constexpr u64 kRom = 0x0800'0000;
    static constexpr u64 kDevice = 0x1000'0000;

    std::byte *page(u64 physical, bool &writable) override {
        writable = physical < kRamSize;
        if (physical < kRamSize) return ram_.data() + base() + physical;
        if (physical == kRom) return rom_.data();
        return nullptr;
    }
    bool read(u64 physical, unsigned size_log2, u64 &value) override {
        if (physical < kDevice || physical >= kDevice + 0x1000) return false;
        ++reads;
        last_size = size_log2;
        value = device_value & ones(8u << size_log2);
        return true;
    }
    bool write(u64 physical, unsigned size_log2, u64 value) override {
        if (physical < kDevice || physical >= kDevice + 0x1000) return false;
        ++writes;
        last_size = size_log2;
        device_value = value;
        return true;
    }
    bool tracks_stores_to(u64 physical) const override {
        return is_tracking && physical < kRamSize && !stored_to[physical >> 12];
    }
    void will_store(u64 physical) override {
        if (physical < kRamSize) stored_to[physical >> 12] = true;
    }
    template <typename T>
    T peek(u64 physical) {
        T value;
        std::memcpy(&value, ram_.data() + base() + physical, sizeof value);
        return value;
    }
    template <typename T>
    void poke(u64 physical, T value) {
        std::memcpy(ram_.data() + base() + physical, &value, sizeof value);
    }

    u64 reads = 0, writes = 0, device_value = 0;
    unsigned last_size = 0;
    bool is_tracking = false;
    std::array<bool, (kRamSize >> 12)> stored_to{};

private:
    [[nodiscard]] u64 base() const {
        return align_up(reinterpret_cast<u64>(ram_.data()), 4096) -
               reinterpret_cast<u64>(ram_.data());
    }
    std::vector<std::byte> ram_ = std::vector<std::byte>(kRamSize + 4096);
    std::array<std::byte, 4096> rom_{};
};

/// Identity-maps what nobody mapped otherwise; the address space is `asid`, which the test sets
/// along with TlbControl::set_address_space().
class FakeMmu final : public ir::AddressTranslator {
public:
    static constexpr u64 kHandler = 0x100; ///< where exceptions go

    enum class Fault { None, Translation, Alignment, External };

    void map(u16 asid, u64 va, const ir::PageMapping &mapping) {
        const std::lock_guard guard(mutex_);
        pages_[{asid, va & ~u64{0xfff}}] = mapping;
    }
    static ir::PageMapping ram(u64 physical) {
        return {.physical = physical, .readable = true, .writable = true, .executable = true};
    }

    bool translate(ir::ExecContext &ctx, u64 va, ir::Regime, ir::AccessKind kind,
                   ir::PageMapping &out) override {
        const std::lock_guard guard(mutex_);
        ++walks;
        const u64 page = (va << 8 >> 8) & ~u64{0xfff};
        const auto found = pages_.find({asid, page});
        out = found != pages_.end() ? found->second : ram(page);
        if (found == pages_.end()) out.global = true;
        const bool allowed = kind == ir::AccessKind::Load    ? out.readable
                             : kind == ir::AccessKind::Store ? out.writable
                                                             : out.executable;
        if (!allowed) raise(ctx, Fault::Translation, va);
        return allowed;
    }
    void raise_alignment_fault(ir::ExecContext &ctx, u64 va, bool) override {
        raise(ctx, Fault::Alignment, va);
    }
    u64 branch_address(const ir::ExecContext &, u64 target) const override {
        return ignores_tags ? target << 8 >> 8 : target;
    }
    void raise_external_abort(ir::ExecContext &ctx, u64 va, ir::AccessKind) override {
        raise(ctx, Fault::External, va);
    }
    bool may_watch(const ir::ExecContext &, u64 va_page) const override {
        return watched != 0 && (watched & ~u64{0xfff}) == va_page;
    }
    bool check_watchpoint(ir::ExecContext &ctx, u64 va, u32 bytes, ir::Regime, bool) override {
        if (watched < va || watched >= va + bytes) return true;
        raise(ctx, Fault::Translation, va);
        return false;
    }

    bool ignores_tags = false; ///< in branch targets; data accesses always do
    u16 asid = 0;
    u64 watched = 0;
    u64 walks = 0;
    Fault fault = Fault::None;
    u64 fault_va = 0, fault_pc = 0;

private:
    void raise(ir::ExecContext &ctx, Fault kind, u64 va) {
        fault = kind;
        fault_va = va;
        fault_pc = ctx.pc;
        ctx.pc = kHandler;
        ctx.pending_exit = ir::PendingExit::Resume;
    }

    std::mutex mutex_;
    std::map<std::pair<u16, u64>, ir::PageMapping> pages_;
};

} // namespace tandem::jit::test
