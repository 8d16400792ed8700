/* What a guest finds on the board: memory, ACPI tables, processors that start each other, the
 * serial port's registers, virtio devices in the slots that the DSDT names. */
#include "x86/runtime.h"

const char rom_name[] = "platform";

enum { kLocalApic = 0xfee00000, kIoApic = 0xfec00000 };
enum { kMaxCpus = 64, kTrampolinePage = 0x8 };

static volatile u32 started[kMaxCpus];
static volatile u32 started_count;

void secondary_main(u32 cpu) {
    (void)cpu;
    const u32 number = cpuid(0xb, 0).edx;
    if (number < kMaxCpus) started[number] = 1 + (read32(kLocalApic + 0x20) >> 24);
    __atomic_fetch_add(&started_count, 1, __ATOMIC_SEQ_CST);
    for (;;) __asm__ volatile("cli; hlt");
}

static void test_memory(void) {
    CHECK_EQUAL(info()->magic, 0x336ec578);
    CHECK_EQUAL(info()->version, 1);
    const struct area *areas = (const struct area *)info()->areas;
    u64 ram = 0, end = 0;
    for (u32 i = 0; i < info()->area_count; ++i) {
        CHECK_EQUAL(areas[i].address >= end, 1);
        end = areas[i].address + areas[i].size;
        if (areas[i].type != 1) continue;
        ram += areas[i].size;
        if (end > 0x100000000) continue; /* not mapped here */
        /* Its last bytes are there, and are nobody else's. */
        write32(end - 4, (u32)end);
        CHECK_EQUAL(read32(end - 4), (u32)end);
    }
    CHECK_EQUAL(ram >= 8 << 20, 1);
    CHECK_EQUAL(read32(0xd8000000), 0xffffffff); /* nobody there */
    CHECK_EQUAL(in8(0x80), 0xff);
}

static void test_processor(void) {
    CHECK_EQUAL(cpuid(1, 0).ecx >> 31, 1);                     /* a hypervisor is there */
    CHECK_EQUAL(cpuid(0x40000000, 0).ebx, 0x4b4d564b);         /* KVM's */
    CHECK_EQUAL(cpuid(1, 0).ecx >> 5 & 1, 0);                  /* VMX */
    CHECK_EQUAL(cpuid(0x80000001, 0).ecx >> 2 & 1, 0);         /* SVM */
    CHECK_EQUAL(cpuid(0xb, 0).edx, cpuid(1, 0).ebx >> 24);
    const u64 before = ticks();
    CHECK_EQUAL(ticks() >= before, 1);
}

/* Starts every processor that the MADT has. */
static void test_processors(void) {
    const u8 *madt = find_table("APIC");
    CHECK_EQUAL(madt != NULL, 1);
    CHECK_EQUAL(read_number(madt + 36, 4), kLocalApic);
    extern const u8 trampoline[], trampoline_end[];
    memcpy((void *)(u64)(kTrampolinePage << 12), trampoline, (u64)(trampoline_end - trampoline));
    u32 processors = 0, io_apics = 0;
    const u64 length = read_number(madt + 4, 4);
    for (u64 at = 44; at < length; at += madt[at + 1]) {
        if (madt[at] == 1) ++io_apics;
        if (madt[at] != 0) continue;
        const u32 number = madt[at + 3];
        CHECK_EQUAL(number, processors);
        ++processors;
        if (number == 0) continue;
        /* INIT, then SIPI; the interrupt command register is two words, the low one last. */
        write32(kLocalApic + 0x310, number << 24);
        write32(kLocalApic + 0x300, 0x4500);
        write32(kLocalApic + 0x310, number << 24);
        write32(kLocalApic + 0x300, 0x4600 | kTrampolinePage);
        while (started_count != number) __asm__ volatile("pause");
    }
    CHECK_EQUAL(io_apics, 1);
    CHECK_EQUAL(cpuid(0xb, 1).ebx, processors);
    for (u32 i = 1; i < processors; ++i) CHECK_EQUAL(started[i], i + 1);
    print("processors ");
    print_hex(processors);
    print("\n");
}

static void test_serial(void) {
    out8(0x3ff, 0x5a);
    CHECK_EQUAL(in8(0x3ff), 0x5a);
    out8(0x3fc, 0x1a);
    CHECK_EQUAL(in8(0x3fe) & 0xf0, 0x90);
    out8(0x3fc, 0);
}

static void test_io_apic(void) {
    write32(kIoApic, 1);
    CHECK_EQUAL(read32(kIoApic + 0x10) >> 16 & 0xff, 23);
}

static void test_virtio(void) {
    /* Each slot with a device has the driver's magic, and room behind its registers. */
    u32 devices = 0;
    for (u64 slot = 0; slot < 16; ++slot)
        if (read32(0xd0000000 + slot * 0x1000) == 0x74726976) ++devices;
    print("virtio ");
    print_hex(devices);
    print("\n");
    CHECK_EQUAL(devices >= 1, 1);
}

void rom_main(void) {
    if (has_argument("marker")) passed();
    if (has_argument("reset")) reset();
    if (has_argument("wait")) {
        print("waits\n");
        for (;;) __asm__ volatile("cli; hlt");
    }
    if (has_argument("fault")) {
        static const u16 no_descriptors[5];
        __asm__ volatile("lidt %0; ud2" ::"m"(no_descriptors));
    }
    test_memory();
    test_processor();
    test_serial();
    test_io_apic();
    test_processors();
    test_virtio();
    passed();
}
