// Whole blocks: random ones on T0 and T1, with memory, helpers and exits; links and budgets.
#include "ir/interpreter/interpreter.h"
#include "ir/passes/passes.h"
#include "ir/text/text.h"
#include "jit/baseline/test_support.h"

#include <gtest/gtest.h>

#include <cstring>

namespace tandem::jit::test {
namespace {

using ir::Block;
using ir::Inst;
using ir::kNoValue;
using ir::OpClass;
using ir::Opcode;
using ir::Type;
using ir::ValueId;

/// Makes blocks of random operations on values made before, state, and constants.
class RandomBlock {
public:
    RandomBlock(Random &random, bool integer_only) : random_(random), integer_only_(integer_only) {}

    Block make(unsigned instructions, unsigned operations) {
        block_ = Block{};
        for (auto &values : values_) values.clear();
        for (unsigned i = 0; i < instructions; ++i) {
            add(Opcode::Insn, {}, ir::insn_imm(0x40 + 4 * i, i));
            const unsigned count = 1 + static_cast<unsigned>(random_() % operations);
            for (unsigned k = 0; k < count; ++k) operation();
            if (random_() % 6 == 0) leave_conditionally();
        }
        block_.guest_instructions = instructions;
        switch (random_() % 4) {
        case 0: add(Opcode::ExitIndirect, {value(Type::I64)}, 0); break;
        case 1: add(Opcode::Exit, {}, static_cast<u64>(-8)); break;
        default: add(Opcode::Exit, {}, 0x100); break;
        }
        return block_;
    }

private:
    ValueId add(Opcode op, std::initializer_list<ValueId> args, u64 imm) {
        Inst inst{.op = op, .imm = imm};
        std::copy(args.begin(), args.end(), inst.args.begin());
        block_.insts.push_back(inst);
        const auto id = static_cast<ValueId>(block_.insts.size() - 1);
        const Type type = ir::info(op).result;
        if (type != Type::Void) values_[static_cast<unsigned>(type)].push_back(id);
        return id;
    }

    ValueId value(Type type) {
        auto &known = values_[static_cast<unsigned>(type)];
        if (!known.empty() && random_() % 4 != 0) {
            // Mostly recent ones.
            const std::size_t back = random_() % std::min<std::size_t>(known.size(), 12);
            return known[random_() % 3 == 0 ? random_() % known.size() : known.size() - 1 - back];
        }
        const u64 x = 8 * (random_() % 6 == 0 ? 31 : random_() % 8);
        const u64 v = State::v_offset(static_cast<unsigned>(random_() % 8));
        switch (type) {
        case Type::I1:
            switch (random_() % 5) {
            case 0: return add(Opcode::CondHolds, {value(Type::Flags)}, random_() % 16);
            case 1: return add(Opcode::IsZero64, {value(Type::I64)}, 0);
            case 2: return add(Opcode::LessSigned64, {value(Type::I64), value(Type::I64)}, 0);
            case 3: return add(Opcode::IsNonZero32, {value(Type::I32)}, 0);
            default: return add(Opcode::TestBit64, {value(Type::I64)}, random_() % 64);
            }
        case Type::I32:
            if (random_() % 4 == 0)
                return add(Opcode::Const32, {}, static_cast<u32>(random_value(random_)));
            return random_() % 2 == 0 ? add(Opcode::GetState32, {}, x)
                                      : add(Opcode::Low32, {value(Type::I64)}, 0);
        case Type::I64:
            if (random_() % 4 == 0) return add(Opcode::Const64, {}, random_value(random_));
            if (random_() % 8 == 0)
                return add(Opcode::PcRelative, {}, random_() % 2 == 0 ? 0x1234 : 0x1'2345'6000);
            return add(Opcode::GetState64, {}, random_() % 8 == 0 ? State::system_offset(5) : x);
        case Type::F16: return add(Opcode::GetStateF16, {}, v);
        case Type::F32: return add(Opcode::GetStateF32, {}, v);
        case Type::F64: return add(Opcode::GetStateF64, {}, v);
        case Type::V128: return add(Opcode::GetStateV128, {}, v);
        case Type::Flags:
            return random_() % 3 == 0
                       ? add(Opcode::SubFlags64, {value(Type::I64), value(Type::I64)}, 0)
                       : add(Opcode::GetFlags, {}, offsetof(ir::ExecContext, flags));
        case Type::Void: break;
        }
        return kNoValue;
    }

