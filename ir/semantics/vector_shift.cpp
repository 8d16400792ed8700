#include "ir/semantics/vector_shift.h"

#include "ir/semantics/lanes.h"
#include "ir/semantics/saturate.h"

#include <type_traits>

namespace tandem::ir::semantics {
namespace {

using namespace detail;

template <typename T>
using Unsigned = std::make_unsigned_t<T>;

/// x >> amount in unbounded precision; amount >= 0.
template <typename T>
T shift_right(T x, unsigned amount) {
    if (amount >= kLaneBits<T>) return std::is_signed_v<T> && x < 0 ? static_cast<T>(-1) : T{0};
    return static_cast<T>(x >> amount);
}
/// (x + (1 << (amount - 1))) >> amount in unbounded precision; amount >= 1.
template <typename T>
T round_shift_right(T x, unsigned amount) {
    if (amount > kLaneBits<T>) return 0;
    return static_cast<T>(shift_right(x, amount) + ((x >> (amount - 1)) & 1));
}
template <typename T>
T shift_left(T x, unsigned amount) {
    if (amount >= kLaneBits<T>) return 0;
    return static_cast<T>(static_cast<Unsigned<T>>(x) << amount);
}
template <typename T>
T saturating_shift_left(FpEnv &env, T x, unsigned amount) {
    if (x == 0) return 0;
    const T result = shift_left(x, amount);
    if (amount < kLaneBits<T> && static_cast<T>(result >> amount) == x) return result;
    env.flags |= kFpSaturated;
    return std::is_signed_v<T> && x < 0 ? std::numeric_limits<T>::min()
                                        : std::numeric_limits<T>::max();
}
/// By the signed low byte of `by`, as SSHL, USHL and their rounding forms.
template <bool kRound, typename T>
T shift(T x, T by) {
    const int amount = static_cast<i8>(by);
    if (amount >= 0) return shift_left(x, static_cast<unsigned>(amount));
    const unsigned right = static_cast<unsigned>(-amount);
    return kRound ? round_shift_right(x, right) : shift_right(x, right);
}
template <bool kRound, typename T>
T saturating_shift(FpEnv &env, T x, T by) {
    const int amount = static_cast<i8>(by);
    if (amount >= 0) return saturating_shift_left(env, x, static_cast<unsigned>(amount));
    return shift<kRound>(x, by);
}

/// The shift of the shift-and-narrow operations: imm<15:8> (1..T), rounding if imm<16>.
template <typename T>
T narrowing_shift(u64 imm, T x) {
    const unsigned amount = static_cast<unsigned>(bits(imm, 15, 8));
    return bit(imm, 16) ? round_shift_right(x, amount == 0 ? 1 : amount) : shift_right(x, amount);
}

template <typename T>
Vec shift_left_insert(u64 imm, const Vec &a, const Vec &b) {
    const unsigned amount = static_cast<unsigned>(imm) & (kLaneBits<T> - 1);
    const T mask = static_cast<T>(static_cast<T>(~T{0}) << amount);
    return map<T>(a, b, [=](T x, T y) { return (x & ~mask) | static_cast<T>(y << amount); });
}
template <typename T>
Vec shift_right_insert(u64 imm, const Vec &a, const Vec &b) {
    const unsigned amount = static_cast<unsigned>(imm);
    const T mask = shift_right(static_cast<T>(~T{0}), amount);
    return map<T>(a, b, [=](T x, T y) { return (x & ~mask) | shift_right(y, amount); });
}

} // namespace

#define SHIFTS(T)                                                                                  \
    Vec VShlImm##T(u64 imm, Vec a) {                                                               \
        const unsigned amount = static_cast<unsigned>(imm) & (T - 1);                              \
        return map<u##T>(a, [=](u##T x) { return x << amount; });                                  \
    }                                                                                              \
    Vec VLsrImm##T(u64 imm, Vec a) {                                                               \
        return map<u##T>(a, [=](u##T x) { return shift_right(x, static_cast<unsigned>(imm)); });   \
    }                                                                                              \
    Vec VAsrImm##T(u64 imm, Vec a) {                                                               \
        return map<i##T>(a, [=](i##T x) { return shift_right(x, static_cast<unsigned>(imm)); });   \
    }                                                                                              \
    Vec VRoundLsrImm##T(u64 imm, Vec a) {                                                          \
        return map<u##T>(                                                                          \
            a, [=](u##T x) { return round_shift_right(x, static_cast<unsigned>(imm)); });          \
    }                                                                                              \
    Vec VRoundAsrImm##T(u64 imm, Vec a) {                                                          \
        return map<i##T>(                                                                          \
            a, [=](i##T x) { return round_shift_right(x, static_cast<unsigned>(imm)); });          \
    }                                                                                              \
    Vec VShlInsert##T(u64 imm, Vec a, Vec b) {                                                     \
        return shift_left_insert<u##T>(imm, a, b);                                                 \
    }                                                                                              \
    Vec VShrInsert##T(u64 imm, Vec a, Vec b) {                                                     \
        return shift_right_insert<u##T>(imm, a, b);                                                \
    }                                                                                              \
    Vec VShlS##T(Vec a, Vec b) {                                                                   \
        return map<i##T>(a, b, shift<false, i##T>);                                                \
    }                                                                                              \
    Vec VShlU##T(Vec a, Vec b) {                                                                   \
        return map<u##T>(a, b, shift<false, u##T>);                                                \
    }                                                                                              \
    Vec VRoundShlS##T(Vec a, Vec b) {                                                              \
        return map<i##T>(a, b, shift<true, i##T>);                                                 \
    }                                                                                              \
    Vec VRoundShlU##T(Vec a, Vec b) {                                                              \
        return map<u##T>(a, b, shift<true, u##T>);                                                 \
    }                                                                                              \
    Vec VSatShlS##T(FpEnv &env, Vec a, Vec b) {                                                    \
        return map<i##T>(a, b,                                                                     \
                         [&](i##T x, i##T y) { return saturating_shift<false>(env, x, y); });      \
    }                                                                                              \
    Vec VSatShlU##T(FpEnv &env, Vec a, Vec b) {                                                    \
        return map<u##T>(a, b,                                                                     \
                         [&](u##T x, u##T y) { return saturating_shift<false>(env, x, y); });      \
    }                                                                                              \
    Vec VSatRoundShlS##T(FpEnv &env, Vec a, Vec b) {                                               \
        return map<i##T>(a, b, [&](i##T x, i##T y) { return saturating_shift<true>(env, x, y); }); \
    }                                                                                              \
    Vec VSatRoundShlU##T(FpEnv &env, Vec a, Vec b) {                                               \
        return map<u##T>(a, b, [&](u##T x, u##T y) { return saturating_shift<true>(env, x, y); }); \
    }                                                                                              \
    Vec VSatShlImmSU##T(FpEnv &env, u64 imm, Vec a) {                                              \
        const unsigned amount = static_cast<unsigned>(bits(imm, 15, 8));                           \
        return map<i##T>(                                                                          \
            a, [&](i##T x) -> u##T {                                                               \
                if (x < 0) {                                                                       \
                    env.flags |= kFpSaturated;                                                     \
                    return 0;                                                                      \
                }                                                                                  \
                return saturating_shift_left(env, static_cast<u##T>(x), amount);                   \
            });                                                                                    \
    }
