/* The first and only program of a Linux guest, for debuggers outside of it: what they stop at, and what a program
 * does with the CPU's debug features itself, which must work as if nobody were there. No C library. */
typedef unsigned long u64;
typedef unsigned int u32;

enum {
    kWrite = 64, kExit = 93, kSetAffinity = 122, kYield = 124, kKill = 129, kSigaction = 134,
    kReboot = 142, kUname = 160, kGetpid = 172, kPtrace = 117, kClone = 220, kWait4 = 260
};
enum { kSigtrap = 5, kSigstop = 19, kSigchld = 17 };

__attribute__((noinline)) long system_call(long number, long a, long b, long c, long d) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile(".globl system_call_site\nsystem_call_site: svc 0"
                     : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}

static void say(const char *text) {
    long length = 0;
    while (text[length]) ++length;
    system_call(kWrite, 1, (long)text, length, 0);
}

static void fail(const char *why) {
    say("FAIL ");
    say(why);
    say("\n");
    for (;;) system_call(kReboot, 0xfee1dead, 672274793, 0x4321fedc, 0);
}

/* --- what a debugger stops at: calls within calls, and a variable that it changes */

volatile u64 poked = 7;

__attribute__((noinline)) u64 inner(u64 a) {
    __asm__ volatile("" : "+r"(a));
    return a + poked;
}
__attribute__((noinline)) u64 middle(u64 a) { return inner(a + 1) * 3; }
__attribute__((noinline)) u64 outer(u64 a) { return middle(a + 1) + 1; }

__attribute__((noinline)) void spin(void) {
    for (volatile u64 i = 0; i < 100000; ++i) {}
}

/* --- two threads, one on each CPU, that count in turn; Linux counts, too, in the lock of its name */

enum { kTurns = 8 };
volatile u64 shared_value, turn, finished;

static void use_cpu(u64 cpu) {
    u64 mask = 1ul << cpu;
    if (system_call(kSetAffinity, 0, sizeof mask, (long)&mask, 0) != 0) fail("affinity");
}

__attribute__((noinline)) void ask_name(char *name) {
    if (system_call(kUname, (long)name, 0, 0, 0) != 0) fail("uname");
}

static void count(u64 me) {
    char name[6 * 65];
    use_cpu(me);
    for (int i = 0; i < kTurns; ++i) {
        while (turn != me) system_call(kYield, 0, 0, 0, 0);
        ask_name(name);
        shared_value = shared_value + 1;
        __atomic_store_n(&turn, 1 - me, __ATOMIC_RELEASE);
    }
}

static u64 stack[1024] __attribute__((aligned(16)));

__attribute__((used)) static void second_thread(void) {
    count(1);
    finished = 1;
    system_call(kExit, 0, 0, 0, 0);
}

static void count_on_two_cpus(void) {
    /* CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM. */
    register long x8 __asm__("x8") = kClone;
    register long x0 __asm__("x0") = 0x50f00;
    register long x1 __asm__("x1") = (long)(stack + 1024);
    register long x2 __asm__("x2") = 0;
    __asm__ volatile("mov x3, #0\nmov x4, #0\nsvc 0\ncbnz x0, 1f\nbl second_thread\n1:"
                     : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "x3", "x4", "x30", "memory");
    if (x0 < 0) fail("clone");
    count(0);
    while (!finished) system_call(kYield, 0, 0, 0, 0);
    if (shared_value != 2 * kTurns) fail("the count");
}

/* --- BRK, handled by the program itself */

struct handler {
    void (*function)(int, void *, void *);
    u64 flags;
    void (*restorer)(void);
    u64 mask;
};
static volatile u64 traps;

static void on_trap(int signal, void *information, void *context) {
    (void)information;
    ++traps;
    if (signal != kSigtrap) fail("a signal");
    /* struct ucontext: the program counter is at 176 + 8 + 31 * 8 + 8. */
    *(u64 *)((char *)context + 440) += 4;
}