    void set_state() {
        const u64 x = 8 * (random_() % 6 == 0 ? 31 : random_() % 8);
        const u64 v = State::v_offset(static_cast<unsigned>(random_() % 8));
        switch (random_() % (integer_only_ ? 5 : 9)) {
        case 0:
            add(Opcode::SetState64, {add(Opcode::ZeroExtend32, {value(Type::I32)}, 0)}, x);
            break;
        case 1:
            add(Opcode::SetFlags, {value(Type::Flags)}, offsetof(ir::ExecContext, flags));
            break;
        case 2:
            if (random_() % 4 == 0)
                add(Opcode::SetState32, {value(Type::I32)}, State::system_offset(6));
            else
                add(Opcode::SetState64, {value(Type::I64)},
                    State::system_offset(5 + random_() % 2));
            break;
        case 3:
        case 4: add(Opcode::SetState64, {value(Type::I64)}, x); break;
        case 5: add(Opcode::SetStateV128, {value(Type::V128)}, v); break;
        case 6: add(Opcode::SetStateV128, {add(Opcode::VFromF64, {value(Type::F64)}, 0)}, v); break;
        case 7: add(Opcode::SetStateV128, {add(Opcode::VFromF32, {value(Type::F32)}, 0)}, v); break;
        default:
            add(Opcode::SetStateV128, {add(Opcode::VFromF16, {value(Type::F16)}, 0)}, v);
            break;
        }
    }

    ValueId address() {
        // Mostly within the pages, sometimes just outside or unaligned.
        const u64 offset = random_() % 32 == 0 ? 0x8000 : Memory::kBase + random_() % 64;
        const u64 mask = random_() % 4 == 0 ? 0x3fff : 0x1ff8;
        const ValueId low =
            add(Opcode::And64, {value(Type::I64), add(Opcode::Const64, {}, mask)}, 0);
        const ValueId base =
            add(Opcode::Add64, {low, add(Opcode::Const64, {}, offset & ~u64{15})}, 0);
        return add(Opcode::Add64, {base, add(Opcode::Const64, {}, random_() % 3 * 8 - 8)}, 0);
    }

    /// Accesses near each other, which may share a TLB check; some cross into the next page.
    void memory_operations() {
        const u64 mask = random_() % 3 == 0 ? 0x3fff : 0x1ffc;
        const ValueId low =
            add(Opcode::And64, {value(Type::I64), add(Opcode::Const64, {}, mask)}, 0);
        const ValueId base = add(Opcode::Add64, {low, add(Opcode::Const64, {}, Memory::kBase)}, 0);
        for (u64 count = 2 + random_() % 4; count > 0; --count) {
            const u64 offset = random_() % 12 * 8 - 32;
            const ValueId where =
                offset == 0 ? base
                            : add(Opcode::Add64, {base, add(Opcode::Const64, {}, offset)}, 0);
            memory_operation(where, 8);
            if (random_() % 3 == 0) set_state();
            if (random_() % 6 == 0) leave_conditionally();
        }
    }

