#include "devices/virtio/fs/virtio_fs.h"

#include "devices/virtio/core/config_space.h"

#include <algorithm>

namespace tandem::devices {

VirtioFs::VirtioFs(FileSystem &files, std::string_view tag)
    : files_(files), session_(files), runner_(*this, files.tasks()) {
    std::ranges::copy(tag.substr(0, kMaxTag), config_.tag.begin());
}

void VirtioFs::read_config(u32 offset, std::span<std::byte> target) {
    read_config_struct(config_, offset, target);
}

void VirtioFs::reset() {
    session_.reset();
    files_.reset();
}

void VirtioFs::save(StateWriter &writer) const {
    save_state(writer, "virtio-fs", session_.state());
    files_.save(writer);
}

Result<> VirtioFs::restore(StateReader &reader) {
    FuseSessionState state;
    if (auto result = restore_state(reader, "virtio-fs", state); !result) return result;
    session_.set_state(state);
    return files_.restore(reader);
}

} // namespace tandem::devices
