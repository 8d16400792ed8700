#include "ir/semantics/crypto.h"

#include "ir/semantics/lanes.h"

namespace tandem::ir::semantics {
namespace {

using namespace detail;
using Words = Lanes<u32>;
using Bytes = Lanes<u8>;

// --- Galois fields -------------------------------------------------------------------------------

/// Product in GF(2^8) modulo the polynomial whose low nine bits are given.
constexpr u8 field_mul(u32 a, u32 b, u32 polynomial) {
    u32 result = 0;
    for (; b != 0; b >>= 1) {
        if ((b & 1) != 0) result ^= a;
        a <<= 1;
        if ((a & 0x100) != 0) a ^= polynomial;
    }
    return static_cast<u8>(result);
}
/// x^254, the inverse; 0 for 0.
constexpr u8 field_inverse(u8 x, u32 polynomial) {
    u8 result = 1;
    u8 power = x;
    for (int i = 1; i < 8; ++i) {
        power = field_mul(power, power, polynomial);
        result = field_mul(result, power, polynomial);
    }
    return result;
}

constexpr u32 kAesPolynomial = 0x11b; // FIPS 197, 4.2
constexpr u32 kSm4Polynomial = 0x1f5; // GB/T 32907-2016: x^8 + x^7 + x^6 + x^5 + x^4 + x^2 + 1

struct AesTables {
    std::array<u8, 256> box{};
    std::array<u8, 256> inverse_box{};
    std::array<u32, 256> mix{};         ///< column of MixColumns that a byte in row 0 gives
    std::array<u32, 256> inverse_mix{}; ///< likewise of InvMixColumns
};

consteval AesTables make_aes_tables() {
    AesTables tables;
    for (u32 i = 0; i < 256; ++i) {
        const u8 x = static_cast<u8>(i);
        // FIPS 197, 5.1.1: the inverse, then an affine transformation.
        const u8 y = field_inverse(x, kAesPolynomial);
        const u8 s = static_cast<u8>(y ^ std::rotl(y, 1) ^ std::rotl(y, 2) ^ std::rotl(y, 3) ^
                                     std::rotl(y, 4) ^ 0x63);
        tables.box[x] = s;
        tables.inverse_box[s] = x;
        const auto times = [x](u32 factor) { return u32{field_mul(x, factor, kAesPolynomial)}; };
        tables.mix[x] = times(2) | times(1) << 8 | times(1) << 16 | times(3) << 24;
        tables.inverse_mix[x] = times(14) | times(9) << 8 | times(13) << 16 | times(11) << 24;
    }
    return tables;
}
constexpr AesTables kAes = make_aes_tables();

consteval std::array<u8, 256> make_sm4_box() {
    // The S-box is A * inverse(A * x + c) + c with A the circulant matrix of 0xa7 and c = 0xd3.
    const auto affine = [](u8 x) {
        u8 result = 0;
        for (int row = 0; row < 8; ++row) {
            const u8 coefficients = std::rotl(static_cast<u8>(0xa7), row);
            result = static_cast<u8>(result | (std::popcount(static_cast<u8>(coefficients & x)) & 1)
                                                  << row);
        }
        return static_cast<u8>(result ^ 0xd3);
    };
    std::array<u8, 256> box{};
    for (u32 i = 0; i < 256; ++i)
        box[i] = affine(field_inverse(affine(static_cast<u8>(i)), kSm4Polynomial));
    return box;
}
constexpr std::array<u8, 256> kSm4Box = make_sm4_box();
static_assert(kAes.box[0x53] == 0xed && kSm4Box[0] == 0xd6 && kSm4Box[0xff] == 0x48);

/// MixColumns with the table of either direction; a column is a little-endian word.
Vec mix_columns(const Vec &state, const std::array<u32, 256> &table) {
    return map<u32>(state, [&](u32 column) {
        return table[column & 0xff] ^ std::rotl(table[column >> 8 & 0xff], 8) ^
               std::rotl(table[column >> 16 & 0xff], 16) ^ std::rotl(table[column >> 24], 24);
    });
}

// --- SHA -----------------------------------------------------------------------------------------

template <typename T>
T choose(T x, T y, T z) {
    return ((y ^ z) & x) ^ z;
}
template <typename T>
T majority(T x, T y, T z) {
    return (x & y) | ((x | y) & z);
}
u32 parity(u32 x, u32 y, u32 z) {
    return x ^ y ^ z;
}

/// Four rounds of SHA-1 (Arm ARM SHA1C, SHA1P, SHA1M).
template <typename F>
Vec sha1_rounds(const Vec &d, u32 y, const Vec &m, F f) {
    Words x = lanes<u32>(d);
    const Words w = lanes<u32>(m);
    for (unsigned i = 0; i < 4; ++i) {
        y += std::rotl(x[0], 5) + f(x[1], x[2], x[3]) + w[i];
        x[1] = std::rotl(x[1], 30);
        const u32 last = x[3];
        x = {y, x[0], x[1], x[2]};
        y = last;
    }
    return vec<u32>(x);
}

/// SHA256hash of the shared pseudocode: four rounds on abcd = x and efgh = y.
void sha256_rounds(Words &x, Words &y, const Words &w) {
    for (unsigned i = 0; i < 4; ++i) {
        const u32 sigma1 = std::rotr(y[0], 6) ^ std::rotr(y[0], 11) ^ std::rotr(y[0], 25);
        const u32 sigma0 = std::rotr(x[0], 2) ^ std::rotr(x[0], 13) ^ std::rotr(x[0], 22);
        const u32 t = y[3] + sigma1 + choose(y[0], y[1], y[2]) + w[i];
        const u32 e = x[3] + t;
        const u32 a = t + sigma0 + majority(x[0], x[1], x[2]);
        x = {a, x[0], x[1], x[2]};
        y = {e, y[0], y[1], y[2]};
    }
}
u32 sha256_sigma0(u32 x) {
    return std::rotr(x, 7) ^ std::rotr(x, 18) ^ (x >> 3);
}
u32 sha256_sigma1(u32 x) {
    return std::rotr(x, 17) ^ std::rotr(x, 19) ^ (x >> 10);
}

u64 sha512_sum0(u64 x) {
    return std::rotr(x, 28) ^ std::rotr(x, 34) ^ std::rotr(x, 39);
}
u64 sha512_sum1(u64 x) {
    return std::rotr(x, 14) ^ std::rotr(x, 18) ^ std::rotr(x, 41);
}
u64 sha512_sigma0(u64 x) {
    return std::rotr(x, 1) ^ std::rotr(x, 8) ^ (x >> 7);
}
u64 sha512_sigma1(u64 x) {
    return std::rotr(x, 19) ^ std::rotr(x, 61) ^ (x >> 6);
}

// --- SM3, SM4 ------------------------------------------------------------------------------------

/// P1 of GB/T 32905-2016.
u32 sm3_p1(u32 x) {
    return x ^ std::rotl(x, 15) ^ std::rotl(x, 23);
}

template <typename F>
Vec sm3_tt1(u64 imm, const Vec &d_vec, const Vec &n, const Vec &m, F f) {
    const Words d = lanes<u32>(d_vec);
    const u32 ss2 = lanes<u32>(n)[3] ^ std::rotl(d[3], 12);
    const u32 tt1 = f(d[3], d[2], d[1]) + d[0] + ss2 + lanes<u32>(m)[imm & 3];
    return vec<u32>({d[1], std::rotl(d[2], 9), d[3], tt1});
}
template <typename F>
Vec sm3_tt2(u64 imm, const Vec &d_vec, const Vec &n, const Vec &m, F f) {
    const Words d = lanes<u32>(d_vec);
    const u32 tt2 = f(d[3], d[2], d[1]) + d[0] + lanes<u32>(n)[3] + lanes<u32>(m)[imm & 3];
    return vec<u32>(
        {d[1], std::rotl(d[2], 19), d[3], tt2 ^ std::rotl(tt2, 9) ^ std::rotl(tt2, 17)});
}

u32 sm4_substitute(u32 x) {
    return u32{kSm4Box[x & 0xff]} | u32{kSm4Box[x >> 8 & 0xff]} << 8 |
           u32{kSm4Box[x >> 16 & 0xff]} << 16 | u32{kSm4Box[x >> 24]} << 24;
}
/// Four rounds of the cipher or the key schedule, which differ in the linear transformation.
template <typename F>
Vec sm4_rounds(const Vec &state, const Vec &keys, F linear) {
    Words x = lanes<u32>(state);
    const Words k = lanes<u32>(keys);
    for (unsigned i = 0; i < 4; ++i) {
        const u32 next = x[0] ^ linear(sm4_substitute(x[1] ^ x[2] ^ x[3] ^ k[i]));
        x = {x[1], x[2], x[3], next};
    }
    return vec<u32>(x);
}

} // namespace

Vec AesEncrypt(Vec state, Vec key) {
    const Bytes in = lanes<u8>({{state.d[0] ^ key.d[0], state.d[1] ^ key.d[1]}});
    Bytes out;
    // ShiftRows: row r of column c comes from column c + r.
    for (unsigned i = 0; i < 16; ++i) out[i] = kAes.box[in[(i + 4 * (i % 4)) % 16]];
    return vec<u8>(out);
}
Vec AesDecrypt(Vec state, Vec key) {
    const Bytes in = lanes<u8>({{state.d[0] ^ key.d[0], state.d[1] ^ key.d[1]}});
    Bytes out;
    for (unsigned i = 0; i < 16; ++i) out[i] = kAes.inverse_box[in[(i + 12 * (i % 4)) % 16]];
    return vec<u8>(out);
}
Vec AesMixColumns(Vec state) {
    return mix_columns(state, kAes.mix);
}
Vec AesInverseMixColumns(Vec state) {
    return mix_columns(state, kAes.inverse_mix);
}

Vec Sha1Choose(Vec d, u32 n, Vec m) {
    return sha1_rounds(d, n, m, choose<u32>);
}
Vec Sha1Parity(Vec d, u32 n, Vec m) {
    return sha1_rounds(d, n, m, parity);
}
Vec Sha1Majority(Vec d, u32 n, Vec m) {
    return sha1_rounds(d, n, m, majority<u32>);
}
u32 Sha1Hash(u32 n) {
    return std::rotl(n, 30);
}
Vec Sha1Schedule0(Vec d, Vec n, Vec m) {
    return {{d.d[0] ^ d.d[1] ^ m.d[0], d.d[1] ^ n.d[0] ^ m.d[1]}};
}
Vec Sha1Schedule1(Vec d, Vec n) {
    const Words x = lanes<u32>(d);
    const Words y = lanes<u32>(n);
    const Words t{x[0] ^ y[1], x[1] ^ y[2], x[2] ^ y[3], x[3]};
    return vec<u32>({std::rotl(t[0], 1), std::rotl(t[1], 1), std::rotl(t[2], 1),
                     std::rotl(t[3], 1) ^ std::rotl(t[0], 2)});
}

Vec Sha256Hash(Vec d, Vec n, Vec m) {
    Words x = lanes<u32>(d);
    Words y = lanes<u32>(n);
    sha256_rounds(x, y, lanes<u32>(m));
    return vec<u32>(x);
}
Vec Sha256Hash2(Vec d, Vec n, Vec m) {
    Words x = lanes<u32>(n);
    Words y = lanes<u32>(d);
    sha256_rounds(x, y, lanes<u32>(m));
    return vec<u32>(y);
}
Vec Sha256Schedule0(Vec d, Vec n) {
    const Words x = lanes<u32>(d);
    const Words y = lanes<u32>(n);
    return vec<u32>({x[0] + sha256_sigma0(x[1]), x[1] + sha256_sigma0(x[2]),
                     x[2] + sha256_sigma0(x[3]), x[3] + sha256_sigma0(y[0])});
}
Vec Sha256Schedule1(Vec d, Vec n, Vec m) {
    const Words x = lanes<u32>(d);
    const Words y = lanes<u32>(n);
    const Words z = lanes<u32>(m);
    const u32 w0 = x[0] + y[1] + sha256_sigma1(z[2]);
    const u32 w1 = x[1] + y[2] + sha256_sigma1(z[3]);
    return vec<u32>({w0, w1, x[2] + y[3] + sha256_sigma1(w0), x[3] + z[0] + sha256_sigma1(w1)});
}

Vec Sha512Hash(Vec d, Vec n, Vec m) {
    const u64 high = d.d[1] + sha512_sum1(m.d[1]) + choose(m.d[1], n.d[0], n.d[1]);
    const u64 e = high + m.d[0];
    const u64 low = d.d[0] + sha512_sum1(e) + choose(e, m.d[1], n.d[0]);
    return {{low, high}};
}
Vec Sha512Hash2(Vec d, Vec n, Vec m) {
    const u64 high = d.d[1] + sha512_sum0(m.d[0]) + majority(n.d[0], m.d[1], m.d[0]);
    const u64 low = d.d[0] + sha512_sum0(high) + majority(high, m.d[0], m.d[1]);
    return {{low, high}};
}
Vec Sha512Schedule0(Vec d, Vec n) {
    return {{d.d[0] + sha512_sigma0(d.d[1]), d.d[1] + sha512_sigma0(n.d[0])}};
}
Vec Sha512Schedule1(Vec d, Vec n, Vec m) {
    return {{d.d[0] + sha512_sigma1(n.d[0]) + m.d[0], d.d[1] + sha512_sigma1(n.d[1]) + m.d[1]}};
}

Vec Sm3PartW1(Vec d, Vec n, Vec m) {
    const Words x = lanes<u32>(d);
    const Words y = lanes<u32>(n);
    const Words z = lanes<u32>(m);
    Words out;
    for (unsigned i = 0; i < 3; ++i) out[i] = sm3_p1(x[i] ^ y[i] ^ std::rotl(z[i + 1], 15));
    out[3] = sm3_p1(x[3] ^ y[3] ^ std::rotl(out[0], 15));
    return vec<u32>(out);
}
Vec Sm3PartW2(Vec d, Vec n, Vec m) {
    Words out = lanes<u32>(d);
    const Words y = lanes<u32>(n);
    const Words z = lanes<u32>(m);
    Words t;
    for (unsigned i = 0; i < 4; ++i) {
        t[i] = y[i] ^ std::rotl(z[i], 7);
        out[i] ^= t[i];
    }
    out[3] ^= sm3_p1(std::rotl(t[0], 15));
    return vec<u32>(out);
}
Vec Sm3Ss1(Vec n, Vec m, Vec a) {
    const u32 top =
        std::rotl(std::rotl(lanes<u32>(n)[3], 12) + lanes<u32>(m)[3] + lanes<u32>(a)[3], 7);
    return vec<u32>({0, 0, 0, top});
}
Vec Sm3Tt1a(u64 imm, Vec d, Vec n, Vec m) {
    return sm3_tt1(imm, d, n, m, parity);
}
Vec Sm3Tt1b(u64 imm, Vec d, Vec n, Vec m) {
    return sm3_tt1(imm, d, n, m, majority<u32>);
}
Vec Sm3Tt2a(u64 imm, Vec d, Vec n, Vec m) {
    return sm3_tt2(imm, d, n, m, parity);
}
Vec Sm3Tt2b(u64 imm, Vec d, Vec n, Vec m) {
    return sm3_tt2(imm, d, n, m, choose<u32>);
}

Vec Sm4Encrypt(Vec d, Vec n) {
    return sm4_rounds(d, n, [](u32 x) {
        return x ^ std::rotl(x, 2) ^ std::rotl(x, 10) ^ std::rotl(x, 18) ^ std::rotl(x, 24);
    });
}
Vec Sm4Key(Vec n, Vec m) {
    return sm4_rounds(n, m, [](u32 x) { return x ^ std::rotl(x, 13) ^ std::rotl(x, 23); });
}

} // namespace tandem::ir::semantics