    void memory_operation(ValueId where, u64 natural_one_in) {
        constexpr auto kFirst = static_cast<u64>(Opcode::Load8);
        constexpr auto kLast = static_cast<u64>(Opcode::StoreExclusive128);
        const auto op = static_cast<Opcode>(kFirst + random_() % (kLast - kFirst + 1));
        const ir::OpcodeInfo &row = ir::info(op);
        ir::MemoryOp memory;
        memory.alignment =
            random_() % natural_one_in == 0 ? ir::Alignment::Natural : ir::Alignment::Any;
        memory.release = random_() % 4 == 0;
        memory.size_log2 = static_cast<u8>(random_() % 4);
        if (row.name.ends_with("128")) memory.size_log2 = 4;
        memory.atomic = static_cast<ir::AtomicKind>(random_() % 9);
        std::array<ValueId, 4> args{where, kNoValue, kNoValue, kNoValue};
        for (unsigned a = 1; a < row.arg_count; ++a) args[a] = value(row.args[a]);
        add(op, {args[0], args[1], args[2], args[3]}, memory.pack());
        if (row.name.starts_with("LoadPair")) {
            switch (row.result) {
            case Type::F32: add(Opcode::SecondF32, {}, 0); break;
            case Type::F64: add(Opcode::SecondF64, {}, 0); break;
            case Type::V128: add(Opcode::SecondV128, {}, 0); break;
            default: add(Opcode::Second, {}, 0); break;
            }
        }
    }

    void call() {
        // The helper is told how many arguments it has.
        static constexpr std::array<Opcode, 3> kOps{Opcode::Call1, Opcode::Call2, Opcode::Call4};
        const Opcode op = kOps[random_() % kOps.size()];
        const unsigned count = ir::info(op).arg_count;
        std::array<ValueId, 4> args{kNoValue, kNoValue, kNoValue, kNoValue};
        for (unsigned a = 0; a < count; ++a) args[a] = value(Type::I64);
        const u64 id = random_() % helpers().size();
        add(op, {args[0], args[1], args[2], args[3]}, id | (count << 8 | random_() % 256) << 16);
    }

    /// What the frontend makes of SUBS, ANDS and of a scaled index: emitted as one.
    void idiom() {
        const u64 x = 8 * (random_() % 8);
        const bool is_64 = random_() % 2 == 0;
        const Type type = is_64 ? Type::I64 : Type::I32;
        const ValueId a = value(type), b = value(type);
        ValueId result, flags;
        switch (random_() % 4) {
        case 0:
            flags = add(is_64 ? Opcode::SubFlags64 : Opcode::SubFlags32, {a, b}, 0);
            result = add(is_64 ? Opcode::Sub64 : Opcode::Sub32, {a, b}, 0);
            break;
        case 1:
            flags = add(is_64 ? Opcode::AddFlags64 : Opcode::AddFlags32, {a, b}, 0);
            result = add(is_64 ? Opcode::Add64 : Opcode::Add32, {a, b}, 0);
            break;
        case 2:
            result = add(is_64 ? Opcode::And64 : Opcode::And32, {a, b}, 0);
            flags = add(is_64 ? Opcode::LogicFlags64 : Opcode::LogicFlags32, {result}, 0);
            break;
        default: {
            const ValueId shift = add(Opcode::Const64, {}, random_() % 5);
            const ValueId index = add(Opcode::Shl64, {value(Type::I64), shift}, 0);
            add(Opcode::SetState64, {add(Opcode::Add64, {value(Type::I64), index}, 0)}, x);
            return;
        }
        }
        const ValueId wide = is_64 ? result : add(Opcode::ZeroExtend32, {result}, 0);
        if (random_() % 4 != 0) add(Opcode::SetState64, {wide}, x);
        if (random_() % 8 != 0) add(Opcode::SetFlags, {flags}, offsetof(ir::ExecContext, flags));
        if (random_() % 2 == 0) return;
        const ValueId condition = add(Opcode::CondHolds, {flags}, random_() % 16);
        if (random_() % 2 == 0)
            add(Opcode::ExitIf, {condition}, 0x208);
        else
            add(Opcode::Select64, {condition, value(Type::I64), value(Type::I64)}, 0);
    }

