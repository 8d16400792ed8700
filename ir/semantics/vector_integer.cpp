#include "ir/semantics/vector_integer.h"

#include "ir/semantics/lanes.h"
#include "ir/semantics/saturate.h"

#include <type_traits>

namespace tandem::ir::semantics {
namespace {

using namespace detail;

/// Holds sums and differences of two lanes.
template <typename T>
using Sum = std::conditional_t<sizeof(T) == 8, i128, i64>;

template <typename T>
T truth(bool value) {
    return value ? static_cast<T>(~T{0}) : T{0};
}

template <typename T>
u64 across_count(u64 imm) {
    return imm < kLaneCount<T> ? imm : kLaneCount<T>;
}
template <typename T, typename R>
Vec across_add(u64 imm, const Vec &a) {
    const auto x = lanes<T>(a);
    R sum = 0;
    for (unsigned i = 0; i < across_count<T>(imm); ++i)
        sum = static_cast<R>(sum + static_cast<R>(x[i]));
    return {{static_cast<std::make_unsigned_t<R>>(sum), 0}};
}
template <typename T, typename F>
Vec across(u64 imm, const Vec &a, F f) {
    const auto x = lanes<T>(a);
    T result = x[0];
    for (unsigned i = 1; i < across_count<T>(imm); ++i) result = f(result, x[i]);
    return {{static_cast<std::make_unsigned_t<T>>(result), 0}};
}

} // namespace

// clang-format off
// Each row: operation, signedness of the lanes, the lane's value from x (and y), of type T.
#define UNARY(name, sign, width, ...)                                                              \
    Vec name##width(Vec a) {                                                                       \
        return map<sign##width>(a, []<typename T>(T x) { return __VA_ARGS__; });                   \
    }
#define BINARY(name, sign, width, ...)                                                             \
    Vec name##width(Vec a, Vec b) {                                                                \
        return map<sign##width>(a, b, []<typename T>(T x, T y) { return __VA_ARGS__; });           \
    }
#define PAIRWISE(name, sign, width, ...)                                                           \
    Vec name##width(Vec a, Vec b) {                                                                \
        return map_pairs<sign##width>(a, b, []<typename T>(T x, T y) { return __VA_ARGS__; });     \
    }
#define SATURATING_UNARY(name, sign, width, ...)                                                   \
    Vec name##width(FpEnv &env, Vec a) {                                                           \
        return map<sign##width>(a, [&env]<typename T>(T x) {                                       \
            return saturate<T, Sum<T>>(env, __VA_ARGS__);                                          \
        });                                                                                        \
    }
#define SATURATING_BINARY(name, sign, width, ...)                                                  \
    Vec name##width(FpEnv &env, Vec a, Vec b) {                                                    \
        return map<sign##width>(a, b, [&env]<typename T>(T x, T y) {                               \
            return saturate<T, Sum<T>>(env, __VA_ARGS__);                                          \
        });                                                                                        \
    }
#define EACH_OF_3(shape, name, sign, ...)                                                          \
    shape(name, sign, 8, __VA_ARGS__) shape(name, sign, 16, __VA_ARGS__) shape(name, sign, 32, __VA_ARGS__)
#define EACH_OF_4(shape, name, sign, ...)                                                          \
    EACH_OF_3(shape, name, sign, __VA_ARGS__) shape(name, sign, 64, __VA_ARGS__)

EACH_OF_4(BINARY, VAdd, u, x + y)
EACH_OF_4(BINARY, VSub, u, x - y)
EACH_OF_4(UNARY, VNeg, u, T{0} - x)
EACH_OF_4(UNARY, VAbs, u, (x >> (kLaneBits<T> - 1)) != 0 ? T{0} - x : x + T{0})
EACH_OF_4(BINARY, VCompareEqual, u, truth<T>(x == y))
EACH_OF_4(BINARY, VCompareGreaterS, i, truth<T>(x > y))
EACH_OF_4(BINARY, VCompareGreaterEqualS, i, truth<T>(x >= y))
EACH_OF_4(BINARY, VCompareGreaterU, u, truth<T>(x > y))
EACH_OF_4(BINARY, VCompareGreaterEqualU, u, truth<T>(x >= y))
EACH_OF_4(BINARY, VCompareTest, u, truth<T>((x & y) != 0))
EACH_OF_4(PAIRWISE, VAddPairwise, u, x + y)

EACH_OF_4(SATURATING_BINARY, VSatAddS, i, Sum<T>{x} + y)
EACH_OF_4(SATURATING_BINARY, VSatAddU, u, Sum<T>{x} + y)
EACH_OF_4(SATURATING_BINARY, VSatAddSU, i, Sum<T>{x} + static_cast<std::make_unsigned_t<T>>(y))
EACH_OF_4(SATURATING_BINARY, VSatAddUS, u, Sum<T>{x} + static_cast<std::make_signed_t<T>>(y))
EACH_OF_4(SATURATING_BINARY, VSatSubS, i, Sum<T>{x} - y)
EACH_OF_4(SATURATING_BINARY, VSatSubU, u, Sum<T>{x} - y)
EACH_OF_4(SATURATING_UNARY, VSatAbs, i, x < 0 ? -Sum<T>{x} : Sum<T>{x})
EACH_OF_4(SATURATING_UNARY, VSatNeg, i, -Sum<T>{x})

