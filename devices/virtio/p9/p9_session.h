#pragma once
/// 9P2000.L, as Linux's client speaks it, on a FileSystem. A fid is the client's name for a file it
/// has walked to and may have open; each holds one reference to the file's node.
#include "devices/virtio/p9/p9_message.h"

#include <map>
#include <memory>
#include <mutex>

namespace tandem::devices {

struct P9Fid {
    enum class Kind : u8 { Closed, File, Directory, AttributeRead, AttributeWrite };

    u32 uid = 0; ///< of the user who attached
    NodeId node = kRootNode;
    Kind kind = Kind::Closed;
    FileHandle handle{};
    /// Of an extended attribute: its name (to be written only), value and setxattr(2)'s flags.
    std::vector<u8> attribute, value;
    u32 flags = 0;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.uid, self.node, self.kind, self.handle, self.attribute, self.value,
                self.flags);
    }
};

struct P9SavedFid {
    u32 number = 0;
    P9Fid fid;
    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.number, self.fid);
    }
};

struct P9SessionState {
    static constexpr u32 kVersion = 1;

    u32 message_size = 0; ///< 0: no version has been agreed on
    std::vector<P9SavedFid> fids;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.message_size, self.fids);
    }
};

class P9Session {
public:
    explicit P9Session(FileSystem &files) : files_(files) {}

    /// Answers the request; returns the answer's length. Nothing: the chain has no request, or no
    /// room for an error. Any thread, several at once.
    [[nodiscard]] std::optional<u64> answer(const DescriptorChain &);

    /// Forgets fids; what they hold in the file system too.
    void reset();
    [[nodiscard]] P9SessionState state() const;
    /// False if the state cannot be one.
    [[nodiscard]] bool set_state(const P9SessionState &);

private:
    /// Never changed: replace() puts another in its place.
    using FidPointer = std::shared_ptr<const P9Fid>;
    using Outcome = FileResult<>;

    [[nodiscard]] Outcome dispatch(P9Request &, P9Answer &);
#define P9_MESSAGE(handler, number) [[nodiscard]] Outcome handler(P9Request &, P9Answer &);
#include "devices/virtio/p9/p9_messages.inc"
#undef P9_MESSAGE

    [[nodiscard]] FileResult<FidPointer> take_fid(P9Request &) const;
    struct Named {
        u32 number = 0;
        FidPointer fid;
    };
    [[nodiscard]] FileResult<Named> take_named_fid(P9Request &) const;
    /// Fails if the number is in use, or there are too many.
    [[nodiscard]] Outcome add(u32 number, P9Fid);
    /// Fails if the fid is not the one it was any more.
    [[nodiscard]] Outcome replace(const Named &, P9Fid);
    /// Takes back what the fid holds.
    void let_go(const P9Fid &);
    /// Puts the new file's qid into the answer, whose reference nobody wants.
    void put_new(const FileEntry &, P9Answer &);
    [[nodiscard]] FileResult<std::vector<std::span<std::byte>>> data_room(const P9Request &,
                                                                          u32 count) const;

    FileSystem &files_;
    mutable std::mutex mutex_; ///< guards all below
    u32 message_size_ = 0;
    std::map<u32, FidPointer> fids_;
};

} // namespace tandem::devices
