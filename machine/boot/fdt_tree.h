#pragma once
/// A device tree in memory: built node by node, or parsed from a blob, and flattened by libfdt.
#include "devices/core/fdt_node.h"
#include "support/result.h"

#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace tandem::machine {

class FdtTree;

/// One node. Children live in a deque, so references to them stay good.
class FdtTreeNode final : public devices::FdtNode {
public:
    FdtTreeNode(FdtTree &tree, std::string name) : tree_(tree), name_(std::move(name)) {}

    FdtTreeNode &child(std::string_view name) override;
    void flag(std::string_view property) override;
    void cells(std::string_view property, std::initializer_list<u32> values) override;
    void cells(std::string_view property, std::span<const u32> values) override;
    void strings(std::string_view property,
                 std::initializer_list<std::string_view> values) override;
    u32 phandle() override;

    void bytes(std::string_view property, std::span<const std::byte> value);
    /// 64-bit values as pairs of cells.
    void wide_cells(std::string_view property, std::initializer_list<u64> values);
    /// The child of this name, made if it is not there.
    [[nodiscard]] FdtTreeNode &find_or_add(std::string_view name);

private:
    friend class FdtTree;
    struct Property {
        std::string name;
        std::vector<std::byte> value;
    };

    FdtTree &tree_;
    std::string name_;
    std::vector<Property> properties_;
    std::deque<FdtTreeNode> children_;
    u32 phandle_ = 0;
};

class FdtTree {
public:
    FdtTree() = default;
    FdtTree(const FdtTree &) = delete;
    FdtTree &operator=(const FdtTree &) = delete;

    /// Reads a blob given by the user. The error is a reason without the file's name.
    [[nodiscard]] static Result<std::unique_ptr<FdtTree>> parse(std::span<const std::byte> blob);

    [[nodiscard]] FdtTreeNode &root() { return root_; }
    [[nodiscard]] Result<std::vector<std::byte>> flatten() const;

private:
    friend class FdtTreeNode;
    Result<> parse_node(const void *blob, int offset, FdtTreeNode &node, unsigned depth);

    FdtTreeNode root_{*this, ""};
    std::vector<std::pair<u64, u64>> reservations_;
    u32 next_phandle_ = 1;
};

} // namespace tandem::machine
