/* The system instruction oracle's program: runs the same trials on whatever emulator it is started
 * on, and prints for each a line "what: outcome", which tests/isa/system_compare.py compares.
 * A trial is one instruction, or a few, at EL1 or EL0, up to its first exception (at the latest that
 * of the BRK behind it). Arguments: seed=N. */
#include "fuzz/random.h"
#include "runtime/arguments.h"

const char rom_name[] = "system_instructions";

static u64 random_state;
static u64 below(u64 bound) { return random_below(&random_state, bound); }
static u64 any(void) { return random_next(&random_state); }

struct trial {
    u64 x[8], pc, spsr;                                       /* in */
    u64 out[8], vector, offset, esr, far, spsr_out;           /* of the exception */
};
void run_trial(struct trial *);
void end_trial(void) __attribute__((noreturn));

enum { kWords = 16, kBrk = (int)0xd4200000, kEl1 = 0x3c5, kEl0 = 0x3c0 };
static u32 code[1024] __attribute__((aligned(4096)));
static u64 data[512] __attribute__((aligned(4096)));
static struct trial trial;
static u64 code_address; /* where the trial sees `code` */

static void on_exception(unsigned vector, struct frame *frame) {
    trial.vector = vector;
    trial.esr = read_register(esr_el1);
    trial.far = read_register(far_el1);
    trial.offset = frame->elr - trial.pc;
    trial.spsr_out = frame->spsr;
    for (int i = 0; i < 8; ++i) trial.out[i] = frame->x[i];
    end_trial();
}

/* --- output */

static void print_short(u64 value) { /* hexadecimal without leading zeros */
    char text[17];
    int n = 16;
    text[n] = 0;
    do {
        text[--n] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value != 0);
    print(text + n);
}
static void field(const char *name, u64 value) {
    print(" ");
    print(name);
    print_short(value);
}
/* FAR_EL1 is UNKNOWN after exceptions that do not give it a value. */
static void report_exception(void) {
    const u64 class = trial.esr >> 26;
    print(":");
    field("vector ", trial.vector);
    field("esr ", trial.esr);
    field("at ", trial.offset);
    field("spsr ", trial.spsr_out);
    if (class == 0x20 || class == 0x21 || class == 0x22 || class == 0x24 || class == 0x25) field("far ", trial.far);
}
static void report_registers(int first, int last) {
    for (int i = first; i <= last; ++i) {
        static const char *const names[] = {"x0 ", "x1 ", "x2 ", "x3 ", "x4 ", "x5 ", "x6 ", "x7 "};
        field(names[i], trial.out[i]);
    }
}

/* --- trials */

static void run_words(u64 status, const u32 *words, unsigned count) {
    for (unsigned i = 0; i < kWords; ++i) code[i] = i < count ? words[i] : (u32)kBrk;
    __asm__ volatile("dsb ish\n ic iallu\n dsb ish\n isb" ::: "memory");
    trial.pc = code_address;
    trial.spsr = status;
    run_trial(&trial);
}
static void run_word(u64 status, u32 word) {
    run_words(status, &word, 1);
}
static const char *level_name(u64 status) {
    return (status & 15) == 0 ? "EL0 " : "EL1 ";
}

#define ENCODING(op0, op1, crn, crm, op2)                                                          \
    (0xd5000000u | (op0) << 19 | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)
enum { kRead = 1 << 21, kIsb = (int)0xd5033fdf };

struct system_register {
    const char *name;
    u32 encoding;
};
static const struct system_register system_registers[] = {
#define SYSREG(name, op0, op1, crn, crm, op2, ...) {#name, ENCODING(op0##u, op1##u, crn##u, crm##u, op2##u)},
#include "frontend-arm/sysreg/sysregs.inc"
};
enum { kRegisters = sizeof(system_registers) / sizeof(system_registers[0]) };

