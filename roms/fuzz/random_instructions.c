/* Executes random instructions on every CPU but the first, which watches: at EL1 and EL0, with the
 * MMU on and off, over random page tables, with random writes of system registers. Nothing is
 * checked: whatever happens here, the emulator has to go on.
 *
 * Arguments (--append): seed=N (default 1); rounds=N, the rounds after which all is well (default
 * 1000; 0: never). A CPU that makes no progress for some seconds has lost its vectors or waits for
 * an interrupt that it has disabled; when all are lost the program says so, and ends. */
#include "fuzz/random_instructions.h"
#include "fuzz/random.h"
#include "runtime/arguments.h"
#include "runtime/gic.h"

const char rom_name[] = "random_instructions";

enum { kSlotWords = 2048, kLevel3Tables = 4, kDataSize = 2 << 20, kVirtualTimer = 27, kPhysicalTimer = 30 };
enum { kMaxExceptions = 48, kMaxInterrupts = 3 }; /* in one round */

struct context {
    u64 x[31];
    u64 pc, spsr, sp_el0, sp_el1;
    u64 sctlr;  /* of the random code */
    u64 vector; /* the last exception's */
    u64 stack;
    u64 random;
    volatile u64 rounds, heartbeat;
    u64 exceptions, interrupts; /* in this round */
    u64 code_alias;             /* what to add to an address of RAM in this round */
    u64 padding[84];
};
_Static_assert(sizeof(struct context) == 1 << CONTEXT_SHIFT, "CONTEXT_SHIFT");
_Static_assert(offsetof(struct context, pc) == CONTEXT_PC, "CONTEXT_PC");
_Static_assert(offsetof(struct context, spsr) == CONTEXT_SPSR, "CONTEXT_SPSR");
_Static_assert(offsetof(struct context, sp_el0) == CONTEXT_SP_EL0, "CONTEXT_SP_EL0");
_Static_assert(offsetof(struct context, sp_el1) == CONTEXT_SP_EL1, "CONTEXT_SP_EL1");
_Static_assert(offsetof(struct context, sctlr) == CONTEXT_SCTLR, "CONTEXT_SCTLR");
_Static_assert(offsetof(struct context, vector) == CONTEXT_VECTOR, "CONTEXT_VECTOR");
_Static_assert(offsetof(struct context, stack) == CONTEXT_STACK, "CONTEXT_STACK");

struct context contexts[MAX_CPUS];

typedef u64 table[512] __attribute__((aligned(4096)));
static struct {
    table level1, level2, level3[kLevel3Tables];
} tables[MAX_CPUS];
static unsigned char stacks_of_handlers[MAX_CPUS][8192] __attribute__((aligned(16)));
/* Where it all happens: above everything that the program needs (FEAT_MOPS fills upwards, as far as
 * RAM goes), and out of reach of conditional branches. */
struct arena {
    u32 code[MAX_CPUS][kSlotWords];
    u32 data[kDataSize / 4]; /* of all CPUs */
};
#define ARENA ((struct arena *)0x42000000)
#define code (ARENA->code)
#define data (ARENA->data)

extern u32 random_vectors[], random_landing[];
extern char random_cpu_entry[];
void random_enter(struct context *) __attribute__((noreturn));

/* --- the instructions: the emulator's own tables of encodings and system registers */

static const char *const patterns[] = {
#define INST(name, title, pattern, feature) pattern,
#include "frontend-arm/a64/tables/all.inc"
};
enum { kRows = sizeof(patterns) / sizeof(patterns[0]) };
static struct {
    u32 mask, value;
} rows[kRows];

/* MRS and MSR without their direction and register: op0 to op2. */
#define ENCODING(op0, op1, crn, crm, op2)                                                          \
    (0xd5000000u | (op0) << 19 | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)
static const u32 system_registers[] = {
#define SYSREG(name, op0, op1, crn, crm, op2, ...) ENCODING(op0##u, op1##u, crn##u, crm##u, op2##u),
#include "frontend-arm/sysreg/sysregs.inc"
};
enum { kRead = 1 << 21 };

