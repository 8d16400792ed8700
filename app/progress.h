#pragma once
/// A bar on the terminal for long work; nothing where standard error is no terminal.
#include "support/bits.h"

#include <chrono>
#include <string>

namespace tandem::app {

class ProgressBar {
public:
    explicit ProgressBar(std::string what);
    ~ProgressBar();
    ProgressBar(const ProgressBar &) = delete;
    ProgressBar &operator=(const ProgressBar &) = delete;

    void show(u64 done, u64 total);

private:
    std::string what_;
    bool terminal_;
    bool drawn_ = false;
    std::chrono::steady_clock::time_point next_;
};

} // namespace tandem::app
