// LD1-LD4 and ST1-ST4: structures of elements, interleaved in memory (Arm ARM C4.1, "Advanced SIMD
// load/store multiple structures" and "single structure").
#include "frontend-arm/a64/translate/translator.h"

namespace tandem::arm::a64 {

using ir::I64;
using ir::V128;

#define ROW(name) bool Translator::name(Fields<Row::name> f)

namespace {

using Binary = V128 (ir::Builder::*)(V128, V128, u64);
using B = ir::Builder;
constexpr std::array<Binary, 4> kUnzipEven{&B::VUzp1_8, &B::VUzp1_16, &B::VUzp1_32, &B::VUzp1_64};
constexpr std::array<Binary, 4> kUnzipOdd{&B::VUzp2_8, &B::VUzp2_16, &B::VUzp2_32, &B::VUzp2_64};
constexpr std::array<Binary, 4> kZipLow{&B::VZip1_8, &B::VZip1_16, &B::VZip1_32, &B::VZip1_64};
constexpr std::array<Binary, 4> kZipHigh{&B::VZip2_8, &B::VZip2_16, &B::VZip2_32, &B::VZip2_64};

V128 apply(ir::Builder &b, const std::array<Binary, 4> &ops, unsigned element_log2, V128 a,
           V128 c) {
    return (b.*ops[element_log2])(a, c, 0);
}

I64 get_lane(ir::Builder &b, unsigned element_log2, V128 value, unsigned lane) {
    switch (element_log2) {
    case 0: return b.VGet8(value, lane);
    case 1: return b.VGet16(value, lane);
    case 2: return b.VGet32(value, lane);
    default: return b.VGet64(value, lane);
    }
}

V128 set_lane(ir::Builder &b, unsigned element_log2, V128 value, unsigned lane, I64 element) {
    switch (element_log2) {
    case 0: return b.VSet8(value, element, lane);
    case 1: return b.VSet16(value, element, lane);
    case 2: return b.VSet32(value, element, lane);
    default: return b.VSet64(value, element, lane);
    }
}

V128 duplicate(ir::Builder &b, unsigned element_log2, I64 element) {
    switch (element_log2) {
    case 0: return b.VDup8(element);
    case 1: return b.VDup16(element);
    case 2: return b.VDup32(element);
    default: return b.VDup64(element);
    }
}

/// Permutes bytes of several vectors into one: byte i is byte `source(i) % 16` of vector
/// `source(i) / 16`, or 0 where source is negative.
template <typename Source>
V128 gather_bytes(ir::Builder &b, std::span<const V128> vectors, Source source) {
    V128 result;
    for (unsigned j = 0; j < vectors.size(); ++j) {
        std::array<u64, 2> indices{};
        bool is_used = false;
        for (unsigned i = 0; i < 16; ++i) {
            const int from = source(i);
            const bool is_here = from >= 0 && static_cast<unsigned>(from) / 16 == j;
            is_used |= is_here;
            const u64 index = is_here ? static_cast<unsigned>(from) % 16 : 0xff;
            indices[i / 8] |= index << (i % 8 * 8);
        }
        if (!is_used) continue;
        const V128 part =
            b.VTable(vectors[j], b.VCombine(b.Const64(indices[0]), b.Const64(indices[1])));
        result = result.exists() ? b.VOr(result, part) : part;
    }
    return result.exists() ? result : b.VZero();
}

} // namespace

/// Elements must be aligned when SCTLR_EL1.A is set, not the vector as a whole: then one access for
/// each.
V128 Translator::load_vector(I64 address, unsigned bytes, unsigned element_log2) {
    MemoryOp op = ordinary();
    if (op.alignment == Alignment::Any || element_log2 == 0) {
        op.alignment = Alignment::Any;
        return bytes == 16 ? b.LoadV128(address, op.pack())
                           : b.VFromF64(b.LoadF64(address, op.pack()));
    }
    V128 result = b.VFromI64(load(element_log2, address, op));
    for (unsigned lane = 1; lane < bytes >> element_log2; ++lane) {
        const I64 place = b.Add64(address, b.Const64(u64{lane} << element_log2));
        result = set_lane(b, element_log2, result, lane, load(element_log2, place, op));
    }
    return result;
}

void Translator::store_vector(I64 address, V128 value, unsigned bytes, unsigned element_log2) {
    MemoryOp op = ordinary();
    if (op.alignment == Alignment::Any || element_log2 == 0) {
        op.alignment = Alignment::Any;
        if (bytes == 16)
            b.StoreV128(address, value, op.pack());
        else
            b.StoreF64(address, b.VToF64(value, 0), op.pack());
        return;
    }
    for (unsigned lane = 0; lane < bytes >> element_log2; ++lane) {
        const I64 place = b.Add64(address, b.Const64(u64{lane} << element_log2));
        store(element_log2, place, get_lane(b, element_log2, value, lane), op);
    }
}

/// Post-index forms add Xm, or the size of the access if m is 31.
template <typename F>
void Translator::structure_write_back([[maybe_unused]] F f, [[maybe_unused]] I64 address,
                                      [[maybe_unused]] unsigned bytes) {
    if constexpr (F::template has<'m'>()) {
        if (f.m() == 31)
            write_back(f.n(), b.Add64(address, b.Const64(bytes)), bytes);
        else
            set_x_sp(f.n(), b.Add64(address, x(f.m())));
    }
}

// --- multiple structures

/// `registers` registers from t on; a structure has `structure` elements (1: no interleaving).
template <typename F>
bool Translator::structure_multiple(F f, unsigned registers, unsigned structure) {
    constexpr bool is_load = info(F::kRow).name[0] == 'L';
    const bool is_128_bit = f.q() != 0;
    const unsigned element = f.s(); // log2 of its size
    if (structure != 1 && element == 3 && !is_128_bit) return false;
    const unsigned bytes = registers * (is_128_bit ? 16 : 8);
    const I64 start = base(f.n());
    const auto reg_number = [&](unsigned i) { return (f.t() + i) % 32; };
    const auto place = [&](unsigned offset) {
        return offset == 0 ? start : b.Add64(start, b.Const64(offset));
    };
    /// Interleaved data goes through memory in vectors of 16 bytes, the last one perhaps of 8.
    const unsigned vectors = (bytes + 15) / 16;
    const auto vector_bytes = [&](unsigned i) { return std::min(bytes - i * 16, 16u); };
    std::array<V128, 4> memory{};
    std::array<V128, 4> reg{};

    if constexpr (is_load) {
        if (structure == 1) {
            const unsigned size = is_128_bit ? 16 : 8;
            for (unsigned i = 0; i < registers; ++i)
                reg[i] = load_vector(place(i * size), size, element);
            for (unsigned i = 0; i < registers; ++i) set_v(reg_number(i), reg[i]);
            structure_write_back(f, start, bytes);
            return true;
        }
        for (unsigned i = 0; i < vectors; ++i)
            memory[i] = load_vector(place(i * 16), vector_bytes(i), element);
        const auto even = [&](V128 a, V128 c) { return apply(b, kUnzipEven, element, a, c); };
        const auto odd = [&](V128 a, V128 c) { return apply(b, kUnzipOdd, element, a, c); };
        if (structure == 2) {
            const V128 last = memory[vectors - 1];
            reg[0] = even(memory[0], last);
            reg[1] = odd(memory[0], last);
        } else if (structure == 4) {
            const V128 even_low = even(memory[0], memory[1]);
            const V128 odd_low = odd(memory[0], memory[1]);
            const V128 even_high = is_128_bit ? even(memory[2], memory[3]) : even_low;
            const V128 odd_high = is_128_bit ? odd(memory[2], memory[3]) : odd_low;
            reg[0] = even(even_low, even_high);
            reg[1] = even(odd_low, odd_high);
            reg[2] = odd(even_low, even_high);
            reg[3] = odd(odd_low, odd_high);
        } else {
            const std::span<const V128> all(memory.data(), vectors);
            for (unsigned k = 0; k < 3; ++k)
                reg[k] = gather_bytes(b, all, [&](unsigned i) -> int {
                    if (!is_128_bit && i >= 8) return -1;
                    const unsigned lane = i >> element;
                    const unsigned byte = i & ((1u << element) - 1);
                    return static_cast<int>(((lane * 3 + k) << element) + byte);
                });
        }
        for (unsigned i = 0; i < registers; ++i) set_v(reg_number(i), reg[i], is_128_bit);
    } else {
        for (unsigned i = 0; i < registers; ++i) reg[i] = v(reg_number(i));
        if (structure == 1) {
            const unsigned size = is_128_bit ? 16 : 8;
            for (unsigned i = 0; i < registers; ++i)
                store_vector(place(i * size), reg[i], size, element);
            structure_write_back(f, start, bytes);
            return true;
        }
        const auto low = [&](V128 a, V128 c) { return apply(b, kZipLow, element, a, c); };
        const auto high = [&](V128 a, V128 c) { return apply(b, kZipHigh, element, a, c); };
        if (structure == 2) {
            memory[0] = low(reg[0], reg[1]);
            if (is_128_bit) memory[1] = high(reg[0], reg[1]);
        } else if (structure == 4) {
            const V128 low_02 = low(reg[0], reg[2]);
            const V128 low_13 = low(reg[1], reg[3]);
            memory[0] = low(low_02, low_13);
            memory[1] = high(low_02, low_13);
            if (is_128_bit) {
                const V128 high_02 = high(reg[0], reg[2]);
                const V128 high_13 = high(reg[1], reg[3]);
                memory[2] = low(high_02, high_13);
                memory[3] = high(high_02, high_13);
            }
        } else {
            const std::span<const V128> all(reg.data(), 3);
            for (unsigned j = 0; j < vectors; ++j)
                memory[j] = gather_bytes(b, all, [&](unsigned i) -> int {
                    if (i >= vector_bytes(j)) return -1;
                    const unsigned place_in_memory = (j * 16 + i) >> element;
                    const unsigned byte = i & ((1u << element) - 1);
                    return static_cast<int>(place_in_memory % 3 * 16 +
                                            (place_in_memory / 3 << element) + byte);
                });
        }
        for (unsigned i = 0; i < vectors; ++i)
            store_vector(place(i * 16), memory[i], vector_bytes(i), element);
    }
    structure_write_back(f, start, bytes);
    return true;
}

#define MULTIPLE(name, registers, structure)                                                       \
    ROW(name) {                                                                                    \
        return structure_multiple(f, registers, structure);                                        \
    }                                                                                              \
    ROW(name##_post) {                                                                             \
        return structure_multiple(f, registers, structure);                                        \
    }
MULTIPLE(ST1_multiple_x1, 1, 1)
MULTIPLE(ST1_multiple_x2, 2, 1)
MULTIPLE(ST1_multiple_x3, 3, 1)
MULTIPLE(ST1_multiple_x4, 4, 1)
MULTIPLE(ST2_multiple, 2, 2)
MULTIPLE(ST3_multiple, 3, 3)
MULTIPLE(ST4_multiple, 4, 4)
MULTIPLE(LD1_multiple_x1, 1, 1)
MULTIPLE(LD1_multiple_x2, 2, 1)
MULTIPLE(LD1_multiple_x3, 3, 1)
MULTIPLE(LD1_multiple_x4, 4, 1)
MULTIPLE(LD2_multiple, 2, 2)
MULTIPLE(LD3_multiple, 3, 3)
MULTIPLE(LD4_multiple, 4, 4)
#undef MULTIPLE

// --- single structure, to or from one lane

template <typename F>
bool Translator::structure_single(F f, unsigned structure) {
    constexpr bool is_load = info(F::kRow).name[0] == 'L';
    unsigned element = f.k(); // opcode<2:1>: log2 of the size, but 2 for 64 bits as well
    unsigned lane = f.q() << 3 | f.b() << 2 | f.s();
    switch (element) {
    case 0: break;
    case 1:
        if ((f.s() & 1) != 0) return false;
        lane >>= 1;
        break;
    case 2:
        if ((f.s() & 2) != 0) return false;
        if ((f.s() & 1) == 0) {
            lane >>= 2;
        } else {
            if (f.b() != 0) return false;
            element = 3;
            lane >>= 3;
        }
        break;
    default: return false;
    }
    const I64 start = base(f.n());
    const MemoryOp op = ordinary();
    const auto place = [&](unsigned i) {
        return i == 0 ? start : b.Add64(start, b.Const64(u64{i} << element));
    };
    if constexpr (is_load) {
        std::array<I64, 4> elements{};
        for (unsigned i = 0; i < structure; ++i) elements[i] = load(element, place(i), op);
        for (unsigned i = 0; i < structure; ++i) {
            const unsigned t = (f.t() + i) % 32;
            set_v(t, set_lane(b, element, v(t), lane, elements[i]));
        }
    } else {
        for (unsigned i = 0; i < structure; ++i)
            store(element, place(i), get_lane(b, element, v((f.t() + i) % 32), lane), op);
    }
    structure_write_back(f, start, structure << element);
    return true;
}

#define SINGLE(name, structure)                                                                    \
    ROW(name) {                                                                                    \
        return structure_single(f, structure);                                                     \
    }                                                                                              \
    ROW(name##_post) {                                                                             \
        return structure_single(f, structure);                                                     \
    }
SINGLE(ST1_single, 1)
SINGLE(ST2_single, 2)
SINGLE(ST3_single, 3)
SINGLE(ST4_single, 4)
SINGLE(LD1_single, 1)
SINGLE(LD2_single, 2)
SINGLE(LD3_single, 3)
SINGLE(LD4_single, 4)
#undef SINGLE

// --- single structure, replicated to all lanes

template <typename F>
bool Translator::structure_replicate(F f, unsigned structure) {
    const unsigned element = f.s();
    const I64 start = base(f.n());
    std::array<I64, 4> elements{};
    for (unsigned i = 0; i < structure; ++i) {
        const I64 place = i == 0 ? start : b.Add64(start, b.Const64(u64{i} << element));
        elements[i] = load(element, place, ordinary());
    }
    for (unsigned i = 0; i < structure; ++i)
        set_v((f.t() + i) % 32, duplicate(b, element, elements[i]), f.q() != 0);
    structure_write_back(f, start, structure << element);
    return true;
}

#define REPLICATE(name, structure)                                                                 \
    ROW(name) {                                                                                    \
        return structure_replicate(f, structure);                                                  \
    }                                                                                              \
    ROW(name##_post) {                                                                             \
        return structure_replicate(f, structure);                                                  \
    }
REPLICATE(LD1R, 1)
REPLICATE(LD2R, 2)
REPLICATE(LD3R, 3)
REPLICATE(LD4R, 4)
#undef REPLICATE

} // namespace tandem::arm::a64
