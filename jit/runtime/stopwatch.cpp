#include "jit/runtime/stopwatch.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

namespace tandem::jit {

Stopwatch::Stopwatch() {
    u64 least = ~u64{0};
    for (unsigned i = 0; i < 32; ++i) {
        start();
        least = std::min(least, stop().value_or(least));
    }
    overhead_ = least;
    static_cast<void>(was_interrupted());
}

bool Stopwatch::was_interrupted() {
    rusage usage{};
    if (::getrusage(RUSAGE_THREAD, &usage) != 0) return false;
    return std::exchange(interruptions_, i64{usage.ru_nivcsw}) != usage.ru_nivcsw;
}

} // namespace tandem::jit
