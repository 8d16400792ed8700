#include "frontend-arm/state/cpu_model.h"

#include "frontend-arm/sysreg/sysreg.h"

#include <string>

namespace tandem::arm {

namespace {

constexpr FeatureSet kArmv8_0{Feature::FP,    Feature::ADVSIMD, Feature::CRC32,  Feature::AES,
                              Feature::PMULL, Feature::SHA1,    Feature::SHA256, Feature::PMUv3};

constexpr FeatureSet kNeoverseN1 =
    kArmv8_0.with({Feature::LSE, Feature::RDM, Feature::FP16, Feature::DotProd, Feature::LRCPC,
                   Feature::SSBS, Feature::DPB, Feature::PAN, Feature::PAN2, Feature::UAO,
                   Feature::HAFDBS, Feature::HPDS, Feature::TTCNP, Feature::RAS, Feature::IESB});

/// Everything but what one CPU cannot have at once (the PAC algorithms) or lacks (ECV).
constexpr FeatureSet kMax =
    FeatureSet::all().without({Feature::PACQARMA5, Feature::PACIMP, Feature::ECV});

struct Description {
    std::string_view name;
    FeatureSet features;
    u64 midr;
    u64 revidr;
    u64 pmu_identity; ///< PMCR_EL0.{IMP, IDCODE}
    unsigned physical_address_bits;
    u64 ctr;
    u64 clidr;
    std::array<u64, 3> caches;
};

/// CCSIDR_EL1, 32-bit format.
constexpr u64 cache_geometry(u64 bytes, u64 ways, u64 line_bytes = 64) {
    const u64 sets = bytes / ways / line_bytes;
    return (sets - 1) << 13 | (ways - 1) << 3 |
           (static_cast<u64>(std::countr_zero(line_bytes)) - 4);
}

constexpr u64 kKiB = 1024;
// CTR_EL0: RES1, CWG = ERG = 64 bytes, I and D lines of 64 bytes; L1Ip and the coherency bits vary.
constexpr u64 kCtr = u64{1} << 31 | 4 << 24 | 4 << 20 | 4 << 16 | 4;
constexpr u64 kCtrVipt = 2 << 14, kCtrPipt = 3 << 14;
// There is no data cache (IDC) and the block cache follows every store (DIC): no maintenance is
// ever needed. Kernels distrust DIC on the Neoverse N1 (erratum 1542419) and then trap EL0's cache
// instructions, so it is not claimed there.
constexpr u64 kCtrIdc = u64{1} << 28, kCtrDic = u64{1} << 29;

// MIDR values of the real cores are those of their Technical Reference Manuals (r0p4, r0p3, r4p1);
// implementer 0 is "reserved for software use", part 0x054 ('T').
constexpr Description kModels[] = {
    {"cortex-a53",
     kArmv8_0,
     0x410fd034,
     0x100,
     0x4103,
     40,
     kCtr | kCtrVipt,
     0x0a200023,
     {cache_geometry(32 * kKiB, 4), cache_geometry(32 * kKiB, 2), cache_geometry(1024 * kKiB, 16)}},
    {"cortex-a72",
     kArmv8_0,
     0x410fd083,
     0,
     0x4102,
     44,
     kCtr | kCtrPipt,
     0x0a200023,
     {cache_geometry(32 * kKiB, 2), cache_geometry(48 * kKiB, 3), cache_geometry(1024 * kKiB, 16)}},
    {"neoverse-n1",
     kNeoverseN1,
     0x414fd0c1,
     0,
     0x410c,
     48,
     kCtr | kCtrPipt | kCtrIdc,
     0x02000023,
     {cache_geometry(64 * kKiB, 4), cache_geometry(64 * kKiB, 4), cache_geometry(1024 * kKiB, 8)}},
    {"max",
     kMax,
     0x000f0540,
     0,
     0,
     48,
     kCtr | kCtrPipt | kCtrIdc | kCtrDic,
     0x02000023,
     {cache_geometry(64 * kKiB, 4), cache_geometry(64 * kKiB, 4), cache_geometry(2048 * kKiB, 16)}},
};

/// A field of an ID register: `value` at `lsb` when the model has `feature`. Of several rows for
/// one field, the last that applies wins.
/// Feature::LSE stands for "a core of Armv8.2 or later".
struct IdField {
    SysRegId id;
    u8 lsb;
    Feature feature;
    u8 value;
};

// clang-format off
constexpr IdField kIdFields[] = {
    {reg::ID_AA64PFR0_EL1,   0, Feature::Base,      1},    // EL0: AArch64 only
    {reg::ID_AA64PFR0_EL1,   4, Feature::Base,      1},    // EL1: AArch64 only
    {reg::ID_AA64PFR0_EL1,  16, Feature::FP16,      1},
    {reg::ID_AA64PFR0_EL1,  20, Feature::FP16,      1},
    {reg::ID_AA64PFR0_EL1,  24, Feature::GICv3,     1},
    {reg::ID_AA64PFR0_EL1,  28, Feature::RAS,       1},
    {reg::ID_AA64PFR0_EL1,  48, Feature::DIT,       1},
    {reg::ID_AA64PFR0_EL1,  56, Feature::LSE,       1},    // CSV2: nothing here speculates
    // FEAT_CSV2_3 as well: no branch history crosses contexts, so kernels need not clear it at every
    // exception, which Linux does with a loop of branches for cores it does not know.
    {reg::ID_AA64PFR0_EL1,  56, Feature::CSV2,      3},
    {reg::ID_AA64PFR0_EL1,  60, Feature::LSE,       1},    // CSV3: likewise
    {reg::ID_AA64PFR1_EL1,   0, Feature::BTI,       1},
    {reg::ID_AA64PFR1_EL1,   4, Feature::SSBS,      2},
    {reg::ID_AA64DFR0_EL1,   0, Feature::Base,      6},    // DebugVer: Armv8
    {reg::ID_AA64DFR0_EL1,   0, Feature::LSE,       8},    //           Armv8.2
    {reg::ID_AA64DFR0_EL1,   8, Feature::PMUv3,     1},
    {reg::ID_AA64DFR0_EL1,  12, Feature::Base,      5},    // BRPs: 6
    {reg::ID_AA64DFR0_EL1,  20, Feature::Base,      3},    // WRPs: 4
    {reg::ID_AA64DFR0_EL1,  28, Feature::Base,      1},    // CTX_CMPs: 2
    {reg::ID_AA64ISAR0_EL1,  4, Feature::AES,       1},
    {reg::ID_AA64ISAR0_EL1,  4, Feature::PMULL,     2},
    {reg::ID_AA64ISAR0_EL1,  8, Feature::SHA1,      1},
    {reg::ID_AA64ISAR0_EL1, 12, Feature::SHA256,    1},
    {reg::ID_AA64ISAR0_EL1, 12, Feature::SHA512,    2},
    {reg::ID_AA64ISAR0_EL1, 16, Feature::CRC32,     1},
    {reg::ID_AA64ISAR0_EL1, 20, Feature::LSE,       2},
    {reg::ID_AA64ISAR0_EL1, 28, Feature::RDM,       1},
    {reg::ID_AA64ISAR0_EL1, 32, Feature::SHA3,      1},
    {reg::ID_AA64ISAR0_EL1, 36, Feature::SM3,       1},
    {reg::ID_AA64ISAR0_EL1, 40, Feature::SM4,       1},
    {reg::ID_AA64ISAR0_EL1, 44, Feature::DotProd,   1},
    {reg::ID_AA64ISAR0_EL1, 48, Feature::FHM,       1},
    {reg::ID_AA64ISAR0_EL1, 52, Feature::FlagM,     1},
    {reg::ID_AA64ISAR0_EL1, 52, Feature::FlagM2,    2},
    {reg::ID_AA64ISAR0_EL1, 56, Feature::TLBIOS,    1},
    {reg::ID_AA64ISAR0_EL1, 56, Feature::TLBIRANGE, 2},
    {reg::ID_AA64ISAR0_EL1, 60, Feature::RNG,       1},
    {reg::ID_AA64ISAR1_EL1,  0, Feature::DPB,       1},
    {reg::ID_AA64ISAR1_EL1,  0, Feature::DPB2,      2},
    {reg::ID_AA64ISAR1_EL1, 12, Feature::JSCVT,     1},
    {reg::ID_AA64ISAR1_EL1, 16, Feature::FCMA,      1},
    {reg::ID_AA64ISAR1_EL1, 20, Feature::LRCPC,     1},
    {reg::ID_AA64ISAR1_EL1, 20, Feature::LRCPC2,    2},
    {reg::ID_AA64ISAR1_EL1, 24, Feature::PACQARMA5, 1},    // GPA
    {reg::ID_AA64ISAR1_EL1, 28, Feature::PACIMP,    1},    // GPI
    {reg::ID_AA64ISAR1_EL1, 32, Feature::FRINTTS,   1},
    {reg::ID_AA64ISAR1_EL1, 36, Feature::SB,        1},
    {reg::ID_AA64ISAR1_EL1, 44, Feature::BF16,      1},
    {reg::ID_AA64ISAR1_EL1, 52, Feature::I8MM,      1},
    {reg::ID_AA64ISAR2_EL1, 16, Feature::MOPS,      1},
    {reg::ID_AA64MMFR0_EL1,  4, Feature::Base,      2},    // 16-bit ASIDs
    {reg::ID_AA64MMFR0_EL1, 20, Feature::LSE,       1},    // TGran16; TGran64 and TGran4 are 0: present
    {reg::ID_AA64MMFR1_EL1,  0, Feature::HAFDBS,    2},
    {reg::ID_AA64MMFR1_EL1, 12, Feature::HPDS,      1},
    {reg::ID_AA64MMFR1_EL1, 20, Feature::PAN,       1},
    {reg::ID_AA64MMFR1_EL1, 20, Feature::PAN2,      2},
    {reg::ID_AA64MMFR2_EL1,  0, Feature::TTCNP,     1},
    {reg::ID_AA64MMFR2_EL1,  4, Feature::UAO,       1},
    {reg::ID_AA64MMFR2_EL1, 12, Feature::IESB,      1},
    {reg::ID_AA64MMFR2_EL1, 32, Feature::LSE2,      1},
    {reg::ID_AA64MMFR2_EL1, 36, Feature::IDST,      1},
    {reg::ID_AA64MMFR2_EL1, 60, Feature::E0PD,      1},
};
// clang-format on

/// ID_AA64MMFR0_EL1.PARange.
u64 physical_range_field(unsigned address_bits) {
    switch (address_bits) {
    case 32: return 0;
    case 36: return 1;
    case 40: return 2;
    case 42: return 3;
    case 44: return 4;
    default: return 5;
    }
}

} // namespace

std::span<const std::string_view> CpuModel::names() {
    static constexpr std::array<std::string_view, std::size(kModels)> kNames = {
        kModels[0].name, kModels[1].name, kModels[2].name, kModels[3].name};
    return kNames;
}

Result<CpuModel> CpuModel::create(std::string_view name, CpuOptions options) {
    for (const Description &description : kModels) {
        if (description.name != name) continue;
        CpuModel model;
        model.name_ = description.name;
        model.features_ = description.features;
        model.pac_ = options.pac;
        if (model.has(Feature::PAuth)) {
            model.features_ = model.features_.with(
                {options.pac == PacAlgorithm::Qarma5 ? Feature::PACQARMA5 : Feature::PACIMP});
        }
        model.features_ = options.gic_system_registers ? model.features_.with({Feature::GICv3})
                                                       : model.features_.without({Feature::GICv3});
        model.physical_address_bits_ = description.physical_address_bits;
        model.caches_ = description.caches;
        for (unsigned id = 0; id < kSysRegCount; ++id) {
            model.values_[id] = sysreg_info(static_cast<SysRegId>(id)).reset;
        }
        model.values_[reg::MIDR_EL1] = description.midr;
        model.values_[reg::REVIDR_EL1] = description.revidr;
        model.values_[reg::PMCR_EL0] |= description.pmu_identity << 16;
        model.values_[reg::CTR_EL0] = description.ctr;
        model.values_[reg::CLIDR_EL1] = description.clidr;
        model.fill_id_registers();
        return model;
    }
    std::string known;
    for (const std::string_view each : names()) known.append(" ").append(each);
    return failure("unknown CPU model '" + std::string(name) + "'; use one of:" + known);
}

void CpuModel::fill_id_registers() {
    for (const IdField &field : kIdFields) {
        if (!has(field.feature)) continue;
        values_[field.id] = with_bits(values_[field.id], field.lsb + 3u, field.lsb, field.value);
    }
    // APA or API: 1 PAuth, 2 EPAC, 3 PAuth2, 5 FPAC and FPACCOMBINE.
    if (has(Feature::PAuth)) {
        const u64 level = has(Feature::FPAC)     ? 5
                          : has(Feature::PAuth2) ? 3
                          : has(Feature::EPAC)   ? 2
                                                 : 1;
        const unsigned lsb = pac_ == PacAlgorithm::Qarma5 ? 4 : 8;
        values_[reg::ID_AA64ISAR1_EL1] =
            with_bits(values_[reg::ID_AA64ISAR1_EL1], lsb + 3, lsb, level);
    }
    // SW_INCR, INST_RETIRED, CPU_CYCLES, CHAIN. PMUv3 for Armv8.1: 16-bit event numbers,
    // STALL_FRONTEND and STALL_BACKEND.
    values_[reg::PMCEID0_EL0] = u64{1} << 0x00 | u64{1} << 0x08 | u64{1} << 0x11 | u64{1} << 0x1e;
    if (has(Feature::PMUv3) && has(Feature::LSE)) {
        values_[reg::ID_AA64DFR0_EL1] = with_bits(values_[reg::ID_AA64DFR0_EL1], 11, 8, 4);
        values_[reg::PMCEID1_EL0] = u64{1} << (0x23 - 0x20) | u64{1} << (0x24 - 0x20);
    }
    values_[reg::ID_AA64MMFR0_EL1] |= physical_range_field(physical_address_bits_);
    values_[reg::DCZID_EL0] = 4; // blocks of 64 bytes
}

u64 CpuModel::cache_size_id(u64 csselr) const {
    const bool instruction = bit(csselr, 0);
    const u64 level = bits(csselr, 3, 1);
    if (level == 0) return caches_[instruction ? 1 : 0];
    return level == 1 && !instruction ? caches_[2] : 0;
}

} // namespace tandem::arm
