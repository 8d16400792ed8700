#include "tests/isa/generator.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <vector>

namespace tandem::isa {
namespace {

using arm::a64::Row;
using arm::a64::RowInfo;

constexpr u32 kBrk = 0xd4200000;

/// The names in tables/load_store.inc, whose rows address memory through Rn.
constexpr std::string_view kLoadStoreRows[] = {
#define INST(name, ...) #name,
#define INST_FP(name, ...) #name,
#include "frontend-arm/a64/tables/load_store.inc"
#undef INST
#undef INST_FP
};
bool is_load_store(const RowInfo &row) {
    return std::ranges::find(kLoadStoreRows, row.name) != std::end(kLoadStoreRows);
}
bool is_mops(const RowInfo &row) {
    return row.feature == arm::Feature::MOPS;
}

/// Names in tables/branch_system.inc: what may leave the code or reach the system.
constexpr std::string_view kBranchSystemRows[] = {
#define INST(name, ...) #name,
#define INST_FP(name, ...) #name,
#include "frontend-arm/a64/tables/branch_system.inc"
#undef INST
#undef INST_FP
};
bool is_branch_or_system(const RowInfo &row) {
    return std::ranges::find(kBranchSystemRows, row.name) != std::end(kBranchSystemRows);
}

struct Exclusion {
    std::string_view prefix;
    std::string_view reason;
};
/// First match of the row's name counts.
constexpr Exclusion kExclusions[] = {
    {"SVC", "leaves the program: see system_compare.py"},
    {"HVC", "needs EL1: see system_compare.py"},
    {"SMC", "needs EL1: see system_compare.py"},
    {"HLT", "semihosting in user-mode emulation: see system_compare.py"},
    {"BRK", "ends the case by itself: see system_compare.py"},
    {"WFI", "waits: roms/timers tests it"},
    {"WFE", "waits: roms/smp tests it"},
    {"WFIT", "waits"},
    {"WFET", "waits"},
    {"MRS", "system registers: see system_compare.py"},
    {"MSR", "system registers: see system_compare.py"},
    {"SYS", "cache and TLB maintenance: see system_compare.py"},
    {"PACGA", "the algorithm is implementation defined: see system_compare.py"},
    {"PAC", "the algorithm is implementation defined: see system_compare.py"},
    {"AUT", "value is implementation defined (Arm ARM, Auth)"},
    {"RETA", "authentication is implementation defined (Arm ARM, Auth)"},
    {"BRA", "authentication is implementation defined (Arm ARM, Auth)"},
    {"BLRA", "authentication is implementation defined (Arm ARM, Auth)"},
    {"LDRA", "authentication is implementation defined (Arm ARM, Auth)"},
};

} // namespace

std::string_view reason_not_compared(Row row) {
    for (const Exclusion &exclusion : kExclusions)
        if (info(row).name.starts_with(exclusion.prefix)) return exclusion.reason;
    return {};
}

/// A word of this row and of no more specific one.
u32 Generator::random_word(Row row) {
    static const arm::a64::Decoder decoder(arm::FeatureSet::all());
    for (;;) {
        const u32 word = (static_cast<u32>(random_()) & ~info(row).mask) | info(row).value;
        if (decoder.decode(word) == row) return word;
    }
}

u64 Generator::integer() {
    static constexpr u64 kSpecial[] = {0,
                                       1,
                                       2,
                                       ~u64{0},
                                       0x7fffffff,
                                       0x80000000,
                                       0xffffffff,
                                       0x100000000,
                                       0x7fffffffffffffff,
                                       0x8000000000000000,
                                       0xffffffff80000000,
                                       0xaaaaaaaaaaaaaaaa};
    switch (below(4)) {
    case 0: return kSpecial[below(std::size(kSpecial))];
    case 1: return below(130);
    case 2: return random_() >> below(64);
    default: return random_();
    }
}

/// Half a vector register: lanes of special floating-point and integer values, or noise.
u64 Generator::vector_half() {
    static constexpr u64 kDoubles[] = {0,
                                       0x8000000000000000,
                                       0x3ff0000000000000,
                                       0xbff0000000000000,
                                       0x7ff0000000000000,
                                       0xfff0000000000000,
                                       0x7ff8000000000001,
                                       0x7ff0000000000001,
                                       0xfff4000000000123,
                                       0x0000000000000001,
                                       0x000fffffffffffff,
                                       0x0010000000000000,
                                       0x8010000000000000,
                                       0x7fefffffffffffff,
                                       0x3fe0000000000000,
                                       0x41dfffffffc00000,
                                       0x41e0000000000000,
                                       0x43e0000000000000,
                                       0xc3e0000000000000,
                                       0x4330000000000001,
                                       0x3fdfffffffffffff,
                                       0x36a0000000000000,
                                       0x47efffffe0000000,
                                       0x380fffffffffffff,
                                       0x3ca0000000000000,
                                       0x4000000000000000};
    static constexpr u32 kSingles[] = {0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000,
                                       0xff800000, 0x7fc00001, 0x7f800001, 0xffa00123, 1,
                                       0x007fffff, 0x00800000, 0x80800000, 0x7f7fffff, 0x3f000000,
                                       0x4f000000, 0x5f000000, 0xcf000000, 0x4b000001, 0x33800000,
                                       0x387fc000, 0x477fe000, 0x38800000, 0x34000000, 0x40000000};
    static constexpr u16 kHalves[] = {0,      0x8000, 0x3c00, 0xbc00, 0x7c00, 0xfc00, 0x7e01,
                                      0x7c01, 0xfd23, 1,      0x03ff, 0x0400, 0x8400, 0x7bff,
                                      0x3800, 0x7800, 0x6401, 0x0c00, 0x1400, 0x4000};
    switch (below(6)) {
    case 0: return kDoubles[below(std::size(kDoubles))];
    case 1:
        return kSingles[below(std::size(kSingles))] | u64{kSingles[below(std::size(kSingles))]}
                                                          << 32;
    case 2: {
        u64 value = 0;
        for (int i = 0; i < 4; ++i) value = value << 16 | kHalves[below(std::size(kHalves))];
        return value;
    }
    case 3: { // doubles, singles or halves of moderate size
        const u64 noise = random_();
        switch (below(3)) {
        case 0: return (noise & 0x800fffffffffffff) | (0x3f0 + below(0x60)) << 52;
        case 1:
            return (noise & 0x807fffff807fffff) | (0x70 + below(0x30)) << 23 |
                   (0x70 + below(0x30)) << 55;
        default: return noise & 0xbfffbfffbfffbfff;
        }
    }
    case 4: return integer();
    default: return random_();
    }
}

void Generator::make_state(isa_case &test) {
    isa_state &state = test.state;
    for (u64 &x : state.x) x = integer();
    state.sp = ISA_DATA_BASE + ISA_DATA_SIZE / 2 + below(64) * 16;
    state.nzcv = static_cast<u32>(below(16)) << 28;
    for (u64 &v : state.v) v = vector_half();
    // The common mode half of the time; AHP, DN, FZ, RMode and FZ16 at random otherwise.
    if (below(2) != 0)
        state.fpcr = static_cast<u32>(below(2) << 26 | below(2) << 25 | below(2) << 24 |
                                      below(4) << 22 | below(2) << 19);
    if (below(4) == 0) state.fpsr = static_cast<u32>(below(32) | below(2) << 27);
    std::ranges::fill(test.words, kBrk);
}

/// Points the base register into the data area and keeps an index register small.
void Generator::aim_at_memory(isa_case &test, u32 word) {
    const u32 base = bits32(word, 9, 5);
    const u32 index = bits32(word, 20, 16);
    if (index < 31 && index != base) {
        const u64 small = below(256);
        test.state.x[index] = below(4) == 0 ? ~small : small;
    }
    static constexpr u64 kAlignments[] = {1, 2, 4, 8, 16, 16, 16, 16};
    const u64 alignment = kAlignments[below(std::size(kAlignments))];
    const u64 address = ISA_DATA_BASE + ISA_DATA_SIZE / 2 + (below(8192) & ~(alignment - 1));
    if (base == 31)
        test.state.sp = address & ~u64{15}; // roms/exceptions tests misaligned ones
    else if (base == index)
        test.state.x[base] = address / 2; // twice that, unless the index is extended or scaled
    else if (below(32) != 0)
        test.state.x[base] = address | (below(8) == 0 ? u64{0x5a} << 56 : 0);
    else // wherever it points above the oracle's own memory, which faults
        test.state.x[base] |= u64{1} << 47;
}

/// Most often to an aligned address in the code area, sometimes a tagged one.
void Generator::aim_at_code(isa_case &test, u32 word) {
    const u32 base = bits32(word, 9, 5);
    if (base == 31 || below(8) == 0) return;
    const u64 address = ISA_CODE_BASE + below(ISA_CODE_SIZE);
    test.state.x[base] =
        (below(8) == 0 ? address : address & ~u64{3}) | (below(8) == 0 ? u64{0x5a} << 56 : 0);
}

/// Bits 23:22 of CPY and 15:14 of SET are 0 in the prologue, 1 in the main part, 2 in the epilogue.
void Generator::make_mops(isa_case &test, u32 word) {
    const bool is_set = bits32(word, 23, 22) == 3;
    const unsigned stage = is_set ? 14 : 22;
    const u32 rd = bits32(word, 4, 0), rn = bits32(word, 9, 5), rs = bits32(word, 20, 16);
    for (u32 i = 0; i < 3; ++i) test.words[i] = (word & ~(3u << stage)) | i << stage;
    const u64 middle = ISA_DATA_BASE + ISA_DATA_SIZE / 2;
    // CPYF copies forward only: overlap with a higher destination is not what it is for.
    const bool forward_only = !is_set && bits32(word, 26, 26) == 0;
    if (rs < 31 && !is_set) test.state.x[rs] = middle + below(600) + (forward_only ? 1024 : 0);
    if (rd < 31) test.state.x[rd] = middle + below(600);
    if (rn < 31) test.state.x[rn] = below(8) == 0 ? 0 : below(400);
}

isa_case Generator::make(Row row) {
    isa_case test{};
    make_state(test);
    const RowInfo &encoding = info(row);
    const u32 word = random_word(row);
    if (is_mops(encoding)) {
        make_mops(test, word);
        return test;
    }
    test.words[0] = word;
    if (is_load_store(encoding)) aim_at_memory(test, word);
    if (row == Row::BR || row == Row::BLR || row == Row::RET) aim_at_code(test, word);
    return test;
}

isa_case Generator::make_sequence() {
    static const std::vector<Row> rows = [] {
        std::vector<Row> usable;
        for (unsigned i = 0; i < arm::a64::kRowCount; ++i) {
            const RowInfo &row = info(static_cast<Row>(i));
            if (!is_load_store(row) && !is_branch_or_system(row) && !is_mops(row) &&
                reason_not_compared(static_cast<Row>(i)).empty())
                usable.push_back(static_cast<Row>(i));
        }
        return usable;
    }();
    isa_case test{};
    make_state(test);
    for (unsigned i = 0; i < ISA_MAX_WORDS; ++i) {
        // Few registers, so that instructions depend on each other.
        const Row row = rows[below(rows.size())];
        u32 word = random_word(row);
        for (const unsigned field : {0u, 5u, 16u})
            if (below(2) != 0) word &= ~(0x18u << field & ~info(row).mask);
        test.words[i] = word;
    }
    return test;
}

} // namespace tandem::isa