static void try_system_registers(void) {
    for (unsigned i = 0; i < kRegisters; ++i) {
        const struct system_register *r = &system_registers[i];
        for (int user = 0; user < 2; ++user) {
            const u64 status = user ? kEl0 : kEl1;
            run_word(status, r->encoding | kRead);
            print(level_name(status));
            print("MRS ");
            print(r->name);
            report_exception();
            if ((trial.esr >> 26) == 0x3c) report_registers(0, 0);
            print("\n");
        }
        for (int n = 0; n < 6; ++n) {
            u64 value = n == 0 ? 0 : n == 1 ? ~0ull : any();
            /* The MMU stays off, and data little-endian; a trial ends at its own BRK. */
            if (r->encoding == ENCODING(3u, 0u, 1u, 0u, 0u)) value &= ~(1ull | 1 << 24 | 1 << 25);
            if (r->encoding == ENCODING(3u, 0u, 12u, 0u, 0u)) continue; /* VBAR_EL1 */
            trial.x[0] = value;
            trial.x[1] = 0;
            const u32 words[] = {r->encoding | kRead | 2, r->encoding, (u32)kIsb, r->encoding | kRead | 1,
                                 r->encoding | 2, (u32)kIsb};
            /* Without a register to read back, the write alone. */
            run_words(kEl1, words, 1);
            if ((trial.esr >> 26) == 0x3c)
                run_words(kEl1, words, 6);
            else
                run_words(kEl1, words + 1, 1);
            print("EL1 MSR ");
            print(r->name);
            field("", value);
            report_exception();
            if ((trial.esr >> 26) == 0x3c) report_registers(1, 1);
            print("\n");
        }
        trial.x[0] = 0;
        run_word(kEl0, r->encoding);
        print("EL0 MSR ");
        print(r->name);
        report_exception();
        print("\n");
    }
}

/* PSTATE by MSR (immediate), seen in the BRK's SPSR. */
static void try_pstate(void) {
    for (u32 op1 = 0; op1 < 8; ++op1)
        for (u32 op2 = 0; op2 < 8; ++op2)
            for (u32 value = 0; value < 16; value += 5)
                for (int user = 0; user < 2; ++user) {
                    const u64 status = user ? kEl0 : kEl1;
                    run_word(status, 0xd500401f | op1 << 16 | value << 8 | op2 << 5);
                    print(level_name(status));
                    print("MSR_imm");
                    field("op1 ", op1);
                    field("op2 ", op2);
                    field("imm ", value);
                    report_exception();
                    print("\n");
                }
}

/* Cache, address translation and TLB maintenance; SYSL. */
static void try_system_instructions(void) {
    for (u32 read = 0; read < 2; ++read)
        for (u32 op1 = 0; op1 < 8; ++op1)
            for (u32 crn = 7; crn < 9; ++crn)
                for (u32 crm = 0; crm < 16; ++crm)
                    for (u32 op2 = 0; op2 < 8; ++op2)
                        for (int user = 0; user < 2; ++user) {
                            if (read && (crm & 3) != 0) continue;
                            const u64 status = user ? kEl0 : kEl1;
                            trial.x[0] = (u64)data;
                            write_register(par_el1, 0);
                            run_word(status, ENCODING(1u, op1, crn, crm, op2) | (read ? kRead : 0));
                            print(level_name(status));
                            print(read ? "SYSL" : "SYS");
                            field("op1 ", op1);
                            field("crn ", crn);
                            field("crm ", crm);
                            field("op2 ", op2);
                            report_exception();
                            if (crn == 7 && crm == 8) field("par ", read_register(par_el1));
                            print("\n");
                        }
}

static void try_exception_calls(void) {
    static const struct {
        const char *name;
        u32 word;
    } calls[] = {{"SVC", 0xd4000001}, {"HVC", 0xd4000002}, {"SMC", 0xd4000003}, {"BRK", 0xd4200000},
                 {"HLT", 0xd4400000}, {"DCPS1", 0xd4a00001}, {"UDF", 0}};
    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); ++i)
        for (int n = 0; n < 8; ++n)
            for (int user = 0; user < 2; ++user) {
                const u64 status = (user ? kEl0 : kEl1) | (any() & 0xf0000000);
                const u32 immediate = (u32)below(65536);
                trial.x[0] = 0xc5000000 + below(65536); /* no SMCCC function */
                run_word(status, calls[i].word | (calls[i].word == 0 ? immediate : immediate << 5));
                print(level_name(status));
                print(calls[i].name);
                field("", immediate);
                report_exception();
                report_registers(0, 0);
                print("\n");
            }
}

static void try_waits(void) {
    static const u32 waits[] = {0xd503205f /* WFE */, 0xd503207f /* WFI */, 0xd5031000 /* WFET */, 0xd5031020 /* WFIT */};
    const u64 control = read_register(sctlr_el1);
    write_register(sctlr_el1, control & ~(1ull << 16 | 1ull << 18)); /* nTWI, nTWE */
    for (unsigned i = 0; i < sizeof(waits) / sizeof(waits[0]); ++i) {
        run_word(kEl0, waits[i]);
        print("EL0 trapped wait");
        field("", waits[i]);
        report_exception();
        print("\n");
    }
    write_register(sctlr_el1, control);
}

