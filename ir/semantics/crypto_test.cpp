// The cryptographic steps put together to whole algorithms, against the standards' examples.
#include "ir/semantics/crypto.h"

#include "ir/semantics/lanes.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace tandem::ir::semantics {
namespace {

std::vector<u8> from_hex(const std::string &text) {
    std::vector<u8> out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        out.push_back(static_cast<u8>(std::stoul(text.substr(i, 2), nullptr, 16)));
    return out;
}
Vec vec_from_hex(const std::string &text) {
    Vec out;
    std::memcpy(&out, from_hex(text).data(), sizeof out);
    return out;
}
Vec words(u32 a, u32 b, u32 c, u32 d) {
    return detail::vec<u32>({a, b, c, d});
}
u32 word(const Vec &a, unsigned lane) {
    return detail::lanes<u32>(a)[lane];
}
/// Big-endian words of a hexadecimal text as lanes.
Vec big_endian_words(const std::string &text) {
    return detail::map<u32>(vec_from_hex(text), [](u32 x) { return __builtin_bswap32(x); });
}

// FIPS 197, appendix B. The key schedule is the standard's own; AESE adds the key first.
TEST(Crypto, Aes128) {
    const char *const schedule[] = {
        "2b7e151628aed2a6abf7158809cf4f3c", "a0fafe1788542cb123a339392a6c7605",
        "f2c295f27a96b9435935807a7359f67f", "3d80477d4716fe3e1e237e446d7a883b",
        "ef44a541a8525b7fb671253bdb0bad00", "d4d1c6f87c839d87caf2b8bc11f915bc",
        "6d88a37a110b3efddbf98641ca0093fd", "4e54f70e5f5fc9f384a64fb24ea6dc4f",
        "ead27321b58dbad2312bf5607f8d292f", "ac7766f319fadc2128d12941575c006e",
        "d014f9a8c9ee2589e13f0cc8b6630ca6"};
    const Vec plain = vec_from_hex("3243f6a8885a308d313198a2e0370734");
    const Vec cipher = vec_from_hex("3925841d02dc09fbdc118597196a0b32");
    Vec state = plain;
    for (int round = 0; round < 9; ++round)
        state = AesMixColumns(AesEncrypt(state, vec_from_hex(schedule[round])));
    state = AesEncrypt(state, vec_from_hex(schedule[9]));
    const Vec last = vec_from_hex(schedule[10]);
    EXPECT_EQ((Vec{{state.d[0] ^ last.d[0], state.d[1] ^ last.d[1]}}), cipher);

    // FIPS 197, 5.3.5: the equivalent inverse cipher.
    state = AesInverseMixColumns(AesDecrypt(cipher, last));
    for (int round = 9; round > 1; --round)
        state = AesInverseMixColumns(
            AesDecrypt(state, AesInverseMixColumns(vec_from_hex(schedule[round]))));
    state = AesDecrypt(state, AesInverseMixColumns(vec_from_hex(schedule[1])));
    const Vec first = vec_from_hex(schedule[0]);
    EXPECT_EQ((Vec{{state.d[0] ^ first.d[0], state.d[1] ^ first.d[1]}}), plain);
}

/// "abc" padded to one block of four vectors of big-endian words.
const char *const kAbcBlock[4] = {
    "61626380000000000000000000000000", "00000000000000000000000000000000",
    "00000000000000000000000000000000", "00000000000000000000000000000018"};

Vec add_words(const Vec &a, const Vec &b) {
    return detail::map<u32>(a, b, [](u32 x, u32 y) { return x + y; });
}

TEST(Crypto, Sha1OfAbc) {
    constexpr u32 kConstants[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    const Vec start = words(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
    Vec abcd = start;
    u32 e = 0xc3d2e1f0;
    Vec w[4];
    for (int i = 0; i < 4; ++i) w[i] = big_endian_words(kAbcBlock[i]);
    for (int group = 0; group < 20; ++group) {
        const Vec wk = add_words(w[0], detail::splat<u32>(kConstants[group / 5]));
        const u32 next_e = Sha1Hash(word(abcd, 0));
        switch (group / 5) {
        case 0: abcd = Sha1Choose(abcd, e, wk); break;
        case 2: abcd = Sha1Majority(abcd, e, wk); break;
        default: abcd = Sha1Parity(abcd, e, wk); break;
        }
        e = next_e;
        const Vec next = Sha1Schedule1(Sha1Schedule0(w[0], w[1], w[2]), w[3]);
        w[0] = w[1], w[1] = w[2], w[2] = w[3], w[3] = next;
    }
    EXPECT_EQ(add_words(abcd, start), words(0xa9993e36, 0x4706816a, 0xba3e2571, 0x7850c26c));
    EXPECT_EQ(e + 0xc3d2e1f0, 0x9cd0d89du);
}

/// The first 64 bits of the fractional part of a prime's square or cube root: how FIPS 180-4
/// defines the constants of SHA-2.
u64 root_fraction(u64 prime, unsigned degree) {
    // The greatest root with root^degree <= prime << (64 * degree), bit by bit; powers as base
    // 2^32 digits, least significant first.
    u128 root = 0;
    for (int shift = 69; shift >= 0; --shift) {
        const u128 candidate = root | u128{1} << shift;
        std::array<u64, 12> power{1};
        for (unsigned i = 0; i < degree; ++i) {
            std::array<u64, 12> next{};
            for (unsigned k = 0; k < 3; ++k) {
                const u64 digit = static_cast<u64>(candidate >> (32 * k)) & 0xffffffff;
                u64 carry = 0;
                for (unsigned j = 0; j + k < next.size(); ++j) {
                    const u64 sum = next[j + k] + power[j] * digit + carry;
                    next[j + k] = sum & 0xffffffff;
                    carry = sum >> 32;
                }
            }
            power = next;
        }
        if ((power[2 * degree + 1] << 32 | power[2 * degree]) < prime) root = candidate;
    }
    return static_cast<u64>(root);
}

std::vector<u64> primes(std::size_t count) {
    std::vector<u64> out;
    for (u64 n = 2; out.size() < count; ++n) {
        bool prime = true;
        for (const u64 p : out) prime = prime && n % p != 0;
        if (prime) out.push_back(n);
    }
    return out;
}

TEST(Crypto, Sha256OfAbc) {
    const std::vector<u64> prime = primes(64);
    u32 h[8];
    for (unsigned i = 0; i < 8; ++i) h[i] = static_cast<u32>(root_fraction(prime[i], 2) >> 32);
    const Vec start_abcd = words(h[0], h[1], h[2], h[3]);
    const Vec start_efgh = words(h[4], h[5], h[6], h[7]);
    Vec abcd = start_abcd;
    Vec efgh = start_efgh;
    Vec w[4];
    for (int i = 0; i < 4; ++i) w[i] = big_endian_words(kAbcBlock[i]);
    for (unsigned group = 0; group < 16; ++group) {
        detail::Lanes<u32> k;
        for (unsigned i = 0; i < 4; ++i)
            k[i] = static_cast<u32>(root_fraction(prime[4 * group + i], 3) >> 32);
        const Vec wk = add_words(w[0], detail::vec<u32>(k));
        const Vec next_abcd = Sha256Hash(abcd, efgh, wk);
        efgh = Sha256Hash2(efgh, abcd, wk);
        abcd = next_abcd;
        const Vec next = Sha256Schedule1(Sha256Schedule0(w[0], w[1]), w[2], w[3]);
        w[0] = w[1], w[1] = w[2], w[2] = w[3], w[3] = next;
    }
    EXPECT_EQ(add_words(abcd, start_abcd), words(0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223));
    EXPECT_EQ(add_words(efgh, start_efgh), words(0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad));
}

TEST(Crypto, Sha512OfAbc) {
    const std::vector<u64> prime = primes(80);
    u64 h[8];
    for (unsigned i = 0; i < 8; ++i) h[i] = root_fraction(prime[i], 2);
    u64 state[8];
    std::copy(std::begin(h), std::end(h), state);
    std::vector<Vec> w(40);
    w[0] = {{0x6162638000000000, 0}};
    w[7] = {{0, 24}};
    for (std::size_t t = 8; t < 40; ++t) {
        // SHA512SU1's third operand holds words t - 7 and t - 6 of the schedule.
        const Vec seven{{w[t - 4].d[1], w[t - 3].d[0]}};
        w[t] = Sha512Schedule1(Sha512Schedule0(w[t - 8], w[t - 7]), w[t - 1], seven);
    }
    for (unsigned t = 0; t < 40; ++t) {
        auto &[a, b, c, d, e, f, g, hh] = state;
        // Vectors have the earlier-named variable in the low half; the message is pre-added.
        const Vec sum{{g + w[t].d[1] + root_fraction(prime[2 * t + 1], 3),
                       hh + w[t].d[0] + root_fraction(prime[2 * t], 3)}};
        const Vec t1 = Sha512Hash(sum, {{f, g}}, {{d, e}});
        const Vec new_ef{{c + t1.d[0], d + t1.d[1]}};
        const Vec new_ab = Sha512Hash2(t1, {{c, d}}, {{a, b}});
        const u64 next[8] = {new_ab.d[0], new_ab.d[1], a, b, new_ef.d[0], new_ef.d[1], e, f};
        std::copy(std::begin(next), std::end(next), state);
    }
    const u64 expected[8] = {0xddaf35a193617aba, 0xcc417349ae204131, 0x12e6fa4e89a97ea2,
                             0x0a9eeee64b55d39a, 0x2192992a274fc1a8, 0x36ba3c23a3feebbd,
                             0x454d4423643ce80e, 0x2a9ac94fa54ca49f};
    for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(state[i] + h[i], expected[i]) << i;
}

// GB/T 32905-2016, A.1.
TEST(Crypto, Sm3OfAbc) {
    Vec w[4];
    for (int i = 0; i < 4; ++i) w[i] = big_endian_words(kAbcBlock[i]);
    // The instructions hold a in the top lane: dcba and hgfe.
    const Vec start_abcd = words(0xda8a0600, 0x172442d7, 0x4914b2b9, 0x7380166f);
    const Vec start_efgh = words(0xb0fb0e4e, 0xe38dee4d, 0x163138aa, 0xa96f30bc);
    Vec abcd = start_abcd;
    Vec efgh = start_efgh;
    for (unsigned round = 0; round < 64; ++round) {
        const unsigned lane = round % 4;
        const u32 t = round < 16 ? 0x79cc4519 : 0x7a879d8a;
        const Vec constant = words(0, 0, 0, std::rotl(t, static_cast<int>(round % 32)));
        const Vec ss1 = Sm3Ss1(abcd, constant, efgh);
        const Vec prime = detail::map<u32>(w[0], w[1], [](u32 x, u32 y) { return x ^ y; });
        if (round < 16) {
            abcd = Sm3Tt1a(lane, abcd, ss1, prime);
            efgh = Sm3Tt2a(lane, efgh, ss1, w[0]);
        } else {
            abcd = Sm3Tt1b(lane, abcd, ss1, prime);
            efgh = Sm3Tt2b(lane, efgh, ss1, w[0]);
        }
        if (lane == 3) {
            const auto extract = [](const Vec &a, const Vec &b, unsigned from) {
                detail::Lanes<u32> out;
                for (unsigned i = 0; i < 4; ++i)
                    out[i] = from + i < 4 ? word(a, from + i) : word(b, from + i - 4);
                return detail::vec<u32>(out);
            };
            const Vec first = Sm3PartW1(w[0], extract(w[1], w[2], 3), w[3]);
            const Vec next = Sm3PartW2(first, extract(w[2], w[3], 2), extract(w[0], w[1], 3));
            w[0] = w[1], w[1] = w[2], w[2] = w[3], w[3] = next;
        }
    }
    const auto digest = [](const Vec &a, const Vec &b) {
        return detail::map<u32>(a, b, [](u32 x, u32 y) { return x ^ y; });
    };
    EXPECT_EQ(digest(abcd, start_abcd), words(0xdc10e4e2, 0xd1f2d46b, 0x62eeedd9, 0x66c7f0f4))
        << std::hex << word(abcd, 0);
    EXPECT_EQ(digest(efgh, start_efgh), words(0x8f4ba8e0, 0x297da02b, 0x5cf2f7a2, 0x4167c487));
}

// GB/T 32907-2016, A.1: the plaintext is the key.
TEST(Crypto, Sm4) {
    const Vec message = big_endian_words("0123456789abcdeffedcba9876543210");
    Vec key = detail::map<u32>(message, words(0xa3b1bac6, 0x56aa3350, 0x677d9197, 0xb27022dc),
                               [](u32 x, u32 y) { return x ^ y; });
    Vec state = message;
    for (u32 group = 0; group < 8; ++group) {
        detail::Lanes<u32> constants{};
        for (u32 i = 0; i < 16; ++i)
            constants[i / 4] = constants[i / 4] << 8 | ((16 * group + i) * 7 & 0xff);
        key = Sm4Key(key, detail::vec<u32>(constants));
        state = Sm4Encrypt(state, key);
    }
    EXPECT_EQ(words(word(state, 3), word(state, 2), word(state, 1), word(state, 0)),
              big_endian_words("681edf34d206965e86b3e94f536e4246"));
}

} // namespace
} // namespace tandem::ir::semantics
