#pragma once
/// What the engine counts; each vCPU has its own, the sum is printed by --stats.
#include "support/bits.h"

namespace tandem::jit {

// clang-format off
#define TANDEM_ENGINE_STATISTICS(X)                                                                 \
    X(instructions_retired,     "guest instructions run")                                          \
    X(instructions_interpreted, "of these, by T0")                                                 \
    X(sampled_instructions,     "guest instructions run by T0 and timed")                          \
    X(sampled_ticks,            "ticks they took")                                                 \
    X(blocks_translated,        "blocks translated")                                               \
    X(guest_translated,         "guest instructions translated")                                   \
    X(translation_timed,        "of these, timed: the host's scheduler did not interrupt")         \
    X(translation_ticks,        "ticks spent translating for T0 (decode, IR, passes, predecode)")  \
    X(blocks_compiled,          "blocks compiled by T1")                                           \
    X(guest_compiled,           "guest instructions compiled by T1")                               \
    X(compilation_timed,        "of these, timed")                                                 \
    X(compilation_ticks,        "ticks spent in T1")                                               \
    X(code_bytes,               "bytes of T1 code made")                                           \
    X(slices_sampled,           "slices that ended in translated code")                             \
    X(slices_in_regions,        "of these, in T2's")                                               \
    X(regions_demoted,          "regions taken back: left too soon, or slower than T1")            \
    X(dispatches,               "dispatcher passes")                                               \
    X(jump_cache_misses,        "dispatcher passes that missed the jump cache")                    \
    X(jump_cache_conflicts,     "of these, found another address there")                           \
    X(fetch_flushes,            "flushes of instruction fetch translations")                       \
    X(fetch_walks,              "page walks for instruction fetch")                                \
    X(links,                    "block links made")                                                \
    X(tlb_fills,                "softmmu TLB fills")                                               \
    X(slow_accesses,            "memory accesses on the slow path")                                \
    X(mmio_accesses,            "device accesses")                                                 \
    X(code_stores,              "stores to pages that hold code")                                  \
    X(invalidated_blocks,       "blocks invalidated because their code changed")                   \
    X(store_replays,            "stores into the running block")                                   \
    X(store_waits,              "waits for other CPUs' stores before translating their page")       \
    X(exact_stops,              "blocks cut to stop at an exact count")                            \
    X(address_space_switches,   "address space switches")                                          \
    X(tlb_invalidations,        "TLB invalidations by the guest")                                  \
    X(tlb_waits,                "waits for other CPUs at a barrier")                               \
    X(cache_flushes,            "flushes of the whole code cache")
// clang-format on

struct Statistics {
#define X(name, text) u64 name = 0;
    TANDEM_ENGINE_STATISTICS(X)
#undef X

    Statistics &operator+=(const Statistics &other) {
#define X(name, text) name += other.name;
        TANDEM_ENGINE_STATISTICS(X)
#undef X
        return *this;
    }
};

} // namespace tandem::jit