static void try_exception_returns(void) {
    static const u64 modes[] = {0, 4, 5, 1, 8, 9, 12, 13, 15, 0x10, 0x13, 0x1f, 2, 6};
    for (unsigned i = 0; i < 400; ++i) {
        u64 status = (any() & 0xffffffe0) | RANDOM_ELEMENT(&random_state, modes) | 0x3c0;
        if (below(4) != 0) status &= 0xf1c00fdf; /* no software step, no illegal state */
        status &= ~(1ull << 21);                 /* SS */
        trial.x[0] = status;
        trial.x[1] = code_address + 4 * 8 + (below(8) == 0 ? 2 : 0);
        static const u32 words[] = {ENCODING(3u, 0u, 4u, 0u, 0u), ENCODING(3u, 0u, 4u, 0u, 1u) | 1, 0xd69f03e0};
        run_words(kEl1, words, 3);
        print("EL1 ERET to");
        field("spsr ", status);
        field("low ", trial.x[1] & 3);
        report_exception();
        print("\n");
    }
}

/* --- pointer authentication: with QARMA5 and the keys known, the values are architected */

#define WRITE_KEY(low, high)                                                                       \
    do {                                                                                           \
        write_register(low, any());                                                                \
        write_register(high, any());                                                               \
    } while (0)
static void try_pointer_authentication(void) {
    const u64 control = read_register(sctlr_el1);
    const u64 keys_on = 1ull << 31 | 1ull << 30 | 1ull << 27 | 1ull << 13; /* EnIA, EnIB, EnDA, EnDB */
    for (unsigned i = 0; i < 4000; ++i) {
        WRITE_KEY(s3_0_c2_c1_0, s3_0_c2_c1_1); /* APIAKey */
        WRITE_KEY(s3_0_c2_c1_2, s3_0_c2_c1_3);
        WRITE_KEY(s3_0_c2_c2_0, s3_0_c2_c2_1);
        WRITE_KEY(s3_0_c2_c2_2, s3_0_c2_c2_3);
        WRITE_KEY(s3_0_c2_c3_0, s3_0_c2_c3_1); /* APGAKey */
        write_register(sctlr_el1, control | (below(8) == 0 ? keys_on & any() : keys_on));
        const u64 sizes = 16 + below(24) + ((16 + below(24)) << 16);
        write_register(tcr_el1, sizes | 2ull << 30 | 5ull << 32 | (any() & (3ull << 37 | 3ull << 51))); /* TBI, TBID */
        /* Canonical pointers, and others. */
        const u64 noise = any();
        trial.x[0] = below(4) == 0 ? noise : below(2) == 0 ? noise & 0xffffffff : noise | ~0xffffffffull;
        trial.x[1] = any();
        const u32 operation = (u32)below(20);
        u32 words[2] = {0, 0};
        unsigned count = 1;
        if (operation < 8) {
            words[0] = 0xdac10000 | operation << 10 | 1 << 5; /* PACIA x0, x1 ... AUTDB */
            if (below(2) == 0) {                                 /* and back */
                words[0] &= ~(4u << 10);
                words[1] = words[0] | 4 << 10;
                count = 2;
            }
        } else if (operation < 16) {
            words[0] = 0xdac10000 | operation << 10 | 31 << 5; /* PACIZA ... */
        } else if (operation < 18) {
            words[0] = 0xdac10000 | operation << 10 | 31 << 5; /* XPACI, XPACD */
        } else {
            words[0] = 0x9ac13000 | 0 << 5; /* PACGA x0, x0, x1 */
        }
        run_words(below(2) == 0 ? kEl1 : kEl0, words, count);
        print("PAuth");
        field("#", i);
        field("", words[0]);
        field("", words[1]);
        field("pointer ", trial.x[0]);
        field("tcr ", read_register(tcr_el1));
        report_exception();
        report_registers(0, 0);
        print("\n");
    }
    write_register(sctlr_el1, control);
    write_register(tcr_el1, 0);
}

/* --- loads and stores with the MMU on: permissions, PAN, UAO, alignment */

typedef u64 table[512];
static table level1 __attribute__((aligned(4096))), level2 __attribute__((aligned(4096))),
    level3 __attribute__((aligned(4096)));
