#include "devices/core/state.h"

#include "support/check.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem::devices {

// A section is: u32 name length, name, u32 version, u32 payload length, payload.

void StateWriter::begin_section(std::string_view name, u32 version) {
    CHECK(section_length_at_ == 0);
    (*this)(static_cast<u32>(name.size()));
    bytes(std::as_bytes(std::span(name)));
    (*this)(version);
    section_length_at_ = data_.size();
    (*this)(u32{0});
}

void StateWriter::end_section() {
    CHECK(section_length_at_ != 0);
    const u32 length = static_cast<u32>(data_.size() - section_length_at_ - sizeof(u32));
    std::memcpy(data_.data() + section_length_at_, &length, sizeof(length));
    section_length_at_ = 0;
}

void StateWriter::bytes(std::span<const std::byte> source) {
    data_.insert(data_.end(), source.begin(), source.end());
}

Result<u32> StateReader::begin_section(std::string_view name, u32 newest) {
    section_end_ = data_.size();
    u32 name_length = 0;
    (*this)(name_length);
    if (failed_ || name_length > data_.size() - position_)
        return failure(fmt::format("snapshot: truncated before section '{}'", name));
    const std::string_view found(reinterpret_cast<const char *>(data_.data()) + position_,
                                 name_length);
    if (found != name)
        return failure(fmt::format("snapshot: section '{}' found where '{}' belongs", found, name));
    position_ += name_length;
    u32 version = 0, length = 0;
    (*this)(version, length);
    if (failed_ || length > data_.size() - position_)
        return failure(fmt::format("snapshot: section '{}' is truncated", name));
    if (version == 0 || version > newest)
        return failure(fmt::format("snapshot: section '{}' has version {}, this program knows 1-{}",
                                   name, version, newest));
    section_end_ = position_ + length;
    return version;
}

Result<> StateReader::end_section() {
    if (failed_ || position_ != section_end_)
        return failure("snapshot: a section has the wrong length; the file is damaged");
    return {};
}

void StateReader::bytes(std::span<std::byte> target) {
    if (target.size() > section_end_ - position_) {
        failed_ = true;
        std::memset(target.data(), 0, target.size());
        return;
    }
    std::ranges::copy(data_.subspan(position_, target.size()), target.begin());
    position_ += target.size();
}

} // namespace tandem::devices
