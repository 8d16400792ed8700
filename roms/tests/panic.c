/* The paravirtual panic device on PCI: is found, takes what it offers, and lets its guest go on unless somebody
 * stops the machine. */
#include "runtime/runtime.h"

const char rom_name[] = "panic";

enum { kVendorAndDevice = 0x00111b36, kCommand = 0x04, kBar0 = 0x10, kMemorySpace = 2 };
enum { kPanicked = 1, kCrashLoaded = 2 };
static const u64 kConfiguration = 0x4010000000, kWindow = 0x10000000;

/* The configuration space of the function on bus 0; 0: there is none. */
static u64 find(void) {
    for (u64 function = 0; function < 256; ++function)
        if (*mmio32(kConfiguration + (function << 12)) == kVendorAndDevice) return kConfiguration + (function << 12);
    return 0;
}

static void wait_milliseconds(u64 count) {
    const u64 end = read_register(cntvct_el0) + read_register(cntfrq_el0) / 1000 * count;
    while (read_register(cntvct_el0) < end) {
    }
}

void rom_main(void) {
    const u64 function = find();
    CHECK_EQUAL(function != 0, 1);
    *mmio32(function + kBar0) = ~0u;
    const u32 size = ~(*mmio32(function + kBar0) & ~0xfu) + 1;
    CHECK_EQUAL(size != 0 && size <= 0x1000, 1);
    *mmio32(function + kBar0) = (u32)kWindow;
    *mmio32(function + kCommand) = kMemorySpace;

    volatile unsigned char *events = (volatile unsigned char *)kWindow;
    CHECK_EQUAL(*events & (kPanicked | kCrashLoaded), kPanicked | kCrashLoaded);
    *events = kCrashLoaded;
    wait_milliseconds(100);
    print("a crash kernel would run now\n");
    wait_milliseconds(100);
    *events = kPanicked;
    wait_milliseconds(500);
    passed();
}
