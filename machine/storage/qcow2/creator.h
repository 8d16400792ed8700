#pragma once
/// Makes new qcow2 images.
#include "machine/storage/byte_file.h"
#include "machine/storage/qcow2/format.h"

#include <string>

namespace tandem::machine::qcow2 {

struct CreateOptions {
    u64 size = 0; ///< of the disk, in bytes; rounded up to a sector
    u32 version = 3;
    u32 cluster_bits = 16;
    u32 refcount_order = 4;
    CompressionType compression = CompressionType::Zlib;
    bool lazy_refcounts = false;
    std::string backing_file, backing_format;
};

/// The file is empty.
[[nodiscard]] Result<> create(ByteFile &, const CreateOptions &);

} // namespace tandem::machine::qcow2
