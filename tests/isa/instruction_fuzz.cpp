// instruction_fuzz: every row of the A64 tables on random encodings and states, T0 and T1 against
// an independent emulator and against each other. See README.md.
#include "tests/isa/generator.h"
#include "tests/isa/known_differences.h"
#include "tests/isa/oracle.h"
#include "tests/isa/subject.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <random>

namespace tandem::isa {
namespace {

struct Options {
    std::string emulator;
    std::string agent;
    std::string rows;
    std::string tier = "t1";
    u64 cases = 1000;
    u64 sequences = 20000;
    u64 seed = std::random_device{}();
    unsigned shown = 3;
    bool interpreter_only = false;
};

std::string words_of(const isa_case &test) {
    std::string text;
    for (const u32 word : test.words)
        if (word != 0xd4200000) text += fmt::format("{:08x} ", word);
    return text;
}

/// The first difference, or an empty string.
std::string difference(const isa_case &test, const isa_outcome &ours, const isa_outcome &theirs) {
    const auto field = [](std::string_view name, u64 a, u64 b) {
        return fmt::format("{}: {:#x}, expected {:#x}", name, a, b);
    };
    if (ours.ending != theirs.ending) return field("ending", ours.ending, theirs.ending);
    if (ours.state.pc != theirs.state.pc) return field("pc", ours.state.pc, theirs.state.pc);
    for (unsigned i = 0; i < 31; ++i)
        if (ours.state.x[i] != theirs.state.x[i])
            return field(fmt::format("x{}", i), ours.state.x[i], theirs.state.x[i]);
    if (ours.state.sp != theirs.state.sp) return field("sp", ours.state.sp, theirs.state.sp);
    if (ours.state.nzcv != theirs.state.nzcv)
        return field("nzcv", ours.state.nzcv, theirs.state.nzcv);
    for (unsigned i = 0; i < 64; ++i)
        if (ours.state.v[i] != theirs.state.v[i])
            return field(fmt::format("v{}.d[{}]", i / 2, i % 2), ours.state.v[i],
                         theirs.state.v[i]);
    if (ours.state.fpsr != theirs.state.fpsr)
        return field("fpsr", ours.state.fpsr, theirs.state.fpsr);
    if (ours.state.fpcr != theirs.state.fpcr)
        return field("fpcr", ours.state.fpcr, theirs.state.fpcr);
    for (u32 r = 0; r < test.range_count; ++r)
        for (u32 i = 0; i < test.ranges[r].size; ++i)
            if (ours.memory[r][i] != theirs.memory[r][i])
                return field(fmt::format("memory {:#x}", test.ranges[r].address + i),
                             ours.memory[r][i], theirs.memory[r][i]);
    return {};
}

std::string inputs(const isa_case &test) {
    const u32 word = test.words[0];
    std::string text = fmt::format("nzcv {:#x} fpcr {:#x} fpsr {:#x}", test.state.nzcv,
                                   test.state.fpcr, test.state.fpsr);
    for (const unsigned field : {0u, 5u, 10u, 16u}) {
        const u32 n = (word >> field) & 31;
        text += fmt::format("\n      {}: x {:#x} v {:016x}_{:016x}", n,
                            n < 31 ? test.state.x[n] : test.state.sp, test.state.v[2 * n + 1],
                            test.state.v[2 * n]);
    }
    return text;
}

class Fuzzer {
public:
    Fuzzer(const Options &options, Oracle &oracle)
        : options_(options), oracle_(oracle), generator_(options.seed),
          interpreter_(Tier::Interpreter, MemoryPath::Slow, 4) {
        if (options.interpreter_only) return;
        if (options.tier == "t2") {
            add_translated("T2", MemoryPath::Inline, 4, Tier::Optimising);
            add_translated("T2 slow path", MemoryPath::Slow, 4, Tier::Optimising);
            add_translated("T2 x86-64-v3", MemoryPath::Inline, 3, Tier::Optimising);
            add_translated("T2 x86-64-v2", MemoryPath::Inline, 2, Tier::Optimising);
            return;
        }
        if (options.tier == "mixed") {
            add_translated("mixed tiers", MemoryPath::Inline, 4, Tier::Mixed);
            add_translated("mixed tiers, slow path", MemoryPath::Slow, 4, Tier::Mixed);
            return;
        }
        add_translated("T1", MemoryPath::Inline, 4);
        add_translated("T1 slow path", MemoryPath::Slow, 4);
        add_translated("T1 x86-64-v3", MemoryPath::Inline, 3);
        add_translated("T1 x86-64-v2", MemoryPath::Inline, 2);
    }

