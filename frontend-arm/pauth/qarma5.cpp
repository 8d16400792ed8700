// QARMA5: the tweakable block cipher QARMA-64 of R. Avanzi with five rounds and S-box sigma 2, as
// FEAT_PACQARMA5 uses it. Cells are nibbles; cell 0 is the most significant.
#include "frontend-arm/pauth/pauth.h"

namespace tandem::arm {

namespace {

using Cells = std::array<u8, 16>;

constexpr Cells kSub = {0xb, 0x6, 0x8, 0xf, 0xc, 0x0, 0x9, 0xe,
                        0x3, 0x7, 0x4, 0x5, 0xd, 0x2, 0x1, 0xa};
/// Cell i of the result is cell kShuffle[i] of the state.
constexpr Cells kShuffle = {0, 11, 6, 13, 10, 1, 12, 7, 5, 14, 3, 8, 15, 4, 9, 2};
constexpr Cells kTweakShuffle = {6, 5, 14, 15, 0, 1, 2, 3, 7, 12, 13, 4, 8, 9, 10, 11};
/// Cells of the tweak that go through the shift register, as a mask by cell.
constexpr u32 kTweakRotated = 1u << 0 | 1u << 1 | 1u << 3 | 1u << 4 | 1u << 8 | 1u << 11 | 1u << 13;

constexpr Cells inverse(const Cells &permutation) {
    Cells result{};
    for (unsigned i = 0; i < 16; ++i) result[permutation[i]] = static_cast<u8>(i);
    return result;
}
constexpr Cells kInverseSub = inverse(kSub);
constexpr Cells kInverseShuffle = inverse(kShuffle);

constexpr std::array<u64, 5> kRoundConstants = {0, 0x13198a2e03707344, 0xa4093822299f31d0,
                                                0x082efa98ec4e6c89, 0x452821e638d01377};
constexpr u64 kAlpha = 0xc0ac29b7c97c50dd;

constexpr u64 cell(u64 value, unsigned index) {
    return value >> (60 - 4 * index) & 15;
}
constexpr u64 at(u64 nibble, unsigned index) {
    return nibble << (60 - 4 * index);
}

constexpr u64 permute(u64 value, const Cells &source) {
    u64 result = 0;
    for (unsigned i = 0; i < 16; ++i) result |= at(cell(value, source[i]), i);
    return result;
}

constexpr u64 substitute(u64 value, const Cells &box) {
    u64 result = 0;
    for (unsigned i = 0; i < 16; ++i) result |= at(box[cell(value, i)], i);
    return result;
}

/// Rotates every cell left by `amount` (1 or 2).
constexpr u64 rotate_cells(u64 value, unsigned amount) {
    const u64 low = amount == 1 ? 0x1111111111111111 : 0x3333333333333333;
    return (value << amount & ~low) | (value >> (4 - amount) & low);
}

/// Multiplication by the involutory matrix circ(0, rho, rho^2, rho): rows of four cells are 16 bits
/// apart, so a row rotation of the state brings the other rows into place.
constexpr u64 multiply(u64 value) {
    const u64 once = rotate_cells(value, 1), twice = rotate_cells(value, 2);
    return std::rotl(once, 16) ^ std::rotl(twice, 32) ^ std::rotl(once, 48);
}

constexpr u64 next_tweak(u64 tweak) {
    u64 result = 0;
    for (unsigned i = 0; i < 16; ++i) {
        u64 c = cell(tweak, kTweakShuffle[i]);
        if ((kTweakRotated >> i & 1) != 0) c = (c >> 1) | (((c ^ c >> 1) & 1) << 3);
        result |= at(c, i);
    }
    return result;
}

constexpr u64 previous_tweak(u64 tweak) {
    u64 result = 0;
    for (unsigned i = 0; i < 16; ++i) {
        u64 c = cell(tweak, i);
        if ((kTweakRotated >> i & 1) != 0) c = (c << 1 & 15) | ((c ^ c >> 3) & 1);
        result |= at(c, kTweakShuffle[i]);
    }
    return result;
}

} // namespace

u64 qarma5(u64 data, u64 modifier, u64 key0, u64 key1) {
    const u64 final_key = std::rotr(key0, 1) ^ key0 >> 63;
    u64 tweak = modifier;
    u64 state = data ^ key0;
    for (unsigned i = 0; i < kRoundConstants.size(); ++i) {
        state ^= key1 ^ tweak ^ kRoundConstants[i];
        if (i > 0) state = multiply(permute(state, kShuffle));
        state = substitute(state, kSub);
        tweak = next_tweak(tweak);
    }
    state ^= final_key ^ tweak;
    state = substitute(multiply(permute(state, kShuffle)), kSub);
    state = multiply(permute(state, kShuffle)) ^ key1;
    state = substitute(permute(state, kInverseShuffle), kInverseSub);
    state = permute(multiply(state), kInverseShuffle) ^ key0 ^ tweak;
    for (unsigned i = 0; i < kRoundConstants.size(); ++i) {
        state = substitute(state, kInverseSub);
        if (i < kRoundConstants.size() - 1) state = permute(multiply(state), kInverseShuffle);
        tweak = previous_tweak(tweak);
        state ^= key1 ^ tweak ^ kAlpha ^ kRoundConstants[kRoundConstants.size() - 1 - i];
    }
    return state ^ final_key;
}

} // namespace tandem::arm