    /// Sums and differences of many words, as the frontend makes them of ADDS, ADCS ... ADC.
    void carry_chain() {
        const bool is_64 = random_() % 2 == 0, is_subtract = random_() % 2 == 0;
        const auto of = [&](Opcode add32, Opcode add64, Opcode sub32, Opcode sub64) {
            return is_subtract ? (is_64 ? sub64 : sub32) : (is_64 ? add64 : add32);
        };
        const Opcode sum = of(Opcode::Adc32, Opcode::Adc64, Opcode::Sbc32, Opcode::Sbc64);
        const Type type = is_64 ? Type::I64 : Type::I32;
        const auto store = [&](ValueId word) {
            const ValueId wide = is_64 ? word : add(Opcode::ZeroExtend32, {word}, 0);
            if (random_() % 4 != 0) add(Opcode::SetState64, {wide}, 8 * (random_() % 8));
        };
        ValueId a = value(type), b = value(type);
        ValueId flags =
            add(of(Opcode::AddFlags32, Opcode::AddFlags64, Opcode::SubFlags32, Opcode::SubFlags64),
                {a, b}, 0);
        store(add(of(Opcode::Add32, Opcode::Add64, Opcode::Sub32, Opcode::Sub64), {a, b}, 0));
        for (u64 words = random_() % 5; words > 0; --words) {
            if (random_() % 2 == 0) {
                const ValueId x = value(Type::I64), y = value(Type::I64);
                add(random_() % 2 == 0 ? Opcode::MulHighU64 : Opcode::Mul64, {x, y}, 0);
            }
            a = value(type), b = value(type);
            const ValueId word = add(sum, {a, b, flags}, 0);
            flags = add(
                of(Opcode::AdcFlags32, Opcode::AdcFlags64, Opcode::SbcFlags32, Opcode::SbcFlags64),
                {a, b, flags}, 0);
            store(word);
        }
        store(add(sum, {value(type), value(type), flags}, 0));
        if (random_() % 4 == 0) add(Opcode::SetFlags, {flags}, offsetof(ir::ExecContext, flags));
    }

    void operation() {
        if (random_() % 12 == 0) return random_() % 4 == 0 ? carry_chain() : idiom();
        const u64 kind = random_() % 16;
        if (kind < 3) return set_state();
        if (kind < 5) return memory_operation(address(), 4);
        if (kind == 6 && random_() % 2 == 0) return memory_operations();
        if (kind == 5 && random_() % 3 == 0) return call();
        for (;;) {
            const auto op = static_cast<Opcode>(random_() % ir::kOpcodeCount);
            const ir::OpcodeInfo &row = ir::info(op);
            if (row.op_class != OpClass::Pure && row.op_class != OpClass::Fp) continue;
            if (row.name.starts_with("Second")) continue;
            const bool is_integer = op >= Opcode::Const32 && op <= Opcode::Not1;
            if ((integer_only_ || random_() % 2 == 0) && !is_integer) continue;
            Inst inst{.op = op, .imm = random_immediate(op, random_)};
            if (row.op_class == OpClass::Fp) inst.imm &= ~u64{3}; // the host rounds to nearest
            for (unsigned a = 0; a < row.arg_count; ++a) inst.args[a] = value(row.args[a]);
            add(op, {inst.args[0], inst.args[1], inst.args[2], inst.args[3]}, inst.imm);
            return;
        }
    }

    void leave_conditionally() {
        const ValueId condition = value(Type::I1);
        switch (random_() % 8) {
        case 0: add(Opcode::DispatchIf, {condition}, 0x200); break;
        case 1: add(Opcode::RaiseIf, {condition}, 3); break;
        case 2: add(Opcode::ExitIf, {condition}, 0x5000); break;
        default: add(Opcode::ExitIf, {condition}, 0x204); break;
        }
    }

