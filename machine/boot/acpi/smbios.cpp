#include "machine/boot/acpi/smbios.h"

#include "machine/boot/acpi/byte_writer.h"

#include <algorithm>
#include <numeric>
#include <string_view>

namespace tandem::machine {
namespace {

/// Puts structures behind each other: a formatted area, then its strings, then a zero byte.
class StructureWriter {
public:
    /// Starts a structure; a type's only instance, so the type makes the handle.
    ByteWriter &begin(u8 type) {
        start_ = out_.size();
        strings_.clear();
        return out_.u8_(type).u8_(0).u16_(handle_of(type));
    }
    [[nodiscard]] static u16 handle_of(u8 type) { return static_cast<u16>(type << 8); }
    /// A string's number in its structure.
    [[nodiscard]] u8 string(std::string_view text) {
        strings_.push_back(text);
        return static_cast<u8>(strings_.size());
    }
    void end() {
        out_.patch(start_ + 1, out_.size() - start_, 1);
        for (const std::string_view text : strings_) out_.text(text, text.size() + 1, '\0');
        out_.zeros(strings_.empty() ? 2 : 1);
    }
    [[nodiscard]] const std::vector<u8> &bytes() const { return out_.bytes(); }

private:
    ByteWriter out_;
    std::size_t start_ = 0;
    std::vector<std::string_view> strings_;
};

constexpr std::string_view kMaker = "Tandem", kProduct = "Tandem Virtual Machine";
constexpr u8 kOther = 1, kUnknown = 2, kSafe = 3;
constexpr u16 kNoErrorHandle = 0xfffe, kNoCache = 0xffff;

void add_system(StructureWriter &out) {
    ByteWriter &bytes = out.begin(1);
    constexpr u8 kPowerSwitch = 6;
    bytes.u8_(out.string(kMaker)).u8_(out.string(kProduct)).u8_(out.string("virt")).u8_(0);
    bytes.zeros(16).u8_(kPowerSwitch).u8_(0).u8_(0);
    out.end();
}

void add_chassis(StructureWriter &out) {
    ByteWriter &bytes = out.begin(3);
    bytes.u8_(out.string(kMaker)).u8_(kOther).u8_(0).u8_(0).u8_(0);
    bytes.u8_(kSafe).u8_(kSafe).u8_(kSafe).u8_(kUnknown).u32_(0).zeros(4).u8_(0);
    out.end();
}

void add_processor(StructureWriter &out, unsigned cpus) {
    constexpr u8 kCentral = 3, kFamily2 = 0xfe, kEnabledPopulated = 0x41;
    constexpr u16 kArmV8 = 0x101, kNominalMhz = 2000, kCharacteristicsUnknown = 1 << 1;
    const u8 few = static_cast<u8>(std::min(cpus, 0xffu));
    ByteWriter &bytes = out.begin(4);
    bytes.u8_(out.string("CPU 0")).u8_(kCentral).u8_(kFamily2).u8_(out.string(kMaker)).u64_(0);
    bytes.u8_(0).u8_(0).u16_(0).u16_(kNominalMhz).u16_(kNominalMhz).u8_(kEnabledPopulated);
    bytes.u8_(kOther).u16_(kNoCache).u16_(kNoCache).u16_(kNoCache).u8_(0).u8_(0).u8_(0);
    bytes.u8_(few).u8_(few).u8_(few).u16_(kCharacteristicsUnknown).u16_(kArmV8);
    bytes.u16_(cpus).u16_(cpus).u16_(cpus);
    out.end();
}

void add_memory(StructureWriter &out, u64 base, u64 size) {
    constexpr u8 kSystemMemory = 3, kNoCorrection = 3, kDimm = 9, kRam = 7, kTypeOther = 1 << 1;
    constexpr u32 kArray = 16;
    ByteWriter &array = out.begin(kArray);
    array.u8_(kOther)
        .u8_(kSystemMemory)
        .u8_(kNoCorrection)
        .u32_(0x8000'0000); // the wide field has it
    array.u16_(kNoErrorHandle).u16_(1).u64_(size);
    out.end();

    const u64 mebibytes = size >> 20;
    ByteWriter &device = out.begin(17);
    device.u16_(StructureWriter::handle_of(kArray)).u16_(kNoErrorHandle).u16_(0xffff).u16_(0xffff);
    device.u16_(std::min<u64>(mebibytes, 0x7fff))
        .u8_(kDimm)
        .u8_(0)
        .u8_(out.string("DIMM 0"))
        .u8_(0);
    device.u8_(kRam).u16_(kTypeOther).u16_(0).u8_(out.string(kMaker)).zeros(3).u8_(0);
    device.u32_(mebibytes >= 0x7fff ? mebibytes : 0).u16_(0).u16_(0).u16_(0).u16_(0);
    out.end();

    ByteWriter &mapped = out.begin(19);
    mapped.u32_(0xffff'ffff).u32_(0xffff'ffff).u16_(StructureWriter::handle_of(kArray)).u8_(1);
    mapped.u64_(base).u64_(base + size - 1);
    out.end();
}

} // namespace

SmbiosFiles build_smbios(unsigned cpus, u64 ram_base, u64 ram_size) {
    StructureWriter out;
    add_system(out);
    add_chassis(out);
    add_processor(out, cpus);
    add_memory(out, ram_base, ram_size);
    out.begin(32).zeros(7); // the last boot went well
    out.end();
    out.begin(127);
    out.end();

    // DSP0134 3.0, 5.2.2. Firmware fills in the address.
    constexpr std::size_t kAnchorSize = 0x18, kChecksumAt = 5;
    ByteWriter anchor;
    anchor.text("_SM3_", 5).u8_(0).u8_(kAnchorSize).u8_(3).u8_(0).u8_(0).u8_(1).u8_(0);
    anchor.u32_(out.bytes().size()).u64_(0);
    const u32 sum = std::accumulate(anchor.bytes().begin(), anchor.bytes().end(), 0u);
    anchor.patch(kChecksumAt, 0x100 - (sum & 0xff), 1);
    return {anchor.bytes(), out.bytes()};
}

} // namespace tandem::machine
