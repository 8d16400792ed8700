/* The generic timers: counters run, conditions hold when they should, WFI sleeps until the IRQ. */
#include "runtime/gic.h"
#include "runtime/runtime.h"

const char rom_name[] = "timers";

static volatile u64 virtual_irqs, physical_irqs, other_irqs;

static void on_irq(unsigned vector, struct frame *frame) {
    (void)frame;
    CHECK_EQUAL(vector, kIrqEl1);
    const u64 id = gic_acknowledge();
    if (id == 27) {
        ++virtual_irqs;
        write_register(cntv_ctl_el0, 2); /* masked: the level goes away */
    } else if (id == 30) {
        ++physical_irqs;
        write_register(cntp_ctl_el0, 2);
    } else {
        ++other_irqs;
    }
    gic_end(id);
}

void rom_main(void) {
    const u64 frequency = read_register(cntfrq_el0);
    CHECK_EQUAL(frequency >= 1000000, 1);
    u64 last = read_register(cntvct_el0);
    for (int i = 0; i < 1000; ++i) {
        const u64 now = read_register(cntvct_el0);
        CHECK_EQUAL(now >= last, 1);
        last = now;
    }
    /* Reads of one counter after the other are in order. */
    CHECK_EQUAL(read_register(cntpct_el0) >= last, 1);

    /* ISTATUS without interrupts. */
    write_register(cntv_cval_el0, ~0ull);
    write_register(cntv_ctl_el0, 3);
    CHECK_EQUAL(read_register(cntv_ctl_el0), 3);
    write_register(cntv_cval_el0, 0);
    CHECK_EQUAL(read_register(cntv_ctl_el0), 7);
    write_register(cntv_tval_el0, frequency);
    CHECK_EQUAL(read_register(cntv_ctl_el0), 3);
    const u64 left = read_register(cntv_tval_el0);
    CHECK_EQUAL(left <= frequency && left > frequency / 2, 1);
    write_register(cntv_ctl_el0, 0);

    gic_start(0);
    gic_enable(27);
    gic_enable(30);
    exception_handler = on_irq;
    __asm__ volatile("msr daifclr, #2");
    for (u64 i = 1; i <= 10; ++i) {
        const u64 start = read_register(cntvct_el0);
        write_register(cntv_tval_el0, frequency / 500);
        write_register(cntv_ctl_el0, 1);
        while (virtual_irqs != i) __asm__ volatile("wfi");
        CHECK_EQUAL(read_register(cntvct_el0) - start >= frequency / 500, 1);
        write_register(cntp_tval_el0, frequency / 1000);
        write_register(cntp_ctl_el0, 1);
        while (physical_irqs != i) __asm__ volatile("wfi");
    }
    /* A spinning CPU is interrupted as well. */
    write_register(cntv_tval_el0, frequency / 1000);
    write_register(cntv_ctl_el0, 1);
    while (virtual_irqs != 11) {
    }
    CHECK_EQUAL(other_irqs, 0);
    passed();
}
