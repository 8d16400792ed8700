/* Stage 1 translation, 4 KiB granule: mapping, permissions, access flag and dirty state, TLB
 * maintenance, ASIDs, address translation instructions. */
#include "runtime/runtime.h"

const char rom_name[] = "mmu";

enum { kValid = 1, kTable = 3, kPage = 3, kBlock = 1, kNormal = 0 << 2, kDevice = 1 << 2, kUser = 1 << 6,
       kReadOnly = 1 << 7, kShared = 3 << 8, kAccessed = 1 << 10, kNotGlobal = 1 << 11 };
#define kNoUserExecute (1ull << 54)
#define kNoExecute (1ull << 53)

typedef u64 table[512];
static table level1 __attribute__((aligned(4096)));
static table level2 __attribute__((aligned(4096)));
static table level3 __attribute__((aligned(4096)));
static u64 page_a[512] __attribute__((aligned(4096)));
static u64 page_b[512] __attribute__((aligned(4096)));

/* Virtual addresses 3 GiB + n pages are ours. */
#define WINDOW 0xc0000000ull
#define AT(n) ((volatile u64 *)(WINDOW + (n) * 4096ull))

static volatile u64 faults, fault_esr, fault_far, fault_elr;
static void on_fault(unsigned vector, struct frame *frame) {
    ++faults;
    fault_esr = read_register(esr_el1);
    fault_far = read_register(far_el1);
    fault_elr = frame->elr;
    if (vector == kSyncEl0) leave_el0(fault_esr);
    if (fault_esr >> 26 == 0x21) /* instruction abort: of a call */
        frame->elr = frame->x[30];
    else
        frame->elr += 4;
}

static void flush_page(u64 va) {
    __asm__ volatile("dsb ishst\n tlbi vaae1is, %0\n dsb ish\n isb" ::"r"(va >> 12) : "memory");
}
static void map(unsigned n, u64 descriptor) {
    level3[n] = descriptor;
    flush_page(WINDOW + n * 4096ull);
}
static u64 page(const void *physical) { return (u64)physical | kPage | kAccessed | kShared | kNormal | kNoUserExecute; }

/* The access takes the fault that `esr` (low 32 bits of ESR_EL1) describes. */
#define EXPECT_FAULT(access, esr)                                                                  \
    ({                                                                                             \
        const u64 before_ = faults;                                                                \
        access;                                                                                    \
        CHECK_EQUAL(faults, before_ + 1);                                                          \
        CHECK_EQUAL(fault_esr, esr);                                                               \
    })
static u64 load(volatile u64 *p) {
    u64 value;
    __asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(p) : "memory");
    return value;
}
static void store(volatile u64 *p, u64 value) { __asm__ volatile("str %0, [%1]" ::"r"(value), "r"(p) : "memory"); }

static u64 translate(u64 va) {
    __asm__ volatile("at s1e1r, %0\n isb" ::"r"(va) : "memory");
    return read_register(par_el1);
}

