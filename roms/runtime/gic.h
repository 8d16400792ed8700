#ifndef TANDEM_ROMS_GIC_H
#define TANDEM_ROMS_GIC_H
/* Just enough GICv3 (IHI 0069), group 1, for the programs here. */
#include "runtime/runtime.h"

enum {
    kGicCtlr = 0,
    kGicIsenabler = 0x100,
    kGicIcenabler = 0x180,
    kGicIspendr = 0x200,
    kGicIpriorityr = 0x400,
    kGicIcfgr = 0xc00,
    kGicIrouter = 0x6000,
    kGicrWaker = 0x14,
    kGicrSgi = 0x10000
};

static u64 gic_my_redistributor;

/* On each CPU, after CPU 0. */
static inline void gic_start(u64 cpu) {
    if (cpu == 0) {
        *mmio32(kGicDistributor + kGicCtlr) = 1 << 4; /* ARE */
        *mmio32(kGicDistributor + kGicCtlr) = 1 << 4 | 1 << 1 | 1;
    }
    const u64 redistributor = kGicRedistributor + cpu * 0x20000;
    if (cpu == 0) gic_my_redistributor = redistributor;
    *mmio32(redistributor + kGicrWaker) &= ~2u;
    while (*mmio32(redistributor + kGicrWaker) & 4) {
    }
    *mmio32(redistributor + kGicrSgi + 0x80) = ~0u; /* IGROUPR0: all group 1 */
    for (unsigned i = 0; i < 8; ++i)
        *mmio32(redistributor + kGicrSgi + kGicIpriorityr + 4 * i) = 0xa0a0a0a0u;
    write_register(s3_0_c12_c12_5, 1);  /* ICC_SRE_EL1 */
    write_register(s3_0_c4_c6_0, 0xf0); /* ICC_PMR_EL1 */
    write_register(s3_0_c12_c12_7, 1);  /* ICC_IGRPEN1_EL1 */
}
/* SGIs and PPIs of the CPU that called gic_start(0), and SPIs routed to CPU 0. */
static inline void gic_enable(unsigned id) {
    if (id < 32) {
        *mmio32(gic_my_redistributor + kGicrSgi + kGicIsenabler) = 1u << id;
        return;
    }
    *mmio32(kGicDistributor + 0x80 + 4 * (id / 32)) |= 1u << id % 32;
    *(volatile unsigned char *)(u64)(kGicDistributor + kGicIpriorityr + id) = 0xa0;
    *(volatile u64 *)(u64)(kGicDistributor + kGicIrouter + 8 * id) = 0;
    *mmio32(kGicDistributor + kGicIsenabler + 4 * (id / 32)) = 1u << id % 32;
}
static inline u64 gic_acknowledge(void) {
    return read_register(s3_0_c12_c12_0) & 0xffffff;
}
static inline void gic_end(u64 id) {
    write_register(s3_0_c12_c12_1, id);
}
static inline void gic_send(u64 value) {
    write_register(s3_0_c12_c11_5, value);
} /* ICC_SGI1R_EL1 */
#endif
