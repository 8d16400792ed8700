#pragma once
/// Typed access to an instruction's fields: f.d() is the value of the field spelt with the letter d
/// in the row's pattern. Naming a field that the row lacks does not compile.
#include "frontend-arm/a64/instruction_table.h"

namespace tandem::arm::a64 {

template <Row row>
class Fields {
public:
    static constexpr Row kRow = row;

    constexpr explicit Fields(u32 word) : word_(word) {}
    [[nodiscard]] constexpr u32 word() const { return word_; }

    template <char letter>
    [[nodiscard]] static constexpr unsigned width() {
        unsigned count = 0;
        for (const char c : info(row).pattern) count += c == letter ? 1 : 0;
        return count;
    }
    template <char letter>
    [[nodiscard]] static constexpr bool has() {
        return width<letter>() != 0;
    }
    /// The field's bits, concatenated from the left, zero-extended.
    template <char letter>
    [[nodiscard]] constexpr u32 get() const {
        constexpr unsigned count = width<letter>();
        static_assert(count != 0, "the row's pattern has no such field");
        constexpr unsigned first = static_cast<unsigned>(info(row).pattern.find(letter));
        constexpr unsigned last = static_cast<unsigned>(info(row).pattern.rfind(letter));
        if constexpr (last - first + 1 == count) {
            return bits32(word_, 31 - first, 31 - last);
        } else {
            u32 value = 0;
            for (unsigned i = first; i <= last; ++i)
                if (info(row).pattern[i] == letter)
                    value = value << 1 | bits32(word_, 31 - i, 31 - i);
            return value;
        }
    }
    /// The same as a two's complement number.
    template <char letter>
    [[nodiscard]] constexpr i64 get_signed() const {
        return sign_extend(get<letter>(), width<letter>());
    }

#define TANDEM_FIELD(letter, character)                                                            \
    [[nodiscard]] constexpr u32 letter() const { return get<character>(); }
    TANDEM_FIELD(a, 'a')
    TANDEM_FIELD(b, 'b')
    TANDEM_FIELD(c, 'c')
    TANDEM_FIELD(d, 'd')
    TANDEM_FIELD(e, 'e')
    TANDEM_FIELD(f, 'f')
    TANDEM_FIELD(g, 'g')
    TANDEM_FIELD(h, 'h')
    TANDEM_FIELD(i, 'i')
    TANDEM_FIELD(j, 'j')
    TANDEM_FIELD(k, 'k')
    TANDEM_FIELD(l, 'l')
    TANDEM_FIELD(m, 'm')
    TANDEM_FIELD(n, 'n')
    TANDEM_FIELD(o, 'o')
    TANDEM_FIELD(p, 'p')
    TANDEM_FIELD(q, 'q')
    TANDEM_FIELD(r, 'r')
    TANDEM_FIELD(s, 's')
    TANDEM_FIELD(t, 't')
    TANDEM_FIELD(u, 'u')
    TANDEM_FIELD(v, 'v')
    TANDEM_FIELD(w, 'w')
    TANDEM_FIELD(x, 'x')
    TANDEM_FIELD(y, 'y')
    TANDEM_FIELD(z, 'z')
    TANDEM_FIELD(A, 'A')
    TANDEM_FIELD(B, 'B')
    TANDEM_FIELD(H, 'H')
    TANDEM_FIELD(L, 'L')
    TANDEM_FIELD(M, 'M')
    TANDEM_FIELD(N, 'N')
    TANDEM_FIELD(Q, 'Q')
    TANDEM_FIELD(R, 'R')
    TANDEM_FIELD(S, 'S')
    TANDEM_FIELD(U, 'U')
#undef TANDEM_FIELD

private:
    u32 word_;
};

} // namespace tandem::arm::a64
