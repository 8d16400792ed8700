#ifndef TANDEM_ROMS_RUNTIME_H
#define TANDEM_ROMS_RUNTIME_H
/* What the bare-metal programs share: console, PSCI, exceptions, checks. */
#include <stddef.h>
#include <stdint.h>

typedef uint64_t u64;
typedef uint32_t u32;

#define read_register(name)                                                                        \
    ({                                                                                             \
        u64 value_;                                                                                \
        __asm__ volatile("mrs %0, " #name : "=r"(value_)::"memory");                               \
        value_;                                                                                    \
    })
#define write_register(name, value)                                                                \
    __asm__ volatile("msr " #name ", %0\n isb" ::"r"((u64)(value)) : "memory")

/* The registers of the interrupted code, as start.S stores them. */
struct frame {
    u64 x[31];
    u64 elr;
    u64 spsr;
    u64 padding;
};

/* Vector numbers: offset / 0x80. */
enum { kSyncEl1 = 4, kIrqEl1 = 5, kSyncEl0 = 8, kIrqEl0 = 9 };

/* Every program defines these. secondary_main's default parks the CPU. */
void rom_main(void);
void secondary_main(u64 cpu);
extern const char rom_name[];

/* Called for every exception; null: an exception is a failure. */
extern void (*volatile exception_handler)(unsigned vector, struct frame *frame);

/* Runs `code` at EL0; the handler ends it with leave_el0(result). */
u64 run_at_el0(void (*code)(void), void *stack);
void leave_el0(u64 result) __attribute__((noreturn));

void print(const char *text);
void print_hex(u64 value);
void power_off(void) __attribute__((noreturn));
long psci(u64 function, u64 a, u64 b, u64 c);
long start_cpu(u64 cpu);
/* Turns this CPU's MMU on, with RAM as Normal memory at its own address. Without an MMU all memory
 * is Device memory, where unaligned accesses fault. */
void map_identity(void);

/* Prints FAIL with the place and both values, and powers off. */
void check_equal(u64 got, u64 wanted, const char *what, int line);
#define CHECK_EQUAL(got, wanted) check_equal((u64)(got), (u64)(wanted), #got, __LINE__)
void passed(void) __attribute__((noreturn));

static inline volatile u32 *mmio32(u64 address) {
    return (volatile u32 *)address;
}

enum { kUart = 0x09000000, kGicDistributor = 0x08000000, kGicRedistributor = 0x080a0000 };
#endif
