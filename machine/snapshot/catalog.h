#pragma once
/// A folder of snapshots with tags: TAG.snapshot each. One that others are based on stays when its
/// tag is removed or given to another, as a hidden file of its id, until nothing needs it.
#include "support/bits.h"
#include "support/result.h"

#include <ctime>
#include <string>
#include <vector>

namespace tandem::machine::snapshot {

struct CatalogEntry {
    std::string tag, path;
    std::string based_on = {}; ///< a tag, or a file's name; empty: it stands alone
    u64 bytes = 0;             ///< of its file alone
    u64 seconds = 0;           ///< when it was saved, since 1970
    u64 guest_ns = 0;          ///< how long the guest had run
    std::string damage = {};   ///< why it cannot be used; empty: it can
};

/// The tag of a snapshot that is in such a folder.
[[nodiscard]] std::string tag_of(const std::string &path);

class Catalog {
public:
    explicit Catalog(std::string folder) : folder_(folder.empty() ? "." : std::move(folder)) {}

    /// Where the snapshot of a tag is, or would be; fails if it is no tag.
    [[nodiscard]] Result<std::string> path_of(const std::string &tag) const;
    /// The same for one that is there.
    [[nodiscard]] Result<std::string> find(const std::string &tag) const;
    /// PREFIX and the local time, with a number behind it if the same second has one already.
    [[nodiscard]] std::string unused_tag(const std::string &prefix, std::time_t now) const;
    /// By time.
    [[nodiscard]] std::vector<CatalogEntry> entries() const;
    /// Another snapshot is about to take the file's place.
    [[nodiscard]] Result<> keep_for_others(const std::string &path) const;
    /// Removes the tag; what it has goes when no other snapshot needs it.
    [[nodiscard]] Result<> remove(const std::string &tag) const;
    /// Removes what was kept for others and is needed no longer.
    void collect_garbage() const;

private:
    [[nodiscard]] std::vector<std::string> files() const;

    std::string folder_;
};

} // namespace tandem::machine::snapshot