#define WINDOW 0xc0000000ull /* page n has the attributes n */
#define kBr 0xd61f0000u
enum { kAttributes = 6 };    /* bits of n: AP[2:1], AF, PXN, UXN, device */

static void map_window(void) {
    level1[0] = 0x00000401 | 1 << 2 | 1ull << 54;
    level1[1] = 0x40000701 | 1ull << 54; /* UXN, for the sake of FEAT_PAN3 */
    level1[2] = 0x40000741; /* the program for EL0 */
    level1[3] = (u64)level2 | 3;
    level2[0] = (u64)level3 | 3;
    for (u64 n = 0; n < 1 << kAttributes; ++n)
        level3[n] = (u64)data | 3 | 3 << 8 | (n & 3) << 6 | (n >> 2 & 1) << 10 | (n >> 3 & 1) << 53 |
                    (n >> 4 & 1) << 54 | (n >> 5 & 1) << 2;
    write_register(mair_el1, 0x00ff);
    write_register(tcr_el1, 25 | 25 << 16 | 1 << 23 | 0x3500 | 5ull << 32);
    write_register(ttbr0_el1, level1);
    __asm__ volatile("dsb ish\n tlbi vmalle1\n dsb ish\n isb" ::: "memory");
}
static void try_accesses(void) {
    static const struct {
        const char *name;
        u32 word; /* of x1, address x0 */
    } accesses[] = {{"LDR", 0xf9400001}, {"STR", 0xf9000001}, {"LDTR", 0xf8400801}, {"STTR", 0xf8000801},
                    {"LDRB", 0x39400001}, {"LDTRSB", 0x38800801}, {"STTRH", 0x78000801}, {"LDXR", 0xc85f7c01},
                    {"STXR", 0xc8027c01}, {"LDAR", 0xc8dffc01}, {"STLR", 0xc89ffc01}, {"LDP", 0xa9400801},
                    {"STP", 0xa9000801}, {"LDADD", 0xf8210002}, {"CAS", 0xc8a17c02}, {"PRFM", 0xf9800000},
                    {"DC ZVA", 0xd50b7420}, {"DC CIVAC", 0xd50b7e20}, {"BR", kBr}};
    const u64 control = read_register(sctlr_el1);
    map_window();
    for (unsigned i = 0; i < 6000; ++i) {
        const unsigned kind = (unsigned)below(sizeof(accesses) / sizeof(accesses[0]));
        const int user = below(2) == 0;
        const u64 page = below((1 << kAttributes) + 2);
        const u64 offset = below(3) == 0 ? below(64) : below(8) * 8;
        const u64 pan = below(2), uao = below(2);
        /* M, and at random A, SPAN, UCI, DZE, EPAN, nAA */
        const u64 bits = 1 | (any() & (1 << 1 | 1ull << 23 | 1 << 26 | 1 << 14 | 1ull << 57 | 1 << 6));
        write_register(sctlr_el1, (control & ~(1 << 1 | 1ull << 23 | 1 << 26 | 1 << 14)) | bits);
        trial.x[0] = WINDOW + page * 4096 + offset;
        trial.x[1] = any();
        if ((accesses[kind].word >> 20) == 0xd50) /* FAR_EL1's low bits are the implementation's */
            trial.x[0] &= ~63ull;
        code_address = (u64)code + (user ? 0x40000000 : 0);
        const u32 word = accesses[kind].word;
        const u64 value = any();
        data[offset / 8] = data[offset / 8 + 1] = word == kBr ? (u64)(u32)kBrk << 32 | (u32)kBrk : value;
        run_word((user ? kEl0 : kEl1) | pan << 22 | uao << 23, word);
        print(level_name(user ? kEl0 : kEl1));
        print(accesses[kind].name);
        field("#", i);
        field("page ", page);
        field("offset ", offset);
        field("sctlr ", bits);
        field("pan ", pan);
        field("uao ", uao);
        report_exception();
        if ((trial.esr >> 26) == 0x3c) report_registers(1, 2);
        print("\n");
        write_register(sctlr_el1, control);
    }
    code_address = (u64)code;
}

void rom_main(void) {
    random_state = random_stream(argument("seed=", 1), 0);
    exception_handler = on_exception;
    code_address = (u64)code;
    try_exception_calls();
    try_waits();
    try_pstate();
    try_exception_returns();
    try_pointer_authentication();
    try_accesses();
    try_system_instructions();
    try_system_registers();
    passed();
}