/* A stray value in one of these most often loses the CPU, so that they are written less. */
static const u32 vital_registers[] = {
    ENCODING(3u, 0u, 1u, 0u, 0u),   /* SCTLR_EL1 */
    ENCODING(3u, 0u, 2u, 0u, 0u),   /* TTBR0_EL1 */
    ENCODING(3u, 0u, 2u, 0u, 1u),   /* TTBR1_EL1 */
    ENCODING(3u, 0u, 2u, 0u, 2u),   /* TCR_EL1 */
    ENCODING(3u, 0u, 12u, 0u, 0u),  /* VBAR_EL1 */
    ENCODING(3u, 3u, 4u, 2u, 1u),   /* DAIF */
    ENCODING(3u, 0u, 4u, 6u, 0u),   /* ICC_PMR_EL1 */
    ENCODING(3u, 0u, 12u, 8u, 4u),  /* ICC_AP0R0_EL1 */
    ENCODING(3u, 0u, 12u, 9u, 0u),  /* ICC_AP1R0_EL1 */
    ENCODING(3u, 0u, 12u, 12u, 6u), /* ICC_IGRPEN0_EL1 */
    ENCODING(3u, 0u, 12u, 12u, 7u), /* ICC_IGRPEN1_EL1 */
};
static int is_vital(u32 encoding) {
    for (unsigned i = 0; i < sizeof(vital_registers) / sizeof(u32); ++i)
        if (vital_registers[i] == encoding) return 1;
    return 0;
}

static void parse_patterns(void) {
    for (unsigned i = 0; i < kRows; ++i) {
        for (unsigned bit = 0; bit < 32; ++bit) {
            const char c = patterns[i][31 - bit];
            if (c == '0' || c == '1') rows[i].mask |= 1u << bit;
            if (c == '1') rows[i].value |= 1u << bit;
        }
    }
}

static u32 below(struct context *c, u32 bound) {
    return (u32)random_below(&c->random, bound);
}
static int one_in(struct context *c, u32 n) {
    return below(c, n) == 0;
}

/* Most branches stay near; one in four goes back, and may never end. */
static u32 tame_branch(struct context *c, u32 word) {
    if (one_in(c, 8)) return word;
    const u32 back = one_in(c, 4) ? ~31u : 0;
    const u32 offset = (word >> 5 & 31) | back;
    if ((word & 0x7c000000) == 0x14000000) return (word & 0xfc000000) | (offset & 0x3ffffff);
    if ((word & 0xff000000) == 0x54000000 || (word & 0x7e000000) == 0x34000000)
        return (word & 0xff00001f) | (offset & 0x7ffff) << 5;
    if ((word & 0x7e000000) == 0x36000000) return (word & 0xfff8001f) | (offset & 0x3fff) << 5;
    return word;
}
static u32 random_row(struct context *c) {
    const u32 row = below(c, kRows);
    const u32 noise = (u32)random_next(&c->random);
    return tame_branch(c, (noise & ~rows[row].mask) | rows[row].value);
}

static u32 random_system_register(struct context *c, u32 direction) {
    for (;;) {
        const u32 encoding = RANDOM_ELEMENT(&c->random, system_registers);
        if (direction == kRead || !is_vital(encoding) || one_in(c, 64))
            return encoding | direction | below(c, 32);
    }
}
/* SYS and SYSL of the spaces with instructions in them: AT, DC, IC; TLBI; and the rest. */
static u32 random_system_instruction(struct context *c) {
    static const u32 spaces[] = {7, 7, 7, 8, 8, 8, 8, 0, 4, 11, 15};
    static const u32 op1s[] = {0, 0, 0, 0, 3, 3, 4, 6};
    const u32 crn = RANDOM_ELEMENT(&c->random, spaces), op1 = RANDOM_ELEMENT(&c->random, op1s);
    const u32 read = one_in(c, 16) ? kRead : 0;
    return ENCODING(1u, op1, crn, below(c, 16), below(c, 8)) | read | below(c, 32);
}

