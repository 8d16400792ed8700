#pragma once
/// The FUSE protocol, as Linux's virtiofs driver speaks it, on a FileSystem. Keeps nothing but
/// whether the driver has said FUSE_INIT: nodes and handles are the file system's.
#include "devices/virtio/fs/fuse_request.h"

#include <atomic>

namespace tandem::devices {

struct FuseSessionState {
    static constexpr u32 kVersion = 1;

    bool initialised = false;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.initialised);
    }
};

class FuseSession {
public:
    explicit FuseSession(FileSystem &files) : files_(files) {}

    /// Answers the request; returns the answer's length, 0 for requests without one. Nothing: the
    /// chain has no request, or no room for an answer's header. Any thread, several at once.
    [[nodiscard]] std::optional<u64> answer(const DescriptorChain &);

    void reset() { initialised_ = false; }
    [[nodiscard]] FuseSessionState state() const { return {initialised_}; }
    void set_state(const FuseSessionState &state) { initialised_ = state.initialised; }

private:
    /// The length of the answer behind its header.
    using Answer = FileResult<u64>;

    [[nodiscard]] Answer dispatch(FuseRequest &);
    [[nodiscard]] Answer lookup(FuseRequest &);
    [[nodiscard]] Answer forget(FuseRequest &);
    [[nodiscard]] Answer batch_forget(FuseRequest &);
    [[nodiscard]] Answer interrupt(FuseRequest &);
    [[nodiscard]] Answer init(FuseRequest &);
    [[nodiscard]] Answer destroy(FuseRequest &);
    [[nodiscard]] Answer getattr(FuseRequest &);
    [[nodiscard]] Answer setattr(FuseRequest &);
    [[nodiscard]] Answer access(FuseRequest &);
    [[nodiscard]] Answer statfs(FuseRequest &);
    [[nodiscard]] Answer setxattr(FuseRequest &);
    [[nodiscard]] Answer getxattr(FuseRequest &);
    [[nodiscard]] Answer listxattr(FuseRequest &);
    [[nodiscard]] Answer removexattr(FuseRequest &);
    [[nodiscard]] Answer readlink(FuseRequest &);
    [[nodiscard]] Answer symlink(FuseRequest &);
    [[nodiscard]] Answer mknod(FuseRequest &);
    [[nodiscard]] Answer mkdir(FuseRequest &);
    [[nodiscard]] Answer unlink(FuseRequest &);
    [[nodiscard]] Answer rmdir(FuseRequest &);
    [[nodiscard]] Answer rename(FuseRequest &);
    [[nodiscard]] Answer rename2(FuseRequest &);
    [[nodiscard]] Answer link(FuseRequest &);
    [[nodiscard]] Answer open(FuseRequest &);
    [[nodiscard]] Answer create(FuseRequest &);
    [[nodiscard]] Answer read(FuseRequest &);
    [[nodiscard]] Answer write(FuseRequest &);
    [[nodiscard]] Answer flush(FuseRequest &);
    [[nodiscard]] Answer release(FuseRequest &);
    [[nodiscard]] Answer fsync(FuseRequest &);
    [[nodiscard]] Answer syncfs(FuseRequest &);
    [[nodiscard]] Answer fallocate(FuseRequest &);
    [[nodiscard]] Answer lseek(FuseRequest &);
    [[nodiscard]] Answer copy_file_range(FuseRequest &);
    [[nodiscard]] Answer opendir(FuseRequest &);
    [[nodiscard]] Answer readdir(FuseRequest &);
    [[nodiscard]] Answer readdirplus(FuseRequest &);

    /// An entry whose reference the guest gets with the answer, or nobody if that fails.
    [[nodiscard]] Answer reply_entry(const FuseRequest &, const FileEntry &);
    [[nodiscard]] Answer list_directory(FuseRequest &, bool with_attributes);

    FileSystem &files_;
    std::atomic<bool> initialised_ = false;
};

} // namespace tandem::devices
