#include "machine/host/share/handle_table.h"

#include <algorithm>
#include <cerrno>

namespace tandem::machine {

devices::FileResult<devices::FileHandle> HandleTable::add(std::shared_ptr<OpenFile> file) {
    const std::lock_guard lock(mutex_);
    if (files_.size() >= max_handles_) return devices::file_error(ENFILE);
    files_.emplace(next_, std::move(file));
    return devices::FileHandle{next_++};
}

devices::FileResult<std::shared_ptr<OpenFile>> HandleTable::find(devices::FileHandle handle) const {
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(static_cast<u64>(handle));
    if (found == files_.end()) return devices::file_error(EBADF);
    return found->second;
}

void HandleTable::remove(devices::FileHandle handle) {
    std::shared_ptr<OpenFile> file; // closed without the mutex: that may take long
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(static_cast<u64>(handle));
    if (found == files_.end()) return;
    file = std::move(found->second);
    files_.erase(found);
}

void HandleTable::clear() {
    decltype(files_) files;
    const std::lock_guard lock(mutex_);
    files.swap(files_);
}

std::vector<SavedHandle> HandleTable::save() const {
    const std::lock_guard lock(mutex_);
    std::vector<SavedHandle> saved;
    for (const auto &[handle, file] : files_) {
        const devices::OpenMode &mode = file->mode;
        saved.push_back({handle, static_cast<u64>(file->node), file->is_directory, mode.read,
                         mode.write, mode.append, mode.data_sync, mode.sync});
    }
    std::ranges::sort(saved, {}, &SavedHandle::handle);
    return saved;
}

bool HandleTable::restore(const SavedHandle &saved, std::shared_ptr<OpenFile> file) {
    const std::lock_guard lock(mutex_);
    if (saved.handle == 0 || saved.handle == ~u64{0} || files_.size() >= max_handles_ ||
        !files_.emplace(saved.handle, std::move(file)).second)
        return false;
    next_ = std::max(next_, saved.handle + 1);
    return true;
}

} // namespace tandem::machine