static u32 move_wide(unsigned rd, u32 part, unsigned shift) { /* MOVZ or, shifted, MOVK */
    return (shift == 0 ? 0xd2800000u : 0xf2800000u) | (shift / 16) << 21 | (part & 0xffff) << 5 | rd;
}
/* A PSCI call (DEN 0022), but not one that ends or restarts the machine. */
static unsigned psci_call(struct context *c, u32 *out) {
    static const u32 functions[] = {0x84000000, 0x84000001, 0xc4000001, 0x84000003, 0xc4000003, 0xc4000003,
                                    0x84000004, 0xc4000004, 0x84000006, 0x8400000a, 0x80000000, 0x80000001};
    u32 function = RANDOM_ELEMENT(&c->random, functions);
    if (one_in(c, 8)) function = 0x84000002; /* CPU_OFF: the first CPU starts it anew */
    if (one_in(c, 8)) function = 0x84000020 + below(c, 64);
    unsigned n = 0;
    out[n++] = move_wide(0, function, 0);
    out[n++] = move_wide(0, function >> 16, 16);
    out[n++] = move_wide(1, below(c, 6), 0);
    if (!one_in(c, 16)) { /* CPU_ON's entry, as the program starts a CPU itself */
        out[n++] = move_wide(2, (u32)(u64)random_cpu_entry, 0);
        out[n++] = move_wide(2, (u32)((u64)random_cpu_entry >> 16), 16);
    }
    out[n++] = one_in(c, 8) ? 0xd4000003 /* SMC */ : 0xd4000002;
    return n;
}
/* x19 and x20 point to code, x21 and x22 to data, x23 is a saved program status most often. */
static unsigned exception_return(struct context *c, u32 *out) {
    const u32 address = one_in(c, 2) ? 19 : below(c, 31), status = one_in(c, 2) ? 23 : below(c, 31);
    out[0] = ENCODING(3u, 0u, 4u, 0u, 1u) | address;
    out[1] = ENCODING(3u, 0u, 4u, 0u, 0u) | status;
    out[2] = one_in(c, 8) ? 0xd69f0bff /* ERETAA */ : 0xd69f03e0;
    return 3;
}
/* Stores an instruction near, with or without the maintenance that it asks for. */
static unsigned modify_code(struct context *c, u32 *out) {
    unsigned n = 0;
    out[n++] = 0xb9000000 | below(c, 512) << 10 | 19 << 5 | below(c, 31); /* STR Wt, [x19, #] */
    if (one_in(c, 2)) out[n++] = ENCODING(1u, 3u, 7u, 5u, 1u) | 19;       /* IC IVAU */
    if (one_in(c, 2)) out[n++] = 0xd5033fdf;                              /* ISB */
    if (one_in(c, 4)) out[n++] = 0xd61f0260;                              /* BR x19 */
    return n;
}
/* A load or store of any kind, with a base that points to memory. */
static u32 random_access(struct context *c) {
    for (;;) {
        const u32 word = random_row(c);
        if ((word & 0x0a000000) != 0x08000000) continue;
        return (word & ~(31u << 5)) | (one_in(c, 4) ? 31 : 19 + below(c, 4)) << 5;
    }
}

enum { kMostWords = 8 }; /* of one element of the stream */
static unsigned random_element(struct context *c, u32 *out) {
    const u32 kind = below(c, 128);
    if (kind < 60) return *out = random_row(c), 1;
    if (kind < 80) return *out = random_access(c), 1;
    if (kind < 92) return *out = random_system_register(c, 0), 1;
    if (kind < 97) return *out = random_system_register(c, kRead), 1;
    if (kind < 107) return *out = random_system_instruction(c), 1;
    if (kind < 110) return psci_call(c, out);
    if (kind < 112) return exception_return(c, out);
    if (kind < 117) return modify_code(c, out);
    if (kind < 118) return *out = 0xd503207f | below(c, 2) << 5 /* WFE, WFI */, 1;
    return *out = (u32)random_next(&c->random), 1;
}

/* --- the state it runs in */

static u64 random_data_page(struct context *c) {
    return (u64)data + below(c, kDataSize / 4096) * 4096;
}

enum { kValid = 1, kTable = 3, kBlock = 1, kPage = 3, kUser = 1 << 6, kShared = 3 << 8, kAccessed = 1 << 10 };
/* Any descriptor: most often of a page of the data area, sometimes of anything. */
static u64 random_descriptor(struct context *c, unsigned cpu) {
    if (one_in(c, 8)) return random_next(&c->random);
    const u64 attributes = random_next(&c->random) & 0xffff000000000ffcull;
    if (one_in(c, 4)) return (u64)tables[cpu].level3[below(c, kLevel3Tables)] | kTable;
    return random_data_page(c) | (one_in(c, 4) ? attributes & ~(u64)kAccessed : attributes | kAccessed) |
           (one_in(c, 8) ? kBlock : kPage);
}
/* VA = PA for EL1 in the second GiB (where the program is), the same RAM for EL0 in the third,
 * random descriptors in the fourth. */
