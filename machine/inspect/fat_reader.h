#pragma once
/// Looks files up in a FAT12, FAT16 or FAT32 volume, such as an EFI system partition (Microsoft's
/// FAT specification 1.03). Names are the short ones, in upper case: what firmware boots has them.
#include "machine/inspect/byte_window.h"

#include <string>
#include <string_view>

namespace tandem::machine {

class FatReader {
public:
    struct Entry {
        std::string name; ///< "BOOTAA64.EFI"
        bool is_directory = false;
        u32 cluster = 0;
        u32 size = 0;
    };

    /// Nothing if the window holds no such volume.
    [[nodiscard]] static std::optional<FatReader> open(const ByteWindow &);

    /// What is in a directory: "" or "EFI/BOOT". Empty if there is none.
    [[nodiscard]] std::vector<Entry> list(std::string_view path) const;
    /// The first `limit` bytes of a file, or nothing if there is none.
    [[nodiscard]] std::optional<std::vector<std::byte>> read(std::string_view path,
                                                             u64 limit) const;

private:
    explicit FatReader(const ByteWindow &volume) : volume_(volume) {}
    [[nodiscard]] std::optional<Entry> find(std::string_view path) const;
    [[nodiscard]] std::vector<Entry> entries(const Entry &directory) const;
    [[nodiscard]] std::vector<std::byte> read_chain(u32 cluster, u64 limit) const;
    [[nodiscard]] u32 next_cluster(u32 cluster) const;

    enum class Width : u8 { Fat12, Fat16, Fat32 };

    ByteWindow volume_;
    Width width_ = Width::Fat12;
    u64 cluster_size_ = 0;
    u64 fat_at_ = 0, root_at_ = 0, root_size_ = 0, data_at_ = 0; ///< bytes
    u32 clusters_ = 0, root_cluster_ = 0;
};

} // namespace tandem::machine
