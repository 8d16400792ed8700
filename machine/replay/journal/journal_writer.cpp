#include "machine/replay/journal/journal_writer.h"

#include "machine/host/monotonic.h"
#include "machine/replay/journal/format.h"
#include "support/check.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>

namespace tandem::machine::replay {
namespace {

/// Entries reach the file after so long at the latest, as long as there are entries.
constexpr u64 kMaxDelay = 200'000'000;
constexpr int kLevel = 3;

} // namespace

Result<std::unique_ptr<JournalWriter>>
JournalWriter::create(const std::string &path, std::string_view manifest,
                      std::function<void(Error)> on_failure) {
    ScopedFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)};
    if (!file.is_open())
        return failure(fmt::format("{}: cannot create: {}; name a new file in a folder that can be "
                                   "written",
                                   path, std::strerror(errno)));
    std::unique_ptr<JournalWriter> writer{
        new JournalWriter(path, std::move(file), std::move(on_failure))};
    RecordingHeader header;
    header.manifest_bytes = static_cast<u32>(manifest.size());
    header.manifest_hash = ::XXH3_64bits(manifest.data(), manifest.size());
    header.header_hash = ::XXH3_64bits(&header, offsetof(RecordingHeader, header_hash));
    TRY(writer->append(std::as_bytes(std::span(&header, 1))));
    TRY(writer->append(std::as_bytes(std::span(manifest))));
    return writer;
}

JournalWriter::JournalWriter(std::string path, ScopedFd file, std::function<void(Error)> on_failure)
    : path_(std::move(path)), file_(std::move(file)), on_failure_(std::move(on_failure)),
      compressor_(::ZSTD_createCCtx(), &::ZSTD_freeCCtx), written_at_ns_(monotonic_ns()) {}

JournalWriter::~JournalWriter() {
    write_chunk();
}

void JournalWriter::input(u64 moment, PortId port, std::span<const std::byte> bytes) {
    begin(moment, static_cast<u8>(EntryKind::Input));
    put(static_cast<u64>(port));
    put(bytes.size());
    chunk_.insert(chunk_.end(), bytes.begin(), bytes.end());
    write_if_full();
}

void JournalWriter::check(u64 moment, u64 hash) {
    begin(moment, static_cast<u8>(EntryKind::Check));
    put_hash(hash);
    write_if_full();
}

void JournalWriter::end(u64 moment, const EndEntry &end) {
    begin(moment, static_cast<u8>(EntryKind::End));
    put(static_cast<u64>(end.reason));
    put(end.hash.instructions);
    put_hash(end.hash.state);
    put_hash(end.hash.outputs);
    write_chunk();
}

void JournalWriter::rest() {
    if (!chunk_.empty() && monotonic_ns() - written_at_ns_ >= kMaxDelay) write_chunk();
}

void JournalWriter::begin(u64 moment, u8 kind) {
    put(kind);
    put(moment - last_moment_);
    last_moment_ = moment;
}

void JournalWriter::put(u64 number) {
    for (; number >= 0x80; number >>= 7) chunk_.push_back(static_cast<std::byte>(number | 0x80));
    chunk_.push_back(static_cast<std::byte>(number));
}

void JournalWriter::put_hash(u64 hash) {
    const auto bytes = std::as_bytes(std::span(&hash, 1));
    chunk_.insert(chunk_.end(), bytes.begin(), bytes.end());
}

void JournalWriter::write_if_full() {
    if (chunk_.size() >= kFullChunk || monotonic_ns() - written_at_ns_ >= kMaxDelay) write_chunk();
}

void JournalWriter::write_chunk() {
    written_at_ns_ = monotonic_ns();
    if (has_failed_) chunk_.clear();
    if (chunk_.empty()) return;
    packed_.resize(sizeof(ChunkHeader) + ::ZSTD_compressBound(chunk_.size()));
    const std::size_t size = ::ZSTD_compressCCtx(
        compressor_.get(), packed_.data() + sizeof(ChunkHeader),
        packed_.size() - sizeof(ChunkHeader), chunk_.data(), chunk_.size(), kLevel);
    CHECK(::ZSTD_isError(size) == 0);
    const ChunkHeader header{.bytes = static_cast<u32>(size),
                             .raw_bytes = static_cast<u32>(chunk_.size()),
                             .hash = ::XXH3_64bits(packed_.data() + sizeof(ChunkHeader), size)};
    std::memcpy(packed_.data(), &header, sizeof header);
    packed_.resize(sizeof header + size);
    chunk_.clear();
    if (auto appended = append(packed_); !appended.has_value()) {
        has_failed_ = true;
        on_failure_(std::move(appended.error()));
    }
}

Result<> JournalWriter::append(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0)
            return failure(fmt::format("{}: cannot record any further: {}; what is there replays "
                                       "up to here",
                                       path_, std::strerror(errno)));
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
}

} // namespace tandem::machine::replay
