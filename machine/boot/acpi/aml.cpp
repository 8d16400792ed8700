#include "machine/boot/acpi/aml.h"

#include "machine/boot/acpi/byte_writer.h"
#include "support/check.h"

#include <array>

namespace tandem::machine::aml {
namespace {

// ACPI 6.5, 20.2.
enum Op : u8 {
    kName = 0x08,
    kByte = 0x0a,
    kWord = 0x0b,
    kDword = 0x0c,
    kString = 0x0d,
    kQword = 0x0e,
    kScope = 0x10,
    kBuffer = 0x11,
    kPackage = 0x12,
    kMethod = 0x14,
    kDualName = 0x2e,
    kMultiName = 0x2f,
    kExtended = 0x5b,
    kLocal0 = 0x60,
    kArg0 = 0x68,
    kStore = 0x70,
    kAnd = 0x7b,
    kOr = 0x7d,
    kOperationRegion = 0x80, ///< extended, as are the next two
    kField = 0x81,
    kDevice = 0x82,
    kNotify = 0x86,
    kCreateDwordField = 0x8a,
    kNot = 0x92,
    kEqual = 0x93,
    kIf = 0xa0,
    kElse = 0xa1,
    kReturn = 0xa4,
};
constexpr u8 kMethodSerialized = 1 << 3;

/// 20.2.4: the length counts itself; its first byte says how many follow.
Term with_length(std::initializer_list<u8> opcode, const Term &body) {
    Term term(opcode);
    const std::size_t size = body.size();
    if (size + 1 < 0x40) {
        term.push_back(static_cast<u8>(size + 1));
    } else {
        unsigned more = 1;
        while (size + 1 + more >= std::size_t{1} << (4 + more * 8)) ++more;
        const std::size_t length = size + 1 + more;
        term.push_back(static_cast<u8>(more << 6 | (length & 0xf)));
        for (unsigned i = 0; i < more; ++i) term.push_back(static_cast<u8>(length >> (4 + i * 8)));
    }
    term.insert(term.end(), body.begin(), body.end());
    return term;
}

Term opcode(u8 op) {
    return {op};
}

unsigned hex_digit(char digit) {
    if (digit >= '0' && digit <= '9') return static_cast<unsigned>(digit - '0');
    return static_cast<unsigned>((digit | 0x20) - 'a') + 10;
}

Term large_descriptor(u8 tag, const ByteWriter &body) {
    ByteWriter writer;
    writer.u8_(tag).u16_(body.size()).append(body.bytes());
    return writer.bytes();
}

constexpr u8 kFixedRange = 0x0c; ///< minimum and maximum are fixed
constexpr u8 kReadWrite = 1;     ///< of memory ranges
constexpr u8 kEntireRange = 3;   ///< of I/O ranges

u8 range_flags(Space space) {
    return space == Space::Memory ? kReadWrite : space == Space::Io ? kEntireRange : u8{0};
}

} // namespace

Term concat(std::initializer_list<Term> terms) {
    Term all;
    for (const Term &term : terms) all.insert(all.end(), term.begin(), term.end());
    return all;
}

Term integer(u64 value) {
    ByteWriter writer;
    if (value <= 1) {
        writer.u8_(value); // ZeroOp, OneOp
    } else if (value <= 0xff) {
        writer.u8_(kByte).u8_(value);
    } else if (value <= 0xffff) {
        writer.u8_(kWord).u16_(value);
    } else if (value <= 0xffff'ffff) {
        writer.u8_(kDword).u32_(value);
    } else {
        writer.u8_(kQword).u64_(value);
    }
    return writer.bytes();
}

Term string(std::string_view text) {
    ByteWriter writer;
    writer.u8_(kString).text(text, text.size() + 1, '\0');
    return writer.bytes();
}

Term buffer(std::span<const u8> bytes) {
    return with_length({kBuffer},
                       concat({integer(bytes.size()), Term(bytes.begin(), bytes.end())}));
}

Term package(std::span<const Term> elements) {
    CHECK(elements.size() <= 0xff);
    Term body{static_cast<u8>(elements.size())};
    for (const Term &element : elements) body.insert(body.end(), element.begin(), element.end());
    return with_length({kPackage}, body);
}

Term package(std::initializer_list<Term> elements) {
    return package(std::span(elements.begin(), elements.size()));
}

Term eisa_id(std::string_view id) {
    CHECK(id.size() == 7);
    // 19.6.36: three letters of five bits, four hexadecimal digits; big-endian.
    u32 value = 0;
    for (int i = 0; i < 3; ++i)
        value = value << 5 | static_cast<u32>(id[static_cast<u32>(i)] - '@');
    for (u32 i = 3; i < 7; ++i) value = value << 4 | hex_digit(id[i]);
    return integer(__builtin_bswap32(value));
}

Term uuid(std::string_view text) {
    // 19.6.142: the first three groups are little-endian.
    static constexpr std::array<u8, 16> kDigits{6,  4,  2,  0,  11, 9,  16, 14,
                                                19, 21, 24, 26, 28, 30, 32, 34};
    CHECK(text.size() == 36);
    std::array<u8, 16> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] =
            static_cast<u8>(hex_digit(text[kDigits[i]]) << 4 | hex_digit(text[kDigits[i] + 1u]));
    return buffer(bytes);
}

Term path(std::string_view name) {
    ByteWriter writer;
    if (name.starts_with('\\')) {
        writer.u8_('\\');
        name.remove_prefix(1);
    }
    std::vector<std::string_view> segments;
    while (!name.empty()) {
        const std::size_t dot = std::min(name.find('.'), name.size());
        segments.push_back(name.substr(0, dot));
        name.remove_prefix(std::min(dot + 1, name.size()));
    }
    if (segments.empty()) writer.u8_(0); // NullName: the root itself
    if (segments.size() == 2) writer.u8_(kDualName);
    if (segments.size() > 2) writer.u8_(kMultiName).u8_(segments.size());
    for (const std::string_view segment : segments) writer.text(segment, 4, '_');
    return writer.bytes();
}