static void make_tables(struct context *c, unsigned cpu) {
    u64 *level1 = tables[cpu].level1;
    level1[0] = 0x00000000 | kBlock | kAccessed | 1 << 2;
    level1[1] = 0x40000000 | kBlock | kAccessed | kShared;
    level1[2] = 0x40000000 | kBlock | kAccessed | kShared | kUser;
    level1[3] = (u64)tables[cpu].level2 | kTable;
    level1[4 + below(c, 508)] = random_descriptor(c, cpu);
    for (unsigned i = 0; i < 16; ++i) {
        const u64 leaf = random_descriptor(c, cpu);
        tables[cpu].level2[below(c, 8)] = one_in(c, 4) ? leaf : (u64)tables[cpu].level3[below(c, kLevel3Tables)] | kTable;
        tables[cpu].level3[below(c, kLevel3Tables)][below(c, 512)] = random_descriptor(c, cpu);
        tables[cpu].level3[below(c, kLevel3Tables)][below(c, 16)] = random_descriptor(c, cpu);
    }
    __asm__ volatile("dsb ishst" ::: "memory");
}

static u64 random_value(struct context *c, unsigned cpu) {
    const u64 noise = random_next(&c->random);
    switch (below(c, 12)) {
    case 0: return noise;
    case 1: return below(c, 256);
    case 2: return ~(u64)below(c, 256);
    case 3: return (u64)code[cpu] + c->code_alias + (noise & 0x1ffc);
    case 4: return (u64)data + c->code_alias + noise % kDataSize;
    case 5: return ((u64)data + (c->code_alias + noise % kDataSize)) & ~63ull;
    case 6: return 0xc0000000 + noise % (16 << 20);                          /* random descriptors */
    case 7: return 0xffffff8000000000ull + (u64)data + noise % kDataSize;    /* by TTBR1_EL1 */
    case 8: return 0x40000000 + (16ull << 20 << below(c, 8)) - below(c, 64); /* the end of RAM */
    case 9: return 1ull << (noise & 63);
    case 10: return noise & 0xf00003dfu; /* a program status */
    default: return noise >> (noise & 63);
    }
}

/* SCTLR_EL1 bits that the program itself does not survive: M (set on its own), WXN, E0E, EE. */
#define SCTLR_VITAL (1ull | 1 << 19 | 1 << 24 | 1 << 25)
/* TCR_EL1: 39-bit addresses, 4 KiB granules; bits above IPS at random. */
#define TCR_BASE (25ull | 25ull << 16 | 2ull << 30 | 5ull << 32 | 0x35003500)

static void choose_registers(struct context *c, unsigned cpu) {
    const int mmu = !one_in(c, 4);
    const int user = one_in(c, 2);
    c->code_alias = mmu && user ? 0x40000000 : 0;
    c->sctlr = (SANE_SCTLR ^ (random_next(&c->random) & random_next(&c->random) & ~SCTLR_VITAL)) | (mmu ? 1 : 0);
    make_tables(c, cpu);
    const u64 asid = (u64)below(c, 3) << 48;
    write_register(ttbr0_el1, (u64)tables[cpu].level1 | asid);
    write_register(ttbr1_el1, (u64)tables[cpu].level1 | asid);
    write_register(tcr_el1, TCR_BASE | (random_next(&c->random) & random_next(&c->random) & (0x7fffffull << 36)));
    write_register(mair_el1, one_in(c, 4) ? random_next(&c->random) : 0xff4404ff0c0400ffull);
    write_register(cpacr_el1, one_in(c, 8) ? random_next(&c->random) : 3 << 20);
    if (one_in(c, 4)) __asm__ volatile("tlbi vmalle1\n dsb nsh\n isb" ::: "memory");
    for (unsigned i = 0; i < 31; ++i) c->x[i] = random_value(c, cpu);
    c->x[20] = (u64)code[cpu] + c->code_alias + below(c, kSlotWords) * 4;
    c->x[19] = (u64)code[cpu] + c->code_alias + below(c, kSlotWords / 2) * 4;
    c->x[21] = (u64)data + c->code_alias + below(c, kDataSize / 16) * 16;
    c->x[22] = (u64)data + c->code_alias + below(c, kDataSize);
    static const u64 statuses[] = {0, 4, 5, 0x304, 0x305, 0x200005, 0x400000, 0x10, 8, 0x100005};
    c->x[23] = RANDOM_ELEMENT(&c->random, statuses);
    c->sp_el0 = (u64)data + c->code_alias + kDataSize / 2;
    c->sp_el1 = (u64)data + kDataSize / 4;
    const u64 mode = user ? 0 : one_in(c, 4) ? 4 : 5;
    c->spsr = mode | (random_next(&c->random) & 0xf0000000) | (one_in(c, 8) ? random_next(&c->random) & 0x1fc00f00 : 0);
}

