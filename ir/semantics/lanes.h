#pragma once
/// How the vector definitions see a Vec: an array of lanes, lane 0 least significant. Private to
/// this folder. Lane functions may return any arithmetic type; the result is truncated to the lane.
#include "ir/types.h"

#include <bit>
#include <cstddef>
#include <cstring>

static_assert(std::endian::native == std::endian::little, "lanes are host memory order");

namespace tandem::ir::semantics::detail {

template <typename T>
inline constexpr unsigned kLaneBits = sizeof(T) * 8;
template <typename T>
inline constexpr unsigned kLaneCount = 16 / sizeof(T);

template <typename T>
using Lanes = std::array<T, kLaneCount<T>>;

template <typename T>
[[nodiscard]] constexpr Lanes<T> lanes(const Vec &value) {
    return std::bit_cast<Lanes<T>>(value.d);
}
template <typename T>
[[nodiscard]] constexpr Vec vec(const Lanes<T> &value) {
    return {std::bit_cast<std::array<u64, 2>>(value)};
}
template <typename T>
[[nodiscard]] constexpr Vec splat(T value) {
    Lanes<T> out;
    out.fill(value);
    return vec<T>(out);
}

// A Vec is passed in two integer registers, from which compilers dissolve its lanes into shifts and
// masks. Lanes kept in memory that looks as if others could change it stay an array, and loops over
// them become vector instructions.

/// Lanes to read, in memory.
template <typename T>
class Source {
public:
    explicit Source(const Vec &value) {
        using Register [[gnu::vector_size(16)]] = u64;
        const Register whole{value.d[0], value.d[1]};
        std::memcpy(&lanes_, &whole, sizeof whole);
        asm("" : "+m"(lanes_));
    }
    [[nodiscard]] T operator[](std::size_t lane) const { return lanes_[lane]; }

private:
    alignas(16) Lanes<T> lanes_;
};

/// Lanes to write, in memory.
template <typename T>
class Target {
public:
    [[nodiscard]] T &operator[](std::size_t lane) { return lanes_[lane]; }
    [[nodiscard]] Vec value() {
        asm("" : "+m"(lanes_));
        return vec<T>(lanes_);
    }

private:
    alignas(16) Lanes<T> lanes_{};
};

/// f on every lane of type T.
template <typename T, typename F>
[[nodiscard]] inline Vec map(const Vec &a, F f) {
    const Source<T> x(a);
    Target<T> out;
    for (unsigned i = 0; i < kLaneCount<T>; ++i) out[i] = static_cast<T>(f(x[i]));
    return out.value();
}
template <typename T, typename F>
[[nodiscard]] inline Vec map(const Vec &a, const Vec &b, F f) {
    const Source<T> x(a);
    const Source<T> y(b);
    Target<T> out;
    for (unsigned i = 0; i < kLaneCount<T>; ++i) out[i] = static_cast<T>(f(x[i], y[i]));
    return out.value();
}
template <typename T, typename F>
[[nodiscard]] inline Vec map(const Vec &a, const Vec &b, const Vec &c, F f) {
    const Source<T> x(a);
    const Source<T> y(b);
    const Source<T> z(c);
    Target<T> out;
    for (unsigned i = 0; i < kLaneCount<T>; ++i) out[i] = static_cast<T>(f(x[i], y[i], z[i]));
    return out.value();
}

/// f on adjacent pairs of the lanes of b:a, a's pairs giving the low half of the result.
template <typename T, typename F>
[[nodiscard]] inline Vec map_pairs(const Vec &a, const Vec &b, F f) {
    const Source<T> x(a);
    const Source<T> y(b);
    constexpr unsigned kHalf = kLaneCount<T> / 2;
    Target<T> out;
    for (unsigned i = 0; i < kHalf; ++i) {
        out[i] = static_cast<T>(f(x[2 * i], x[2 * i + 1]));
        out[kHalf + i] = static_cast<T>(f(y[2 * i], y[2 * i + 1]));
    }
    return out.value();
}

template <typename T>
struct WiderOf;
template <>
struct WiderOf<u8> {
    using Type = u16;
};
template <>
struct WiderOf<u16> {
    using Type = u32;
};
template <>
struct WiderOf<u32> {
    using Type = u64;
};
template <>
struct WiderOf<i8> {
    using Type = i16;
};
template <>
struct WiderOf<i16> {
    using Type = i32;
};
template <>
struct WiderOf<i32> {
    using Type = i64;
};
/// The type twice as wide, of the same signedness.
template <typename T>
using Wide = typename WiderOf<T>::Type;

/// f on every lane of the low half, giving lanes twice as wide.
template <typename T, typename F>
[[nodiscard]] inline Vec map_widen(const Vec &a, F f) {
    const Source<T> x(a);
    Target<Wide<T>> out;
    for (unsigned i = 0; i < kLaneCount<Wide<T>>; ++i) out[i] = static_cast<Wide<T>>(f(x[i]));
    return out.value();
}
template <typename T, typename F>
[[nodiscard]] inline Vec map_widen(const Vec &a, const Vec &b, F f) {
    const Source<T> x(a);
    const Source<T> y(b);
    Target<Wide<T>> out;
    for (unsigned i = 0; i < kLaneCount<Wide<T>>; ++i) out[i] = static_cast<Wide<T>>(f(x[i], y[i]));
    return out.value();
}
/// f on every lane of type S, giving lanes of type T half as wide in the low half.
template <typename S, typename T, typename F>
[[nodiscard]] inline Vec map_narrow(const Vec &a, F f) {
    static_assert(sizeof(S) == 2 * sizeof(T));
    const Source<S> x(a);
    Target<T> out;
    for (unsigned i = 0; i < kLaneCount<S>; ++i) out[i] = static_cast<T>(f(x[i]));
    return out.value();
}

} // namespace tandem::ir::semantics::detail
