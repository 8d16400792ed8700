#include "machine/storage/image/open_image.h"

#include "machine/storage/qcow2/image.h"
#include "machine/storage/raw_disk.h"
#include "machine/storage/read_only/vhdx.h"
#include "machine/storage/read_only/vmdk.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <set>

namespace tandem::machine {
namespace {

constexpr std::size_t kMaxChain = 200;

using FileIds = std::set<std::pair<dev_t, ino_t>>;

Result<OpenedImage> open_link(const std::string &path, const ImageOptions &options, FileIds &seen);

/// Opens what the image's unallocated clusters read from.
Result<> open_backing(qcow2::Image &image, const std::string &path, CacheMode cache,
                      Locking locking, FileIds &seen) {
    const qcow2::Header &header = image.header();
    if (header.backing_file.empty()) return {};
    const std::string below = TRY(backing_path(path, header.backing_file));
    ImageOptions options;
    options.cache = cache;
    options.locking = locking;
    if (!header.backing_format.empty()) {
        options.format = format_named(header.backing_format);
        if (!options.format.has_value())
            return failure(fmt::format("{}: its backing image has the unknown format '{}'; convert "
                                       "that: qemu-img convert",
                                       path, header.backing_format));
    }
    auto backing = open_link(below, options, seen);
    if (!backing.has_value())
        return failure(fmt::format("{} (backing image of {})", backing.error().message, path));
    image.set_backing(std::move(backing->store));
    return {};
}

Result<std::unique_ptr<ByteFile>> open_part(const std::string &path, const ImageOptions &options) {
    return std::unique_ptr<ByteFile>{
        TRY(HostFile::open(path, DiskAccess::ReadOnly, options.cache, options.locking))};
}

Result<OpenedImage> open_link(const std::string &path, const ImageOptions &options, FileIds &seen) {
    struct stat status{};
    // Before the file is opened: its lock would say that it is in use, by this very chain.
    if (::stat(path.c_str(), &status) == 0 && !seen.emplace(status.st_dev, status.st_ino).second)
        return failure(fmt::format("{}: is its own backing image; rebase it", path));
    if (seen.size() > kMaxChain)
        return failure(
            fmt::format("{}: more than {} backing images; convert it into one", path, kMaxChain));
    auto file = TRY(HostFile::open(path, options.access, options.cache, options.locking));
    std::array<std::byte, 512> head{};
    TRY(file->read_exactly(0, head));
    const ImageFormat format = options.format.value_or(sniff_image_format(head));
    OpenedImage opened;
    opened.format = format;
    opened.file = file.get();
    switch (format) {
    case ImageFormat::Raw:
        opened.store = TRY(RawDisk::create(std::move(file), options.format.has_value()
                                                                ? FormatSource::Named
                                                                : FormatSource::Sniffed));
        return opened;
    case ImageFormat::Qcow2: {
        auto image = TRY(qcow2::Image::open(std::move(file)));
        TRY(open_backing(*image, path, options.cache, options.locking, seen));
        opened.qcow2 = image.get();
        opened.store = std::move(image);
        return opened;
    }
    case ImageFormat::Vmdk:
    case ImageFormat::Vhdx: break;
    }
    if (options.access == DiskAccess::ReadWrite)
        return failure(fmt::format("{}: is a {} image, which can only be read; add ,readonly or "
                                   ",snapshot, or convert it: tandem image convert {} NEW.qcow2",
                                   path, format_name(format), path));
    if (format == ImageFormat::Vmdk)
        opened.store = TRY(VmdkImage::open(std::move(file), [&](const std::string &name) {
            return open_part(std::filesystem::path(path).parent_path() / name, options);
        }));
    else
        opened.store = TRY(VhdxImage::open(std::move(file)));
    return opened;
}

} // namespace

Result<std::string> backing_path(const std::string &image, const std::string &name) {
    std::string_view plain = name;
    if (plain.starts_with("file:")) plain.remove_prefix(5);
    const std::size_t colon = plain.find(':');
    if (colon != std::string_view::npos && plain.find('/') > colon)
        return failure(fmt::format("{}: its backing image '{}' is no file; convert it: qemu-img "
                                   "convert",
                                   image, name));
    const std::filesystem::path path{plain};
    if (path.is_absolute()) return path.string();
    return (std::filesystem::path(image).parent_path() / path).string();
}

Result<OpenedImage> open_image(const std::string &path, const ImageOptions &options) {
    FileIds seen;
    return open_link(path, options, seen);
}

} // namespace tandem::machine
