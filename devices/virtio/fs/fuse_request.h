#pragma once
/// One FUSE request in a descriptor chain: a header, the operation's arguments, and the place of
/// the answer. Everything in it comes from the guest; take() and take_name() check the lengths.
#include "devices/backend/file_system.h"
#include "devices/virtio/core/virtqueue.h"

#include <linux/fuse.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <span>

namespace tandem::devices {

class FuseRequest {
public:
    /// Reads the header and, unless the operation carries data, all arguments. Nothing: too short
    /// even for a header.
    [[nodiscard]] static std::optional<FuseRequest> read(const DescriptorChain &chain) {
        FuseRequest request(chain);
        if (!chain.read_object(0, request.header)) return std::nullopt;
        const u64 length = chain.readable_bytes() - sizeof(fuse_in_header);
        const u64 arguments =
            request.header.opcode == FUSE_WRITE ? sizeof(fuse_write_in) : kMaxArguments;
        request.arguments_.resize(std::min(length, arguments));
        request.is_whole_ = request.header.len == chain.readable_bytes() &&
                            (request.header.opcode == FUSE_WRITE || length <= arguments) &&
                            chain.read(sizeof(fuse_in_header), request.arguments_);
        return request;
    }

    /// The header's length is the request's.
    [[nodiscard]] bool is_whole() const { return is_whole_; }
    [[nodiscard]] NodeId node() const { return NodeId{header.nodeid}; }
    [[nodiscard]] FileOwner owner() const { return {header.uid, header.gid}; }

    /// The next argument, a structure.
    template <typename T>
    [[nodiscard]] FileResult<T> take() {
        return take_part<T>(sizeof(T));
    }
    /// One whose older form is shorter.
    template <typename T>
    [[nodiscard]] FileResult<T> take_part(std::size_t size) {
        T value{};
        if (arguments_.size() - taken_ < size) return file_error(EINVAL);
        std::memcpy(&value, arguments_.data() + taken_, size);
        taken_ += size;
        return value;
    }
    /// The next argument, text up to a NUL.
    [[nodiscard]] FileResult<std::string> take_name() {
        const auto left = std::span(arguments_).subspan(taken_);
        const auto end = std::ranges::find(left, std::byte{0});
        if (end == left.end()) return file_error(EINVAL);
        const auto length = static_cast<std::size_t>(end - left.begin());
        taken_ += length + 1;
        return std::string(reinterpret_cast<const char *>(left.data()), length);
    }
    [[nodiscard]] FileResult<std::string> take_bytes(std::size_t size) {
        if (arguments_.size() - taken_ < size) return file_error(EINVAL);
        const auto *text = reinterpret_cast<const char *>(arguments_.data()) + taken_;
        taken_ += size;
        return std::string(text, size);
    }

    /// Room for the answer, behind its header.
    [[nodiscard]] u64 room() const {
        const u64 all = chain_.writable_bytes();
        return all < sizeof(fuse_out_header) ? 0 : all - sizeof(fuse_out_header);
    }
    /// Writes the answer's bytes behind its header; returns their number.
    [[nodiscard]] FileResult<u64> reply(std::span<const std::byte> bytes, u64 offset = 0) const {
        if (!chain_.write(sizeof(fuse_out_header) + offset, bytes)) return file_error(EINVAL);
        return offset + bytes.size();
    }
    template <typename T>
    [[nodiscard]] FileResult<u64> reply_object(const T &object, u64 offset = 0) const {
        return reply(std::as_bytes(std::span(&object, 1)), offset);
    }
    [[nodiscard]] const DescriptorChain &chain() const { return chain_; }

    fuse_in_header header{};

private:
    /// An extended attribute's value (64 KiB) and name, and more.
    static constexpr u64 kMaxArguments = 128 << 10;

    explicit FuseRequest(const DescriptorChain &chain) : chain_(chain) {}

    const DescriptorChain &chain_;
    std::vector<std::byte> arguments_;
    std::size_t taken_ = 0;
    bool is_whole_ = false;
};

} // namespace tandem::devices
