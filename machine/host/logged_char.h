#pragma once
/// A character line whose output goes to a file too: for what nobody was there to read.
#include "devices/backend/char.h"
#include "support/result.h"
#include "support/scoped_fd.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tandem::machine {

class LoggedChar final : public devices::Char {
public:
    /// Appends to the file.
    [[nodiscard]] static Result<std::unique_ptr<LoggedChar>>
    create(std::unique_ptr<devices::Char> line, const std::string &path);
    ~LoggedChar() override;

    std::size_t write(std::span<const std::byte> bytes) override;
    std::size_t read(std::span<std::byte> bytes) override { return line_->read(bytes); }
    [[nodiscard]] bool is_connected() const override { return line_->is_connected(); }
    void set_listener(devices::CharListener *listener) override { line_->set_listener(listener); }

private:
    /// More than that waits for no disk: it is missing from the log.
    static constexpr std::size_t kMaxWaiting = 16 << 20;

    LoggedChar(std::unique_ptr<devices::Char> line, ScopedFd file);
    void run();

    std::unique_ptr<devices::Char> line_;
    ScopedFd file_;
    std::mutex mutex_; ///< guards what follows
    std::condition_variable changed_;
    std::vector<std::byte> waiting_;
    bool stopping_ = false;
    std::thread thread_;
};

} // namespace tandem::machine
