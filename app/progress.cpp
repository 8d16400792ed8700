#include "app/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace tandem::app {

ProgressBar::ProgressBar(std::string what)
    : what_(std::move(what)), terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
    if (drawn_) fmt::print(stderr, "\r\x1b[K"); // the line is free for what follows
}

void ProgressBar::show(u64 done, u64 total) {
    const auto now = std::chrono::steady_clock::now();
    if (!terminal_ || total == 0 || now < next_) return;
    next_ = now + std::chrono::milliseconds(100);
    static constexpr unsigned kWidth = 40;
    const double part = static_cast<double>(done) / static_cast<double>(total);
    const auto filled = static_cast<unsigned>(part * kWidth);
    fmt::print(stderr, "\r{} [{:#<{}}{:.<{}}] {:3.0f} %", what_, "", filled, "", kWidth - filled,
               part * 100);
    std::fflush(stderr);
    drawn_ = true;
}

} // namespace tandem::app
