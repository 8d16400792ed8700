#pragma once
/// The file of a recording that is being made.
#include "machine/replay/journal/chunk_sink.h"
#include "support/scoped_fd.h"

#include <memory>
#include <string>

namespace tandem::machine::replay {

class RecordingFile final : public ChunkSink {
public:
    /// Fails if there is one already.
    [[nodiscard]] static Result<std::unique_ptr<RecordingFile>> create(const std::string &path);
    Result<> append(std::span<const std::byte> bytes) override;

private:
    RecordingFile(std::string path, ScopedFd file)
        : path_(std::move(path)), file_(std::move(file)) {}

    std::string path_;
    ScopedFd file_;
};

} // namespace tandem::machine::replay