static void choose_code(struct context *c, unsigned cpu) {
    const unsigned count = 64 + below(c, 192);
    const unsigned first = below(c, kSlotWords - count);
    for (unsigned i = 0; i + kMostWords <= count;) i += random_element(c, &code[cpu][first + i]);
    /* A landing field somewhere in the data area. */
    u32 *field = &data[below(c, kDataSize / 4 - 512)];
    for (unsigned i = 0; i < 512; ++i)
        field[i] = 0x14000000 | ((u32)(((u64)random_landing - (u64)&field[i]) / 4) & 0x3ffffff);
    __asm__ volatile("dsb ish\n ic ialluis\n dsb ish\n isb" ::: "memory");
    c->pc = (u64)&code[cpu][first] + c->code_alias;
}

/* --- rounds */

static u64 millisecond; /* of the counter: CNTFRQ_EL0 can be written */

/* The interrupt state that the random code may have changed, as the program needs it, and both
 * timers: the virtual one as IRQ in a millisecond, the physical one as FIQ in four. */
static void mend_interrupts(u64 cpu) {
    const u64 sgi_base = kGicRedistributor + cpu * 0x20000 + kGicrSgi;
    write_register(cntv_ctl_el0, 0);
    write_register(cntp_ctl_el0, 0);
    write_register(pmintenclr_el1, ~0u);
    write_register(s3_0_c12_c12_5, 7); /* ICC_SRE_EL1 */
    write_register(s3_0_c12_c12_4, 0); /* ICC_CTLR_EL1 */
    write_register(s3_0_c12_c8_4, 0);  /* ICC_AP0R0_EL1 */
    write_register(s3_0_c12_c9_0, 0);  /* ICC_AP1R0_EL1 */
    write_register(s3_0_c12_c8_3, 0);  /* ICC_BPR0_EL1 */
    /* An interrupt that the random code acknowledged does not keep back the FIQ. */
    *(volatile unsigned char *)(sgi_base + kGicIpriorityr + kPhysicalTimer) = 0x20;
    *mmio32(sgi_base + 0x380) = ~0u;   /* GICR_ICACTIVER0 */
    *mmio32(sgi_base + 0x280) = ~0u;   /* GICR_ICPENDR0 */
    *mmio32(sgi_base + 0x80) = ~(1u << kPhysicalTimer); /* GICR_IGROUPR0 */
    *mmio32(sgi_base + kGicIsenabler) = 1u << kVirtualTimer | 1u << kPhysicalTimer;
    write_register(s3_0_c4_c6_0, 0xf0); /* ICC_PMR_EL1 */
    write_register(s3_0_c12_c12_6, 1);  /* ICC_IGRPEN0_EL1 */
    write_register(s3_0_c12_c12_7, 1);
    write_register(cntv_tval_el0, millisecond);
    write_register(cntv_ctl_el0, 1);
    write_register(cntp_tval_el0, 4 * millisecond);
    write_register(cntp_ctl_el0, 1);
}

static void start_round(struct context *c, unsigned cpu) {
    mend_interrupts(cpu);
    write_register(mdscr_el1, one_in(c, 8) ? random_next(&c->random) : 0);
    write_register(oslar_el1, 0);
    choose_registers(c, cpu);
    choose_code(c, cpu);
    c->exceptions = c->interrupts = 0;
    c->rounds = c->rounds + 1;
}

