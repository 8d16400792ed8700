#pragma once
/// Tells Linux `perf` what translated code is: a line for each piece in /tmp/perf-PID.map, the
/// file where perf looks for the symbols of code that is in no object file.
#include "support/bits.h"
#include "support/result.h"

#include <cstddef>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

namespace tandem::jit {

class PerfMap {
public:
    /// Names the guest code at a virtual address; empty if it has no name.
    using Namer = std::function<std::string(u64 va)>;

    /// Of this process. An existing file is replaced.
    [[nodiscard]] static Result<std::unique_ptr<PerfMap>> create(Namer namer);
    /// For tests: any file.
    [[nodiscard]] static Result<std::unique_ptr<PerfMap>> create_at(const std::string &path,
                                                                    Namer namer);

    /// Any thread: `code` was made by a tier from the guest code at `va`. What was there is gone.
    void add(std::string_view tier, u64 va, std::span<const std::byte> code);

private:
    struct Close {
        void operator()(std::FILE *file) const { std::fclose(file); }
    };
    PerfMap(std::FILE *file, Namer namer) : file_(file), namer_(std::move(namer)) {}

    std::unique_ptr<std::FILE, Close> file_;
    const Namer namer_;
    std::mutex mutex_;
};

} // namespace tandem::jit
