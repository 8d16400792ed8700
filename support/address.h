#pragma once
/// Strong address types. Only the MMU turns a virtual address into a physical one.
#include "support/bits.h"

#include <compare>
#include <functional>

namespace tandem {

template <typename Tag>
class Address {
public:
    constexpr Address() = default;
    constexpr explicit Address(u64 value) : value_(value) {}
    [[nodiscard]] constexpr u64 value() const { return value_; }
    [[nodiscard]] constexpr u64 page_offset() const { return value_ & 0xfff; }
    [[nodiscard]] constexpr Address page() const { return Address(value_ & ~u64{0xfff}); }
    [[nodiscard]] constexpr Address operator+(u64 offset) const { return Address(value_ + offset); }
    [[nodiscard]] constexpr u64 operator-(Address other) const { return value_ - other.value_; }
    constexpr auto operator<=>(const Address &) const = default;

private:
    u64 value_ = 0;
};

using GuestVirtAddr = Address<struct GuestVirtTag>;
using GuestPhysAddr = Address<struct GuestPhysTag>;

} // namespace tandem

template <typename Tag>
struct std::hash<tandem::Address<Tag>> {
    std::size_t operator()(const tandem::Address<Tag> &a) const noexcept {
        return std::hash<tandem::u64>{}(a.value());
    }
};
