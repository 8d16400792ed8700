#include "machine/storage/image/administration.h"

#include "machine/storage/qcow2/image.h"
#include "machine/storage/raw_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace tandem::machine {

Result<> create_image(NewImage image) {
    auto &backing = image.qcow2.backing_file;
    if (!backing.empty()) {
        if (image.format != ImageFormat::Qcow2)
            return failure(fmt::format("{}: a raw image has no backing image; use --format qcow2",
                                       image.path));
        ImageOptions options;
        if (!image.qcow2.backing_format.empty()) {
            options.format = format_named(image.qcow2.backing_format);
            if (!options.format.has_value())
                return failure(fmt::format("{}: unknown format; use raw or qcow2",
                                           image.qcow2.backing_format));
        }
        const OpenedImage below = TRY(open_image(TRY(backing_path(image.path, backing)), options));
        if (image.qcow2.size == 0) image.qcow2.size = below.store->size();
        image.qcow2.backing_format = std::string{format_name(below.format)};
    }
    if (image.qcow2.size == 0)
        return failure(fmt::format("{}: a disk of no size; name one, such as 10G", image.path));
    const auto file = TRY(HostFile::create(image.path));
    if (image.format == ImageFormat::Qcow2) return qcow2::create(*file, image.qcow2);
    if (file->resize(align_up(image.qcow2.size, 512)) != StoreStatus::Ok)
        return failure(
            fmt::format("{}: cannot be made that large; check the free space", image.path));
    return {};
}

Result<std::vector<ImageInfo>> image_chain(const std::string &path,
                                           std::optional<ImageFormat> format) {
    std::vector<ImageInfo> chain;
    std::string next = path;
    std::set<std::string> seen;
    while (seen.insert(next).second) {
        // One at a time, without what is below: a chain that lacks its end can be shown.
        auto file = TRY(HostFile::open(next, DiskAccess::ReadOnly));
        std::vector<std::byte> head(std::min<u64>(file->size(), u64{1} << qcow2::kMaxClusterBits));
        TRY(file->read_exactly(0, head));
        ImageInfo info;
        info.path = next;
        info.format = format.value_or(sniff_image_format(head));
        info.size = file->size();
        info.allocated = file->allocated();
        if (info.format == ImageFormat::Qcow2) {
            info.header = TRY(qcow2::parse_header(head, next));
            info.size = info.header->size;
            info.snapshots = TRY(qcow2::read_snapshot_table(*file, *info.header)).snapshots;
        }
        chain.push_back(info);
        if (!info.header.has_value() || info.header->backing_file.empty()) break;
        next = TRY(backing_path(next, info.header->backing_file));
        format = info.header->backing_format.empty() ? std::nullopt
                                                     : format_named(info.header->backing_format);
    }
    return chain;
}

Result<qcow2::CheckReport> check_image(const std::string &path, qcow2::Repair repair,
                                       const ImageProgress &progress) {
    const DiskAccess access =
        repair == qcow2::Repair::None ? DiskAccess::ReadOnly : DiskAccess::ReadWrite;
    const auto file = TRY(HostFile::open(path, access));
    std::array<std::byte, 512> head{};
    TRY(file->read_exactly(0, head));
    if (const ImageFormat format = sniff_image_format(head); format != ImageFormat::Qcow2)
        return failure(fmt::format("{}: {} images hold nothing to check; name a qcow2 image", path,
                                   format_name(format)));
    return qcow2::check(*file, repair, progress);
}

Result<> resize_image(const std::string &path, std::optional<ImageFormat> format, char sign,
                      u64 bytes, Shrink shrink) {
    ImageOptions options;
    options.access = DiskAccess::ReadWrite;
    options.format = format;
    const OpenedImage image = TRY(open_image(path, options));
    const u64 old_size = image.store->size();
    if (sign == '-' && bytes >= old_size)
        return failure(fmt::format("{}: nothing would be left; name a smaller difference", path));
    const u64 size = sign == '+' ? old_size + bytes : sign == '-' ? old_size - bytes : bytes;
    if (size == 0 || size % 512 != 0)
        return failure(fmt::format("{}: {} is no multiple of 512; round it", path, size));
    if (size < old_size && shrink == Shrink::Refuse)
        return failure(fmt::format("{}: {} are less than its {}: the rest would be lost; add "
                                   "--shrink",
                                   path, size, old_size));
    if (image.qcow2 != nullptr) return image.qcow2->resize(size);
    if (image.file->resize(size) != StoreStatus::Ok)
        return failure(fmt::format("{}: cannot be resized; check the free space", path));
    return {};
}

} // namespace tandem::machine
