#ifndef TANDEM_ROMS_X86_RUNTIME_H
#define TANDEM_ROMS_X86_RUNTIME_H
/* What the programs for x86-64 share: console, what the loader tells, ACPI tables, power. */
#include <stddef.h>
#include <stdint.h>

typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;

/* Xen's hvm_start_info and hvm_memmap_table_entry. */
struct start_info {
    u32 magic, version, flags, modules;
    u64 module_list, command_line, root_pointer, areas;
    u32 area_count, reserved;
};
struct area {
    u64 address, size;
    u32 type, reserved;
};

/* Every program defines these. */
void rom_main(void);
void secondary_main(u32 cpu);
extern const char rom_name[];

const struct start_info *info(void);
/* An ACPI table whose checksum is right; null: there is none. */
const u8 *find_table(const char *signature);
u64 read_number(const u8 *bytes, unsigned size);

void print(const char *text);
void print_hex(u64 value);
int has_argument(const char *word);
/* By the registers that the FADT names. */
void power_off(void) __attribute__((noreturn));
void reset(void) __attribute__((noreturn));

void *memcpy(void *to, const void *from, size_t size);

void fail(const char *what, u64 got, u64 wanted, int line) __attribute__((noreturn));
#define CHECK_EQUAL(got, wanted)                                                                   \
    do {                                                                                           \
        const u64 got_ = (u64)(got), wanted_ = (u64)(wanted);                                      \
        if (got_ != wanted_) fail(#got, got_, wanted_, __LINE__);                                  \
    } while (0)
void passed(void) __attribute__((noreturn));

static inline void out8(u16 port, u8 value) {
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}
static inline u8 in8(u16 port) {
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline u32 read32(u64 address) {
    return *(volatile u32 *)address;
}
static inline void write32(u64 address, u32 value) {
    *(volatile u32 *)address = value;
}
struct cpuid {
    u32 eax, ebx, ecx, edx;
};
static inline struct cpuid cpuid(u32 leaf, u32 subleaf) {
    struct cpuid r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}
static inline u64 ticks(void) {
    u32 low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (u64)high << 32 | low;
}
#endif
