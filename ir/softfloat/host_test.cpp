// Compares the software float with the host's SSE unit, where the two architectures agree. They do
// not on NaN selection, on the sign of the default NaN and on tininess (x86 decides it after
// rounding); those are in architecture_test.cpp.
#include "ir/softfloat/softfloat.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

namespace tandem::ir::softfloat {
namespace {

/// MXCSR with every exception masked and the rounding of an FpMode (x86 has 1 and 2 swapped).
u32 control(unsigned rounding) {
    constexpr std::array<u32, 4> kField{0, 2, 1, 3};
    return 0x1f80 | kField[rounding] << 13;
}
void set_control(u32 mxcsr) {
    asm volatile("ldmxcsr %0" : : "m"(mxcsr));
}
u32 get_control() {
    u32 mxcsr = 0;
    asm volatile("stmxcsr %0" : "=m"(mxcsr));
    return mxcsr;
}

/// Exceptions of the host as kFp* bits, but for its denormal-operand exception.
u32 host_flags() {
    const u32 mxcsr = get_control();
    return ((mxcsr & 1) != 0 ? kFpInvalid : 0) | ((mxcsr & 4) != 0 ? kFpDivZero : 0) |
           ((mxcsr & 8) != 0 ? kFpOverflow : 0) | ((mxcsr & 16) != 0 ? kFpUnderflow : 0) |
           ((mxcsr & 32) != 0 ? kFpInexact : 0);
}

struct Outcome {
    u64 bits;
    u32 flags;
};

/// Runs `operation` on the host in the given rounding mode.
template <typename F>
Outcome on_host(unsigned rounding, F operation) {
    const u32 saved = get_control();
    set_control(control(rounding));
    const u64 bits = operation();
    const u32 flags = host_flags();
    set_control(saved);
    return {bits, flags};
}

// Assembly, as the compiler knows nothing of the control register.
#define HOST_BINARY(name, type)                                                                    \
    type name(type a, type b) {                                                                    \
        asm volatile(#name " %1, %0" : "+x"(a) : "x"(b));                                          \
        return a;                                                                                  \
    }
HOST_BINARY(addss, float)
HOST_BINARY(subss, float)
HOST_BINARY(mulss, float)
HOST_BINARY(divss, float)
HOST_BINARY(sqrtss, float)
HOST_BINARY(addsd, double)
HOST_BINARY(subsd, double)
HOST_BINARY(mulsd, double)
HOST_BINARY(divsd, double)
HOST_BINARY(sqrtsd, double)
#undef HOST_BINARY
template <typename To, typename From>
To host_convert(From a) {
    To result{};
    if constexpr (std::is_same_v<To, float> && std::is_same_v<From, double>)
        asm volatile("cvtsd2ss %1, %0" : "=x"(result) : "x"(a));
    else if constexpr (std::is_same_v<To, double> && std::is_same_v<From, float>)
        asm volatile("cvtss2sd %1, %0" : "=x"(result) : "x"(a));
    else if constexpr (std::is_same_v<To, i64> && std::is_same_v<From, double>)
        asm volatile("cvtsd2siq %1, %0" : "=r"(result) : "x"(a));
    else if constexpr (std::is_same_v<To, i64> && std::is_same_v<From, float>)
        asm volatile("cvtss2siq %1, %0" : "=r"(result) : "x"(a));
    else if constexpr (std::is_same_v<To, double>)
        asm volatile("cvtsi2sdq %1, %0" : "=x"(result) : "r"(a));
    else
        asm volatile("cvtsi2ssq %1, %0" : "=x"(result) : "r"(a));
    return result;
}
// Hosts without FMA skip the tests that call these.
__attribute__((target("fma"))) double host_fma(double addend, double a, double b) {
    asm volatile("vfmadd231sd %2, %1, %0" : "+x"(addend) : "x"(a), "x"(b));
    return addend;
}
__attribute__((target("fma"))) float host_fma(float addend, float a, float b) {
    asm volatile("vfmadd231ss %2, %1, %0" : "+x"(addend) : "x"(a), "x"(b));
    return addend;
}

template <typename F>
using HostOf = std::conditional_t<std::is_same_v<F, Single>, float, double>;

template <typename F>
HostOf<F> host(Bits<F> bits) {
    return std::bit_cast<HostOf<F>>(bits);
}

/// Numbers of every kind, dense around the boundaries.
template <typename F>
class Patterns {
public:
    explicit Patterns(u64 seed) : random_(seed) {}

    Bits<F> next() {
        const u64 fraction = mask_fraction(random_());
        const bool sign = (random_() & 1) != 0;
        u64 field = 0;
        switch (random_() % 12) {
        case 0: return F::with_sign(sign, 0);
        case 1: return F::with_sign(sign, F::kInfinity);
        case 2: return F::with_sign(sign, static_cast<Bits<F>>(F::kInfinity | fraction));
        case 3: field = 0; break;
        case 4: field = 1 + random_() % 3; break;
        case 5: field = static_cast<u64>(F::kMaxField) - 1 - random_() % 3; break;
        case 6:
        case 7: field = static_cast<u64>(F::kBias) - 2 + random_() % 5; break;
        case 8:
        case 9: field = static_cast<u64>(F::kBias) - 4 + random_() % 72; break;
        default: field = random_() % static_cast<u64>(F::kMaxField); break;
        }
        return F::with_sign(sign, static_cast<Bits<F>>(field << F::kFraction | fraction));
    }
    u64 integer() {
        const u64 value = random_() >> (random_() % 64);
        return (random_() & 1) != 0 ? u64{0} - value : value;
    }

private:
    /// Fractions with long runs of zeros or ones at the end make ties and carries likely.
    u64 mask_fraction(u64 fraction) {
        const u64 low = ones(static_cast<unsigned>(random_() % (F::kFraction + 1)));
        switch (random_() % 4) {
        case 0: fraction &= ~low; break;
        case 1: fraction |= low; break;
        case 2: fraction = (fraction & ~low) | ((low + 1) >> 1); break;
        default: break;
        }
        return fraction & F::kFractionMask;
    }

    std::mt19937_64 random_;
};

template <typename F>
bool is_nan(Bits<F> bits) {
    return F::absolute(bits) > F::kInfinity;
}

/// Equal but for what the two architectures define differently.
template <typename F>
void expect_agreement(const FpEnv &env, Bits<F> ours, const Outcome &theirs) {
    if (is_nan<F>(ours)) {
        EXPECT_TRUE(is_nan<F>(static_cast<Bits<F>>(theirs.bits)));
    } else {
        EXPECT_EQ(ours, theirs.bits);
    }
    u32 flags = env.flags;
    // A tiny result that rounds to the smallest normal number underflows here only.
    const Bits<F> smallest_normal = F::power_of_two(false, F::kMinExponent);
    if (F::absolute(ours) == smallest_normal && (theirs.flags & kFpUnderflow) == 0)
        flags &= ~kFpUnderflow;
    EXPECT_EQ(flags, theirs.flags);
}

constexpr int kRuns = 50'000;

template <typename F>
void compare_arithmetic() {
    using Host = HostOf<F>;
    constexpr bool kIsSingle = std::is_same_v<F, Single>;
    struct Operation {
        const char *name;
        Bits<F> (*ours)(FpEnv &, Bits<F>, Bits<F>);
        Host (*theirs)(Host, Host);
    };
    Operation operations[5];
    const auto root = [](FpEnv &env, Bits<F>, Bits<F> b) { return softfloat::sqrt<F>(env, b); };
    if constexpr (kIsSingle) {
        const Operation list[] = {{"add", add<F>, addss},
                                  {"sub", sub<F>, subss},
                                  {"mul", mul<F>, mulss},
                                  {"div", div<F>, divss},
                                  {"sqrt", root, sqrtss}};
        std::copy(std::begin(list), std::end(list), operations);
    } else {
        const Operation list[] = {{"add", add<F>, addsd},
                                  {"sub", sub<F>, subsd},
                                  {"mul", mul<F>, mulsd},
                                  {"div", div<F>, divsd},
                                  {"sqrt", root, sqrtsd}};
        std::copy(std::begin(list), std::end(list), operations);
    }
    for (const Operation &operation : operations) {
        Patterns<F> patterns(1);
        for (int run = 0; run < kRuns && !testing::Test::HasFailure(); ++run) {
            const unsigned rounding = static_cast<unsigned>(run) % 4;
            const Bits<F> a = patterns.next();
            const Bits<F> b = patterns.next();
            SCOPED_TRACE(testing::Message() << operation.name << std::hex << " 0x" << +a << " 0x"
                                            << +b << " rounding " << rounding);
            FpEnv env{FpMode{static_cast<u8>(rounding)}};
            const Bits<F> ours = operation.ours(env, a, b);
            const Outcome theirs = on_host(rounding, [&] {
                return u64{std::bit_cast<Bits<F>>(operation.theirs(host<F>(a), host<F>(b)))};
            });
            expect_agreement<F>(env, ours, theirs);
        }
    }
}
TEST(SoftFloatOnHost, ArithmeticSingle) {
    compare_arithmetic<Single>();
}
TEST(SoftFloatOnHost, ArithmeticDouble) {
    compare_arithmetic<Double>();
}

template <typename F>
void compare_mul_add() {
    if (!__builtin_cpu_supports("fma")) GTEST_SKIP() << "the host has no FMA";
    Patterns<F> patterns(2);
    for (int run = 0; run < 4 * kRuns && !testing::Test::HasFailure(); ++run) {
        const unsigned rounding = static_cast<unsigned>(run) % 4;
        const Bits<F> b = patterns.next();
        const Bits<F> c = patterns.next();
        Bits<F> a = patterns.next();
        FpEnv scratch;
        // Let half of the sums cancel almost or altogether.
        if ((run & 4) != 0) a = F::negate(mul<F>(scratch, b, c));
        // x86 leaves it open whether NaN + 0 * inf is invalid.
        if (is_nan<F>(a)) continue;
        SCOPED_TRACE(testing::Message() << std::hex << "0x" << +a << " + 0x" << +b << " * 0x" << +c
                                        << " rounding " << rounding);
        FpEnv env{FpMode{static_cast<u8>(rounding)}};
        const Bits<F> ours = mul_add<F>(env, a, b, c);
        const Outcome theirs = on_host(rounding, [&] {
            return u64{std::bit_cast<Bits<F>>(host_fma(host<F>(a), host<F>(b), host<F>(c)))};
        });
        expect_agreement<F>(env, ours, theirs);
    }
}
TEST(SoftFloatOnHost, MulAddSingle) {
    compare_mul_add<Single>();
}
TEST(SoftFloatOnHost, MulAddDouble) {
    compare_mul_add<Double>();
}

template <typename F>
void compare_integer_conversions() {
    using Host = HostOf<F>;
    constexpr u64 kIndefinite = u64{1} << 63; // what x86 gives for integers out of range
    Patterns<F> patterns(3);
    for (int run = 0; run < 2 * kRuns && !testing::Test::HasFailure(); ++run) {
        const unsigned rounding = static_cast<unsigned>(run) % 4;
        const Bits<F> a = patterns.next();
        const u64 integer = patterns.integer();
        SCOPED_TRACE(testing::Message() << std::hex << "0x" << +a << ", integer 0x" << integer
                                        << " rounding " << rounding);
        FpEnv env{FpMode{static_cast<u8>(rounding)}};
        const u64 fixed = to_fixed<F>(env, a, 64, true, 0, static_cast<Rounding>(rounding));
        const Outcome theirs =
            on_host(rounding, [&] { return static_cast<u64>(host_convert<i64>(host<F>(a))); });
        EXPECT_EQ(env.flags, theirs.flags);
        if (theirs.bits != kIndefinite) {
            EXPECT_EQ(fixed, theirs.bits);
        }

        FpEnv back_env{FpMode{static_cast<u8>(rounding)}};
        const bool negative = static_cast<i64>(integer) < 0;
        const Bits<F> back =
            from_fixed<F>(back_env, negative, negative ? u64{0} - integer : integer, 0,
                          static_cast<Rounding>(rounding));
        const Outcome host_back = on_host(rounding, [&] {
            return u64{std::bit_cast<Bits<F>>(host_convert<Host>(static_cast<i64>(integer)))};
        });
        expect_agreement<F>(back_env, back, host_back);
    }
}
TEST(SoftFloatOnHost, IntegerConversionsSingle) {
    compare_integer_conversions<Single>();
}
TEST(SoftFloatOnHost, IntegerConversionsDouble) {
    compare_integer_conversions<Double>();
}

TEST(SoftFloatOnHost, FormatConversions) {
    Patterns<Single> singles(4);
    Patterns<Double> doubles(5);
    for (int run = 0; run < 4 * kRuns && !HasFailure(); ++run) {
        const unsigned rounding = static_cast<unsigned>(run) % 4;
        const u32 single = singles.next();
        // Half of the doubles in the range of singles.
        u64 wide = doubles.next();
        FpEnv scratch;
        if ((run & 4) != 0)
            wide = convert<Single, Double>(scratch, single, Rounding::Zero) ^ (wide & ones(30));
        SCOPED_TRACE(testing::Message()
                     << std::hex << "0x" << single << " 0x" << wide << " rounding " << rounding);
        FpEnv narrow_env{FpMode{static_cast<u8>(rounding)}};
        const u32 narrow =
            convert<Double, Single>(narrow_env, wide, static_cast<Rounding>(rounding));
        expect_agreement<Single>(
            narrow_env, narrow, on_host(rounding, [&] {
                return u64{std::bit_cast<u32>(host_convert<float>(std::bit_cast<double>(wide)))};
            }));
        FpEnv widen_env{FpMode{static_cast<u8>(rounding)}};
        const u64 widened =
            convert<Single, Double>(widen_env, single, static_cast<Rounding>(rounding));
        expect_agreement<Double>(widen_env, widened, on_host(rounding, [&] {
                                     return std::bit_cast<u64>(
                                         host_convert<double>(std::bit_cast<float>(single)));
                                 }));
    }
}

/// An operation on doubles rounded to odd: rounding that once more to half is exact rounding.
template <typename F>
u64 rounded_to_odd(F operation) {
    const Outcome truncated = on_host(3, operation);
    return (truncated.flags & kFpInexact) != 0 ? truncated.bits | 1 : truncated.bits;
}

TEST(SoftFloatOnHost, HalfThroughDouble) {
    Patterns<Half> patterns(6);
    for (int run = 0; run < 4 * kRuns && !HasFailure(); ++run) {
        const Rounding rounding = static_cast<Rounding>(run % 4);
        const u16 a = patterns.next();
        const u16 b = patterns.next();
        const u16 c = patterns.next();
        if (is_nan<Half>(a) || is_nan<Half>(b) || is_nan<Half>(c)) continue;
        SCOPED_TRACE(testing::Message() << std::hex << "0x" << a << " 0x" << b << " 0x" << c
                                        << " rounding " << run % 4);
        FpEnv scratch;
        const double x = std::bit_cast<double>(convert<Half, Double>(scratch, a, rounding));
        const double y = std::bit_cast<double>(convert<Half, Double>(scratch, b, rounding));
        const double z = std::bit_cast<double>(convert<Half, Double>(scratch, c, rounding));
        const auto expect = [&](const char *name, u16 ours, u64 exact, const FpEnv &env) {
            SCOPED_TRACE(name);
            FpEnv reference{FpMode{static_cast<u8>(rounding)}};
            const u16 theirs = convert<Double, Half>(reference, exact, rounding);
            if (is_nan<Half>(theirs)) {
                EXPECT_EQ(ours, Half::kDefaultNaN);
                return;
            }
            // The sign of an exactly cancelled sum depends on the mode, which the host had not.
            if (Half::absolute(theirs) == 0) {
                EXPECT_EQ(Half::absolute(ours), 0);
            } else {
                EXPECT_EQ(ours, theirs);
            }
            EXPECT_EQ(env.flags & ~kFpDivZero, reference.flags);
        };
        const auto environment = [&] { return FpEnv{FpMode{static_cast<u8>(rounding)}}; };
        const auto bits = [](double value) { return std::bit_cast<u64>(value); };
        FpEnv env = environment();
        expect("add", add<Half>(env, a, b), rounded_to_odd([&] { return bits(addsd(x, y)); }), env);
        env = environment();
        expect("sub", sub<Half>(env, a, b), rounded_to_odd([&] { return bits(subsd(x, y)); }), env);
        env = environment();
        expect("mul", mul<Half>(env, a, b), rounded_to_odd([&] { return bits(mulsd(x, y)); }), env);
        env = environment();
        expect("div", div<Half>(env, a, b), rounded_to_odd([&] { return bits(divsd(x, y)); }), env);
        env = environment();
        expect("sqrt", softfloat::sqrt<Half>(env, a),
               rounded_to_odd([&] { return bits(sqrtsd(x, x)); }), env);
        env = environment();
        // A product of halves is exact in double.
        expect("mul_add", mul_add<Half>(env, c, a, b),
               rounded_to_odd([&] { return bits(addsd(mulsd(x, y), z)); }), env);
    }
}

TEST(SoftFloatOnHost, EveryHalfSurvivesWidening) {
    for (u32 i = 0; i < 0x10000; ++i) {
        const u16 half = static_cast<u16>(i);
        FpEnv env;
        const u32 single = convert<Half, Single>(env, half, Rounding::NearestEven);
        const u64 wide = convert<Half, Double>(env, half, Rounding::NearestEven);
        EXPECT_EQ((convert<Single, Double>(env, single, Rounding::NearestEven)), wide);
        const u16 quieted = is_nan<Half>(half) ? static_cast<u16>(half | Half::kQuiet) : half;
        EXPECT_EQ((convert<Single, Half>(env, single, Rounding::NearestEven)), quieted);
        EXPECT_EQ((convert<Double, Half>(env, wide, Rounding::NearestEven)), quieted);
        if (!is_nan<Half>(half) && Half::absolute(half) != Half::kInfinity) {
            const double magnitude = std::ldexp((half & 0x3ff) | ((half & 0x7c00) != 0 ? 0x400 : 0),
                                                std::max(1, half >> 10 & 31) - 25);
            EXPECT_EQ(wide, std::bit_cast<u64>((half & 0x8000) != 0 ? -magnitude : magnitude));
        }
    }
}

} // namespace
} // namespace tandem::ir::softfloat
