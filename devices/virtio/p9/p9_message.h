#pragma once
/// One 9P request in a descriptor chain, and the answer to it: size[4] type[1] tag[2], then fields
/// of little-endian numbers and texts with a length before them.
#include "devices/backend/file_system.h"
#include "devices/virtio/core/virtqueue.h"

#include <cerrno>

namespace tandem::devices {

struct P9Header {
    u32 size = 0; ///< of the whole message
    u8 type = 0;
    u16 tag = 0;
    static constexpr u32 kSize = 7;
};

/// The fields of a request; everything in them comes from the guest.
class P9Request {
public:
    static constexpr u8 kWrite = 118;
    /// Fields before the data of a write: fid[4] offset[8] count[4].
    static constexpr u64 kWriteFields = 16;

    /// Reads the header and, but for the data of a write, all fields. Nothing: too short even for a
    /// header.
    [[nodiscard]] static std::optional<P9Request> read(const DescriptorChain &chain) {
        P9Request request(chain);
        std::array<std::byte, P9Header::kSize> head;
        if (!chain.read(0, head)) return std::nullopt;
        std::memcpy(&request.header.size, head.data(), 4);
        std::memcpy(&request.header.type, head.data() + 4, 1);
        std::memcpy(&request.header.tag, head.data() + 5, 2);
        const u64 length = chain.readable_bytes() - P9Header::kSize;
        const bool is_write = request.header.type == kWrite;
        request.fields_.resize(std::min(length, is_write ? kWriteFields : kMaxFields));
        request.is_whole_ = request.header.size == chain.readable_bytes() &&
                            (is_write || length <= kMaxFields) &&
                            chain.read(P9Header::kSize, request.fields_);
        return request;
    }

    [[nodiscard]] bool is_whole() const { return is_whole_; }
    [[nodiscard]] const DescriptorChain &chain() const { return chain_; }

    template <typename... Numbers>
    [[nodiscard]] FileResult<> take(Numbers &...numbers) {
        return (take_number(numbers) && ...) ? FileResult<>{} : file_error(EINVAL);
    }
    [[nodiscard]] FileResult<std::string> take_text() {
        u16 length = 0;
        if (!take_number(length) || fields_.size() - taken_ < length) return file_error(EINVAL);
        const auto *text = reinterpret_cast<const char *>(fields_.data()) + taken_;
        taken_ += length;
        return std::string(text, length);
    }

    P9Header header;

private:
    /// Names and targets are short; a walk has at most 16 of them.
    static constexpr u64 kMaxFields = 64 << 10;

    explicit P9Request(const DescriptorChain &chain) : chain_(chain) {}

    template <typename T>
    [[nodiscard]] bool take_number(T &number) {
        if (fields_.size() - taken_ < sizeof(T)) return false;
        std::memcpy(&number, fields_.data() + taken_, sizeof(T));
        taken_ += sizeof(T);
        return true;
    }

    const DescriptorChain &chain_;
    std::vector<std::byte> fields_;
    std::size_t taken_ = 0;
    bool is_whole_ = false;
};

/// The fields of an answer.
class P9Answer {
public:
    template <typename... Numbers>
    void put(Numbers... numbers) {
        (put_bytes(std::as_bytes(std::span(&numbers, 1))), ...);
    }
    void put_text(std::string_view text) {
        put(static_cast<u16>(text.size()));
        put_bytes(std::as_bytes(std::span(text)));
    }
    /// What tells a file from others: its type and inode, and a version that changes with it.
    void put_qid(const FileAttributes &attributes) {
        constexpr u8 kDirectory = 0x80, kLink = 0x02;
        const u32 type = attributes.mode & 0170000;
        put(type == 0040000 ? kDirectory : type == 0120000 ? kLink : u8{0});
        put(static_cast<u32>(attributes.modified.seconds) ^ attributes.modified.nanoseconds);
        put(attributes.inode);
    }
    void put_bytes(std::span<const std::byte> bytes) {
        fields_.insert(fields_.end(), bytes.begin(), bytes.end());
    }
    [[nodiscard]] std::span<const std::byte> fields() const { return fields_; }
    [[nodiscard]] std::size_t size() const { return fields_.size(); }
    void clear() { fields_.clear(); }

    /// Bytes that are behind the fields already, in the chain.
    u64 data = 0;

private:
    std::vector<std::byte> fields_;
};

} // namespace tandem::devices