void rom_main(void) {
    exception_handler = on_fault;
    level1[0] = 0x00000000ull | kBlock | kAccessed | kDevice | kNoExecute | kNoUserExecute;
    level1[1] = 0x40000000ull | kBlock | kAccessed | kShared | kNormal;
    level1[3] = (u64)level2 | kTable;
    level2[0] = (u64)level3 | kTable;
    level2[1] = 0x40000000ull | kBlock | kAccessed | kShared | kNormal | kNoUserExecute;
    write_register(mair_el1, 0x00ff);
    write_register(tcr_el1, 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1ull << 23 | 2ull << 32); /* T0SZ 25: 39 bits; EPD1 */
    write_register(ttbr0_el1, level1);
    __asm__ volatile("dsb sy\n tlbi vmalle1\n dsb sy\n isb");
    write_register(sctlr_el1, read_register(sctlr_el1) | 1 | 1 << 2 | 1 << 12);

    /* Two windows on one page; then the mapping changes. */
    map(0, page(page_a));
    map(1, page(page_a));
    store(AT(0), 11);
    CHECK_EQUAL(load(AT(1)), 11);
    CHECK_EQUAL(page_a[0], 11);
    page_b[0] = 22;
    map(1, page(page_b));
    CHECK_EQUAL(load(AT(1)), 22);
    const u64 same = (u64)page_a & 0x1fffff;
    CHECK_EQUAL(load((volatile u64 *)(WINDOW + 0x200000 + same)), *(volatile u64 *)(0x40000000 + same));

    /* Unaligned accesses across pages work on normal memory. */
    page_a[511] = 0x1122334455667788ull;
    page_b[0] = 0x99aabbccddeeff00ull;
    CHECK_EQUAL(load((volatile u64 *)(WINDOW + 4096 - 4)), 0xddeeff0011223344ull);

    /* Translation, access flag and permission faults, by level. */
    map(2, 0);
    EXPECT_FAULT(load(AT(2)), 0x96000007);
    CHECK_EQUAL(fault_far, WINDOW + 2 * 4096);
    EXPECT_FAULT(store(AT(2) + 1, 1), 0x96000047);
    CHECK_EQUAL(fault_far, WINDOW + 2 * 4096 + 8);
    EXPECT_FAULT(load((volatile u64 *)(WINDOW + 0x600000)), 0x96000006);
    EXPECT_FAULT(load((volatile u64 *)0x100000000ull), 0x96000005);
    EXPECT_FAULT(load((volatile u64 *)0x8000000000ull), 0x96000004);
    map(2, page(page_a) & ~(u64)kAccessed);
    EXPECT_FAULT(load(AT(2)), 0x9600000b);
    map(2, page(page_a) | kReadOnly);
    CHECK_EQUAL(load(AT(2)), 11);
    EXPECT_FAULT(store(AT(2), 1), 0x9600004f);
    CHECK_EQUAL(page_a[0], 11);

    /* A store across pages whose second page faults stores nothing. */
    map(0, page(page_a));
    map(1, page(page_b) | kReadOnly);
    EXPECT_FAULT(store((volatile u64 *)(WINDOW + 4096 - 4), 0), 0x9600004f);
    CHECK_EQUAL(fault_far, WINDOW + 4096);
    CHECK_EQUAL(page_a[511], 0x1122334455667788ull);

    /* Execution. */
    static const u32 function[] __attribute__((aligned(4096))) = {0xd2800540, 0xd65f03c0}; /* mov x0, #42; ret */
    map(3, page(function) | kReadOnly);
    CHECK_EQUAL(((u64(*)(void))AT(3))(), 42);

    /* Branches to tagged addresses: without TCR_EL1.TBI0 they fault, with it the tag goes. */
    static const u32 where[] __attribute__((aligned(4096))) = {0x10000000, 0xd65f03c0}; /* adr x0, .; ret */
    const u64 tag = 0x5aull << 56;
    map(3, page(where) | kReadOnly);
    EXPECT_FAULT(((u64(*)(void))((u64)AT(3) | tag))(), 0x86000004);
    CHECK_EQUAL(fault_elr, (u64)AT(3) | tag);
    CHECK_EQUAL(fault_far, (u64)AT(3) | tag);
    write_register(tcr_el1, read_register(tcr_el1) | 1ull << 37);
    for (int i = 0; i < 100; ++i) CHECK_EQUAL(((u64(*)(void))((u64)AT(3) | tag))(), AT(3));
    u64 returned_to, wanted;
    __asm__ volatile("adr %1, 1f\n orr x30, %1, %2\n ret\n 1: adr %0, 1b"
                     : "=r"(returned_to), "=&r"(wanted) : "r"(tag) : "x30");
    CHECK_EQUAL(returned_to, wanted);
    EXPECT_FAULT(((u64(*)(void))((u64)AT(2 + 16) | tag))(), 0x86000007);
    CHECK_EQUAL(fault_elr, AT(2 + 16));
    CHECK_EQUAL(fault_far, AT(2 + 16));

    /* EL0: its own permissions. */
    map(4, page(function) | kReadOnly);
    CHECK_EQUAL(run_at_el0((void (*)(void))AT(4), NULL), 0x8200000f);
    static const u32 user_code[] __attribute__((aligned(4096))) = {0x58000041, 0xf9400020, (u32)WINDOW, 0}; /* ldr x1, =WINDOW; ldr x0, [x1] */
    map(5, ((u64)user_code | kPage | kAccessed | kShared | kUser | kReadOnly));
    CHECK_EQUAL(run_at_el0((void (*)(void))AT(5), NULL), 0x9200000f); /* x1: page_a's window, kernel only */

    /* ASIDs: each has its own view of a non-global page. */
    write_register(ttbr0_el1, (u64)level1 | 1ull << 48);
    map(6, page(page_a) | kNotGlobal);
    page_a[0] = 1, page_b[0] = 2;
    CHECK_EQUAL(load(AT(6)), 1);
    level3[6] = page(page_b) | kNotGlobal;
    __asm__ volatile("dsb ish");
    write_register(ttbr0_el1, (u64)level1 | 2ull << 48);
    CHECK_EQUAL(load(AT(6)), 2);
    __asm__ volatile("tlbi aside1, %0\n dsb ish\n isb" ::"r"(1ull << 48));
    write_register(ttbr0_el1, (u64)level1 | 1ull << 48);
    CHECK_EQUAL(load(AT(6)), 2);

    /* AT. */
    CHECK_EQUAL(translate(WINDOW + 6 * 4096) & 0xfffffffff001ull, (u64)page_b);
    CHECK_EQUAL(translate(WINDOW + 7 * 4096) & 0x7f, 7 << 1 | 1);
    passed();
}
