#pragma once
/// For tests: a CPU with an environment that records what it is asked.
#include "frontend-arm/mmu/mmu.h"
#include "frontend-arm/state/cpu_model.h"
#include "frontend-arm/state/environment.h"
#include "frontend-arm/state/pstate.h"
#include "ir/memory_access.h"
#include "ir/tlb_control.h"

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

namespace tandem::arm::testing {

/// RAM at kBase; nothing elsewhere.
class TestBus final : public ir::PhysicalBus {
public:
    static constexpr u64 kBase = 0x40000000;
    static constexpr u64 kSize = 16 << 20;

    std::byte *page(u64 physical, bool &writable) override {
        if (physical < kBase || physical - kBase >= kSize) return nullptr;
        writable = true;
        return memory_.data() + (physical - kBase);
    }
    bool read(u64, unsigned, u64 &) override { return false; }
    bool write(u64, unsigned, u64) override { return false; }
    void has_written(u64 physical, u64 length) override { written = {physical, length}; }

    std::pair<u64, u64> written; ///< last, by something that is no store
    u64 get(u64 physical) const {
        u64 value = 0;
        std::memcpy(&value, memory_.data() + (physical - kBase), sizeof value);
        return value;
    }
    void set(u64 physical, u64 value, unsigned size_log2 = 3) {
        std::memcpy(memory_.data() + (physical - kBase), &value, std::size_t{1} << size_log2);
    }

private:
    std::vector<std::byte> memory_{kSize};
};

class TestTlb final : public ir::TlbControl {
public:
    void set_address_space(ir::ExecContext &, u16 new_asid) override { asid = new_asid; }
    void translation_changed(ir::ExecContext &) override { ++changes; }
    void invalidate(ir::ExecContext &, const ir::TlbInvalidation &i) override {
        invalidations.push_back(i);
    }
    void complete(ir::ExecContext &) override { ++completions; }
    void watchpoints_changed(ir::ExecContext &) override { ++watchpoint_changes; }

    u16 asid = 0;
    int changes = 0, completions = 0, watchpoint_changes = 0;
    std::vector<ir::TlbInvalidation> invalidations;
};

class TestTimer final : public TimerPort {
public:
    u64 counter() override { return now; }
    u64 frequency() const override { return 62'500'000; }
    void set_timer(TimerChannel channel, u64 at) override {
        rises_at[static_cast<unsigned>(channel)] = at;
    }
    u64 now = 1000;
    std::array<u64, 2> rises_at{kNever, kNever};
};

class TestPmu final : public PmuPort {
public:
    u64 instructions() override { return retired; }
    void set_line(bool high) override { line = high; }
    void set_overflow_deadline(u64 i, u64 c) override {
        deadline_instructions = i;
        deadline_counter = c;
    }
    u64 retired = 0, deadline_instructions = kNever, deadline_counter = kNever;
    bool line = false;
};

class TestFirmware final : public Firmware {
public:
    bool call(ArmState &s, Conduit conduit) override {
        calls.push_back(s.gpr[0]);
        return conduit == Conduit::Hvc;
    }
    std::vector<u64> calls;
};

class TestEvents final : public EventBus {
public:
    void send_event() override { ++events; }
    void yield() override { ++yields; }
    int events = 0, yields = 0;
};

class TestEntropy final : public Entropy {
public:
    bool random(u64 &value, bool) override {
        value = 0x1234;
        return available;
    }
    bool available = true;
};

class TestGic final : public GicCpuInterface {
public:
    u64 read(SysRegId id) override { return values[id]; }
    void write(SysRegId id, u64 value) override { values[id] = value; }
    std::array<u64, kSysRegCount> values{};
};

/// Virtual addresses are physical ones.
class TestMemory final : public ir::MemoryAccess {
public:
    explicit TestMemory(TestBus &bus) : bus_(bus) {}
    u64 load(ir::ExecContext &, u64 va, unsigned size_log2, ir::MemoryOp) override {
        return bus_.get(va) & ones(8u << size_log2);
    }
    void store(ir::ExecContext &, u64 va, unsigned size_log2, u64 value, ir::MemoryOp) override {
        bus_.set(va, value, size_log2);
    }
    ir::Vec load128(ir::ExecContext &, u64 va, ir::MemoryOp) override {
        return {{bus_.get(va), bus_.get(va + 8)}};
    }
    void store128(ir::ExecContext &, u64 va, ir::Vec value, ir::MemoryOp) override {
        bus_.set(va, value.d[0]);
        bus_.set(va + 8, value.d[1]);
    }
    u64 atomic(ir::ExecContext &, u64, u64, ir::MemoryOp) override { return 0; }
    u64 compare_swap(ir::ExecContext &, u64, u64, u64, ir::MemoryOp) override { return 0; }
    ir::Vec compare_swap128(ir::ExecContext &, u64, ir::Vec, ir::Vec, ir::MemoryOp) override {
        return {};
    }
    ir::Vec load_exclusive(ir::ExecContext &, u64, ir::MemoryOp) override { return {}; }
    u32 store_exclusive(ir::ExecContext &, u64, ir::Vec, ir::MemoryOp) override { return 1; }
    void clear_exclusive(ir::ExecContext &) override { ++clears; }
    int clears = 0;

private:
    TestBus &bus_;
};

struct TestCpu {
    explicit TestCpu(std::string_view model_name = "max", CpuOptions options = {})
        : model(CpuModel::create(model_name, options).value()) {
        environment = {.gic = &gic,
                       .timer = &timer,
                       .firmware = &firmware,
                       .events = &events,
                       .entropy = &entropy,
                       .pmu = &pmu,
                       .tlb = &tlb,
                       .mmu = &mmu,
                       .bus = &bus};
        state->model = &model;
        state->environment = &environment;
        state->memory = &memory;
        reset(*state, 0);
        state->pc = 0x1000;
    }

    /// What a test needs to enter EL0 without an ERET.
    void enter_el0() {
        switch_stack(*state, 0, 0);
        update_mode(*state);
    }
    [[nodiscard]] u64 &sysreg(SysRegId id) const { return state->sysreg[id]; }

    CpuModel model;
    TestGic gic;
    TestTimer timer;
    TestFirmware firmware;
    TestEvents events;
    TestEntropy entropy;
    TestPmu pmu;
    TestTlb tlb;
    TestBus bus;
    Mmu mmu{bus};
    TestMemory memory{bus};
    Environment environment;
    std::unique_ptr<ArmState> state = std::make_unique<ArmState>();
};

} // namespace tandem::arm::testing
