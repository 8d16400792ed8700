#ifndef TANDEM_TESTS_ISA_PROTOCOL_H
#define TANDEM_TESTS_ISA_PROTOCOL_H
/* What the instruction fuzzer and its oracle (agent.c, an arm64 program that an independent
 * emulator runs) say to each other over a pipe: one Case in, one Outcome out. Plain C, as both
 * sides include it. */
#include <stdint.h>

/* The same on both sides, so that addresses in registers mean the same. */
#define ISA_DATA_BASE 0x10000000ull
#define ISA_DATA_SIZE 0x200000ull /* filled with isa_pattern() before every case */
#define ISA_CODE_BASE 0x20000000ull
#define ISA_CODE_SIZE 0x400000ull /* every word is BRK #0 but the instructions under test */
#define ISA_CODE_SLOT (ISA_CODE_BASE + ISA_CODE_SIZE / 2)
#define ISA_MAX_WORDS 8
#define ISA_MAX_RANGES 16
#define ISA_RANGE_SIZE 128

struct isa_state {
    uint64_t x[31];
    uint64_t sp;
    uint64_t pc;
    uint32_t nzcv; /* bits 31:28 */
    uint32_t fpcr;
    uint32_t fpsr;
    uint32_t reserved;
    uint64_t v[64]; /* 32 vectors, low half first */
};

/* Memory to report (and restore) after the case, as touched by the implementation under test. */
struct isa_range {
    uint64_t address; /* inside the data area */
    uint32_t size;    /* 0..ISA_RANGE_SIZE */
    uint32_t reserved;
};

struct isa_case {
    struct isa_state state;
    uint32_t words[ISA_MAX_WORDS]; /* at ISA_CODE_SLOT; unused ones are BRK #0 */
    uint32_t range_count;
    uint32_t reserved;
    struct isa_range ranges[ISA_MAX_RANGES];
};

enum isa_ending {
    ISA_COMPLETED, /* reached a BRK: state.pc says where */
    ISA_UNDEFINED, /* SIGILL */
    ISA_FAULTED,   /* SIGSEGV */
    ISA_MISALIGNED /* SIGBUS */
};

struct isa_outcome {
    struct isa_state state;
    uint32_t ending;
    uint32_t reserved;
    uint8_t memory[ISA_MAX_RANGES][ISA_RANGE_SIZE];
};

/* The content of the data area: a function of the address, eight bytes at a time. */
static inline uint64_t isa_pattern(uint64_t address) {
    uint64_t z = address * 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    return z ^ (z >> 27);
}
#endif
