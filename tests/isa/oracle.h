#pragma once
/// The independent implementation: agent.c under qemu-aarch64, reached over a pair of pipes.
#include "support/result.h"
#include "support/scoped_fd.h"
#include "tests/isa/protocol.h"

#include <memory>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

namespace tandem::isa {

class Oracle {
public:
    /// Starts `emulator` (a user-mode emulator for arm64 Linux programs) on the agent's binary.
    static Result<std::unique_ptr<Oracle>> start(const std::string &emulator,
                                                 const std::string &agent);
    ~Oracle();
    Oracle(const Oracle &) = delete;
    Oracle &operator=(const Oracle &) = delete;

    /// Runs the cases in order; as many outcomes come back.
    Result<> run(std::span<const isa_case> cases, std::vector<isa_outcome> &outcomes);

private:
    Oracle(pid_t child, ScopedFd to, ScopedFd from);

    pid_t child_;
    ScopedFd to_;
    ScopedFd from_;
};

} // namespace tandem::isa
