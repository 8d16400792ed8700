#include "machine/input/key_codes.h"

#include <linux/input-event-codes.h>

#include <algorithm>
#include <iterator>

namespace tandem::machine {

namespace {

struct Key {
    std::string_view name;
    u16 code = 0;
    u8 number = 0;
};

constexpr Key kKeys[] = {
#define KEY(name, code, number) {name, code, number},
#include "machine/input/key_codes.inc"
};

} // namespace

std::optional<u16> key_named(std::string_view name) {
    const auto *key = std::ranges::find(kKeys, name, &Key::name);
    return key != std::end(kKeys) ? std::optional(key->code) : std::nullopt;
}

std::optional<u16> key_numbered(i64 number) {
    if (number == 0) return std::nullopt;
    const auto *key = std::ranges::find(kKeys, number, &Key::number);
    return key != std::end(kKeys) ? std::optional(key->code) : std::nullopt;
}

} // namespace tandem::machine
