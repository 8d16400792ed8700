#include "machine/host/share/node_table.h"

#include "machine/host/share/share_names.h"
#include "support/result.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace tandem::machine {

using devices::file_error;

namespace {
/// A guest knows as many files as its memory holds inodes; a hostile one no more than this.
constexpr std::size_t kMaxNodes = std::size_t{1} << 22;
} // namespace

NodeTable::NodeTable(ScopedFd root, const FileIdentity &identity, std::size_t max_open)
    : max_open_(max_open) {
    FileStatus status;
    status.identity = identity;
    status.attributes.mode = S_IFDIR;
    root_ = &add(devices::kRootNode, status);
    root_->references = 1;
    root_->fd = std::make_shared<const ScopedFd>(std::move(root));
}

NodeTable::Node &NodeTable::add(NodeId id, const FileStatus &status) {
    auto node = std::make_unique<Node>();
    node->id = id;
    node->identity = status.identity;
    node->type = status.type();
    Node &added = *node;
    nodes_.emplace(static_cast<u64>(id), std::move(node));
    by_identity_.insert_or_assign(status.identity, &added);
    return added;
}

NodeTable::Node *NodeTable::find(NodeId id) {
    const auto found = nodes_.find(static_cast<u64>(id));
    return found == nodes_.end() ? nullptr : found->second.get();
}

std::size_t NodeTable::size() const {
    const std::lock_guard lock(mutex_);
    return nodes_.size();
}

// ---------------------------------------------------------------------------------- descriptors

bool NodeTable::make_room() {
    while (open_count_ >= max_open_) {
        if (open_.empty()) return false;
        close_node(*open_.back());
    }
    return true;
}

void NodeTable::keep_open(Node &node, Fd fd) {
    node.fd = std::move(fd);
    ++open_count_;
    if (node.parent == nullptr) return;
    open_.push_front(&node);
    node.place_in_open = open_.begin();
}

void NodeTable::close_node(Node &node) {
    if (node.fd == nullptr) return;
    if (node.parent != nullptr) open_.erase(node.place_in_open);
    node.fd.reset();
    --open_count_;
}

