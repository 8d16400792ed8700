#include "machine/host/logged_char.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace tandem::machine {

Result<std::unique_ptr<LoggedChar>> LoggedChar::create(std::unique_ptr<devices::Char> line,
                                                       const std::string &path) {
    ScopedFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
    if (!file.is_open())
        return failure(
            fmt::format("{}: {}; name a file that can be written", path, std::strerror(errno)));
    return std::unique_ptr<LoggedChar>{new LoggedChar(std::move(line), std::move(file))};
}

LoggedChar::LoggedChar(std::unique_ptr<devices::Char> line, ScopedFd file)
    : line_(std::move(line)), file_(std::move(file)), thread_([this] { run(); }) {}

LoggedChar::~LoggedChar() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

std::size_t LoggedChar::write(std::span<const std::byte> bytes) {
    const std::size_t taken = line_->write(bytes);
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + taken > kMaxWaiting) return taken;
    const auto kept = bytes.first(taken);
    waiting_.insert(waiting_.end(), kept.begin(), kept.end());
    changed_.notify_one();
    return taken;
}

void LoggedChar::run() {
    std::vector<std::byte> batch;
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (waiting_.empty()) return; // stopping
        batch.swap(waiting_);
        lock.unlock();
        for (auto left = std::span(batch); !left.empty();) {
            const ssize_t written = ::write(file_.get(), left.data(), left.size());
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) break; // a full disk costs the log, not the machine
            left = left.subspan(static_cast<std::size_t>(written));
        }
        batch.clear();
        lock.lock();
    }
}

} // namespace tandem::machine
