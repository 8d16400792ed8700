#pragma once
/// A CPU model: its feature set and the values of its identification registers. The feature fields
/// of the ID registers are computed from the feature set, so they cannot disagree with it.
#include "frontend-arm/state/features.h"
#include "frontend-arm/sysreg/sysreg_ids.h"
#include "support/result.h"

#include <array>
#include <span>
#include <string_view>

namespace tandem::arm {

enum class PacAlgorithm : u8 {
    ImplementationDefined, ///< a fast hash
    Qarma5,                ///< the architected one, several times slower
};

struct CpuOptions {
    PacAlgorithm pac = PacAlgorithm::ImplementationDefined;
    bool gic_system_registers = true; ///< false on a board with a GICv2
};

class CpuModel {
public:
    /// Names that create() knows: "cortex-a53", "cortex-a72", "neoverse-n1", "max".
    [[nodiscard]] static std::span<const std::string_view> names();
    [[nodiscard]] static Result<CpuModel> create(std::string_view name, CpuOptions options = {});

    [[nodiscard]] std::string_view name() const { return name_; }
    [[nodiscard]] FeatureSet features() const { return features_; }
    [[nodiscard]] bool has(Feature feature) const { return features_.has(feature); }
    [[nodiscard]] PacAlgorithm pac_algorithm() const { return pac_; }
    /// Width of a physical address, from ID_AA64MMFR0_EL1.PARange.
    [[nodiscard]] unsigned physical_address_bits() const { return physical_address_bits_; }
    /// Reset value of a register: of an identification register its value; MPIDR_EL1 is the
    /// board's.
    [[nodiscard]] u64 reset_value(SysRegId id) const { return values_[id]; }
    /// CCSIDR_EL1 for a value of CSSELR_EL1; 0 if there is no such cache.
    [[nodiscard]] u64 cache_size_id(u64 csselr) const;

private:
    CpuModel() = default;
    void fill_id_registers();

    std::string_view name_;
    FeatureSet features_;
    PacAlgorithm pac_ = PacAlgorithm::ImplementationDefined;
    unsigned physical_address_bits_ = 48;
    std::array<u64, 3> caches_{}; ///< CCSIDR of L1 data, L1 instruction, L2
    std::array<u64, kSysRegCount> values_{};
};

} // namespace tandem::arm
