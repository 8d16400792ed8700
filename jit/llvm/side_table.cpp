#include "jit/llvm/side_table.h"

// LLVM's headers are not written for our warnings.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wredundant-move"
#include <llvm/Object/ObjectFile.h>
#include <llvm/Object/StackMapParser.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <array>

namespace tandem::jit::llvm_tier {
namespace {

using Parser = llvm::StackMapParser<llvm::endianness::little>;
using LocationKind = Parser::LocationKind;

/// DWARF's numbers of registers (System V psABI, figure 3.36).
constexpr u32 kFirstXmm = 17, kFirstHighXmm = 67;

/// Into a HostLocation; false if it is nowhere that we could look.
bool place(u32 dwarf, HostLocation &where) {
    constexpr std::array<u8, 16> kGpr{0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15};
    if (dwarf < kGpr.size()) {
        where.kind = HostLocation::Kind::Gpr;
        where.reg = kGpr[dwarf];
    } else if (dwarf >= kFirstXmm && dwarf < kFirstXmm + 16) {
        where.kind = HostLocation::Kind::Xmm;
        where.reg = static_cast<u8>(dwarf - kFirstXmm);
    } else if (dwarf >= kFirstHighXmm && dwarf < kFirstHighXmm + 16) {
        where.kind = HostLocation::Kind::Xmm;
        where.reg = static_cast<u8>(dwarf - kFirstHighXmm + 16);
    } else {
        return false;
    }
    return true;
}

bool convert(const Parser &parser, const Parser::LocationAccessor &location, RegionImage &image,
             HostLocation &where) {
    where.bytes = static_cast<u16>(location.getSizeInBytes());
    switch (location.getKind()) {
    case LocationKind::Register: return place(location.getDwarfRegNum(), where);
    case LocationKind::Indirect:
        if (!place(location.getDwarfRegNum(), where) || where.kind != HostLocation::Kind::Gpr)
            return false;
        where.kind = HostLocation::Kind::Memory;
        where.value = location.getOffset();
        return true;
    case LocationKind::Constant:
        where.kind = HostLocation::Kind::Constant;
        where.value = static_cast<i32>(location.getSmallConstant());
        return true;
    case LocationKind::ConstantIndex:
        where.kind = HostLocation::Kind::WideConstant;
        where.value = static_cast<i32>(image.constants.size());
        image.constants.push_back(parser.getConstant(location.getConstantIndex()).getValue());
        return true;
    case LocationKind::Direct: return false;
    }
    return false;
}

} // namespace

Result<> add_sites(std::span<const char> object, RegionImage &image) {
    auto file = llvm::object::ObjectFile::createELFObjectFile(
        llvm::MemoryBufferRef(llvm::StringRef(object.data(), object.size()), "region"));
    if (!file) return failure(llvm::toString(file.takeError()));
    for (const llvm::object::SectionRef &section : (*file)->sections()) {
        auto name = section.getName();
        if (!name || *name != ".llvm_stackmaps") {
            if (!name) return failure(llvm::toString(name.takeError()));
            continue;
        }
        auto content = section.getContents();
        if (!content) return failure(llvm::toString(content.takeError()));
        const Parser parser(
            llvm::ArrayRef(reinterpret_cast<const uint8_t *>(content->data()), content->size()));
        for (const Parser::RecordAccessor &record : parser.records()) {
            const u32 offset = record.getInstructionOffset();
            image.sites.push_back({.return_offset = offset + RegionImage::kSideExitCallBytes,
                                   .exit = static_cast<u32>(record.getID()),
                                   .first_location = static_cast<u32>(image.locations.size())});
            for (const Parser::LocationAccessor &location : record.locations())
                if (!convert(parser, location, image, image.locations.emplace_back()))
                    return failure("a value of a region is in a place unknown to us");
        }
    }
    std::ranges::sort(image.sites, {}, &SideTable::Site::return_offset);
    return {};
}

} // namespace tandem::jit::llvm_tier
