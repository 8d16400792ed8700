#include "machine/replay/journal/journal_writer.h"

#include "machine/host/monotonic.h"
#include "machine/replay/journal/format.h"
#include "machine/replay/journal/recording_file.h"
#include "support/check.h"

#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
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
    auto file = TRY(RecordingFile::create(path));
    RecordingHeader header;
    header.manifest_bytes = static_cast<u32>(manifest.size());
    header.manifest_hash = ::XXH3_64bits(manifest.data(), manifest.size());
    header.header_hash = ::XXH3_64bits(&header, offsetof(RecordingHeader, header_hash));
    TRY(file->append(std::as_bytes(std::span(&header, 1))));
    TRY(file->append(std::as_bytes(std::span(manifest))));
    return std::unique_ptr<JournalWriter>(
        new JournalWriter(std::move(file), std::move(on_failure)));
}

JournalWriter::JournalWriter(ChunkSink &sink, std::function<void(Error)> on_failure)
    : sink_(sink), on_failure_(std::move(on_failure)),
      compressor_(::ZSTD_createCCtx(), &::ZSTD_freeCCtx), written_at_ns_(monotonic_ns()) {}

JournalWriter::JournalWriter(std::unique_ptr<ChunkSink> sink, std::function<void(Error)> on_failure)
    : JournalWriter(*sink, std::move(on_failure)) {
    own_sink_ = std::move(sink);
}

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

void JournalWriter::check(u64 moment, const CheckEntry &check) {
    begin(moment, static_cast<u8>(EntryKind::Check));
    put_hash(check.devices);
    put_hash(check.memory);
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

void JournalWriter::page(u64 moment, u32 memory, u64 index,
                         std::span<const std::byte, kPageBytes> bytes) {
    begin(moment, static_cast<u8>(EntryKind::Page));
    put(memory);
    put(index);
    chunk_.insert(chunk_.end(), bytes.begin(), bytes.end());
    write_if_full();
}

void JournalWriter::state(u64 moment, std::span<const std::byte> bytes) {
    for (bool is_last = false; !is_last;) {
        const auto piece = bytes.first(std::min(bytes.size(), kMaxInput));
        bytes = bytes.subspan(piece.size());
        is_last = bytes.empty();
        begin(moment, static_cast<u8>(EntryKind::State));
        put(is_last ? 1 : 0);
        put(piece.size());
        chunk_.insert(chunk_.end(), piece.begin(), piece.end());
        write_if_full();
    }
}

void JournalWriter::rest() {
    if (!chunk_.empty() && monotonic_ns() - written_at_ns_ >= kMaxDelay) write_chunk();
}

void JournalWriter::begin(u64 moment, u8 kind) {
    if (chunk_.empty()) chunk_moment_ = last_moment_;
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
    const ChunkHeader header{
        .bytes = static_cast<u32>(size),
        .raw_bytes = static_cast<u32>(chunk_.size()),
        .hash = ::XXH3_64bits_withSeed(packed_.data() + sizeof(ChunkHeader), size, chunk_moment_),
        .moment = chunk_moment_};
    std::memcpy(packed_.data(), &header, sizeof header);
    packed_.resize(sizeof header + size);
    chunk_.clear();
    if (auto appended = sink_.append(packed_); !appended.has_value()) {
        has_failed_ = true;
        on_failure_(std::move(appended.error()));
    }
}

} // namespace tandem::machine::replay