/* Any exception of the random code, or a landing: goes on after the instruction, or with new ones. */
struct context *random_exception(struct context *c) {
    const unsigned cpu = (unsigned)(c - contexts);
    write_register(vbar_el1, random_vectors);
    c->heartbeat = c->heartbeat + 1;
    const u64 kind = c->vector & 3;
    const int is_interrupt = c->vector != LANDED && (kind == 1 || kind == 2);
    const u64 offset = c->pc - c->code_alias - (u64)code[cpu];
    const int goes_on = c->vector != LANDED && offset < sizeof code[cpu] - 4 &&
                        ++c->exceptions < kMaxExceptions &&
                        (!is_interrupt || ++c->interrupts < kMaxInterrupts);
    if (!goes_on) {
        start_round(c, cpu);
        return c;
    }
    if (is_interrupt) {
        mend_interrupts(cpu);
        c->pc += one_in(c, 2) ? 64 : 0; /* out of a short loop */
    } else {
        c->pc += 4;
        /* A store or a branch that failed has a pointer astray. */
        if (one_in(c, 4)) c->x[below(c, 31)] = random_value(c, cpu);
    }
    if (!one_in(c, 16)) c->spsr &= ~0xc0ull; /* interrupts masked: endless loops are */
    return c;
}

void start_random_cpu(u64 cpu) {
    struct context *c = &contexts[cpu];
    gic_start(cpu);
    start_round(c, (unsigned)cpu);
    c->heartbeat = c->heartbeat + 1;
    random_enter(c);
}
static long start(u64 cpu) {
    return psci(0xc4000003, cpu, (u64)random_cpu_entry, 0);
}

/* --- the first CPU watches */

/* CPU_ON with a stray entry leaves VBAR_EL1 at its reset value, 0: programs the vectors there, in
 * the first flash bank, with a long branch to the landing. */
static void program_flash_vectors(void) {
    const u32 landing = (u32)(u64)random_landing;
    const u32 stub[] = {move_wide(0, landing, 0), move_wide(0, landing >> 16, 16), 0xd61f0000 /* BR x0 */};
    volatile u32 *block = mmio32(0);
    __asm__("" : "+r"(block)); /* address 0 is one */
    *block = 0x00200020;       /* erase, on both chips */
    *block = 0x00d000d0;
    for (unsigned vector = 0; vector < 16; ++vector)
        for (unsigned i = 0; i < sizeof(stub) / sizeof(stub[0]); ++i) {
            block[vector * 32 + i] = 0x00400040; /* program */
            block[vector * 32 + i] = stub[i];
        }
    *block = 0x00ff00ff; /* read array */
}

static void pause(void) { /* about a millisecond: the event stream (CNTKCTL_EL1) */
    __asm__ volatile("wfe" ::: "memory");
}

void rom_main(void) {
    const u64 seed = argument("seed=", 1), wanted = argument("rounds=", 1000);
    print("random_instructions: seed ");
    print_hex(seed);
    print("\n");
    parse_patterns();
    program_flash_vectors();
    gic_start(0);
    write_register(cntkctl_el1, 1 << 2 | 15 << 4 | 1);
    const u64 second = read_register(cntfrq_el0);
    millisecond = second / 1000;

    u64 seen[MAX_CPUS] = {0}, seen_at[MAX_CPUS] = {0}, said_at = read_register(cntpct_el0);
    unsigned cpus = 0;
    for (unsigned cpu = 1; cpu < MAX_CPUS; ++cpu) {
        contexts[cpu].stack = (u64)stacks_of_handlers[cpu + 1];
        contexts[cpu].random = random_stream(seed, cpu);
        if (start(cpu) != 0) break;
        cpus = cpu;
        seen_at[cpu] = said_at;
    }
    for (;;) {
        pause();
        const u64 now = read_register(cntpct_el0);
        u64 rounds = 0;
        unsigned lost = 0;
        for (unsigned cpu = 1; cpu <= cpus; ++cpu) {
            const u64 heartbeat = contexts[cpu].heartbeat;
            rounds += contexts[cpu].rounds;
            if (heartbeat != seen[cpu]) {
                seen[cpu] = heartbeat;
                seen_at[cpu] = now;
            } else if (now - seen_at[cpu] > second + second / 2) {
                ++lost;
            } else if (psci(0xc4000004, cpu, 0, 0) == 1) { /* it called CPU_OFF */
                start(cpu);
            }
        }
        const int done = wanted != 0 && rounds >= wanted;
        if (now - said_at > second || done || lost == cpus) {
            said_at = now;
            print("rounds ");
            print_hex(rounds);
            print(" lost CPUs ");
            print_hex(lost);
            print("\n");
        }
        if (done) passed();
        if (lost == cpus) {
            print("LOST random_instructions\n");
            power_off();
        }
    }
}
