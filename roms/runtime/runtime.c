#include "runtime/runtime.h"

void (*volatile exception_handler)(unsigned vector, struct frame *frame);

__attribute__((weak)) void secondary_main(u64 cpu) { (void)cpu; }

void print(const char *text) {
    for (; *text != 0; ++text) {
        while ((*mmio32(kUart + 0x18) & 1 << 5) != 0) { /* UARTFR.TXFF */
        }
        *mmio32(kUart) = (unsigned char)*text;
    }
}
void print_hex(u64 value) {
    char digits[19] = "0x";
    for (int i = 0; i < 16; ++i) digits[2 + i] = "0123456789abcdef"[(value >> (60 - 4 * i)) & 15];
    print(digits);
}

long psci(u64 function, u64 a, u64 b, u64 c) {
    register u64 x0 __asm__("x0") = function;
    register u64 x1 __asm__("x1") = a;
    register u64 x2 __asm__("x2") = b;
    register u64 x3 __asm__("x3") = c;
    __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
    return (long)x0;
}
void power_off(void) {
    for (;;) psci(0x84000008, 0, 0, 0);
}
long start_cpu(u64 cpu) {
    extern char cpu_entry[];
    return psci(0xc4000003, cpu, (u64)cpu_entry, cpu);
}

static const u64 identity[512] __attribute__((aligned(4096))) = {
    0x00000401, 0x40000705}; /* blocks of 1 GiB: Device, and Normal shareable */
void map_identity(void) {
    write_register(mair_el1, 0xff00);
    write_register(tcr_el1, 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 2ull << 32); /* 39 bits */
    write_register(ttbr0_el1, identity);
    __asm__ volatile("tlbi vmalle1\n dsb sy\n isb");
    write_register(sctlr_el1, read_register(sctlr_el1) | 1 | 1 << 2 | 1 << 12);
}

void handle_exception(unsigned vector, struct frame *frame) {
    if (exception_handler != NULL) {
        exception_handler(vector, frame);
        return;
    }
    print("FAIL ");
    print(rom_name);
    print(": unexpected exception, vector ");
    print_hex(vector);
    print(" ESR ");
    print_hex(read_register(esr_el1));
    print(" ELR ");
    print_hex(frame->elr);
    print(" FAR ");
    print_hex(read_register(far_el1));
    print("\n");
    power_off();
}

void check_equal(u64 got, u64 wanted, const char *what, int line) {
    if (got == wanted) return;
    print("FAIL ");
    print(rom_name);
    print(": line ");
    print_hex((u64)line);
    print(": ");
    print(what);
    print(" is ");
    print_hex(got);
    print(", not ");
    print_hex(wanted);
    print("\n");
    power_off();
}
void passed(void) {
    print("PASS ");
    print(rom_name);
    print("\n");
    power_off();
}