    Result<bool> run() {
        bool clean = true;
        unsigned compared = 0, excluded = 0;
        for (unsigned i = 0; i < arm::a64::kRowCount; ++i) {
            const auto row = static_cast<arm::a64::Row>(i);
            if (!options_.rows.empty() &&
                std::string_view(info(row).name).find(options_.rows) == std::string_view::npos)
                continue;
            if (!reason_not_compared(row).empty()) {
                ++excluded;
                continue;
            }
            ++compared;
            const bool row_is_clean =
                TRY(fuzz(info(row).name, options_.cases, [&] { return generator_.make(row); }));
            clean = clean && row_is_clean;
        }
        if (options_.rows.empty()) {
            const bool sequences_are_clean = TRY(
                fuzz("sequences", options_.sequences, [&] { return generator_.make_sequence(); }));
            clean = clean && sequences_are_clean;
        }
        report(compared, excluded);
        return clean;
    }

private:
    struct Translated {
        std::string_view name;
        std::unique_ptr<Subject> subject;
    };

    void add_translated(std::string_view name, MemoryPath path, unsigned level,
                        Tier tier = Tier::Baseline) {
        translated_.push_back({name, std::make_unique<Subject>(tier, path, level)});
    }

    template <typename Make>
    Result<bool> fuzz(std::string_view name, u64 count, Make make) {
        std::vector<isa_case> cases(count);
        std::vector<isa_outcome> ours(count), theirs;
        for (u64 i = 0; i < count; ++i) {
            do { // the oracle would wait for the end of a branch to itself
                cases[i] = make();
                ours[i] = interpreter_.run(cases[i], true);
            } while (!interpreter_.has_ended());
        }
        TRY(oracle_.run(cases, theirs));
        unsigned bad = 0;
        for (u64 i = 0; i < count; ++i) {
            ++cases_;
            std::string found = difference(cases[i], ours[i], theirs[i]);
            if (!found.empty()) {
                if (const std::string_view known = known_difference(cases[i], ours[i], theirs[i]);
                    !known.empty()) {
                    ++explained_[std::string(known)];
                    found.clear();
                }
            }
            complain(name, "T0 against the oracle", cases[i], found, bad);
            if (translated_.empty()) continue;
            const Translated &other = translated_[i % translated_.size()];
            const isa_outcome again = other.subject->run(cases[i], false);
            complain(name, other.name, cases[i], difference(cases[i], again, ours[i]), bad);
        }
        for (const Translated &t : translated_)
            if (!t.subject->memory_is_intact())
                return failure(fmt::format("{}: {} wrote where T0 did not", name, t.name));
        if (!interpreter_.memory_is_intact())
            return failure(fmt::format("{}: T0 left memory changed", name));
        if (bad != 0) fmt::print("{}: {} mismatches in {} cases\n", name, bad, count);
        mismatches_ += bad;
        return bad == 0;
    }

    void complain(std::string_view name, std::string_view who, const isa_case &test,
                  const std::string &found, unsigned &bad) const {
        if (found.empty()) return;
        if (bad++ < options_.shown)
            fmt::print("{}: {}: {}: {}\n      {}\n", name, who, words_of(test), found,
                       inputs(test));
    }

    void report(unsigned compared, unsigned excluded) const {
        fmt::print("{} rows compared, {} not comparable, {} cases, {} unexplained mismatches\n",
                   compared, excluded, cases_, mismatches_);
        for (const auto &[reason, count] : explained_)
            fmt::print("  explained {:8}: {}\n", count, reason);
        std::fflush(stdout);
    }

    const Options &options_;
    Oracle &oracle_;
    Generator generator_;
    Subject interpreter_;
    std::vector<Translated> translated_;
    u64 cases_ = 0;
    u64 mismatches_ = 0;
    std::map<std::string, u64> explained_;
};

int main(int argc, char **argv) {
    Options options;
    CLI::App app("Compares A64 instructions with an independent emulator.");
    app.add_option("--emulator", options.emulator, "qemu-aarch64")->required();
    app.add_option("--agent", options.agent, "the oracle's program (agent.c)")->required();
    app.add_option("--rows", options.rows, "only rows whose name contains this");
    app.add_option("--tier", options.tier,
                   "of translated code: t1 (default), t2 (slow), or mixed: by chance")
        ->check(CLI::IsMember({"t1", "t2", "mixed"}));
    app.add_option("--cases", options.cases, "cases for each row");
    app.add_option("--sequences", options.sequences, "random sequences of instructions");
    app.add_option("--seed", options.seed,
                   "of the generator (default: another each time; it is printed)");
    app.add_option("--shown", options.shown, "mismatches printed for each row");
    app.add_flag("--interpreter-only", options.interpreter_only, "leave out translated code");
    CLI11_PARSE(app, argc, argv);

    fmt::print("--seed {}\n", options.seed);
    std::fflush(stdout); // known even of a run that is killed
    auto oracle = Oracle::start(options.emulator, options.agent);
    if (!oracle) {
        fmt::print(stderr, "{}\n", oracle.error().message);
        return 2;
    }
    const auto clean = Fuzzer(options, **oracle).run();
    if (!clean) {
        fmt::print(stderr, "{}\n", clean.error().message);
        return 2;
    }
    return *clean ? 0 : 1;
}

} // namespace
} // namespace tandem::isa

int main(int argc, char **argv) {
    return tandem::isa::main(argc, argv);
}
