#pragma once
/// The A64 instruction set as the executors see it.
#include "frontend-arm/a64/decoder.h"
#include "frontend-arm/state/mode.h"
#include "ir/frontend.h"

namespace tandem::arm::a64 {

class A64Frontend final : public ir::Frontend {
public:
    /// For CPUs with these features.
    explicit A64Frontend(FeatureSet features) : features_(features), decoder_(features) {}

    void translate(std::span<const std::byte, 4096> page, u32 page_offset, u32 mode,
                   u32 max_instructions, ir::Block &out) const override;
    [[nodiscard]] u32 privileged_mode_mask() const override { return Mode::kEl1; }
    [[nodiscard]] u64 configuration() const override { return features_.bits(); }
    [[nodiscard]] std::span<const ir::Helper> helpers() const override;
    [[nodiscard]] std::string state_name(i64 offset) const override;

    [[nodiscard]] const Decoder &decoder() const { return decoder_; }

private:
    FeatureSet features_;
    Decoder decoder_;
};

} // namespace tandem::arm::a64
