#include "tests/isa/oracle.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace tandem::isa {
namespace {

template <typename Transfer, typename Byte>
bool transfer_all(Transfer transfer, int fd, Byte *data, std::size_t size) {
    while (size > 0) {
        const ssize_t n = transfer(fd, data, size);
        if (n <= 0) return false;
        data += n;
        size -= static_cast<std::size_t>(n);
    }
    return true;
}

} // namespace

Oracle::Oracle(pid_t child, ScopedFd to, ScopedFd from)
    : child_(child), to_(std::move(to)), from_(std::move(from)) {}

Oracle::~Oracle() {
    to_.reset(); // end of file ends the agent
    waitpid(child_, nullptr, 0);
}

Result<std::unique_ptr<Oracle>> Oracle::start(const std::string &emulator,
                                              const std::string &agent) {
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
        return failure("oracle: no pipes; close other programs");
    ScopedFd to_read(to[0]), to_write(to[1]), from_read(from[0]), from_write(from[1]);
    std::signal(SIGPIPE, SIG_IGN);
    const pid_t child = fork();
    if (child < 0) return failure("oracle: cannot fork; close other programs");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); // in the middle of a case that never ends, too
        dup2(to_read.get(), STDIN_FILENO);
        dup2(from_write.get(), STDOUT_FILENO);
        // Vector-length extensions off: Tandem's CPUs have none, and they change signal frames.
        execl(emulator.c_str(), emulator.c_str(), "-cpu", "max,sve=off,sme=off", agent.c_str(),
              static_cast<char *>(nullptr));
        _exit(127);
    }
    return std::unique_ptr<Oracle>(new Oracle(child, std::move(to_write), std::move(from_read)));
}

Result<> Oracle::run(std::span<const isa_case> cases, std::vector<isa_outcome> &outcomes) {
    outcomes.resize(cases.size());
    // Few enough at once that neither pipe fills up while the other side waits.
    constexpr std::size_t kBatch = 8;
    for (std::size_t i = 0; i < cases.size(); i += kBatch) {
        const std::size_t n = std::min(kBatch, cases.size() - i);
        if (!transfer_all(write, to_.get(), reinterpret_cast<const char *>(&cases[i]),
                          n * sizeof cases[0]) ||
            !transfer_all(read, from_.get(), reinterpret_cast<char *>(&outcomes[i]),
                          n * sizeof outcomes[0]))
            return failure(fmt::format("oracle: ended at instruction {:#010x}; check the emulator",
                                       cases[i].words[0]));
    }
    return {};
}

} // namespace tandem::isa
