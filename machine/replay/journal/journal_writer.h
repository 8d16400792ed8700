#pragma once
/// Writes a recording while the machine runs. On the machine's thread.
#include "machine/replay/journal/entry.h"
#include "support/result.h"
#include "support/scoped_fd.h"

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
    ~JournalWriter();
    JournalWriter(const JournalWriter &) = delete;
    JournalWriter &operator=(const JournalWriter &) = delete;

    // Moments never go back. At most kMaxInput bytes.
    void input(u64 moment, PortId, std::span<const std::byte> bytes);
    void check(u64 moment, u64 hash);
    void end(u64 moment, const EndEntry &);
    /// The machine is about to wait: what it has entered is not to be lost meanwhile.
    void rest();

private:
    JournalWriter(std::string path, ScopedFd file, std::function<void(Error)> on_failure);

    void begin(u64 moment, u8 kind);
    void put(u64 number);
    void put_hash(u64 hash);
    void write_if_full();
    void write_chunk();
    [[nodiscard]] Result<> append(std::span<const std::byte> bytes);

    std::string path_;
    ScopedFd file_;
    std::function<void(Error)> on_failure_;
    std::unique_ptr<ZSTD_CCtx_s, std::size_t (*)(ZSTD_CCtx_s *)> compressor_;
    std::vector<std::byte> chunk_, packed_;
    u64 last_moment_ = 0;
    u64 written_at_ns_ = 0; ///< host time
    bool has_failed_ = false;
};

} // namespace tandem::machine::replay