Term name(std::string_view name, const Term &value) {
    return concat({opcode(kName), path(name), value});
}
Term scope(std::string_view name, const Term &body) {
    return with_length({kScope}, concat({path(name), body}));
}
Term device(std::string_view name, const Term &body) {
    return with_length({kExtended, kDevice}, concat({path(name), body}));
}
Term method(std::string_view name, unsigned arguments, const Term &body) {
    return with_length(
        {kMethod},
        concat({path(name), opcode(static_cast<u8>(arguments | kMethodSerialized)), body}));
}

Term operation_region(std::string_view name, Space space, u64 base, u64 size) {
    // 20.2.5.2: memory is 0, ports are 1.
    return concat({{kExtended, kOperationRegion},
                   path(name),
                   opcode(static_cast<u8>(space)),
                   integer(base),
                   integer(size)});
}
Term dword_field(std::string_view region, std::string_view name) {
    constexpr u8 kDwordAccess = 3, kWriteAsZeros = 2 << 5, kBits = 32;
    return with_length(
        {kExtended, kField},
        concat({path(region), opcode(kDwordAccess | kWriteAsZeros), path(name), opcode(kBits)}));
}

Term local(unsigned index) {
    return opcode(static_cast<u8>(kLocal0 + index));
}
Term store(std::string_view name, const Term &target) {
    return concat({opcode(kStore), path(name), target});
}
Term and_of(const Term &a, const Term &b) {
    return concat({opcode(kAnd), a, b, opcode(0)}); // the result goes nowhere else
}
Term argument(unsigned index) {
    return opcode(static_cast<u8>(kArg0 + index));
}
Term create_dword_field(const Term &source, u64 offset, std::string_view name) {
    return concat({opcode(kCreateDwordField), source, integer(offset), path(name)});
}
Term equal(const Term &a, const Term &b) {
    return concat({opcode(kEqual), a, b});
}
Term not_equal(const Term &a, const Term &b) {
    return concat({opcode(kNot), equal(a, b)});
}
Term and_into(std::string_view name, u64 mask) {
    return concat({opcode(kAnd), path(name), integer(mask), path(name)});
}
Term or_into(std::string_view name, u64 mask) {
    return concat({opcode(kOr), path(name), integer(mask), path(name)});
}
Term when(const Term &condition, const Term &body) {
    return with_length({kIf}, concat({condition, body}));
}
Term otherwise(const Term &body) {
    return with_length({kElse}, body);
}
Term notify(std::string_view object, u64 value) {
    return concat({opcode(kNotify), path(object), integer(value)});
}
Term give_back(const Term &value) {
    return concat({opcode(kReturn), value});
}

Term memory32_fixed(u32 base, u32 size) {
    ByteWriter body;
    body.u8_(kReadWrite).u32_(base).u32_(size);
    return large_descriptor(0x86, body);
}

Term io_ports(u16 base, u8 count) {
    ByteWriter writer;
    writer.u8_(0x47).u8_(1).u16_(base).u16_(base).u8_(1).u8_(count); // 6.4.2.5
    return writer.bytes();
}

Term interrupt(u32 gsi, Trigger trigger) {
    ByteWriter body;
    // Consumer; active high; exclusive.
    body.u8_(1 | (trigger == Trigger::Edge ? 2 : 0)).u8_(1).u32_(gsi);
    return large_descriptor(0x89, body);
}

Term bus_range(u16 first, u16 last) {
    ByteWriter body;
    body.u8_(static_cast<u8>(Space::Bus)).u8_(kFixedRange).u8_(0);
    body.u16_(0).u16_(first).u16_(last).u16_(0).u16_(last - first + 1u);
    return large_descriptor(0x88, body);
}

Term dword_range(Space space, u32 first, u32 last, u32 translation) {
    ByteWriter body;
    body.u8_(static_cast<u8>(space)).u8_(kFixedRange).u8_(range_flags(space));
    body.u32_(0).u32_(first).u32_(last).u32_(translation).u32_(last - first + 1);
    return large_descriptor(0x87, body);
}

Term qword_range(Space space, u64 first, u64 last, u64 translation) {
    ByteWriter body;
    body.u8_(static_cast<u8>(space)).u8_(kFixedRange).u8_(range_flags(space));
    body.u64_(0).u64_(first).u64_(last).u64_(translation).u64_(last - first + 1);
    return large_descriptor(0x8a, body);
}

Term gpio_interrupt(std::string_view controller, u16 pin) {
    static constexpr u32 kPins = 0x17, kSource = kPins + 2;
    const u64 end = kSource + controller.size() + 1;
    ByteWriter body;
    body.u8_(1).u8_(0);   // revision; an interrupt
    body.u16_(1);         // consumer
    body.u16_(1);         // edge, active high, exclusive
    body.u8_(1);          // pull-up
    body.u16_(0).u16_(0); // drive strength, debounce time
    body.u16_(kPins).u8_(0).u16_(kSource).u16_(end).u16_(0);
    body.u16_(pin).text(controller, controller.size() + 1, '\0');
    return large_descriptor(0x8c, body);
}

Term resources(std::initializer_list<Term> descriptors) {
    Term all = concat(descriptors);
    all.insert(all.end(), {0x79, 0}); // end tag, checksum not used
    return buffer(all);
}

} // namespace tandem::machine::aml