EACH_OF_3(BINARY, VMul, u, u32{x} * y)
EACH_OF_3(BINARY, VMaxS, i, x > y ? x : y)
EACH_OF_3(BINARY, VMaxU, u, x > y ? x : y)
EACH_OF_3(BINARY, VMinS, i, x < y ? x : y)
EACH_OF_3(BINARY, VMinU, u, x < y ? x : y)
EACH_OF_3(BINARY, VHalvingAddS, i, (i64{x} + y) >> 1)
EACH_OF_3(BINARY, VHalvingAddU, u, (i64{x} + y) >> 1)
EACH_OF_3(BINARY, VRoundHalvingAddS, i, (i64{x} + y + 1) >> 1)
EACH_OF_3(BINARY, VRoundHalvingAddU, u, (i64{x} + y + 1) >> 1)
EACH_OF_3(BINARY, VHalvingSubS, i, (i64{x} - y) >> 1)
EACH_OF_3(BINARY, VHalvingSubU, u, (i64{x} - y) >> 1)
EACH_OF_3(BINARY, VAbsDiffS, i, x > y ? i64{x} - y : i64{y} - x)
EACH_OF_3(BINARY, VAbsDiffU, u, x > y ? x - y : y - x)
EACH_OF_3(PAIRWISE, VMaxPairwiseS, i, x > y ? x : y)
EACH_OF_3(PAIRWISE, VMaxPairwiseU, u, x > y ? x : y)
EACH_OF_3(PAIRWISE, VMinPairwiseS, i, x < y ? x : y)
EACH_OF_3(PAIRWISE, VMinPairwiseU, u, x < y ? x : y)
EACH_OF_3(UNARY, VCountLeadingZeros, u, std::countl_zero(x))
EACH_OF_3(UNARY, VCountLeadingSigns, i,
          std::countl_zero(static_cast<std::make_unsigned_t<T>>(x ^ (x >> 1))) - 1)

#define WIDENING(T)                                                                                \
    Vec VWidenS##T(Vec a) { return map_widen<i##T>(a, [](auto x) { return x; }); }                 \
    Vec VWidenU##T(Vec a) { return map_widen<u##T>(a, [](auto x) { return x; }); }                 \
    Vec VMulLongS##T(Vec a, Vec b) {                                                               \
        return map_widen<i##T>(a, b, [](i64 x, i64 y) { return x * y; });                          \
    }                                                                                              \
    Vec VMulLongU##T(Vec a, Vec b) {                                                               \
        return map_widen<u##T>(a, b, [](u64 x, u64 y) { return x * y; });                          \
    }                                                                                              \
    /* The low lane of a pair is the container truncated, the high one the container shifted. */   \
    Vec VPairwiseAddLongS##T(Vec a) {                                                              \
        return map<Wide<i##T>>(a, [](auto x) { return i64{static_cast<i##T>(x)} + (x >> T); });    \
    }                                                                                              \
    Vec VPairwiseAddLongU##T(Vec a) {                                                              \
        return map<Wide<u##T>>(a, [](auto x) { return u64{static_cast<u##T>(x)} + (x >> T); });    \
    }
WIDENING(8)
WIDENING(16)
WIDENING(32)

#define ACROSS(T)                                                                                  \
    Vec VAcrossAdd##T(u64 imm, Vec a) { return across_add<u##T, u##T>(imm, a); }                   \
    Vec VAcrossAddLongS##T(u64 imm, Vec a) { return across_add<i##T, Wide<i##T>>(imm, a); }        \
    Vec VAcrossAddLongU##T(u64 imm, Vec a) { return across_add<u##T, Wide<u##T>>(imm, a); }        \
    Vec VAcrossMaxS##T(u64 imm, Vec a) {                                                           \
        return across<i##T>(imm, a, [](auto x, auto y) { return x > y ? x : y; });                 \
    }                                                                                              \
    Vec VAcrossMaxU##T(u64 imm, Vec a) {                                                           \
        return across<u##T>(imm, a, [](auto x, auto y) { return x > y ? x : y; });                 \
    }                                                                                              \
    Vec VAcrossMinS##T(u64 imm, Vec a) {                                                           \
        return across<i##T>(imm, a, [](auto x, auto y) { return x < y ? x : y; });                 \
    }                                                                                              \
    Vec VAcrossMinU##T(u64 imm, Vec a) {                                                           \
        return across<u##T>(imm, a, [](auto x, auto y) { return x < y ? x : y; });                 \
    }
ACROSS(8)
ACROSS(16)
ACROSS(32)
// clang-format on

Vec VReverseBits8(Vec a) {
    return map<u8>(a, [](u8 value) {
        u32 x = value;
        x = (x >> 4 & 0x0f) | (x << 4 & 0xf0);
        x = (x >> 2 & 0x33) | (x << 2 & 0xcc);
        return (x >> 1 & 0x55) | (x << 1 & 0xaa);
    });
}
Vec VPopulation8(Vec a) {
    return map<u8>(a, [](u8 x) { return std::popcount(x); });
}

} // namespace tandem::ir::semantics
