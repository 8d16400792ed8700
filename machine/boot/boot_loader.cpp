#include "machine/boot/boot_loader.h"

#include "machine/boot/kernel_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace tandem::machine {
namespace {

constexpr u64 kInitrdAt = 128u << 20; ///< above RAM base, when RAM is large
constexpr u64 kTwoMiB = 2u << 20;

struct Range {
    u64 start = 0, end = 0;
};

class BootLoader {
public:
    BootLoader(const BootFiles &files, const BootSeeds &seeds, GuestMemory &ram, FdtTree &tree)
        : files_(files), seeds_(seeds), ram_(ram), tree_(&tree), base_(ram.base().value()),
          end_(base_ + ram.size()) {}

    Result<BootEntry> load() {
        const KernelImage kernel = TRY(load_kernel(files_.kernel, base_, ram_.size()));
        for (const LoadSegment &segment : kernel.segments) {
            const auto target = ram_.span(GuestPhysAddr{segment.address}, segment.memory_size);
            std::ranges::copy(segment.bytes, target.begin());
        }
        const Range initrd = TRY(load_initrd(kernel.end()));
        const auto blob = TRY(finished_tree(initrd));
        const u64 tree_at = TRY(place_tree(kernel, initrd, blob.size()));
        std::ranges::copy(blob, ram_.span(GuestPhysAddr{tree_at}, blob.size()).begin());
        const u64 end = std::max({kernel.end(), initrd.end, tree_at + blob.size()});
        return BootEntry{kernel.entry, tree_at, end};
    }

    Result<> load_tree_only() {
        const auto blob = TRY(finished_tree({}));
        const auto target = ram_.span(ram_.base(), blob.size());
        if (target.empty()) return failure("--memory: too small for the device tree; give more");
        std::ranges::copy(blob, target.begin());
        return {};
    }

private:
    Result<Range> load_initrd(u64 kernel_end) {
        if (files_.initrd.empty()) return Range{};
        const u64 wanted = base_ + std::min(ram_.size() / 2, kInitrdAt);
        const u64 start = align_up(std::max(kernel_end, wanted), kTwoMiB);
        const u64 room = start < end_ ? end_ - start : 0;
        // One byte more than fits tells, without reading all of a large file.
        const FileBytes file = TRY(FileBytes::read(files_.initrd, room + 1));
        if (file.size() > room)
            return failure(fmt::format("{}: the initrd does not fit: there is room for {} behind "
                                       "the kernel; give more --memory",
                                       files_.initrd, human_size(room)));
        std::memcpy(ram_.span(GuestPhysAddr{start}, file.size()).data(), file.span().data(),
                    file.size());
        return Range{start, start + file.size()};
    }

    Result<std::vector<std::byte>> finished_tree(Range initrd) {
        std::unique_ptr<FdtTree> given;
        if (!files_.dtb.empty()) {
            const FileBytes file = TRY(FileBytes::read(files_.dtb));
            auto parsed = FdtTree::parse(file.span());
            if (!parsed.has_value())
                return failure(fmt::format("{}: {}; give a .dtb made by dtc", files_.dtb,
                                           parsed.error().message));
            given = std::move(parsed).value();
            tree_ = given.get();
        }
        FdtTreeNode &chosen = tree_->root().find_or_add("chosen");
        if (!files_.append.empty()) chosen.strings("bootargs", {files_.append});
        if (initrd.end != initrd.start) {
            chosen.wide_cells("linux,initrd-start", {initrd.start});
            chosen.wide_cells("linux,initrd-end", {initrd.end});
        }
        chosen.bytes("rng-seed", seeds_.rng);
        chosen.bytes("kaslr-seed", seeds_.kaslr);
        FdtTreeNode &memory = tree_->root().find_or_add(fmt::format("memory@{:x}", base_));
        memory.strings("device_type", {"memory"});
        memory.wide_cells("reg", {base_, ram_.size()});
        return tree_->flatten();
    }

    /// The start of RAM if the kernel leaves room there, else behind everything. booting.rst:
    /// 8-byte aligned, at most 2 MiB, not across a 2 MiB boundary.
    Result<u64> place_tree(const KernelImage &kernel, Range initrd, u64 size) const {
        if (size > kTwoMiB)
            return failure(fmt::format("{}: the device tree is larger than 2 MiB; make it smaller",
                                       files_.dtb));
        if (kernel.lowest() - base_ >= size) return base_;
        const u64 start = align_up(std::max(kernel.end(), initrd.end), kTwoMiB);
        if (start > end_ || end_ - start < size)
            return failure("--memory: no room for the device tree behind the kernel; give more");
        return start;
    }

    const BootFiles &files_;
    const BootSeeds &seeds_;
    GuestMemory &ram_;
    FdtTree *tree_;
    u64 base_;
    u64 end_;
};

} // namespace

Result<BootEntry> load_boot_files(const BootFiles &files, const BootSeeds &seeds, GuestMemory &ram,
                                  FdtTree &board_tree) {
    return BootLoader(files, seeds, ram, board_tree).load();
}

Result<> load_device_tree(const BootFiles &files, const BootSeeds &seeds, GuestMemory &ram,
                          FdtTree &board_tree) {
    return BootLoader(files, seeds, ram, board_tree).load_tree_only();
}

} // namespace tandem::machine
