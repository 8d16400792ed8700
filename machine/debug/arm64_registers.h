#pragma once
/// The registers of an arm64 CPU for debuggers, whatever runs it.
#include "frontend-arm/debug/register_access.h"
#include "frontend-arm/state/cpu_model.h"
#include "machine/debug/register_file.h"

#include <vector>

namespace tandem::machine {

struct Arm64RegisterFile {
    RegisterFile file;
    std::vector<arm::DebugRegister> registers; ///< by number
};

[[nodiscard]] Arm64RegisterFile describe_arm64_registers(const arm::CpuModel &);

} // namespace tandem::machine
