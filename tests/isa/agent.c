/* The oracle's side of the instruction fuzzer: an arm64 Linux program without a C library. A signal
 * handler is its main loop: the frame it returns to is the next case, the frame it is entered with
 * the outcome of the last one. */
#include "protocol.h"

typedef uint64_t u64;

static long system_call(long number, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}
enum { kRead = 63, kWrite = 64, kExit = 93, kSigaltstack = 132, kSigaction = 134, kMmap = 222 };
enum { kSigill = 4, kSigtrap = 5, kSigbus = 7, kSigsegv = 11 };

/* The kernel's signal frame (asm/sigcontext.h), the parts used here. */
struct context_record {
    uint32_t magic;
    uint32_t size;
};
struct fpsimd_record {
    struct context_record head;
    uint32_t fpsr;
    uint32_t fpcr;
    u64 v[64];
};
struct user_context {
    u64 flags;
    u64 link;
    u64 stack[3];
    u64 signal_mask[16];
    u64 padding;
    u64 fault_address;
    u64 x[31];
    u64 sp;
    u64 pc;
    u64 pstate;
    u64 padding2;
    unsigned char records[4096];
};
_Static_assert(__builtin_offsetof(struct user_context, fault_address) == 176, "frame layout");
_Static_assert(__builtin_offsetof(struct user_context, records) == 464, "frame layout");

enum { kFpsimdMagic = 0x46508001 };
#define PSTATE_NZCV 0xf0000000ull

static struct isa_case current;
static struct isa_outcome outcome;
static int has_case;
static unsigned char signal_stack[65536] __attribute__((aligned(16)));

static void transfer(int is_write, void *data, u64 size) {
    char *p = data;
    while (size > 0) {
        const long n = system_call(is_write ? kWrite : kRead, is_write, (long)p, (long)size, 0, 0, 0);
        if (n <= 0) system_call(kExit, 0, 0, 0, 0, 0, 0);
        p += n;
        size -= (u64)n;
    }
}

static struct fpsimd_record *fpsimd(struct user_context *context) {
    unsigned char *p = context->records;
    for (;;) {
        struct context_record *head = (struct context_record *)p;
        if (head->magic == kFpsimdMagic) return (struct fpsimd_record *)p;
        if (head->magic == 0) system_call(kExit, 3, 0, 0, 0, 0, 0);
        p += head->size;
    }
}

static void report(int signal, struct user_context *context) {
    struct fpsimd_record *fp = fpsimd(context);
    struct isa_state *state = &outcome.state;
    for (int i = 0; i < 31; ++i) state->x[i] = context->x[i];
    state->sp = context->sp;
    state->pc = context->pc;
    state->nzcv = (uint32_t)(context->pstate & PSTATE_NZCV);
    state->fpcr = fp->fpcr;
    state->fpsr = fp->fpsr;
    for (int i = 0; i < 64; ++i) state->v[i] = fp->v[i];
    outcome.ending = signal == kSigtrap  ? ISA_COMPLETED
                     : signal == kSigill ? ISA_UNDEFINED
                     : signal == kSigbus ? ISA_MISALIGNED
                                         : ISA_FAULTED;
    for (uint32_t r = 0; r < current.range_count; ++r) {
        unsigned char *memory = (unsigned char *)current.ranges[r].address;
        for (uint32_t i = 0; i < current.ranges[r].size; ++i) outcome.memory[r][i] = memory[i];
    }
    for (uint32_t r = 0; r < current.range_count; ++r) {
        const u64 begin = current.ranges[r].address & ~7ull;
        const u64 end = current.ranges[r].address + current.ranges[r].size;
        for (u64 a = begin; a < end; a += 8) *(u64 *)a = isa_pattern(a);
    }
    transfer(1, &outcome, sizeof outcome);
}

static void start(struct user_context *context) {
    transfer(0, &current, sizeof current);
    struct fpsimd_record *fp = fpsimd(context);
    const struct isa_state *state = &current.state;
    for (int i = 0; i < 31; ++i) context->x[i] = state->x[i];
    context->sp = state->sp;
    context->pc = ISA_CODE_SLOT;
    context->pstate = (context->pstate & ~(PSTATE_NZCV | 0xc00ull)) | state->nzcv;
    fp->fpcr = state->fpcr;
    fp->fpsr = state->fpsr;
    for (int i = 0; i < 64; ++i) fp->v[i] = state->v[i];
    for (u64 i = 0; i < ISA_MAX_WORDS; ++i) ((volatile uint32_t *)ISA_CODE_SLOT)[i] = current.words[i];
    __asm__ volatile("dc cvau, %0; dsb ish; ic ivau, %0; dsb ish; isb" ::"r"(ISA_CODE_SLOT) : "memory");
}

static void handler(int signal, void *info, void *context) {
    (void)info;
    if (has_case) report(signal, context);
    has_case = 1;
    start(context);
}

static void map(u64 base, u64 size) {
    /* PROT_READ|WRITE|EXEC, MAP_PRIVATE|FIXED|ANONYMOUS */
    if (system_call(kMmap, (long)base, (long)size, 7, 0x32, -1, 0) != (long)base)
        system_call(kExit, 2, 0, 0, 0, 0, 0);
}

void _start(void) {
    map(ISA_DATA_BASE, ISA_DATA_SIZE);
    map(ISA_CODE_BASE, ISA_CODE_SIZE);
    for (u64 a = ISA_DATA_BASE; a < ISA_DATA_BASE + ISA_DATA_SIZE; a += 8) *(u64 *)a = isa_pattern(a);
    for (u64 a = ISA_CODE_BASE; a < ISA_CODE_BASE + ISA_CODE_SIZE; a += 4) *(uint32_t *)a = 0xd4200000u;
    const u64 stack[3] = {(u64)signal_stack, 0, sizeof signal_stack};
    system_call(kSigaltstack, (long)stack, 0, 0, 0, 0, 0);
    const u64 action[4] = {(u64)handler, 0x08000000ull | 4 /* SA_ONSTACK | SA_SIGINFO */, 0, 0};
    const int signals[] = {kSigill, kSigtrap, kSigbus, kSigsegv};
    for (unsigned i = 0; i < 4; ++i)
        system_call(kSigaction, signals[i], (long)action, 0, 8, 0, 0);
    __asm__ volatile("brk #0");
    for (;;) system_call(kExit, 1, 0, 0, 0, 0, 0);
}