__attribute__((naked)) static void return_from_signal(void) { __asm__("mov x8, #139\nsvc 0"); }

static void breakpoint_instructions(void) {
    struct handler handler = {on_trap, 0x04000004, return_from_signal, 0}; /* SA_SIGINFO, SA_RESTORER */
    if (system_call(kSigaction, kSigtrap, (long)&handler, 0, 8) != 0) fail("sigaction");
    for (u64 i = 1; i <= 3; ++i) {
        __asm__ volatile("brk #0x11" ::: "memory");
        if (traps != i) fail("BRK");
    }
}

/* --- the CPU's own breakpoints and steps, by ptrace */

enum { kTraceMe = 0, kContinue = 7, kSingleStep = 9, kGetRegisterSet = 0x4204, kSetRegisterSet = 0x4205 };
enum { kNtPrstatus = 1, kNtHwBreak = 0x402 };

__attribute__((noinline)) void traced_function(void) { __asm__ volatile("nop\nnop\nnop" ::: "memory"); }

struct vector { void *base; u64 length; };
struct registers { u64 x[31], sp, pc, pstate; };
struct hardware_breakpoint { u32 information, padding; u64 address; u32 control, padding2; };

static u64 program_counter(long child) {
    struct registers registers;
    struct vector vector = {&registers, sizeof registers};
    if (system_call(kPtrace, kGetRegisterSet, child, kNtPrstatus, (long)&vector) != 0) fail("GETREGSET");
    return registers.pc;
}

static void expect_stop(long child, u32 signal) {
    u32 status = 0;
    if (system_call(kWait4, child, (long)&status, 0, 0) != child) fail("wait4");
    if (status != (signal << 8 | 0x7f)) fail("another stop");
}

static void hardware_breakpoints(void) {
    const long child = system_call(kClone, kSigchld, 0, 0, 0);
    if (child == 0) {
        system_call(kPtrace, kTraceMe, 0, 0, 0);
        system_call(kKill, system_call(kGetpid, 0, 0, 0, 0), kSigstop, 0, 0);
        traced_function();
        system_call(kExit, 0, 0, 0, 0);
    }
    expect_stop(child, kSigstop);
    /* Enabled, EL0, all bytes. */
    struct hardware_breakpoint breakpoint = {0, 0, (u64)traced_function, 0x1e5, 0};
    struct vector vector = {&breakpoint, sizeof breakpoint};
    if (system_call(kPtrace, kSetRegisterSet, child, kNtHwBreak, (long)&vector) != 0) fail("SETREGSET");
    system_call(kPtrace, kContinue, child, 0, 0);
    expect_stop(child, kSigtrap);
    if (program_counter(child) != (u64)traced_function) fail("the breakpoint's address");
    breakpoint.control = 0x1e4;
    system_call(kPtrace, kSetRegisterSet, child, kNtHwBreak, (long)&vector);
    for (u64 i = 1; i <= 2; ++i) {
        system_call(kPtrace, kSingleStep, child, 0, 0);
        expect_stop(child, kSigtrap);
        if (program_counter(child) != (u64)traced_function + 4 * i) fail("a step");
    }
    system_call(kPtrace, kContinue, child, 0, 0);
    u32 status = 1;
    if (system_call(kWait4, child, (long)&status, 0, 0) != child || status != 0) fail("the child's end");
}

__attribute__((used)) void guest_main(void) {
    say("guest started\n");
    const u64 result = outer(5);
    say(result == (7 + poked) * 3 + 1 ? "result right\n" : "result wrong\n");
    say(poked == 42 ? "poked 42\n" : "not poked\n");
    spin();
    count_on_two_cpus();
    breakpoint_instructions();
    hardware_breakpoints();
    say("PASS guest\n");
    system_call(kReboot, 0xfee1dead, 672274793, 0x4321fedc, 0);
}

__attribute__((naked)) void _start(void) { __asm__("mov x29, #0\nmov x30, #0\nbl guest_main"); }
