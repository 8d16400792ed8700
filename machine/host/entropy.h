#pragma once
/// Random bytes from the host kernel.
#include "devices/backend/entropy.h"

namespace tandem::machine {

class HostEntropy final : public devices::Entropy {
public:
    void fill(std::span<std::byte>) override;
};

} // namespace tandem::machine
