#pragma once
/// The formats of disk images, by name and by content.
#include "support/bits.h"

#include <optional>
#include <span>
#include <string_view>

namespace tandem::machine {

enum class ImageFormat : u8 { Raw, Qcow2, Vmdk, Vhdx };

/// "raw", "qcow2", ...
[[nodiscard]] std::string_view format_name(ImageFormat);
[[nodiscard]] std::optional<ImageFormat> format_named(std::string_view);
/// By the file's first sector; what is no other format is raw.
[[nodiscard]] ImageFormat sniff_image_format(std::span<const std::byte> head);

} // namespace tandem::machine
