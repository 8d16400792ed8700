/* Random accesses of every kind to every device of the board and to the holes between them, from all
 * CPUs at once, mixed with the sequences that get devices to work: virtqueues with hostile rings,
 * fw_cfg transfers, flash commands. Nothing is checked: whatever happens here, the emulator has to
 * go on.
 *
 * Arguments (--append): seed=N (default 1); rounds=N of CPU 0 (default 1000; 0: never ends). */
#include "fuzz/random.h"
#include "runtime/arguments.h"

const char rom_name[] = "random_mmio";

enum { kMaxCpus = 3, kAccessesOfRound = 256, kVirtioSlots = 32, kVirtioStride = 0x200 };
#define VIRTIO 0x0a000000ull
#define FW_CFG 0x09020000ull

static u64 streams[kMaxCpus];

/* --- memory for devices to read and write: far above the program */

#define ARENA 0x42000000ull
enum { kArenaSize = 1 << 20 };

struct region {
    u64 base, size;
};
static const struct region regions[] = {
    {0x00000000, 0x08000000}, /* flash */
    {0x08000000, 0x00010000}, /* GIC: distributor */
    {0x08010000, 0x00090000}, /* CPU interface (GICv2), ITS */
    {0x080a0000, 0x00060000}, /* redistributors */
    {0x080a0000, 0x00f60000}, {0x09000000, 0x00001000}, /* UART */
    {0x09010000, 0x00001000},                           /* RTC */
    {FW_CFG, 0x00000020},     {0x09030000, 0x00001000}, /* GPIO */
    {0x09040000, 0x00fc0000},                           /* nothing, on this board */
    {VIRTIO, 0x00004000},     {VIRTIO, 0x00004000},     {VIRTIO, 0x00004000},
    {0x0c000000, 0x04000000},                             /* platform bus */
    {0x10000000, 0x30000000},                             /* PCIe: memory, ports, configuration */
    {0x43fff000, 0x00002000},                             /* the end of RAM */
    {0x80000000, 0x80000000},                             /* nothing, or RAM */
    {0x4000000000, 0x10000000},                           /* high redistributors */
    {0x4010000000, 0x10000000},                           /* high PCIe configuration */
    {0x8000000000, 0x8000000000},                         /* high PCIe memory */
    {0, 1ull << 52},                                      /* anything, past what a CPU has */
};

static u64 random_address(u64 *r) {
    const struct region *region = &RANDOM_ELEMENT(r, regions);
    static const u64 alignments[] = {1, 2, 4, 4, 4, 4, 4, 4, 4, 8, 8, 16};
    u64 offset = random_below(r, region->size);
    if (random_below(r, 2) == 0) offset &= 0xfff; /* where registers are */
    return region->base + (offset & ~(RANDOM_ELEMENT(r, alignments) - 1));
}
/* An address for a device: mostly in the arena, sometimes at the edge of RAM, in a device, or none. */
static u64 random_target(u64 *r) {
    const u64 noise = random_next(r);
    switch (random_below(r, 16)) {
    case 0: return 0x44000000 - (noise & 0xfff);
    case 1: return RANDOM_ELEMENT(r, regions).base + (noise & 0xff8);
    case 2: return noise;
    case 3: return ARENA + noise % kArenaSize;
    default: return ARENA + (noise % kArenaSize & ~15ull);
    }
}
static u64 random_value(u64 *r) {
    const u64 noise = random_next(r);
    switch (random_below(r, 6)) {
    case 0: return noise;
    case 1: return 1ull << (noise & 63);
    case 2: return ~0ull;
    case 3: return random_target(r);
    default: return noise % 300;
    }
}

/* --- plain accesses */

typedef u64 access(u64 address, u64 value);
extern access *const random_accesses[], *const random_accesses_end[];
void random_fetch(u64 address);

static volatile u64 faults;
static void on_exception(unsigned vector, struct frame *frame) {
    (void)vector;
    ++faults;
    const u64 exception_class = read_register(esr_el1) >> 26;
    /* An instruction abort, or a program on a device: random_fetch()'s caller goes on. */
    const int is_fetch = exception_class == 0x20 || exception_class == 0x21 || frame->elr - 0x40200000 > 0x100000;
    frame->elr = is_fetch ? frame->x[30] : frame->elr + 4;
}

