#pragma once
/// The files of a share that the guest knows, each by its number.
///
/// A node is a file, wherever its name goes: an O_PATH descriptor holds it. Guests know more files
/// than a process may have descriptors, so that those not used lately are closed and found again by
/// their parent and name, if the file there is still the same one; else the node is stale. A node
/// whose name is gone keeps its descriptor. Any thread.
#include "machine/host/share/file_status.h"
#include "support/scoped_fd.h"

#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace tandem::machine {

struct SavedNode {
    u64 id = 0, references = 0;
    u64 parent = 0; ///< 0: the name is gone
    u32 type = 0;
    std::vector<u8> name;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.id, self.references, self.parent, self.type, self.name);
    }
};

class NodeTable {
public:
    using Fd = std::shared_ptr<const ScopedFd>;
    template <typename T = void>
    using Outcome = devices::FileResult<T>;
    using NodeId = devices::NodeId;

    /// At most `max_open` descriptors are kept, and some more while they are in use.
    NodeTable(ScopedFd root, const FileIdentity &, std::size_t max_open);

    struct Opened {
        Fd fd; ///< O_PATH
        u32 type = 0;
    };
    [[nodiscard]] Outcome<Opened> open(NodeId);
    /// Where a node is, at the least cost: `name` in the directory `fd`, or `fd` itself.
    struct Place {
        Fd fd;
        std::string name;
        FileIdentity identity;
    };
    [[nodiscard]] Outcome<Place> place(NodeId);

    /// The node of the file that is there under this name, with one reference more.
    [[nodiscard]] Outcome<NodeId> enter(NodeId parent, const std::string &name, const FileStatus &);
    [[nodiscard]] Outcome<> remember(NodeId);
    void forget(NodeId, u64 references);

    /// Before a name is removed: opens the file's node, if it has one.
    [[nodiscard]] Fd hold(const FileIdentity &);
    /// The name was removed; `held` as hold() returned it.
    void removed(const FileIdentity &, NodeId parent, const std::string &name, Fd held);
    /// The file has this name now.
    void moved(const FileIdentity &, NodeId parent, const std::string &name);

    /// Whether the node had this version when it was asked last.
    [[nodiscard]] bool note_version(NodeId, const FileVersion &);

    void reset();
    [[nodiscard]] std::vector<SavedNode> save() const;
    /// False if the nodes contradict each other. Files that are gone become stale nodes.
    [[nodiscard]] bool restore(const std::vector<SavedNode> &);

    [[nodiscard]] std::size_t size() const;

private:
    struct Node {
        NodeId id{};
        FileIdentity identity;
        u32 type = 0;
        Node *parent = nullptr; ///< null: the root, or the name is gone
        std::string name;
        u64 references = 0;
        u64 children = 0; ///< nodes whose parent this is
        Fd fd;
        std::list<Node *>::iterator place_in_open; ///< valid if fd may be closed
        FileVersion version;
    };

    // With the mutex held.
    [[nodiscard]] Node *find(NodeId);
    [[nodiscard]] Outcome<Fd> open_node(Node &);
    [[nodiscard]] Outcome<Fd> open_child(Node &, const Fd &parent);
    [[nodiscard]] bool make_room();
    void keep_open(Node &, Fd);
    void close_node(Node &);
    void attach(Node &, Node &parent, const std::string &name);
    void detach(Node &);
    void release(Node *);
    [[nodiscard]] Node &add(NodeId, const FileStatus &);
    void clear();

    mutable std::mutex mutex_;
    std::size_t max_open_;
    u64 next_id_ = 2;
    std::unordered_map<u64, std::unique_ptr<Node>> nodes_;
    std::unordered_map<FileIdentity, Node *, FileIdentityHash> by_identity_;
    std::list<Node *> open_; ///< may be closed; the last used first
    std::size_t open_count_ = 0;
    Node *root_;
};

} // namespace tandem::machine
