#pragma once
/// Pictures as files.
#include "machine/screen/picture.h"
#include "support/names.h"
#include "support/result.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace tandem::machine {

enum class ImageFileKind : u8 { Ppm, Png };
inline constexpr std::pair<std::string_view, ImageFileKind> kImageFileKinds[] = {
    {"ppm", ImageFileKind::Ppm}, {"png", ImageFileKind::Png}};

/// Without alpha. The picture is not empty.
[[nodiscard]] Result<std::vector<std::byte>> encode(const Picture &, ImageFileKind);
/// Makes or replaces the file.
[[nodiscard]] Result<> write_image(const Picture &, ImageFileKind, const std::string &path);
/// With alpha: 255 where the file says nothing of it.
[[nodiscard]] Result<Picture> read_png(const std::string &path);

} // namespace tandem::machine
