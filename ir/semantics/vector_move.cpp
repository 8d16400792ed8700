#include "ir/semantics/vector_move.h"

#include "ir/semantics/lanes.h"

namespace tandem::ir::semantics {
namespace {

using namespace detail;

template <typename T>
T get(u64 lane, const Vec &a) {
    return lanes<T>(a)[lane & (kLaneCount<T> - 1)];
}
template <typename T>
Vec set(u64 lane, const Vec &a, T value) {
    auto out = lanes<T>(a);
    out[lane & (kLaneCount<T> - 1)] = value;
    return vec<T>(out);
}
/// part 0: the low halves interleaved, 1: the high halves.
template <typename T>
Vec zip(const Vec &a, const Vec &b, unsigned part) {
    const Source<T> x(a);
    const Source<T> y(b);
    constexpr unsigned kHalf = kLaneCount<T> / 2;
    Target<T> out;
    for (unsigned i = 0; i < kHalf; ++i) {
        out[2 * i] = x[part * kHalf + i];
        out[2 * i + 1] = y[part * kHalf + i];
    }
    return out.value();
}
template <typename T>
Vec unzip(const Vec &a, const Vec &b, unsigned part) {
    const Source<T> x(a);
    const Source<T> y(b);
    constexpr unsigned kHalf = kLaneCount<T> / 2;
    Target<T> out;
    for (unsigned i = 0; i < kHalf; ++i) {
        out[i] = x[2 * i + part];
        out[kHalf + i] = y[2 * i + part];
    }
    return out.value();
}
template <typename T>
Vec transpose(const Vec &a, const Vec &b, unsigned part) {
    const Source<T> x(a);
    const Source<T> y(b);
    Target<T> out;
    for (unsigned i = 0; i < kLaneCount<T>; i += 2) {
        out[i] = x[i + part];
        out[i + 1] = y[i + part];
    }
    return out.value();
}
/// Lanes of type T reversed within containers of `count` lanes, a power of two.
template <typename T>
Vec reverse(const Vec &a, unsigned count) {
    const Source<T> x(a);
    Target<T> out;
    for (unsigned i = 0; i < kLaneCount<T>; ++i) out[i] = x[i ^ (count - 1)];
    return out.value();
}

} // namespace

#define LANES(T)                                                                                   \
    u64 VGet##T(u64 imm, Vec a) {                                                                  \
        return get<u##T>(imm, a);                                                                  \
    }                                                                                              \
    Vec VSet##T(u64 imm, Vec a, u64 b) {                                                           \
        return set<u##T>(imm, a, static_cast<u##T>(b));                                            \
    }                                                                                              \
    Vec VDup##T(u64 a) {                                                                           \
        return splat<u##T>(static_cast<u##T>(a));                                                  \
    }                                                                                              \
    Vec VDupLane##T(u64 imm, Vec a) {                                                              \
        return splat<u##T>(get<u##T>(imm, a));                                                     \
    }                                                                                              \
    Vec VInsertLane##T(u64 imm, Vec a, Vec b) {                                                    \
        return set<u##T>(imm & 15, a, get<u##T>(imm >> 8, b));                                     \
    }                                                                                              \
    Vec VZip1_##T(Vec a, Vec b) {                                                                  \
        return zip<u##T>(a, b, 0);                                                                 \
    }                                                                                              \
    Vec VZip2_##T(Vec a, Vec b) {                                                                  \
        return zip<u##T>(a, b, 1);                                                                 \
    }                                                                                              \
    Vec VUzp1_##T(Vec a, Vec b) {                                                                  \
        return unzip<u##T>(a, b, 0);                                                               \
    }                                                                                              \
    Vec VUzp2_##T(Vec a, Vec b) {                                                                  \
        return unzip<u##T>(a, b, 1);                                                               \
    }                                                                                              \
    Vec VTrn1_##T(Vec a, Vec b) {                                                                  \
        return transpose<u##T>(a, b, 0);                                                           \
    }                                                                                              \
    Vec VTrn2_##T(Vec a, Vec b) {                                                                  \
        return transpose<u##T>(a, b, 1);                                                           \
    }
LANES(8)
LANES(16)
LANES(32)
LANES(64)
#undef LANES

u16 VToF16(u64 imm, Vec a) {
    return get<u16>(imm, a);
}
u32 VToF32(u64 imm, Vec a) {
    return get<u32>(imm, a);
}
u64 VToF64(u64 imm, Vec a) {
    return get<u64>(imm, a);
}

Vec VExtract(u64 imm, Vec a, Vec b) {
    const Source<u8> x(a);
    const Source<u8> y(b);
    Target<u8> out;
    for (unsigned i = 0; i < 16; ++i) {
        const unsigned from = i + static_cast<unsigned>(imm & 15);
        out[i] = from < 16 ? x[from] : y[from - 16];
    }
    return out.value();
}

Vec VTableExtend(Vec fallback, Vec table, Vec indices) {
    const auto from = lanes<u8>(table);
    return map<u8>(fallback, indices,
                   [&](u8 old, u8 index) { return index < 16 ? from[index] : old; });
}
Vec VTable(Vec table, Vec indices) {
    return VTableExtend({}, table, indices);
}

Vec VReverse16_8(Vec a) {
    return reverse<u8>(a, 2);
}
Vec VReverse32_8(Vec a) {
    return reverse<u8>(a, 4);
}
Vec VReverse32_16(Vec a) {
    return reverse<u16>(a, 2);
}
Vec VReverse64_8(Vec a) {
    return reverse<u8>(a, 8);
}
Vec VReverse64_16(Vec a) {
    return reverse<u16>(a, 4);
}
Vec VReverse64_32(Vec a) {
    return reverse<u32>(a, 2);
}

} // namespace tandem::ir::semantics
