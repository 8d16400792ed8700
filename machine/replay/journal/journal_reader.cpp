#include "machine/replay/journal/journal_reader.h"

#include "machine/replay/journal/format.h"

#include <fmt/format.h>
#include <xxhash.h>
#include <zstd.h>

#include <cstring>

namespace tandem::machine::replay {

std::expected<std::unique_ptr<JournalReader>, JournalReader::OpenFailure>
JournalReader::open(const std::string &path) {
    auto file = FileBytes::read(path);
    if (!file.has_value()) return std::unexpected(OpenFailure{std::move(file.error())});
    return open(path, std::move(*file));
}

std::expected<std::unique_ptr<JournalReader>, JournalReader::OpenFailure>
JournalReader::open(const std::string &path, FileBytes file) {
    const auto refuse = [&](std::string reason, bool is_unsupported = false) {
        return std::unexpected(
            OpenFailure{Error{fmt::format("{}: {}", path, reason)}, is_unsupported});
    };
    std::unique_ptr<JournalReader> reader{new JournalReader};
    reader->file_ = std::move(file);
    reader->path_ = path;
    const auto bytes = reader->file_.span();
    RecordingHeader header;
    if (bytes.size() < sizeof header)
        return refuse("not a recording, or cut off in its header; use another");
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.magic != kRecordingMagic)
        return refuse("not a recording; name one that --record made");
    if (header.version != kRecordingVersion)
        return refuse(fmt::format("a recording of format {}; this tandem replays {}: use the one "
                                  "that recorded it",
                                  header.version, kRecordingVersion),
                      true);
    if (header.header_hash != ::XXH3_64bits(&header, offsetof(RecordingHeader, header_hash)))
        return refuse("damaged: its header is not what was written; use another copy");
    const auto behind = bytes.subspan(sizeof header);
    if (header.manifest_bytes > kMaxManifest || header.manifest_bytes > behind.size())
        return refuse("cut off in its manifest; use another copy");
    const auto manifest = behind.first(header.manifest_bytes);
    if (::XXH3_64bits(manifest.data(), manifest.size()) != header.manifest_hash)
        return refuse("damaged: its manifest is not what was written; use another copy");
    reader->manifest_ = {reinterpret_cast<const char *>(manifest.data()), manifest.size()};
    reader->rest_ = behind.subspan(header.manifest_bytes);
    reader->advance();
    return reader;
}

void JournalReader::advance() {
    if (std::holds_alternative<EndEntry>(next_.what) ||
        std::holds_alternative<CutEntry>(next_.what))
        return;
    read_next();
}

void JournalReader::go_to(const Position &position) {
    next_ = {.moment = position.moment, .what = {}};
    if (position.chunk != chunk_at_) {
        rest_ = file_.span().subspan(position.chunk);
        chunk_.clear();
    }
    taken_ = position.taken;
    read_next();
}

void JournalReader::read_next() {
    if (taken_ >= chunk_.size()) {
        const std::size_t taken = chunk_.empty() ? taken_ : 0;
        chunk_at_ = file_.span().size() - rest_.size();
        position_ = {chunk_at_, 0, next_.moment};
        chunk_.clear();
        if (!read_chunk()) return;
        taken_ = taken;
        if (taken == 0 && chunk_moment_ < next_.moment)
            return cut("damaged: a chunk is of an earlier moment than the one before it");
        if (taken == 0) next_.moment = chunk_moment_;
    }
    position_ = {chunk_at_, taken_, next_.moment};
    if (!read_entry()) cut("damaged: an entry makes no sense");
}

void JournalReader::cut(std::string reason) {
    next_.what = CutEntry{fmt::format("{}: {}", path_, reason)};
}

bool JournalReader::read_chunk() {
    ChunkHeader header;
    if (rest_.size() < sizeof header) {
        cut("the recording is cut off");
        return false;
    }
    std::memcpy(&header, rest_.data(), sizeof header);
    const auto packed = rest_.subspan(sizeof header);
    if (header.raw_bytes == 0 || header.raw_bytes > kMaxChunk) {
        cut("damaged: a chunk has no possible size");
        return false;
    }
    if (header.bytes > packed.size()) {
        cut("the recording is cut off");
        return false;
    }
    chunk_.resize(header.raw_bytes);
    if (::XXH3_64bits_withSeed(packed.data(), header.bytes, header.moment) != header.hash ||
        ::ZSTD_decompress(chunk_.data(), chunk_.size(), packed.data(), header.bytes) !=
            chunk_.size()) {
        chunk_.clear();
        cut("damaged: a chunk is not what was written");
        return false;
    }
    rest_ = packed.subspan(header.bytes);
    chunk_moment_ = header.moment;
    return true;
}

bool JournalReader::read_entry() {
    u64 kind = 0, elapsed = 0;
    if (!take(kind) || !take(elapsed) || elapsed > ~u64{0} / 2 - next_.moment) return false;
    const u64 moment = next_.moment + elapsed;
    switch (static_cast<EntryKind>(kind)) {
    case EntryKind::Input: {
        u64 port = 0, length = 0;
        if (!take(port) || !take(length) || port > ~u32{0} || length > kMaxInput ||
            length > chunk_.size() - taken_)
            return false;
        next_.what =
            InputEntry{static_cast<PortId>(port), std::span(chunk_).subspan(taken_, length)};
        taken_ += length;
        break;
    }
    case EntryKind::Check: {
        CheckEntry check;
        if (!take_hash(check.devices) || !take_hash(check.memory)) return false;
        next_.what = check;
        break;
    }
    case EntryKind::End: {
        u64 reason = 0;
        EndEntry end;
        if (!take(reason) || reason > static_cast<u64>(RunEnd::Host) ||
            !take(end.hash.instructions) || !take_hash(end.hash.state) ||
            !take_hash(end.hash.outputs))
            return false;
        end.reason = static_cast<RunEnd>(reason);
        next_.what = end;
        break;
    }
    case EntryKind::Page: {
        PageEntry page;
        u64 memory = 0;
        if (!take(memory) || !take(page.index) || memory > ~u32{0} ||
            kPageBytes > chunk_.size() - taken_)
            return false;
        page.memory = static_cast<u32>(memory);
        page.bytes = std::span(chunk_).subspan(taken_, kPageBytes);
        taken_ += kPageBytes;
        next_.what = page;
        break;
    }
    case EntryKind::State: {
        u64 is_last = 0, length = 0;
        if (!take(is_last) || !take(length) || is_last > 1 || length > kMaxInput ||
            length > chunk_.size() - taken_)
            return false;
        next_.what = StateEntry{is_last != 0, std::span(chunk_).subspan(taken_, length)};
        taken_ += length;
        break;
    }
    default: return false;
    }
    next_.moment = moment;
    return true;
}

bool JournalReader::take(u64 &number) {
    number = 0;
    for (unsigned shift = 0; shift < 64 && taken_ < chunk_.size(); shift += 7) {
        const u64 byte = static_cast<u64>(chunk_[taken_++]);
        number |= (byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) return true;
    }
    return false;
}

bool JournalReader::take_hash(u64 &hash) {
    if (chunk_.size() - taken_ < sizeof hash) return false;
    std::memcpy(&hash, chunk_.data() + taken_, sizeof hash);
    taken_ += sizeof hash;
    return true;
}

} // namespace tandem::machine::replay
