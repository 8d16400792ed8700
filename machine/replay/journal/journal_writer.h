#pragma once
/// Writes a recording while the machine runs. On the machine's thread.
#include "machine/replay/journal/chunk_sink.h"
#include "machine/replay/journal/entry.h"
#include "support/result.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct ZSTD_CCtx_s;

namespace tandem::machine::replay {

class JournalWriter {
public:
    /// Makes the file; fails if there is one already. `on_failure` is called once, when the file
    /// takes no more; what it has until then is a recording that ends there.
    [[nodiscard]] static Result<std::unique_ptr<JournalWriter>>
    create(const std::string &path, std::string_view manifest,
           std::function<void(Error)> on_failure);
    /// Chunks alone, for a sink that outlives the writer.
    JournalWriter(ChunkSink &, std::function<void(Error)> on_failure);
    ~JournalWriter();
    JournalWriter(const JournalWriter &) = delete;
    JournalWriter &operator=(const JournalWriter &) = delete;

    // Moments never go back. At most kMaxInput bytes.
    void input(u64 moment, PortId, std::span<const std::byte> bytes);
    void check(u64 moment, const CheckEntry &);
    void end(u64 moment, const EndEntry &);
    void page(u64 moment, u32 memory, u64 index, std::span<const std::byte, kPageBytes> bytes);
    /// All of it, whatever its size.
    void state(u64 moment, std::span<const std::byte> bytes);
    /// The machine is about to wait: what it has entered is not to be lost meanwhile.
    void rest();
    /// What has been entered is with the sink.
    void flush() { write_chunk(); }

    // Chunks that another one has made are put between.
    [[nodiscard]] Result<> append_chunk(std::span<const std::byte> chunk) {
        return sink_.append(chunk);
    }
    /// That of the last entry.
    [[nodiscard]] u64 last_moment() const { return last_moment_; }
    void continue_from(u64 moment) { last_moment_ = moment; }

private:
    JournalWriter(std::unique_ptr<ChunkSink> sink, std::function<void(Error)> on_failure);

    void begin(u64 moment, u8 kind);
    void put(u64 number);
    void put_hash(u64 hash);
    void write_if_full();
    void write_chunk();

    std::unique_ptr<ChunkSink> own_sink_;
    ChunkSink &sink_;
    std::function<void(Error)> on_failure_;
    std::unique_ptr<ZSTD_CCtx_s, std::size_t (*)(ZSTD_CCtx_s *)> compressor_;
    std::vector<std::byte> chunk_, packed_;
    u64 last_moment_ = 0;
    u64 chunk_moment_ = 0;  ///< from which its first entry counts
    u64 written_at_ns_ = 0; ///< host time
    bool has_failed_ = false;
};

} // namespace tandem::machine::replay
