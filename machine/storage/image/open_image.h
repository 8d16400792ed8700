#pragma once
/// Opens a disk image of any format, with all its backing images.
#include "machine/storage/disk_store.h"
#include "machine/storage/host_file.h"
#include "machine/storage/image_format.h"

#include <optional>
#include <string>

namespace tandem::machine {

namespace qcow2 {
class Image;
}

struct ImageOptions {
    DiskAccess access = DiskAccess::ReadOnly;
    std::optional<ImageFormat> format; ///< else the content decides
    CacheMode cache = CacheMode::Writeback;
    Locking locking = Locking::Locked;
};

struct OpenedImage {
    std::unique_ptr<DiskStore> store;
    ImageFormat format = ImageFormat::Raw;
    qcow2::Image *qcow2 = nullptr; ///< the store, if it is one
    ByteFile *file = nullptr;      ///< the store's
};

/// The image is locked; backing images are opened for reading only.
[[nodiscard]] Result<OpenedImage> open_image(const std::string &path, const ImageOptions &);

/// The path of a backing file whose name is in `image`'s header.
[[nodiscard]] Result<std::string> backing_path(const std::string &image, const std::string &name);

} // namespace tandem::machine
