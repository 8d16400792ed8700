#pragma once
/// Accesses to guest memory in the host: one instruction each, which neither volatile nor assembly
/// lets the compiler split or repeat. Those of up to 8 bytes are single-copy atomic within aligned
/// 16 bytes (FEAT_LSE2): Intel guarantees that within a cache line, AMD within 8 bytes and, by its
/// optimisation guides, 16 and more since family 15h. Those of 16 bytes are if they are aligned and
/// has_atomic_vectors(). Any alignment. The guest's data races are the guest's: ThreadSanitizer
/// looks for the host's.
#include "ir/types.h"

#include <emmintrin.h>

#include <bit>
#include <cstddef>

namespace tandem::ir {

template <typename T>
using Unaligned __attribute__((aligned(1), may_alias)) = T;

template <typename T>
[[nodiscard, gnu::no_sanitize_thread]] T read_host(const std::byte *p) {
    return *reinterpret_cast<const volatile Unaligned<T> *>(p);
}
template <typename T>
[[gnu::no_sanitize_thread]] void write_host(std::byte *p, T value) {
    *reinterpret_cast<volatile Unaligned<T> *>(p) = value;
}
[[nodiscard, gnu::no_sanitize_thread]] inline Vec read_host_vec(const std::byte *p) {
    __m128i value;
    asm volatile("movdqu %1, %0" : "=x"(value) : "m"(*reinterpret_cast<const __m128i_u *>(p)));
    return std::bit_cast<Vec>(value);
}
[[gnu::no_sanitize_thread]] inline void write_host_vec(std::byte *p, Vec value) {
    asm volatile("movdqu %1, %0"
                 : "=m"(*reinterpret_cast<__m128i_u *>(p))
                 : "x"(std::bit_cast<__m128i>(value)));
}
/// Are aligned 16-byte loads and stores single-copy atomic? Wherever there is AVX (Intel SDM 9.1.1,
/// AMD APM2 7.3.2); on older hosts a compare-and-swap has to do it.
[[nodiscard]] inline bool has_atomic_vectors() {
    static const bool has_avx = __builtin_cpu_supports("avx") != 0;
    return has_avx;
}

} // namespace tandem::ir