SHIFTS(8)
SHIFTS(16)
SHIFTS(32)
SHIFTS(64)
#undef SHIFTS

// T: narrow lane, S: source lane.
#define NARROWING(T, S)                                                                            \
    Vec VNarrow##T(Vec a) {                                                                        \
        return map_narrow<u##S, u##T>(a, [](u##S x) { return x; });                                \
    }                                                                                              \
    Vec VNarrowSatS##T(FpEnv &env, Vec a) {                                                        \
        return map_narrow<i##S, i##T>(a, [&](i##S x) { return saturate<i##T>(env, x); });          \
    }                                                                                              \
    Vec VNarrowSatU##T(FpEnv &env, Vec a) {                                                        \
        return map_narrow<u##S, u##T>(a, [&](u##S x) { return saturate<u##T>(env, x); });          \
    }                                                                                              \
    Vec VNarrowSatSU##T(FpEnv &env, Vec a) {                                                       \
        return map_narrow<i##S, u##T>(a, [&](i##S x) { return saturate<u##T>(env, x); });          \
    }                                                                                              \
    Vec VShrNarrow##T(u64 imm, Vec a) {                                                            \
        return map_narrow<u##S, u##T>(a, [=](u##S x) { return narrowing_shift(imm, x); });         \
    }                                                                                              \
    Vec VShrNarrowSatS##T(FpEnv &env, u64 imm, Vec a) {                                            \
        return map_narrow<i##S, i##T>(                                                             \
            a, [&](i##S x) { return saturate<i##T>(env, narrowing_shift(imm, x)); });              \
    }                                                                                              \
    Vec VShrNarrowSatU##T(FpEnv &env, u64 imm, Vec a) {                                            \
        return map_narrow<u##S, u##T>(                                                             \
            a, [&](u##S x) { return saturate<u##T>(env, narrowing_shift(imm, x)); });              \
    }                                                                                              \
    Vec VShrNarrowSatSU##T(FpEnv &env, u64 imm, Vec a) {                                           \
        return map_narrow<i##S, u##T>(                                                             \
            a, [&](i##S x) { return saturate<u##T>(env, narrowing_shift(imm, x)); });              \
    }
NARROWING(8, 16)
NARROWING(16, 32)
NARROWING(32, 64)
#undef NARROWING

} // namespace tandem::ir::semantics
