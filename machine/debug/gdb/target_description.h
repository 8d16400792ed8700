#pragma once
/// target.xml: what gdb reads of the registers (the gdb manual, appendix "Target Descriptions").
#include "machine/debug/register_file.h"

#include <string>

namespace tandem::machine {

[[nodiscard]] std::string describe_target(const RegisterFile &);

} // namespace tandem::machine
