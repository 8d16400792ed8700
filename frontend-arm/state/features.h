#pragma once
/// Architectural features (FEAT_*) that gate encodings and system registers.
#include "support/bits.h"

#include <initializer_list>
#include <string_view>

namespace tandem::arm {

// One row per feature: X(enumerator, manual's name).
#define TANDEM_ARM_FEATURES(X)                                                                     \
    X(Base, "Armv8.0-A")                                                                           \
    X(FP, "FEAT_FP")                                                                               \
    X(ADVSIMD, "FEAT_AdvSIMD")                                                                     \
    X(CRC32, "FEAT_CRC32")                                                                         \
    X(LSE, "FEAT_LSE")                                                                             \
    X(RDM, "FEAT_RDM")                                                                             \
    X(AES, "FEAT_AES")                                                                             \
    X(PMULL, "FEAT_PMULL")                                                                         \
    X(SHA1, "FEAT_SHA1")                                                                           \
    X(SHA256, "FEAT_SHA256")                                                                       \
    X(SHA512, "FEAT_SHA512")                                                                       \
    X(SHA3, "FEAT_SHA3")                                                                           \
    X(SM3, "FEAT_SM3")                                                                             \
    X(SM4, "FEAT_SM4")                                                                             \
    X(FP16, "FEAT_FP16")                                                                           \
    X(FHM, "FEAT_FHM")                                                                             \
    X(DotProd, "FEAT_DotProd")                                                                     \
    X(FCMA, "FEAT_FCMA")                                                                           \
    X(JSCVT, "FEAT_JSCVT")                                                                         \
    X(I8MM, "FEAT_I8MM")                                                                           \
    X(BF16, "FEAT_BF16")                                                                           \
    X(FRINTTS, "FEAT_FRINTTS")                                                                     \
    X(LRCPC, "FEAT_LRCPC")                                                                         \
    X(LRCPC2, "FEAT_LRCPC2")                                                                       \
    X(LSE2, "FEAT_LSE2")                                                                           \
    X(FlagM, "FEAT_FlagM")                                                                         \
    X(FlagM2, "FEAT_FlagM2")                                                                       \
    X(DPB, "FEAT_DPB")                                                                             \
    X(DPB2, "FEAT_DPB2")                                                                           \
    X(SB, "FEAT_SB")                                                                               \
    X(SSBS, "FEAT_SSBS2")                                                                          \
    X(DIT, "FEAT_DIT")                                                                             \
    X(PAN, "FEAT_PAN")                                                                             \
    X(PAN2, "FEAT_PAN2")                                                                           \
    X(UAO, "FEAT_UAO")                                                                             \
    X(BTI, "FEAT_BTI")                                                                             \
    X(PAuth, "FEAT_PAuth")                                                                         \
    X(EPAC, "FEAT_EPAC")                                                                           \
    X(PAuth2, "FEAT_PAuth2")                                                                       \
    X(FPAC, "FEAT_FPACCOMBINE")                                                                    \
    X(PACQARMA5, "FEAT_PACQARMA5")                                                                 \
    X(PACIMP, "FEAT_PACIMP")                                                                       \
    X(RNG, "FEAT_RNG")                                                                             \
    X(TLBIRANGE, "FEAT_TLBIRANGE")                                                                 \
    X(TLBIOS, "FEAT_TLBIOS")                                                                       \
    X(MOPS, "FEAT_MOPS")                                                                           \
    X(PMUv3, "FEAT_PMUv3")                                                                         \
    X(HAFDBS, "FEAT_HAFDBS")                                                                       \
    X(HPDS, "FEAT_HPDS")                                                                           \
    X(TTCNP, "FEAT_TTCNP")                                                                         \
    X(E0PD, "FEAT_E0PD")                                                                           \
    X(ECV, "FEAT_ECV")                                                                             \
    X(CSV2, "FEAT_CSV2_3")                                                                         \
    X(IESB, "FEAT_IESB")                                                                           \
    X(RAS, "FEAT_RAS")                                                                             \
    X(IDST, "FEAT_IDST")                                                                           \
    X(GICv3, "GICv3 system registers")

enum class Feature : u8 {
#define X(name, title) name,
    TANDEM_ARM_FEATURES(X)
#undef X
};

/// The manual's name of a feature.
[[nodiscard]] constexpr std::string_view feature_name(Feature feature) {
    constexpr std::string_view kNames[] = {
#define X(name, title) title,
        TANDEM_ARM_FEATURES(X)
#undef X
    };
    return kNames[static_cast<unsigned>(feature)];
}

/// A set of features. Base is in every set.
class FeatureSet {
public:
    constexpr FeatureSet() = default;
    constexpr FeatureSet(std::initializer_list<Feature> features) {
        for (const Feature feature : features) bits_ |= mask(feature);
    }
    [[nodiscard]] constexpr bool has(Feature feature) const { return (bits_ & mask(feature)) != 0; }
    [[nodiscard]] constexpr FeatureSet with(std::initializer_list<Feature> features) const {
        FeatureSet result = *this;
        result.bits_ |= FeatureSet(features).bits_;
        return result;
    }
    [[nodiscard]] constexpr FeatureSet without(std::initializer_list<Feature> features) const {
        FeatureSet result = *this;
        result.bits_ &= ~FeatureSet(features).bits_;
        result.bits_ |= mask(Feature::Base);
        return result;
    }
    /// A bit for each feature, in the order of the table.
    [[nodiscard]] constexpr u64 bits() const { return bits_; }
    /// Every feature this program knows.
    [[nodiscard]] static constexpr FeatureSet all() {
        FeatureSet result;
#define X(name, title) result.bits_ |= mask(Feature::name);
        TANDEM_ARM_FEATURES(X)
#undef X
        return result;
    }
    constexpr bool operator==(const FeatureSet &) const = default;

private:
    static constexpr u64 mask(Feature feature) { return u64{1} << static_cast<unsigned>(feature); }
    u64 bits_ = mask(Feature::Base);
};

} // namespace tandem::arm
