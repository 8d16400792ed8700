#pragma once
/// The index of a snapshot file: everything but the pages themselves.
#include "devices/core/state.h"
#include "machine/snapshot/format.h"

#include <vector>

namespace tandem::machine::snapshot {

/// Compressed pages of one region, kPagesPerFrame but for the last frame.
struct Frame {
    u64 offset = 0; ///< in the file
    u32 bytes = 0;
    u64 hash = 0; ///< XXH3 of the compressed bytes

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.offset, self.bytes, self.hash);
    }
};

/// Something kept by pages: RAM, flash cells, what a guest changed on a disk.
struct Region {
    std::vector<char> name;
    std::vector<u32> pages; ///< the page map; see format.h
    u32 slots = 0;          ///< stored pages
    std::vector<Frame> frames;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.name, self.pages, self.slots, self.frames);
    }
};

/// The state of a part of the machine, as devices/core/state.h writes it.
struct Blob {
    std::vector<char> name;
    std::vector<u8> bytes;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.name, self.bytes);
    }
};

struct Index {
    static constexpr u32 kVersion = 1;

    std::vector<char> manifest;    ///< JSON: see manifest.h
    std::vector<char> parent_path; ///< relative to this file's folder; empty: it stands alone
    SnapshotId parent_id{};
    std::vector<Blob> blobs;
    std::vector<Region> regions;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.manifest, self.parent_path, self.parent_id, self.blobs, self.regions);
    }
};

} // namespace tandem::machine::snapshot
