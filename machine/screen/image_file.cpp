#include "machine/screen/image_file.h"

#include "machine/host/write_all.h"
#include "support/scoped_fd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <png.h>

#include <cerrno>
#include <cstring>

namespace tandem::machine {

namespace {

/// Red, green, blue.
std::vector<std::byte> rgb_of(const Picture &picture) {
    std::vector<std::byte> bytes;
    bytes.reserve(picture.pixels.size() * 3);
    for (const u32 pixel : picture.pixels)
        for (const int shift : {16, 8, 0}) bytes.push_back(static_cast<std::byte>(pixel >> shift));
    return bytes;
}

Result<std::vector<std::byte>> encode_png(const Picture &picture) {
    const std::vector<std::byte> pixels = rgb_of(picture);
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = picture.width;
    image.height = picture.height;
    image.format = PNG_FORMAT_RGB;
    image.flags = PNG_IMAGE_FLAG_FAST;
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    std::vector<std::byte> file(size);
    if (::png_image_write_to_memory(&image, file.data(), &size, 0, pixels.data(), 0, nullptr) == 0)
        return failure(fmt::format("screenshot: {}", image.message));
    file.resize(size);
    return file;
}

std::vector<std::byte> encode_ppm(const Picture &picture) {
    const std::string head = fmt::format("P6\n{} {}\n255\n", picture.width, picture.height);
    const auto bytes = std::as_bytes(std::span(head));
    std::vector<std::byte> file(bytes.begin(), bytes.end());
    const std::vector<std::byte> pixels = rgb_of(picture);
    file.insert(file.end(), pixels.begin(), pixels.end());
    return file;
}

} // namespace

Result<std::vector<std::byte>> encode(const Picture &picture, ImageFileKind kind) {
    if (kind == ImageFileKind::Ppm) return encode_ppm(picture);
    return encode_png(picture);
}

Result<> write_image(const Picture &picture, ImageFileKind kind, const std::string &path) {
    const std::vector<std::byte> file = TRY(encode(picture, kind));
    static constexpr mode_t kMode = 0666; // less the umask
    const ScopedFd fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode)};
    if (!fd.is_open() || !write_all(fd.get(), file))
        return failure(
            fmt::format("{}: {}; name a file that can be written", path, std::strerror(errno)));
    return {};
}

Result<Picture> read_png(const std::string &path) {
    static constexpr u32 kMaxSide = 1u << 14;
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    const auto refused = [&](std::string_view why) {
        ::png_image_free(&image);
        return failure(fmt::format("{}: {}; name a PNG file", path, why));
    };
    if (::png_image_begin_read_from_file(&image, path.c_str()) == 0) return refused(image.message);
    if (image.width > kMaxSide || image.height > kMaxSide) return refused("too large");
    image.format = PNG_FORMAT_BGRA; // 0xAARRGGBB in memory
    Picture picture{image.width, image.height,
                    std::vector<u32>(std::size_t{image.width} * image.height)};
    if (::png_image_finish_read(&image, nullptr, picture.pixels.data(), 0, nullptr) == 0)
        return refused(image.message);
    return picture;
}

} // namespace tandem::machine
