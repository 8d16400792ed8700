#include "machine/inspect/ext_reader.h"

#include "machine/boot/file_bytes.h"

namespace tandem::machine {
namespace {

constexpr u16 kMagic = 0xef53, kExtentMagic = 0xf30a;
constexpr u16 kTypeMask = 0xf000, kDirectory = 0x4000, kRegular = 0x8000;
constexpr u32 kRootInode = 2;
constexpr u32 kExtentsFlag = 0x8'0000;
constexpr u64 kInodeMap = 40, kInodeMapSize = 60;
constexpr u64 kDirectBlocks = 12;
constexpr u64 kExtentSize = 12;
constexpr u16 kMaxDepth = 5;
/// An extent longer than this is allocated but not written.
constexpr u16 kMaxWritten = 0x8000;
/// Larger directories are not searched to the end.
constexpr u64 kMaxDirectory = 16u << 20;

// clang-format off
enum Feature : u32 {
    kFileType    = 0x0002,
    kNeedsReplay = 0x0004,
    kExtents     = 0x0040,
    k64Bit       = 0x0080,
    kMmp         = 0x0100,
    kFlexGroups  = 0x0200,
    kCsumSeed    = 0x2000,
    kLargeDir    = 0x4000,
};
// clang-format on
constexpr u32 kKnownFeatures =
    kFileType | kNeedsReplay | kExtents | k64Bit | kMmp | kFlexGroups | kCsumSeed | kLargeDir;

} // namespace

std::optional<ExtReader> ExtReader::open(const ByteWindow &volume) {
    const auto super = volume.read(1024, 1024);
    if (!super.has_value() || read_le<u16>(*super, 56) != kMagic) return std::nullopt;
    const u32 features = read_le<u32>(*super, 96), revision = read_le<u32>(*super, 76);
    const u32 block_shift = read_le<u32>(*super, 24);
    if ((features & ~kKnownFeatures) != 0 || block_shift > 6) return std::nullopt;
    ExtReader reader(volume);
    reader.block_size_ = u64{1024} << block_shift;
    reader.inodes_ = read_le<u32>(*super, 0);
    reader.inodes_per_group_ = read_le<u32>(*super, 40);
    reader.inode_size_ = revision == 0 ? 128 : read_le<u16>(*super, 88);
    reader.descriptor_size_ = (features & k64Bit) != 0 ? read_le<u16>(*super, 254) : 32;
    reader.descriptors_at_ = (u64{read_le<u32>(*super, 20)} + 1) * reader.block_size_;
    if (reader.inodes_per_group_ == 0 || reader.inode_size_ < 128 || reader.inode_size_ > 4096 ||
        reader.descriptor_size_ < 32 || reader.descriptor_size_ > 4096)
        return std::nullopt;
    return reader;
}

std::optional<ExtReader::Inode> ExtReader::inode(u32 number) const {
    if (number == 0 || number > inodes_) return std::nullopt;
    const u64 group = (number - 1) / inodes_per_group_, index = (number - 1) % inodes_per_group_;
    const auto descriptor =
        volume_.read(descriptors_at_ + group * descriptor_size_, descriptor_size_);
    if (!descriptor.has_value()) return std::nullopt;
    u64 table = read_le<u32>(*descriptor, 8);
    if (descriptor_size_ >= 64) table |= u64{read_le<u32>(*descriptor, 40)} << 32;
    if (table > volume_.size() / block_size_) return std::nullopt;
    const auto raw = volume_.read(table * block_size_ + index * inode_size_, 128);
    if (!raw.has_value()) return std::nullopt;
    Inode inode;
    inode.mode = read_le<u16>(*raw, 0);
    inode.size = read_le<u32>(*raw, 4) | u64{read_le<u32>(*raw, 108)} << 32;
    inode.has_extents = (read_le<u32>(*raw, 32) & kExtentsFlag) != 0;
    const auto map = std::span(*raw).subspan(kInodeMap, kInodeMapSize);
    inode.map.assign(map.begin(), map.end());
    return inode;
}

std::optional<u64> ExtReader::map_block(const Inode &inode, u64 block) const {
    if (!inode.has_extents) {
        // Indirect blocks are left out: what is looked for is small.
        if (block >= kDirectBlocks) return std::nullopt;
        const u32 number = read_le<u32>(inode.map, block * 4);
        return number != 0 ? std::optional<u64>{number} : std::nullopt;
    }
    std::vector<std::byte> node = inode.map;
    for (u16 level = 0; level <= kMaxDepth; ++level) {
        if (read_le<u16>(node, 0) != kExtentMagic) return std::nullopt;
        const u64 entries = std::min<u64>(read_le<u16>(node, 2), node.size() / kExtentSize - 1);
        const bool leaf = read_le<u16>(node, 6) == 0;
        u64 below = 0;
        for (u64 i = 1; i <= entries; ++i) {
            const u64 at = i * kExtentSize, first = read_le<u32>(node, at);
            if (first > block) break;
            if (leaf) {
                const u16 length = read_le<u16>(node, at + 4);
                if (length <= kMaxWritten && block - first < length)
                    return (u64{read_le<u16>(node, at + 6)} << 32 | read_le<u32>(node, at + 8)) +
                           (block - first);
            } else {
                below = read_le<u32>(node, at + 4) | u64{read_le<u16>(node, at + 8)} << 32;
            }
        }
        if (leaf || below == 0 || below > volume_.size() / block_size_) return std::nullopt;
        auto next = volume_.read(below * block_size_, block_size_);
        if (!next.has_value()) return std::nullopt;
        node = std::move(*next);
    }
    return std::nullopt;
}

std::vector<std::byte> ExtReader::read_block(const Inode &inode, u64 block) const {
    if (const auto number = map_block(inode, block);
        number.has_value() && *number <= volume_.size() / block_size_)
        if (auto bytes = volume_.read(*number * block_size_, block_size_); bytes.has_value())
            return *bytes;
    return std::vector<std::byte>(block_size_);
}

std::optional<u32> ExtReader::find_in(const Inode &directory, std::string_view name) const {
    // Entries of an indexed directory can be read in a row too: its index looks like unused ones.
    const u64 blocks = std::min(directory.size, kMaxDirectory) / block_size_;
    for (u64 block = 0; block < blocks; ++block) {
        const auto bytes = read_block(directory, block);
        for (u64 at = 0; at + 8 <= bytes.size();) {
            const u32 number = read_le<u32>(bytes, at);
            const u64 length = read_le<u16>(bytes, at + 4);
            const u64 name_length = read_le<u8>(bytes, at + 6);
            if (length < 8) break;
            if (number != 0 && name_length == name.size() && has_text(bytes, at + 8, name))
                return number;
            at += length;
        }
    }
    return std::nullopt;
}

std::optional<ExtReader::Inode> ExtReader::find(std::string_view path) const {
    auto found = inode(kRootInode);
    while (found.has_value() && !path.empty()) {
        const std::size_t slash = std::min(path.find('/'), path.size());
        const std::string_view name = path.substr(0, slash);
        path.remove_prefix(std::min(slash + 1, path.size()));
        if ((found->mode & kTypeMask) != kDirectory) return std::nullopt;
        const auto number = find_in(*found, name);
        if (!number.has_value()) return std::nullopt;
        found = inode(*number);
    }
    return found;
}

std::optional<std::vector<std::byte>> ExtReader::read(std::string_view path, u64 limit) const {
    const auto file = find(path);
    if (!file.has_value() || (file->mode & kTypeMask) != kRegular) return std::nullopt;
    const u64 size = std::min(limit, file->size);
    std::vector<std::byte> bytes;
    for (u64 block = 0; bytes.size() < size; ++block) {
        const auto part = read_block(*file, block);
        const u64 wanted = std::min<u64>(part.size(), size - bytes.size());
        bytes.insert(bytes.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(wanted));
    }
    return bytes;
}

} // namespace tandem::machine
