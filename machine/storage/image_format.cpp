#include "machine/storage/image_format.h"

#include <array>
#include <cstring>

namespace tandem::machine {
namespace {

struct Row {
    ImageFormat format;
    std::string_view name;
    std::string_view magic; ///< the file's first bytes
};
// clang-format off
constexpr std::array kRows{
    Row{ImageFormat::Raw,   "raw",   ""},
    Row{ImageFormat::Qcow2, "qcow2", "QFI\xfb"},
    Row{ImageFormat::Vmdk,  "vmdk",  "KDMV"},
    Row{ImageFormat::Vmdk,  "vmdk",  "# Disk DescriptorFile"}, // its parts are files of their own
    Row{ImageFormat::Vhdx,  "vhdx",  "vhdxfile"},
};
// clang-format on

} // namespace

std::string_view format_name(ImageFormat format) {
    for (const Row &row : kRows)
        if (row.format == format) return row.name;
    return "unknown";
}

std::optional<ImageFormat> format_named(std::string_view name) {
    for (const Row &row : kRows)
        if (row.name == name) return row.format;
    return {};
}

ImageFormat sniff_image_format(std::span<const std::byte> head) {
    for (const Row &row : kRows)
        if (!row.magic.empty() && head.size() >= row.magic.size() &&
            std::memcmp(head.data(), row.magic.data(), row.magic.size()) == 0)
            return row.format;
    return ImageFormat::Raw;
}

} // namespace tandem::machine
