#pragma once
/// Accesses to guest memory in the host: one instruction each, so that aligned ones are single-copy
/// atomic (volatile keeps them whole). Any alignment.
#include "ir/types.h"

#include <emmintrin.h>

#include <bit>
#include <cstddef>

namespace tandem::ir {

template <typename T>
using Unaligned __attribute__((aligned(1), may_alias)) = T;

template <typename T>
[[nodiscard]] T read_host(const std::byte *p) {
    return *reinterpret_cast<const volatile Unaligned<T> *>(p);
}
template <typename T>
void write_host(std::byte *p, T value) {
    *reinterpret_cast<volatile Unaligned<T> *>(p) = value;
}
[[nodiscard]] inline Vec read_host_vec(const std::byte *p) {
    return std::bit_cast<Vec>(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p)));
}
inline void write_host_vec(std::byte *p, Vec value) {
    _mm_storeu_si128(reinterpret_cast<__m128i *>(p), std::bit_cast<__m128i>(value));
}

} // namespace tandem::ir
