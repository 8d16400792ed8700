/* GICv3: software-generated interrupts to oneself and to another CPU, priorities and preemption,
 * pending and enable state, an SPI by its pending register and one by its device. */
#include "runtime/gic.h"

const char rom_name[] = "gic";

static volatile u64 count[1024], order[16], order_length, nested;
static volatile u64 other_ready, other_count;

static void on_irq(unsigned vector, struct frame *frame) {
    (void)vector, (void)frame;
    const u64 cpu = read_register(mpidr_el1) & 0xff;
    const u64 id = gic_acknowledge();
    if (cpu == 1) {
        other_count = other_count + 1;
        gic_end(id);
        __asm__ volatile("dsb sy\n sev");
        return;
    }
    if (id >= 1020) return;
    count[id] = count[id] + 1;
    if (order_length < 16) order[order_length++] = id;
    if (nested && id == 3) {
        /* A more important one preempts, a less important one waits. */
        const u64 elr = read_register(elr_el1), spsr = read_register(spsr_el1);
        nested = 0;
        gic_send(1 | 4ull << 24);
        gic_send(1 | 2ull << 24);
        __asm__ volatile("msr daifclr, #2\n isb\n nop\n msr daifset, #2");
        write_register(elr_el1, elr);
        write_register(spsr_el1, spsr);
    }
    if (id == 33) *mmio32(kUart + 0x38) = 0; /* UARTIMSC: the level goes away */
    gic_end(id);
}

void secondary_main(u64 cpu) {
    gic_start(cpu);
    *mmio32(kGicRedistributor + 0x20000 * cpu + kGicrSgi + kGicIsenabler) = 0xffff;
    __asm__ volatile("msr daifclr, #2");
    other_ready = 1;
    __asm__ volatile("dsb sy\n sev");
    for (;;) __asm__ volatile("wfi");
}

static void settle(void) { __asm__ volatile("isb\n nop\n nop\n isb" ::: "memory"); }
static void set_priority(unsigned id, unsigned priority) {
    *(volatile unsigned char *)(gic_my_redistributor + kGicrSgi + kGicIpriorityr + id) = (unsigned char)priority;
}

void rom_main(void) {
    exception_handler = on_irq;
    gic_start(0);
    for (unsigned id = 0; id < 16; ++id) gic_enable(id);
    CHECK_EQUAL(gic_acknowledge(), 1023);
    gic_send(1 | 5ull << 24); /* masked by DAIF: stays pending */
    settle();
    CHECK_EQUAL(count[5], 0);
    CHECK_EQUAL(*mmio32(gic_my_redistributor + kGicrSgi + kGicIspendr), 1 << 5);
    CHECK_EQUAL(read_register(isr_el1), 1 << 7);
    __asm__ volatile("msr daifclr, #2");
    settle();
    CHECK_EQUAL(count[5], 1);
    CHECK_EQUAL(*mmio32(gic_my_redistributor + kGicrSgi + kGicIspendr), 0);

    /* The priority mask. */
    write_register(s3_0_c4_c6_0, 0x80);
    gic_send(1 | 6ull << 24);
    settle();
    CHECK_EQUAL(count[6], 0);
    write_register(s3_0_c4_c6_0, 0xf0);
    settle();
    CHECK_EQUAL(count[6], 1);

    /* Preemption: 3 runs, 2 is more important, 4 is less. */
    set_priority(2, 0x40);
    set_priority(3, 0x80);
    set_priority(4, 0xc0);
    order_length = 0;
    nested = 1;
    gic_send(1 | 3ull << 24);
    settle();
    CHECK_EQUAL(order_length, 3);
    CHECK_EQUAL(order[0], 3);
    CHECK_EQUAL(order[1], 2);
    CHECK_EQUAL(order[2], 4);

    /* Disabled interrupts wait. */
    *mmio32(gic_my_redistributor + kGicrSgi + kGicIcenabler) = 1 << 7;
    gic_send(1 | 7ull << 24);
    settle();
    CHECK_EQUAL(count[7], 0);
    gic_enable(7);
    settle();
    CHECK_EQUAL(count[7], 1);

    /* An SPI set pending by software; the UART's, by its transmit level. */
    gic_enable(40);
    *mmio32(kGicDistributor + kGicIspendr + 4) = 1 << 8;
    settle();
    CHECK_EQUAL(count[40], 1);
    gic_enable(33);
    *mmio32(kUart + 0x30) = 0x301; /* UARTCR: enabled */
    *mmio32(kUart) = '\r';
    *mmio32(kUart + 0x38) = 1 << 5; /* UARTIMSC.TXIM */
    for (u64 i = 0; i < 1000000 && count[33] == 0; ++i) settle();
    CHECK_EQUAL(count[33], 1);

    if (start_cpu(1) == 0) {
        while (!other_ready) __asm__ volatile("wfe");
        for (u64 i = 1; i <= 200; ++i) {
            gic_send(2 | 9ull << 24);
            while (other_count < i) __asm__ volatile("wfe");
        }
        CHECK_EQUAL(other_count, 200);
        gic_send(1ull << 40 | 10ull << 24); /* all but self */
        while (other_count < 201) __asm__ volatile("wfe");
        CHECK_EQUAL(count[10], 0);
    }
    passed();
}
