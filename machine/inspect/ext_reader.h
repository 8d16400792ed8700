#pragma once
/// Looks files up in an ext2, ext3 or ext4 file system (Linux, Documentation/filesystems/ext4). It
/// follows no symbolic links, replays no journal, and leaves features alone that it does not know:
/// it serves to recognise what is installed, and what it cannot read counts as unknown.
#include "machine/inspect/byte_window.h"

#include <string_view>

namespace tandem::machine {

class ExtReader {
public:
    /// Nothing if the window holds no such file system, or one with other features.
    [[nodiscard]] static std::optional<ExtReader> open(const ByteWindow &);

    /// "etc/passwd"
    [[nodiscard]] bool exists(std::string_view path) const { return find(path).has_value(); }
    /// The first `limit` bytes of a regular file, or nothing if there is none.
    [[nodiscard]] std::optional<std::vector<std::byte>> read(std::string_view path,
                                                             u64 limit) const;

private:
    struct Inode {
        u16 mode = 0;
        u64 size = 0;
        bool has_extents = false;
        std::vector<std::byte> map; ///< i_block: 60 bytes
    };

    explicit ExtReader(const ByteWindow &volume) : volume_(volume) {}
    [[nodiscard]] std::optional<Inode> inode(u32 number) const;
    [[nodiscard]] std::optional<Inode> find(std::string_view path) const;
    [[nodiscard]] std::optional<u32> find_in(const Inode &directory, std::string_view name) const;
    /// The disk's block for a file's; nothing for a hole and for what cannot be read.
    [[nodiscard]] std::optional<u64> map_block(const Inode &, u64 block) const;
    [[nodiscard]] std::vector<std::byte> read_block(const Inode &, u64 block) const;

    ByteWindow volume_;
    u64 block_size_ = 0, descriptors_at_ = 0, descriptor_size_ = 0, inode_size_ = 0;
    u32 inodes_ = 0, inodes_per_group_ = 0;
};

} // namespace tandem::machine
