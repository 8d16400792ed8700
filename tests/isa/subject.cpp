#include "tests/isa/subject.h"

#include "frontend-arm/exceptions/exceptions.h"
#include "frontend-arm/mmu/tcr.h"
#include "frontend-arm/state/pstate.h"
#include "ir/passes/passes.h"
#include "ir/tlb_control.h"
#include "ir/verifier/verifier.h"
#include "jit/disk_cache/region_record.h"
#include "support/check.h"

#include <dlfcn.h>
#include <sys/mman.h>

namespace tandem::isa {
namespace {

constexpr std::size_t kCodeSize = std::size_t{4} << 20;
constexpr std::size_t kBlock = jit::Runtime::kSize; ///< where T1's code is
constexpr u32 kBrk = 0xd4200000;

/// SCTLR_EL1 as Linux sets it for EL0.
constexpr u64 kLinuxSctlr = 0x3475d99d | u64{1} << 33; // MSCEn

} // namespace

/// A board with nothing on it: instructions that would reach further are not fuzzed here.
struct Subject::Board final : ir::AddressTranslator,
                              ir::TlbControl,
                              arm::TimerPort,
                              arm::Firmware,
                              arm::EventBus,
                              arm::Entropy,
                              arm::PmuPort {
    bool translate(ir::ExecContext &, u64 va, ir::Regime, ir::AccessKind,
                   ir::PageMapping &mapping) override {
        mapping = {.physical = va & ~u64{0xfff}, .readable = true, .writable = true};
        return true;
    }
    void raise_alignment_fault(ir::ExecContext &, u64, bool) override {}
    void raise_external_abort(ir::ExecContext &, u64, ir::AccessKind) override {}
    void set_address_space(ir::ExecContext &, u16) override {}
    void translation_changed(ir::ExecContext &) override {}
    void invalidate(ir::ExecContext &, const ir::TlbInvalidation &) override {}
    void complete(ir::ExecContext &) override {}
    void watchpoints_changed(ir::ExecContext &) override {}
    u64 counter() override { return 0; }
    [[nodiscard]] u64 frequency() const override { return 62500000; }
    void set_timer(arm::TimerChannel, u64) override {}
    bool call(arm::ArmState &, arm::Conduit) override { return false; }
    void send_event() override {}
    void yield() override {}
    bool random(u64 &value, bool) override { return value = 0, false; }
    u64 instructions() override { return 0; }
    void set_line(bool) override {}
    void set_overflow_deadline(u64, u64) override {}
};

Subject::Subject(Tier tier, MemoryPath path, unsigned host_level)
    : tier_(tier), model_(arm::CpuModel::create("max").value()), frontend_(model_.features()),
      state_(std::make_unique<arm::ArmState>()), board_(std::make_unique<Board>()),
      tlb_(ir::kTlbEntries), jump_cache_(ir::kJumpCacheEntries) {
    environment_ = {.timer = board_.get(),
                    .firmware = board_.get(),
                    .events = board_.get(),
                    .entropy = board_.get(),
                    .pmu = board_.get(),
                    .tlb = board_.get(),
                    .mmu = board_.get()};
    arm::ArmState &s = *state_;
    s.model = &model_;
    s.environment = &environment_;
    s.memory = &memory_;
    s.jump_cache = jump_cache_.data();
    for (auto &table : s.tlb) table = tlb_.data();
    if (path == MemoryPath::Inline) {
        for (u64 va = ISA_DATA_BASE; va < ISA_DATA_BASE + ISA_DATA_SIZE; va += 4096) {
            ir::TlbEntry &entry = tlb_[(va >> 12) & (ir::kTlbEntries - 1)];
            entry.read_tag = entry.write_tag = va;
            entry.addend = reinterpret_cast<u64>(memory_.data()) - ISA_DATA_BASE;
        }
    }
    if (tier != Tier::Interpreter) {
        void *memory = mmap(nullptr, kCodeSize, PROT_READ | PROT_WRITE | PROT_EXEC,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(memory != MAP_FAILED);
        auto *bytes = static_cast<std::byte *>(memory);
        code_ = {bytes, bytes, kCodeSize};
        runtime_ =
            std::make_unique<jit::Runtime>(jit::CodeWindow{bytes, bytes, jit::Runtime::kSize},
                                           jit::HostFeatures::detect_up_to(host_level));
        compiler_ = std::make_unique<jit::Compiler>(*runtime_, frontend_.helpers());
    }
    if (tier == Tier::Optimising || tier == Tier::Mixed) {
        constexpr std::size_t kStubs = kBlock + jit::Compiler::kMaxCodeSize;
        constexpr std::size_t kArena = kStubs + jit::RegionStubs::kSize;
        static_assert(kArena < kCodeSize);
        std::byte *bytes = code_.writable;
        stubs_ = std::make_unique<jit::RegionStubs>(
            *runtime_, frontend_.helpers(),
            jit::CodeWindow{bytes + kStubs, bytes + kStubs, jit::RegionStubs::kSize});
        arena_ = std::make_unique<jit::CodeArena>(
            jit::CodeWindow{bytes + kArena, bytes + kArena, kCodeSize - kArena});
        void *module = dlopen(TANDEM_LLVM_MODULE, RTLD_NOW | RTLD_LOCAL);
        void *create = module != nullptr ? dlsym(module, jit::kCreateRegionCompiler) : nullptr;
        CHECK(create != nullptr);
        const std::span<const ir::Helper> helpers = frontend_.helpers();
        region_compiler_.reset(reinterpret_cast<jit::CreateRegionCompiler>(create)(
            helpers.data(), helpers.size(), host_level));
    }
}

Subject::~Subject() {
    if (code_.writable != nullptr) munmap(code_.writable, code_.size);
}

void Subject::load(const isa_case &test) {
    arm::ArmState &s = *state_;
    arm::reset(s, 0x80000000);
    arm::switch_stack(s, 0, 0);
    s.daif = 0;
    s.sysreg[arm::reg::SCTLR_EL1] = kLinuxSctlr;
    s.sysreg[arm::reg::CPACR_EL1] = 3 << 20;
    s.sysreg[arm::reg::TCR_EL1] = u64{1} << 37; // TBI0
    arm::update_controls(s);
    for (unsigned i = 0; i < 31; ++i) s.gpr[i] = test.state.x[i];
    s.gpr[31] = test.state.sp;
    s.flags = ir::flags_from_nzcv(test.state.nzcv >> 28);
    arm::set_fpcr(s, test.state.fpcr);
    arm::write_fpsr(s, test.state.fpsr);
    for (unsigned i = 0; i < 32; ++i) s.v[i] = {{test.state.v[2 * i], test.state.v[2 * i + 1]}};
    s.pc = ISA_CODE_SLOT;
    s.pending_exit = ir::PendingExit::None;
    memory_.clear_fault();
    memory_.clear_exclusive(s);
    std::memcpy(memory_.code() + (ISA_CODE_SLOT - ISA_CODE_BASE), test.words, sizeof test.words);
}

/// One block at the current program counter.
void Subject::step(const isa_case &test) {
    arm::ArmState &s = *state_;
    const u64 page = s.pc & ~u64{0xfff};
    const auto index = static_cast<u32>((s.pc - ISA_CODE_SLOT) / 4);
    u32 count = 1;
    while (index + count < ISA_MAX_WORDS && test.words[index + count] != kBrk) ++count;
    Tier tier = tier_;
    if (tier == Tier::Mixed) {
        tier = static_cast<Tier>(random_() % 3);
        count = 1 + static_cast<u32>(random_() % count);
    }
    const std::span<const std::byte, 4096> code(memory_.code() + (page - ISA_CODE_BASE), 4096);
    ir::Block block;
    frontend_.translate(code, static_cast<u32>(s.pc & 0xfff), s.mode, count, block);
    CHECK(ir::verify(block, frontend_.helpers()));
    ir::optimise(block, frontend_.helpers());
    CHECK(ir::verify(block, frontend_.helpers()));
    s.pc_page = page;
    switch (tier) {
    case Tier::Interpreter: ir::Predecoded(block, frontend_.helpers()).run(s); break;
    case Tier::Baseline: run_baseline(block); break;
    default: run_optimised(block); break;
    }
}

void Subject::run_baseline(const ir::Block &block) {
    const jit::CodeWindow window{code_.writable + kBlock, code_.executable + kBlock,
                                 jit::Compiler::kMaxCodeSize};
    jit::CompiledBlock compiled;
    CHECK(compiler_->compile(block, 1, {}, window, compiled) == jit::CompileResult::Done);
    state_->budget = 1000;
    std::ignore = runtime_->enter(*state_, window.executable);
}

void Subject::run_optimised(const ir::Block &block) {
    const auto only_this = [&](u32 offset, ir::Block &out) {
        if (offset == block.page_offset) out = block;
        return offset == block.page_offset;
    };
    const jit::Region region = jit::form_trace(block.page_offset, block.mode, {.block = only_this});
    const jit::RegionOutline outline = jit::outline_of(region);
    const jit::ArenaPiece gate(*arena_, jit::RegionStubs::gate_size(outline));
    auto image = region_compiler_->compile(region, nullptr);
    CHECK(image.has_value());
    // As it comes from the translation cache in another run.
    const jit::RegionRecord record{.outline = outline,
                                   .guest_code = std::vector<std::byte>(block.guest_bytes),
                                   .image = std::move(*image)};
    auto kept = jit::decode(jit::encode(record));
    CHECK(kept.has_value());
    const auto compiled =
        jit::place_image(std::move(kept->image), stubs_->symbols(outline, gate.window()), *arena_);
    CHECK(compiled.has_value());
    jit::CompiledBlock links;
    stubs_->emit_gate(outline, 1, region_entries_, {}, *compiled, gate.window(), links);
    state_->budget = 1000;
    std::ignore = runtime_->enter(*state_, jit::RegionStubs::entry(gate.window(), 0));
}

u32 Subject::ending() const {
    if (memory_.fault() == FlatMemory::Fault::Unmapped) return ISA_FAULTED;
    if (memory_.fault() == FlatMemory::Fault::Misaligned) return ISA_MISALIGNED;
    if (state_->el == 0) {
        // A branch: where it led decides, as it does when the oracle fetches from there.
        if ((state_->pc & 3) != 0) return ISA_MISALIGNED;
        return state_->pc - ISA_CODE_BASE < ISA_CODE_SIZE ? ISA_COMPLETED : ISA_FAULTED;
    }
    switch (static_cast<arm::ExceptionClass>(state_->sysreg[arm::reg::ESR_EL1] >> 26)) {
    case arm::ExceptionClass::Brk: return ISA_COMPLETED;
    case arm::ExceptionClass::PcAlignment:
    case arm::ExceptionClass::SpAlignment: return ISA_MISALIGNED;
    case arm::ExceptionClass::DataAbortLower: return ISA_FAULTED;
    default: return ISA_UNDEFINED;
    }
}

isa_outcome Subject::run(isa_case &test, bool record) {
    load(test);
    arm::ArmState &s = *state_;
    const auto inside = [&] {
        return s.pc >= ISA_CODE_SLOT && s.pc < ISA_CODE_SLOT + 4 * ISA_MAX_WORDS &&
               test.words[(s.pc - ISA_CODE_SLOT) / 4] != kBrk;
    };
    const auto running = [&] { return inside() && s.pending_exit == ir::PendingExit::None; };
    for (unsigned steps = 0; steps < 64 && running(); ++steps) {
        step(test);
        s.pc = arm::branch_address(s, s.pc); // as the dispatcher does
    }
    has_ended_ = !running();

    isa_outcome outcome{};
    outcome.ending = ending();
    for (unsigned i = 0; i < 31; ++i) outcome.state.x[i] = s.gpr[i];
    outcome.state.sp = arm::stack_pointer(s, 0);
    outcome.state.pc = s.el == 0 ? s.pc : s.sysreg[arm::reg::ELR_EL1];
    const u64 nzcv = s.el == 0 ? u64{ir::nzcv_from_flags(s.flags)} << 28
                               : s.sysreg[arm::reg::SPSR_EL1] & 0xf0000000;
    outcome.state.nzcv = static_cast<u32>(nzcv);
    outcome.state.fpcr = s.fpcr;
    outcome.state.fpsr = arm::read_fpsr(s);
    for (unsigned i = 0; i < 32; ++i) {
        outcome.state.v[2 * i] = s.v[i].d[0];
        outcome.state.v[2 * i + 1] = s.v[i].d[1];
    }
    if (record) {
        const auto written = memory_.take_written();
        CHECK(written.size() <= ISA_MAX_RANGES);
        test.range_count = static_cast<u32>(written.size());
        std::ranges::copy(written, test.ranges);
    }
    for (u32 r = 0; r < test.range_count; ++r) memory_.read(test.ranges[r], outcome.memory[r]);
    for (u32 r = 0; r < test.range_count; ++r) memory_.restore(test.ranges[r]);
    return outcome;
}

} // namespace tandem::isa
