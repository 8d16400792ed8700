#pragma once
/// What `tandem image` does: make, describe, copy, check and resize images.
#include "machine/storage/image/open_image.h"
#include "machine/storage/qcow2/checker.h"
#include "machine/storage/qcow2/creator.h"
#include "machine/storage/qcow2/header.h"
#include "machine/storage/qcow2/snapshot_table.h"

#include <functional>

namespace tandem::machine {

/// Called with bytes done and bytes in all.
using ImageProgress = std::function<void(u64, u64)>;

struct NewImage {
    std::string path;
    ImageFormat format = ImageFormat::Qcow2;
    qcow2::CreateOptions qcow2; ///< the size holds for raw images too
};

/// Makes an empty image. With a backing image, its size is the default, and its format is written
/// down. Fails if the file is in use; an old one is replaced.
[[nodiscard]] Result<> create_image(NewImage);

struct ImageCopy {
    std::string source;
    std::optional<ImageFormat> source_format;
    NewImage target; ///< without size
    bool compress = false;
};

/// Copies a disk with everything below it into a new image; leaves out what reads as zeros.
[[nodiscard]] Result<> convert_image(ImageCopy, const ImageProgress &);

struct ImageInfo {
    std::string path;
    ImageFormat format = ImageFormat::Raw;
    u64 size = 0;      ///< of the disk
    u64 allocated = 0; ///< of the host's disk
    std::optional<qcow2::Header> header;
    std::vector<qcow2::Snapshot> snapshots;
};

/// Of the image and of those below it, or the reason why one could not be opened.
[[nodiscard]] Result<std::vector<ImageInfo>> image_chain(const std::string &path,
                                                         std::optional<ImageFormat>);

/// Only qcow2 images can be checked.
[[nodiscard]] Result<qcow2::CheckReport> check_image(const std::string &path, qcow2::Repair,
                                                     const ImageProgress &);

enum class Shrink : u8 { Refuse, Allow };
/// `change` is "SIZE", "+SIZE" or "-SIZE" already split into sign and bytes.
[[nodiscard]] Result<> resize_image(const std::string &path, std::optional<ImageFormat>, char sign,
                                    u64 bytes, Shrink);

} // namespace tandem::machine
