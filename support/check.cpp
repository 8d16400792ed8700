#include "support/check.h"

#include <cstdio>
#include <cstdlib>

namespace tandem {

void check_failed(const char *expression, const char *file, int line) noexcept {
    std::fprintf(stderr, "tandem: internal error: %s is false at %s:%d; please report this\n",
                 expression, file, line);
    std::abort();
}

} // namespace tandem
