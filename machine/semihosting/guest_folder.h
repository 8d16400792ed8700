#pragma once
/// A folder of the host as the root of a guest's file names: no name leads out of it, whatever
/// links are in it (openat2(2), RESOLVE_IN_ROOT). Regular files only. Any thread.
#include "support/bits.h"
#include "support/result.h"
#include "support/scoped_fd.h"

#include <expected>
#include <string>

namespace tandem::machine {

class GuestFolder {
public:
    /// An errno.
    template <typename T = void>
    using Answer = std::expected<T, int>;

    /// Fails, naming the option, if there is no such folder.
    [[nodiscard]] static Result<GuestFolder> open(const std::string &path, bool readonly);

    struct Access {
        bool read = false, write = false;
        bool create = false, truncate = false;
    };
    [[nodiscard]] Answer<ScopedFd> open_file(const std::string &name, Access) const;
    [[nodiscard]] Answer<> remove(const std::string &name) const;
    [[nodiscard]] Answer<> rename(const std::string &from, const std::string &to) const;

private:
    GuestFolder(ScopedFd folder, bool readonly) : folder_(std::move(folder)), readonly_(readonly) {}

    struct Place {
        ScopedFd folder;
        std::string name; ///< in it
    };
    [[nodiscard]] Answer<Place> find(const std::string &name) const;

    ScopedFd folder_;
    bool readonly_;
};

} // namespace tandem::machine
