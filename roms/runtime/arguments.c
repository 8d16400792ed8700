#include "runtime/arguments.h"

/* Devicetree Specification 0.4, chapter 5: flattened format, big-endian. */
enum { kMagic = (int)0xd00dfeed, kBeginNode = 1, kEndNode = 2, kProperty = 3, kNop = 4 };

static u32 word(const unsigned char *p) {
    return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}
static int same(const char *a, const char *b) {
    while (*a != 0 && *a == *b) ++a, ++b;
    return *a == *b;
}

static const char *boot_arguments(void) {
    const unsigned char *tree = (const unsigned char *)0x40000000;
    __asm__("" : "+r"(tree)); /* an address, not an object of the program */
    if (word(tree) != (u32)kMagic) return "";
    const char *strings = (const char *)tree + word(tree + 12);
    const unsigned char *p = tree + word(tree + 8);
    for (;;) {
        const u32 token = word(p);
        p += 4;
        if (token == kBeginNode) {
            const unsigned char *name = p;
            while (*p != 0) ++p;
            p = name + ((u64)(p - name + 4) & ~3ull);
        } else if (token == kProperty) {
            const u32 length = word(p);
            if (same(strings + word(p + 4), "bootargs")) return (const char *)p + 8;
            p += 8 + ((length + 3) & ~3u);
        } else if (token != kEndNode && token != kNop) {
            return "";
        }
    }
}

u64 argument(const char *name, u64 otherwise) {
    for (const char *p = boot_arguments(); *p != 0;) {
        const char *n = name;
        while (*n != 0 && *p == *n) ++p, ++n;
        if (*n == 0) {
            const unsigned base = p[0] == '0' && p[1] == 'x' ? 16 : 10;
            if (base == 16) p += 2;
            u64 value = 0;
            for (;; ++p) {
                const unsigned c = (unsigned char)*p;
                const unsigned digit = c >= '0' && c <= '9'   ? c - '0'
                                       : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                              : 16;
                if (digit >= base) return value;
                value = value * base + digit;
            }
        }
        while (*p != 0 && *p != ' ') ++p;
        while (*p == ' ') ++p;
    }
    return otherwise;
}