    Random &random_;
    bool integer_only_;
    Block block_;
    std::array<std::vector<ValueId>, 9> values_;
};

class RandomBlocks : public testing::TestWithParam<std::tuple<unsigned, bool>> {
protected:
    RandomBlocks() : jump_cache(ir::kJumpCacheEntries) {}

    /// Runs the block on both tiers from `initial` and `bytes`; returns what differs.
    std::string difference_on(Jit &jit, const Block &block, const State &initial,
                              const decltype(Memory::bytes) &bytes) {
        const ir::Predecoded reference(block, helpers());
        State expected, actual;
        expected.copy_from(initial);
        actual.copy_from(initial);
        expected_memory->bytes = actual_memory->bytes = bytes;
        expected_memory->attach(expected);
        actual_memory->attach(actual);
        expected.budget -= reference.run(expected);
        static_cast<void>(jit.run(actual));
        std::string difference = compare(expected, actual);
        if (expected_memory->bytes != actual_memory->bytes) difference += "memory\n";
        return difference;
    }

    /// Removes what the failure does not need.
    Block reduce(Jit &jit, Block block, const State &initial,
                 const decltype(Memory::bytes) &bytes) {
        for (std::size_t i = block.insts.size() - 1; i-- > 0;) {
            bool is_used = false;
            for (const Inst &inst : block.insts)
                for (const ValueId arg : inst.args) is_used = is_used || arg == i;
            const Inst saved = block.insts[i];
            if (is_used || saved.op == Opcode::Insn) continue;
            block.insts[i] = Inst{};
            if (jit.compile(block) != CompileResult::Done ||
                difference_on(jit, block, initial, bytes).empty())
                block.insts[i] = saved;
        }
        return block;
    }

