#include "tests/isa/known_differences.h"

#include "support/bits.h"

namespace tandem::isa {

std::string_view known_difference(const isa_case &test, const isa_outcome &ours,
                                  const isa_outcome &theirs) {
    const u32 word = test.words[0];
    const u32 base = bits32(word, 9, 5);
    const bool is_store_exclusive = (word & 0x3f400000) == 0x08000000;
    if (is_store_exclusive && base < 31 && test.state.x[base] == ~u64{0})
        return "a store exclusive without a monitor fails (Arm ARM B2.12); the oracle notes the "
               "lack "
               "of a monitor as address -1, which this one names";
    if (ours.ending == ISA_MISALIGNED && theirs.ending == ISA_FAULTED &&
        ours.state.pc == theirs.state.pc && (ours.state.pc & 3) != 0)
        return "PC alignment faults come before instruction aborts (Arm ARM D1.3.5, priority of "
               "synchronous exceptions); the oracle reports the abort";
    return {};
}

} // namespace tandem::isa
