#include "tests/fuzz/block_stages.h"

#include "ir/interpreter/interpreter.h"
#include "ir/packed_block.h"
#include "ir/passes/passes.h"
#include "ir/text/text.h"
#include "ir/verifier/verifier.h"
#include "jit/baseline/compiler.h"
#include "support/check.h"

#include <algorithm>
#include <vector>

namespace tandem::fuzz {
namespace {

bool equal(const ir::Block &a, const ir::Block &b) {
    const auto same = [](const ir::Inst &x, const ir::Inst &y) {
        return x.op == y.op && x.args == y.args && x.imm == y.imm;
    };
    return a.page_offset == b.page_offset && a.mode == b.mode && a.guest_bytes == b.guest_bytes &&
           a.guest_instructions == b.guest_instructions &&
           std::ranges::equal(a.insts, b.insts, same);
}

/// T1 for one host level. Its code is never run, so its memory need not be executable.
class Compilation {
public:
    Compilation(unsigned level, std::span<const ir::Helper> helpers)
        : memory_(jit::Runtime::kSize + jit::Compiler::kMaxCodeSize + kAlignment),
          runtime_(window(0, jit::Runtime::kSize), jit::HostFeatures::detect_up_to(level)),
          compiler_(runtime_, helpers) {}

    void run(const ir::Block &block) {
        jit::CompiledBlock compiled;
        const auto result =
            compiler_.compile(block, 1, jit::Reach{},
                              window(jit::Runtime::kSize, jit::Compiler::kMaxCodeSize), compiled);
        CHECK(result != jit::CompileResult::WindowFull);
    }

private:
    static constexpr std::size_t kAlignment = 4096;
    jit::CodeWindow window(std::size_t offset, std::size_t size) {
        const auto start = reinterpret_cast<std::uintptr_t>(memory_.data());
        std::byte *const at =
            memory_.data() + (align_up(start, std::uintptr_t{kAlignment}) - start) + offset;
        return {at, at, size};
    }

    std::vector<std::byte> memory_;
    jit::Runtime runtime_;
    jit::Compiler compiler_;
};

} // namespace

void pass_ir_stages(ir::Block &block, std::span<const ir::Helper> helpers) {
    const auto parsed = ir::parse(ir::print(block));
    CHECK(parsed.has_value());
    CHECK(equal(block, *parsed));
    {
        Arena arena;
        ir::Block unpacked;
        ir::PackedBlock(block, arena).unpack(unpacked);
        CHECK(equal(block, unpacked));
    }
    ir::optimise(block, helpers);
    CHECK(ir::verify(block, helpers).has_value());
}

void pass_executors(const ir::Block &block, std::span<const ir::Helper> helpers) {
    CHECK(ir::Predecoded(block, helpers).exists());
    static Compilation level2(2, helpers), level4(4, helpers);
    level2.run(block);
    level4.run(block);
}

} // namespace tandem::fuzz
