#include "devices/virtio/p9/virtio_9p.h"

#include <algorithm>

namespace tandem::devices {

Virtio9p::Virtio9p(FileSystem &files, std::string_view tag)
    : files_(files), tag_(tag), session_(files), runner_(*this, files.tasks()) {}

void Virtio9p::read_config(u32 offset, std::span<std::byte> target) {
    // The length of the tag, then the tag.
    std::string config{static_cast<char>(tag_.size()), static_cast<char>(tag_.size() >> 8)};
    config += tag_;
    std::ranges::fill(target, std::byte{0});
    const auto rest =
        std::as_bytes(std::span(config)).subspan(std::min<u64>(offset, config.size()));
    std::ranges::copy(rest.first(std::min(rest.size(), target.size())), target.begin());
}

void Virtio9p::save(StateWriter &writer) const {
    save_state(writer, "virtio-9p", session_.state());
    files_.save(writer);
}

Result<> Virtio9p::restore(StateReader &reader) {
    P9SessionState state;
    if (auto result = restore_state(reader, "virtio-9p", state); !result) return result;
    if (!session_.set_state(state)) return failure("snapshot: impossible files of a 9P share");
    return files_.restore(reader);
}

} // namespace tandem::devices