    std::vector<ir::JumpCacheEntry> jump_cache;
    std::unique_ptr<Memory> expected_memory = std::make_unique<Memory>();
    std::unique_ptr<Memory> actual_memory = std::make_unique<Memory>();
};

TEST_P(RandomBlocks, BehaveAsOnT0) {
    const auto [level, integer_only] = GetParam();
    Random random(level * 1000 + integer_only);
    Jit jit(HostFeatures::detect_up_to(level));
    RandomBlock generator(random, integer_only);
    const auto bytes = std::make_unique<decltype(Memory::bytes)>();
    unsigned failures = 0, too_complex = 0;
    for (unsigned i = 0; i < 1500 && failures < 3; ++i) {
        const Block block = generator.make(1 + static_cast<unsigned>(random() % 12),
                                           1 + static_cast<unsigned>(random() % 8));
        // Half of them as the engine compiles them; the reference is always as made.
        Block compiled = block;
        if (random() % 2 == 0) ir::optimise(compiled, helpers());
        const CompileResult result = jit.compile(compiled);
        ASSERT_NE(result, CompileResult::WindowFull);
        if (result == CompileResult::TooComplex) {
            ++too_complex;
            continue;
        }
        for (unsigned run = 0; run < 6; ++run) {
            State initial;
            randomise(initial, random);
            initial.jump_cache = jump_cache.data();
            initial.exec_tag = 7;
            for (u8 &byte : *bytes) byte = static_cast<u8>(random());
            const std::string difference = difference_on(jit, block, initial, *bytes);
            if (difference.empty()) continue;
            ++failures;
            ADD_FAILURE() << "block " << i << " run " << run << "\n"
                          << difference << ir::print(reduce(jit, block, initial, *bytes))
                          << "compiled from:\n"
                          << ir::print(compiled);
            break;
        }
    }
    // Only conditions of conditions of conditions are: no frontend makes such.
    EXPECT_LT(too_complex, 15u);
}

INSTANTIATE_TEST_SUITE_P(Levels, RandomBlocks,
                         testing::Combine(testing::ValuesIn(levels()), testing::Bool()));

/// insts and an exit, as one guest instruction at offset 0x40.
Block small_block(std::vector<Inst> insts) {
    Block block;
    block.guest_instructions = 1;
    block.insts.push_back({.op = Opcode::Insn, .imm = ir::insn_imm(0x40, 0)});
    block.insts.insert(block.insts.end(), insts.begin(), insts.end());
    return block;
}

/// Operations that are emitted together with others must not depend on it.
TEST(Crypto, JoinedOperationsEqualTheirDefinition) {
    const auto v = State::v_offset;
    const Inst get0{.op = Opcode::GetStateV128, .imm = v(0)};
    const Inst get1{.op = Opcode::GetStateV128, .imm = v(1)};
    const Inst get2{.op = Opcode::GetStateV128, .imm = v(2)};
    const auto op = [](Opcode o, ValueId a, ValueId b = kNoValue, ValueId d = kNoValue) {
        return Inst{.op = o, .args = {a, b, d, kNoValue}};
    };
    const auto set = [&](ValueId a, unsigned n) {
        return Inst{
            .op = Opcode::SetStateV128, .args = {a, kNoValue, kNoValue, kNoValue}, .imm = v(n)};
    };
    const Inst exit{.op = Opcode::Exit, .imm = 0x44};
    const std::vector<Block> blocks{
        small_block({get0, get1, get2, op(Opcode::Sha256Hash, 1, 2, 3), op(Opcode::VAdd32, 4, 1),
                     op(Opcode::Sha256Hash2, 2, 1, 3), set(5, 3), set(6, 4), set(4, 0), exit}),
        small_block({get0, get1, get2, op(Opcode::Sha256Hash2, 1, 2, 3),
                     op(Opcode::Sha256Hash, 2, 1, 3), set(5, 3), set(4, 0), exit}),
        small_block({get0, get1, op(Opcode::AesEncrypt, 1, 2), op(Opcode::AesMixColumns, 3),
                     set(4, 0), exit}),
        small_block({get0, get1, op(Opcode::AesEncrypt, 1, 2), set(3, 2),
                     op(Opcode::AesMixColumns, 3), set(5, 0), exit}),
    };
    Random random(5);
    for (const unsigned level : levels()) {
        Jit jit(HostFeatures::detect_up_to(level));
        for (const Block &block : blocks) {
            const ir::Predecoded reference(block, helpers());
            ASSERT_EQ(jit.compile(block), CompileResult::Done);
            State initial, expected, actual;
            randomise(initial, random);
            expected.copy_from(initial);
            actual.copy_from(initial);
            expected.budget -= reference.run(expected);
            static_cast<void>(jit.run(actual));
            EXPECT_EQ(compare(expected, actual), "") << ir::print(block);
        }
    }
}

class Exits : public testing::Test {
protected:
    Exits() : jit(HostFeatures::detect()) {
        Random random(1);
        randomise(state, random);
        jump_cache.resize(ir::kJumpCacheEntries);
        state.jump_cache = jump_cache.data();
        state.exec_tag = 3;
    }
    Jit jit;
    State state;
    std::vector<ir::JumpCacheEntry> jump_cache;
};

TEST_F(Exits, ReportTheLinkAndTheTarget) {
    ASSERT_EQ(jit.compile(small_block({{.op = Opcode::Exit, .imm = 0x80}})), CompileResult::Done);
    ASSERT_EQ(jit.compiled().links.size(), 1u);
    EXPECT_EQ(jit.compiled().links[0].target, 0x80);
    const ExitInfo info = jit.run(state);
    EXPECT_EQ(info.owner, 0x1122334455667788u);
    EXPECT_EQ(info.link, 0u);
    EXPECT_EQ(state.pc, state.pc_page + 0x80);
    EXPECT_EQ(state.budget, 999);
}

TEST_F(Exits, LinkToOtherPagesWithinReach) {
    for (const i64 target : {i64{-0xf80}, i64{0x2080}}) {
        const ir::Block block =
            small_block({{.op = Opcode::Exit, .imm = static_cast<u64>(target)}});
        ASSERT_EQ(jit.compile(block, Reach{-0x1000, 0x3000}), CompileResult::Done);
        ASSERT_EQ(jit.compiled().links.size(), 1u);
        EXPECT_EQ(jit.compiled().links[0].target, target);
        const u64 page = state.pc_page;
        // Not linked: with budget left, and without.
        for (const i64 budget : {i64{1000}, i64{ir::kMaxBlockInstructions}}) {
            state.budget = budget;
            state.pc_page = page;
            const ExitInfo info = jit.run(state);
            EXPECT_EQ(info.owner, 0x1122334455667788u);
            EXPECT_EQ(state.pc, page + static_cast<u64>(target));
            EXPECT_EQ(state.budget, budget - 1);
        }
        // Linked to itself it goes on by as much each time.
        set_link(jit.window(), jit.compiled().links[0], jit.entry());
        state.budget = ir::kMaxBlockInstructions + 2;
        state.pc_page = page;
        static_cast<void>(jit.run(state));
        const u64 pages = static_cast<u64>(target & ~i64{0xfff});
        EXPECT_EQ(state.pc_page, page + 2 * pages);
        EXPECT_EQ(state.pc, state.pc_page + static_cast<u64>(target));
        state.pc_page = page;
    }
}

TEST_F(Exits, FollowALinkUntilTheBudgetIsUsedUp) {
    ASSERT_EQ(jit.compile(small_block({{.op = Opcode::Exit, .imm = 0x40}})), CompileResult::Done);
    set_link(jit.window(), jit.compiled().links[0], jit.entry());
    static_cast<void>(jit.run(state));
    EXPECT_EQ(state.budget, ir::kMaxBlockInstructions - 1);
    EXPECT_EQ(state.pc, state.pc_page + 0x40);
    clear_link(jit.window(), jit.compiled().links[0]);
    state.budget = 1000;
    static_cast<void>(jit.run(state));
    EXPECT_EQ(state.budget, 999);
}

TEST_F(Exits, FindTheirTargetInTheJumpCache) {
    // A loop through the jump cache: the block exits to its own address.
    ASSERT_EQ(jit.compile(small_block(
                  {{.op = Opcode::GetState64, .imm = 5 * 8},
                   {.op = Opcode::ExitIndirect, .args = {1, kNoValue, kNoValue, kNoValue}}})),
              CompileResult::Done);
    const u64 va = 0xffff'8000'0000'9040;
    state.gpr[5] = va;
    state.pc_page = va & ~u64{0xfff};
    ir::JumpCacheEntry &entry = jump_cache[(va >> 2) & (ir::kJumpCacheEntries - 1)];
    static_cast<void>(jit.run(state));
    EXPECT_EQ(state.budget, 999);
    EXPECT_EQ(state.pc, va);
    entry = {va, 3, jit.entry(), 0};
    static_cast<void>(jit.run(state));
    EXPECT_EQ(state.budget, ir::kMaxBlockInstructions - 1);
    EXPECT_EQ(state.pc, va);
    EXPECT_EQ(state.pc_page, va & ~u64{0xfff});
    entry.tag = 4;
    state.budget = 1000;
    static_cast<void>(jit.run(state));
    EXPECT_EQ(state.budget, 999);
}

TEST_F(Exits, TooSmallAWindowIsReported) {
    Block block = small_block({});
    for (unsigned i = 0; i < 60; ++i)
        block.insts.push_back({.op = Opcode::GetState64, .imm = 8 * (i % 30)});
    block.insts.push_back({.op = Opcode::Exit, .imm = 0x80});
    EXPECT_EQ(jit.compile_into(block, 16), CompileResult::WindowFull);
    EXPECT_EQ(jit.compile(block), CompileResult::Done);
}

} // namespace
} // namespace tandem::jit::test