NodeTable::Outcome<NodeTable::Fd> NodeTable::open_child(Node &node, const Fd &parent) {
    if (!make_room()) return file_error(ENFILE);
    ScopedFd fd(::openat(parent->get(), node.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.is_open()) return file_error(errno == ENOENT || errno == ENOTDIR ? ESTALE : errno);
    const FileStatus status = TRY(file_status(fd.get()));
    if (status.identity != node.identity) return file_error(ESTALE);
    keep_open(node, std::make_shared<const ScopedFd>(std::move(fd)));
    return node.fd;
}

NodeTable::Outcome<NodeTable::Fd> NodeTable::open_node(Node &node) {
    if (node.fd != nullptr) {
        if (node.parent != nullptr) open_.splice(open_.begin(), open_, node.place_in_open);
        return node.fd;
    }
    // Down from the nearest ancestor that is open. attach() lets no circles arise.
    std::vector<Node *> way;
    Node *above = &node;
    for (; above != nullptr && above->fd == nullptr; above = above->parent) way.push_back(above);
    if (above == nullptr) return file_error(ESTALE);
    Fd fd = above->fd;
    for (; !way.empty(); way.pop_back()) fd = TRY(open_child(*way.back(), fd));
    return fd;
}

NodeTable::Outcome<NodeTable::Opened> NodeTable::open(NodeId id) {
    const std::lock_guard lock(mutex_);
    Node *node = find(id);
    if (node == nullptr) return file_error(ESTALE);
    Fd fd = TRY(open_node(*node));
    return Opened{std::move(fd), node->type};
}

NodeTable::Outcome<NodeTable::Place> NodeTable::place(NodeId id) {
    const std::lock_guard lock(mutex_);
    Node *node = find(id);
    if (node == nullptr) return file_error(ESTALE);
    if (node->fd != nullptr || node->parent == nullptr) {
        Fd fd = TRY(open_node(*node));
        return Place{std::move(fd), {}, node->identity};
    }
    Fd fd = TRY(open_node(*node->parent));
    return Place{std::move(fd), node->name, node->identity};
}

// ----------------------------------------------------------------------------------------- tree

void NodeTable::attach(Node &node, Node &parent, const std::string &name) {
    if (node.parent == &parent) {
        node.name = name;
        return;
    }
    if (node.type == S_IFDIR) {
        // What the host moves may seem to lie below itself until it is looked up again.
        for (const Node *above = &parent; above != nullptr; above = above->parent)
            if (above == &node) return;
    }
    Node *before = node.parent;
    const bool is_open = node.fd != nullptr;
    node.parent = &parent;
    node.name = name;
    ++parent.children;
    if (before != nullptr) {
        --before->children;
        release(before);
    } else if (is_open) {
        open_.push_front(&node);
        node.place_in_open = open_.begin();
    }
}

void NodeTable::detach(Node &node) {
    Node *parent = node.parent;
    if (parent == nullptr) return;
    if (node.fd != nullptr) open_.erase(node.place_in_open);
    node.parent = nullptr;
    --parent->children;
    release(parent);
}

void NodeTable::release(Node *node) {
    while (node != nullptr && node != root_ && node->references == 0 && node->children == 0) {
        Node *parent = node->parent;
        close_node(*node);
        if (const auto known = by_identity_.find(node->identity);
            known != by_identity_.end() && known->second == node)
            by_identity_.erase(known);
        nodes_.erase(static_cast<u64>(node->id));
        if (parent != nullptr) --parent->children;
        node = parent;
    }
}

NodeTable::Outcome<devices::NodeId> NodeTable::enter(NodeId parent_id, const std::string &name,
                                                     const FileStatus &status) {
    const std::lock_guard lock(mutex_);
    Node *parent = find(parent_id);
    if (parent == nullptr) return file_error(ESTALE);
    const auto known = by_identity_.find(status.identity);
    Node *node = known == by_identity_.end() ? nullptr : known->second;
    // Where there is no time of birth a file of another type has got the inode number.
    if (node != nullptr && node->type != status.type()) node = nullptr;
    if (node == nullptr) {
        if (nodes_.size() >= kMaxNodes) return file_error(ENFILE);
        node = &add(NodeId{next_id_++}, status);
    }
    ++node->references;
    if (node != root_) attach(*node, *parent, name);
    return node->id;
}

NodeTable::Outcome<> NodeTable::remember(NodeId id) {
    const std::lock_guard lock(mutex_);
    Node *node = find(id);
    if (node == nullptr) return file_error(ESTALE);
    ++node->references;
    return {};
}

void NodeTable::forget(NodeId id, u64 references) {
    const std::lock_guard lock(mutex_);
    Node *node = find(id);
    if (node == nullptr || node == root_) return;
    node->references -= std::min(node->references, references);
    release(node);
}

NodeTable::Fd NodeTable::hold(const FileIdentity &identity) {
    const std::lock_guard lock(mutex_);
    const auto known = by_identity_.find(identity);
    if (known == by_identity_.end()) return nullptr;
    return open_node(*known->second).value_or(nullptr);
}

void NodeTable::removed(const FileIdentity &identity, NodeId parent, const std::string &name,
                        Fd held) {
    const std::lock_guard lock(mutex_);
    const auto known = by_identity_.find(identity);
    if (known == by_identity_.end()) return;
    Node &node = *known->second;
    // It may have other names; the one it was found by last counts.
    if (node.parent == nullptr || node.parent->id != parent || node.name != name) return;
    if (node.fd == nullptr && held != nullptr) keep_open(node, std::move(held));
    detach(node);
}

void NodeTable::moved(const FileIdentity &identity, NodeId parent_id, const std::string &name) {
    const std::lock_guard lock(mutex_);
    const auto known = by_identity_.find(identity);
    Node *parent = find(parent_id);
    if (known == by_identity_.end() || parent == nullptr || known->second == root_) return;
    attach(*known->second, *parent, name);
}

bool NodeTable::note_version(NodeId id, const FileVersion &version) {
    const std::lock_guard lock(mutex_);
    Node *node = find(id);
    if (node == nullptr) return false;
    return std::exchange(node->version, version) == version;
}

// ---------------------------------------------------------------------------------------- state

void NodeTable::clear() {
    for (const auto &[id, node] : nodes_) {
        node->parent = nullptr;
        node->children = 0;
        if (node.get() != root_) node->fd.reset();
    }
    open_.clear();
    open_count_ = 0;
    by_identity_.clear();
    std::erase_if(nodes_, [this](const auto &entry) { return entry.second.get() != root_; });
    by_identity_.emplace(root_->identity, root_);
}

void NodeTable::reset() {
    const std::lock_guard lock(mutex_);
    clear();
}

std::vector<SavedNode> NodeTable::save() const {
    const std::lock_guard lock(mutex_);
    std::vector<SavedNode> saved;
    for (const auto &[id, node] : nodes_) {
        if (node.get() == root_) continue;
        saved.push_back({id, node->references,
                         node->parent == nullptr ? 0 : static_cast<u64>(node->parent->id),
                         node->type, std::vector<u8>(node->name.begin(), node->name.end())});
    }
    std::ranges::sort(saved, {}, &SavedNode::id);
    return saved;
}

bool NodeTable::restore(const std::vector<SavedNode> &saved) {
    const std::lock_guard lock(mutex_);
    clear();
    std::unordered_map<u64, std::vector<const SavedNode *>> below;
    for (const SavedNode &one : saved) {
        if (one.id <= static_cast<u64>(devices::kRootNode) || one.id >= ~u64{0} ||
            nodes_.contains(one.id) || nodes_.size() >= kMaxNodes)
            return false;
        // Stale until it is found. Nothing on the host has such an identity.
        FileStatus status;
        status.identity = {~u64{0}, one.id, 0};
        status.attributes.mode = one.type & S_IFMT;
        add(NodeId{one.id}, status).references = one.references;
        next_id_ = std::max(next_id_, one.id + 1);
        below[one.parent].push_back(&one);
    }
    std::vector<u64> parents{static_cast<u64>(devices::kRootNode)};
    while (!parents.empty()) {
        const auto children = below.find(parents.back());
        Node *parent = find(NodeId{parents.back()});
        parents.pop_back();
        if (children == below.end()) continue;
        const auto fd = open_node(*parent);
        for (const SavedNode *one : children->second) {
            const std::string name(one->name.begin(), one->name.end());
            if (!is_plain_name(name)) return false;
            const auto status =
                fd.has_value() ? file_status((*fd)->get(), name) : file_error(ESTALE);
            Node &node = *find(NodeId{one->id});
            if (!status.has_value() || status->type() != node.type ||
                by_identity_.contains(status->identity))
                continue;
            by_identity_.erase(node.identity);
            node.identity = status->identity;
            by_identity_.emplace(node.identity, &node);
            attach(node, *parent, name);
            parents.push_back(one->id);
        }
    }
    return true;
}

} // namespace tandem::machine
