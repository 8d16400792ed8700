#include "x86/runtime.h"

enum { kUart = 0x3f8, kLineStatus = 5, kTransmitterEmpty = 1 << 5 };

extern u32 start_info;

const struct start_info *info(void) { return (const struct start_info *)(u64)start_info; }

void print(const char *text) {
    for (; *text != 0; ++text) {
        while ((in8(kUart + kLineStatus) & kTransmitterEmpty) == 0) {
        }
        out8(kUart, (u8)*text);
    }
}
void print_hex(u64 value) {
    char digits[19] = "0x";
    for (int i = 0; i < 16; ++i) digits[2 + i] = "0123456789abcdef"[(value >> (60 - 4 * i)) & 15];
    print(digits);
}

u64 read_number(const u8 *bytes, unsigned size) {
    u64 value = 0;
    for (unsigned i = 0; i < size; ++i) value |= (u64)bytes[i] << (8 * i);
    return value;
}

static int is_sound(const u8 *bytes, u64 size) {
    u8 sum = 0;
    for (u64 i = 0; i < size; ++i) sum = (u8)(sum + bytes[i]);
    return sum == 0;
}
static int has_signature(const u8 *bytes, const char *signature, unsigned size) {
    for (unsigned i = 0; i < size; ++i)
        if (bytes[i] != (u8)signature[i]) return 0;
    return 1;
}

const u8 *find_table(const char *signature) {
    const u8 *root = (const u8 *)info()->root_pointer;
    if (!has_signature(root, "RSD PTR ", 8) || !is_sound(root, 20) || !is_sound(root, 36)) return NULL;
    const u8 *list = (const u8 *)read_number(root + 24, 8);
    const u64 length = read_number(list + 4, 4);
    if (!has_signature(list, "XSDT", 4) || !is_sound(list, length)) return NULL;
    for (u64 at = 36; at + 8 <= length; at += 8) {
        const u8 *table = (const u8 *)read_number(list + at, 8);
        if (has_signature(table, signature, 4) && is_sound(table, read_number(table + 4, 4)))
            return table;
    }
    return NULL;
}

int has_argument(const char *word) {
    const char *text = (const char *)info()->command_line;
    while (*text != 0) {
        const char *a = word;
        while (*a != 0 && *text == *a) ++a, ++text;
        if (*a == 0 && (*text == ' ' || *text == 0)) return 1;
        while (*text != 0 && *text != ' ') ++text;
        while (*text == ' ') ++text;
    }
    return 0;
}

static void write_register(unsigned at, u8 value) {
    const u8 *fadt = find_table("FACP");
    if (fadt == NULL) fail("FADT", 0, 1, __LINE__);
    *(volatile u8 *)read_number(fadt + at + 4, 8) = value;
}
void power_off(void) {
    for (;;) write_register(244, 5 << 2 | 1 << 5); /* SLEEP_CONTROL_REG: S5 */
}
void reset(void) {
    const u8 *fadt = find_table("FACP");
    for (;;) write_register(116, fadt[128]); /* RESET_REG, RESET_VALUE */
}

void fail(const char *what, u64 got, u64 wanted, int line) {
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
    for (;;) __asm__ volatile("cli; hlt");
}
void passed(void) {
    print("PASS ");
    print(rom_name);
    print("\n");
    power_off();
}

void *memcpy(void *to, const void *from, size_t size) {
    u8 *t = to;
    for (const u8 *f = from; size != 0; --size) *t++ = *f++;
    return to;
}
void *memset(void *to, int value, size_t size) {
    for (u8 *t = to; size != 0; --size) *t++ = (u8)value;
    return to;
}