static void random_access(u64 *r) {
    const u64 count = (u64)(random_accesses_end - random_accesses);
    random_accesses[random_below(r, count)](random_address(r), random_value(r));
}

/* --- devices at work */

static u64 slots[kVirtioSlots], slot_count; /* with a device in them */
static void find_devices(void) {
    for (u64 i = 0; i < kVirtioSlots; ++i) {
        const u64 slot = VIRTIO + i * kVirtioStride;
        if (*mmio32(slot) == 0x74726976 && *mmio32(slot + 8) != 0) slots[slot_count++] = slot;
    }
}

enum { kDescriptorSize = 16, kNext = 1, kWrite = 2, kIndirect = 4 };

/* virtio 1.2, 2.7: tables and rings with every field random, or plausible. */
static void random_descriptors(u64 *r, u64 table, u64 size) {
    static const u32 lengths[] = {0, 1, 16, 16, 512, 512, 4096, 65536, 0xffffffff};
    for (u64 i = 0; i < size; ++i) {
        volatile u64 *descriptor = (volatile u64 *)(table + i * kDescriptorSize);
        const u64 length = random_below(r, 8) == 0 ? (u32)random_next(r) : RANDOM_ELEMENT(r, lengths);
        const u64 flags = random_below(r, 16) == 0 ? random_next(r) & 0xffff
                          : random_below(r, 16) == 0 ? kIndirect
                                                     : random_below(r, 4);
        const u64 next = random_below(r, 8) == 0 ? random_next(r) & 0xffff : (i + 1) % size;
        descriptor[0] = random_target(r);
        descriptor[1] = length | flags << 32 | next << 48;
    }
}
static void set_address(u64 slot, u64 offset, u64 address) {
    *mmio32(slot + offset) = (u32)address;
    *mmio32(slot + offset + 4) = (u32)(address >> 32);
}
static void run_virtio(u64 *r) {
    if (slot_count == 0) return;
    const u64 slot = slots[random_below(r, slot_count)];
    const u64 area = ARENA + (random_below(r, kArenaSize / 2) & ~4095ull);
    const u64 size = 1ull << random_below(r, 9);
    if (random_below(r, 2) == 0) {
        *mmio32(slot + 0x70) = 0; /* Status: reset, ACKNOWLEDGE, DRIVER */
        *mmio32(slot + 0x70) = 3;
        for (u32 half = 0; half < 2; ++half) { /* DriverFeatures: what is offered, or anything */
            *mmio32(slot + 0x14) = half;
            *mmio32(slot + 0x24) = half;
            const u32 offered = *mmio32(slot + 0x10);
            const u32 mask = random_below(r, 2) == 0 ? ~0u : (u32)random_next(r);
            *mmio32(slot + 0x20) = random_below(r, 8) == 0 ? mask : (offered & mask) | half;
        }
        *mmio32(slot + 0x70) = 11; /* FEATURES_OK */
        const u64 queues = 1 + random_below(r, 4);
        for (u32 queue = 0; queue < queues; ++queue) {
            *mmio32(slot + 0x30) = random_below(r, 16) == 0 ? (u32)random_value(r) : queue;
            *mmio32(slot + 0x38) = random_below(r, 16) == 0 ? (u32)random_value(r) : (u32)size;
            const int is_wild = random_below(r, 8) == 0;
            set_address(slot, 0x80, is_wild ? random_target(r) : area);
            set_address(slot, 0x90, is_wild ? random_target(r) : area + 8192);
            set_address(slot, 0xa0, is_wild ? random_target(r) : area + 12288);
            *mmio32(slot + 0x44) = 1;
        }
        *mmio32(slot + 0x70) = 15; /* DRIVER_OK */
    }
    random_descriptors(r, area, size);
    volatile uint16_t *available = (volatile uint16_t *)(area + 8192);
    for (u64 i = 0; i < size; ++i)
        available[2 + i] = (uint16_t)(random_below(r, 16) == 0 ? random_next(r) : random_below(r, size));
    available[0] = (uint16_t)(random_below(r, 8) == 0 ? random_next(r) : 0);
    available[1] = (uint16_t)(random_below(r, 8) == 0 ? random_next(r) : available[1] + random_below(r, size + 1));
    /* Requests of a block device: type, sector. */
    volatile u64 *request = (volatile u64 *)random_target(r);
    if ((u64)request - ARENA < kArenaSize - 16 && ((u64)request & 7) == 0) {
        request[0] = random_below(r, 16);
        request[1] = random_below(r, 4) == 0 ? random_next(r) : random_below(r, 20000);
    }
    __asm__ volatile("dsb ish" ::: "memory");
    *mmio32(slot + 0x50) = random_below(r, 8) == 0 ? (u32)random_value(r) : (u32)random_below(r, 4);
    if (random_below(r, 2) == 0) *mmio32(slot + 0x64) = *mmio32(slot + 0x60);
}

