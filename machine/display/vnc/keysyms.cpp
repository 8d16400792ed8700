#include "machine/display/vnc/keysyms.h"

#include <linux/input-event-codes.h>

#include <algorithm>
#include <iterator>

namespace tandem::machine {

namespace {

struct Keysym {
    u32 number = 0;
    u16 code = 0;
};

constexpr Keysym kKeysyms[] = {
#define KEYSYM(number, code) {number, code},
#include "machine/display/vnc/keysyms.inc"
};
static_assert(std::ranges::is_sorted(kKeysyms, {}, &Keysym::number));

} // namespace

std::optional<u16> key_of_keysym(u32 keysym) {
    const auto *found = std::ranges::lower_bound(kKeysyms, keysym, {}, &Keysym::number);
    if (found == std::end(kKeysyms) || found->number != keysym) return std::nullopt;
    return found->code;
}

} // namespace tandem::machine
