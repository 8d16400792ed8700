#include "machine/boot/fdt_tree.h"

#include <fmt/format.h>
#include <libfdt.h>

#include <algorithm>
#include <cstring>

namespace tandem::machine {

FdtTreeNode &FdtTreeNode::child(std::string_view name) {
    return children_.emplace_back(tree_, std::string{name});
}

FdtTreeNode &FdtTreeNode::find_or_add(std::string_view name) {
    const auto found = std::ranges::find(children_, name, &FdtTreeNode::name_);
    return found != children_.end() ? *found : child(name);
}

void FdtTreeNode::bytes(std::string_view property, std::span<const std::byte> value) {
    std::vector<std::byte> copy(value.begin(), value.end());
    const auto found = std::ranges::find(properties_, property, &Property::name);
    if (found != properties_.end()) {
        found->value = std::move(copy);
    } else {
        properties_.push_back({std::string{property}, std::move(copy)});
    }
}

void FdtTreeNode::flag(std::string_view property) {
    bytes(property, {});
}

void FdtTreeNode::cells(std::string_view property, std::initializer_list<u32> values) {
    cells(property, std::span(values.begin(), values.size()));
}

void FdtTreeNode::cells(std::string_view property, std::span<const u32> values) {
    std::vector<fdt32_t> raw;
    for (const u32 value : values) raw.push_back(cpu_to_fdt32(value));
    bytes(property, std::as_bytes(std::span(raw)));
}

void FdtTreeNode::wide_cells(std::string_view property, std::initializer_list<u64> values) {
    std::vector<fdt64_t> raw;
    for (const u64 value : values) raw.push_back(cpu_to_fdt64(value));
    bytes(property, std::as_bytes(std::span(raw)));
}

void FdtTreeNode::strings(std::string_view property,
                          std::initializer_list<std::string_view> values) {
    std::string joined;
    for (const std::string_view value : values) {
        joined += value;
        joined += '\0';
    }
    bytes(property, std::as_bytes(std::span(joined)));
}

u32 FdtTreeNode::phandle() {
    if (phandle_ == 0) {
        phandle_ = tree_.next_phandle_++;
        cells("phandle", {phandle_});
    }
    return phandle_;
}

Result<> FdtTree::parse_node(const void *blob, int offset, FdtTreeNode &node, unsigned depth) {
    static constexpr unsigned kMaxDepth = 64;
    if (depth > kMaxDepth) return failure("device tree nested too deeply");
    int property = 0;
    fdt_for_each_property_offset(property, blob, offset) {
        const char *name = nullptr;
        int length = 0;
        const void *value = fdt_getprop_by_offset(blob, property, &name, &length);
        if (value == nullptr || name == nullptr)
            return failure(fmt::format("damaged device tree: {}", fdt_strerror(length)));
        node.bytes(name, {static_cast<const std::byte *>(value), static_cast<std::size_t>(length)});
    }
    if (const u32 phandle = fdt_get_phandle(blob, offset); phandle != 0 && phandle != ~u32{0}) {
        node.phandle_ = phandle;
        next_phandle_ = std::max(next_phandle_, phandle + 1);
    }
    int child = 0;
    fdt_for_each_subnode(child, blob, offset) {
        const char *name = fdt_get_name(blob, child, nullptr);
        if (name == nullptr) return failure("damaged device tree: a node without a name");
        TRY(parse_node(blob, child, node.child(name), depth + 1));
    }
    return {};
}

Result<std::unique_ptr<FdtTree>> FdtTree::parse(std::span<const std::byte> blob) {
    if (blob.size() < sizeof(fdt_header) || fdt_magic(blob.data()) != FDT_MAGIC)
        return failure("not a device tree blob");
    if (fdt_totalsize(blob.data()) > blob.size())
        return failure(fmt::format("truncated: {} of {} bytes are there", blob.size(),
                                   fdt_totalsize(blob.data())));
    // Before 16 a node's name is its path, and libfdt's check of the root's reads a null pointer.
    static constexpr u32 kOldestVersion = 16;
    if (fdt_version(blob.data()) < kOldestVersion)
        return failure(fmt::format("a device tree of version {}; the oldest that is read is {}",
                                   fdt_version(blob.data()), kOldestVersion));
    if (const int status = fdt_check_full(blob.data(), blob.size()); status != 0)
        return failure(fmt::format("damaged device tree: {}", fdt_strerror(status)));
    auto tree = std::make_unique<FdtTree>();
    for (int i = 0; i < fdt_num_mem_rsv(blob.data()); ++i) {
        u64 address = 0;
        u64 size = 0;
        if (fdt_get_mem_rsv(blob.data(), i, &address, &size) == 0)
            tree->reservations_.emplace_back(address, size);
    }
    TRY(tree->parse_node(blob.data(), 0, tree->root_, 0));
    return tree;
}

Result<std::vector<std::byte>> FdtTree::flatten() const {
    static constexpr std::size_t kMaxSize = 16u << 20;
    for (std::size_t size = 64 * 1024; size <= kMaxSize; size *= 4) {
        std::vector<std::byte> blob(size);
        void *fdt = blob.data();
        int error = fdt_create(fdt, static_cast<int>(size));
        const auto check = [&error](int status) {
            if (error == 0) error = status;
        };
        for (const auto &[address, length] : reservations_)
            check(fdt_add_reservemap_entry(fdt, address, length));
        check(fdt_finish_reservemap(fdt));
        const auto write = [&](const auto &self, const FdtTreeNode &node) -> void {
            check(fdt_begin_node(fdt, node.name_.c_str()));
            for (const auto &property : node.properties_)
                check(fdt_property(fdt, property.name.c_str(), property.value.data(),
                                   static_cast<int>(property.value.size())));
            for (const FdtTreeNode &child : node.children_) self(self, child);
            check(fdt_end_node(fdt));
        };
        write(write, root_);
        check(fdt_finish(fdt));
        if (error == -FDT_ERR_NOSPACE) continue;
        if (error != 0) return failure(fmt::format("device tree: {}", fdt_strerror(error)));
        blob.resize(fdt_totalsize(fdt));
        return blob;
    }
    return failure("the device tree is too large");
}

} // namespace tandem::machine