static u32 swap(u32 value) {
    return __builtin_bswap32(value);
}
static void run_fw_cfg(u64 *r) {
    volatile u32 *control = (volatile u32 *)(ARENA + (random_below(r, kArenaSize - 64) & ~15ull));
    const u64 target = random_target(r);
    const u32 key = (u32)random_below(r, 0x40);
    control[0] = swap(random_below(r, 8) == 0 ? (u32)random_next(r) : (u32)(key << 16 | random_below(r, 32)));
    control[1] = swap((u32)random_value(r));
    control[2] = swap((u32)(target >> 32));
    control[3] = swap((u32)target);
    const u64 at = random_below(r, 8) == 0 ? random_target(r) : (u64)control;
    *mmio32(FW_CFG + 16) = swap((u32)(at >> 32));
    *mmio32(FW_CFG + 20) = swap((u32)at);
}

static void run_flash(u64 *r) {
    static const u32 commands[] = {0xff, 0x90, 0x98, 0x70, 0x50, 0x40, 0x10, 0xe8, 0x20, 0x60, 0xd0, 0x01, 0xb0};
    volatile u32 *cell = mmio32((random_below(r, 2) << 26) + (random_below(r, 1 << 26) & ~3ull));
    __asm__("" : "+r"(cell)); /* address 0 is one */
    for (u64 n = 1 + random_below(r, 8); n > 0; --n) {
        const u32 command = RANDOM_ELEMENT(r, commands);
        *cell = random_below(r, 4) == 0 ? (u32)random_value(r) : command | command << 16;
    }
}

static void round_of_accesses(u64 *r) {
    for (unsigned i = 0; i < kAccessesOfRound; ++i) {
        switch (random_below(r, 64)) {
        case 0:
        case 1:
        case 2:
        case 3: run_virtio(r); break;
        case 4: run_fw_cfg(r); break;
        case 5: run_flash(r); break;
        case 6: random_fetch(random_address(r) & ~3ull); break;
        default: random_access(r); break;
        }
    }
}

void secondary_main(u64 cpu) {
    for (;;) round_of_accesses(&streams[cpu]);
}

static void report(u64 rounds) {
    *mmio32(kUart + 0x30) = 0x301; /* UARTCR: as it was, whatever has become of it */
    *mmio32(kUart + 0x2c) = 0x70;
    print("\nrounds ");
    print_hex(rounds);
    print(" faults ");
    print_hex(faults);
    print("\n");
}

void rom_main(void) {
    const u64 seed = argument("seed=", 1), wanted = argument("rounds=", 1000);
    print("random_mmio: seed ");
    print_hex(seed);
    print("\n");
    exception_handler = on_exception;
    find_devices();
    for (u64 cpu = 0; cpu < kMaxCpus; ++cpu) {
        streams[cpu] = random_stream(seed, cpu);
        if (cpu != 0) start_cpu(cpu);
    }
    for (u64 rounds = 1;; ++rounds) {
        round_of_accesses(&streams[0]);
        if (rounds % 256 == 0) report(rounds);
        if (rounds != wanted) continue;
        report(rounds);
        passed();
    }
}
