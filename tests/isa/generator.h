#pragma once
/// Random instructions of a table row, and random states that make them interesting.
#include "frontend-arm/a64/decoder.h"
#include "tests/isa/protocol.h"

#include <random>
#include <string_view>

namespace tandem::isa {

/// Why the oracle cannot judge a row; empty if it can. These rows are tested elsewhere.
[[nodiscard]] std::string_view reason_not_compared(arm::a64::Row row);

class Generator {
public:
    explicit Generator(u64 seed) : random_(seed) {}

    /// One instruction of `row` (FEAT_MOPS rows: prologue, main and epilogue) and a state for it.
    isa_case make(arm::a64::Row row);
    /// Up to ISA_MAX_WORDS instructions of random rows that the oracle can judge, none of which
    /// branches or uses memory.
    isa_case make_sequence();

private:
    u64 below(u64 bound) { return random_() % bound; }
    u32 random_word(arm::a64::Row row);
    u64 integer();
    u64 vector_half();
    void make_state(isa_case &test);
    void aim_at_memory(isa_case &test, u32 word);
    void aim_at_code(isa_case &test, u32 word);
    void make_mops(isa_case &test, u32 word);

    std::mt19937_64 random_;
};

} // namespace tandem::isa
