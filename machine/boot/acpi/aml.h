#pragma once
/// Encodes ACPI Machine Language (ACPI 6.5, chapter 20): each function returns the bytes of one
/// term, and terms are put together by concatenation.
#include "support/bits.h"

#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

namespace tandem::machine::aml {

using Term = std::vector<u8>;

[[nodiscard]] Term concat(std::initializer_list<Term> terms);

// Data objects.
[[nodiscard]] Term integer(u64 value);
[[nodiscard]] Term string(std::string_view text);
[[nodiscard]] Term buffer(std::span<const u8> bytes);
[[nodiscard]] Term package(std::initializer_list<Term> elements);
[[nodiscard]] Term package(std::span<const Term> elements);
/// A compressed ID such as PNP0A08, as an integer.
[[nodiscard]] Term eisa_id(std::string_view id);
/// "33DB4D5B-1FF7-401C-9657-7441C03DD766", as a buffer.
[[nodiscard]] Term uuid(std::string_view text);

// Names: segments of up to four characters, separated by dots, perhaps behind a backslash.
[[nodiscard]] Term path(std::string_view name);
[[nodiscard]] Term name(std::string_view name, const Term &value);
[[nodiscard]] Term scope(std::string_view name, const Term &body);
[[nodiscard]] Term device(std::string_view name, const Term &body);
[[nodiscard]] Term method(std::string_view name, unsigned arguments, const Term &body);
enum class Space : u8 { Memory = 0, Io = 1, Bus = 2 };
/// A range of memory or ports whose registers fields name.
[[nodiscard]] Term operation_region(std::string_view name, Space, u64 base, u64 size);
/// The first four bytes of a region, accessed as one; what is not written is 0.
[[nodiscard]] Term dword_field(std::string_view region, std::string_view name);

// Inside methods.
[[nodiscard]] Term argument(unsigned index);
[[nodiscard]] Term local(unsigned index);
[[nodiscard]] Term store(std::string_view name, const Term &target);
[[nodiscard]] Term and_of(const Term &a, const Term &b);
[[nodiscard]] Term create_dword_field(const Term &source, u64 offset, std::string_view name);
[[nodiscard]] Term equal(const Term &a, const Term &b);
[[nodiscard]] Term not_equal(const Term &a, const Term &b);
[[nodiscard]] Term and_into(std::string_view name, u64 mask);
[[nodiscard]] Term or_into(std::string_view name, u64 mask);
[[nodiscard]] Term when(const Term &condition, const Term &body);
[[nodiscard]] Term otherwise(const Term &body);
[[nodiscard]] Term notify(std::string_view object, u64 value);
[[nodiscard]] Term give_back(const Term &value);

// Resource descriptors (ACPI 6.5, 6.4), and the buffer that holds them.
enum class Trigger : u8 { Level, Edge };
[[nodiscard]] Term memory32_fixed(u32 base, u32 size);
/// Ports from `base`, all 16 address lines decoded.
[[nodiscard]] Term io_ports(u16 base, u8 count);
[[nodiscard]] Term interrupt(u32 gsi, Trigger);
/// [first, last] of the space on the secondary side; CPU addresses are `translation` higher.
[[nodiscard]] Term bus_range(u16 first, u16 last);
[[nodiscard]] Term dword_range(Space, u32 first, u32 last, u32 translation);
[[nodiscard]] Term qword_range(Space, u64 first, u64 last, u64 translation);
/// An edge interrupt of a GPIO controller's pin, on its rising edge.
[[nodiscard]] Term gpio_interrupt(std::string_view controller, u16 pin);
[[nodiscard]] Term resources(std::initializer_list<Term> descriptors);

} // namespace tandem::machine::aml
