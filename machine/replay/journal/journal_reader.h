#pragma once
/// Reads a recording, which is not trusted.
#include "machine/boot/file_bytes.h"
#include "machine/replay/journal/entry.h"
#include "support/result.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::machine::replay {

class JournalReader {
public:
    struct OpenFailure {
        Error error;
        bool is_unsupported = false; ///< sound, but of another version
    };
    [[nodiscard]] static std::expected<std::unique_ptr<JournalReader>, OpenFailure>
    open(const std::string &path);
    /// Of a file that has been read; `path` names it in errors.
    [[nodiscard]] static std::expected<std::unique_ptr<JournalReader>, OpenFailure>
    open(const std::string &path, FileBytes file);
    JournalReader(const JournalReader &) = delete;
    JournalReader &operator=(const JournalReader &) = delete;

    [[nodiscard]] std::string_view manifest() const { return manifest_; }
    /// The next entry. The last is an EndEntry or a CutEntry: there is none behind it.
    [[nodiscard]] const Entry &next() const { return next_; }
    void advance();

    /// Where an entry begins.
    struct Position {
        u64 chunk = 0;  ///< offset in the file
        u64 taken = 0;  ///< of the chunk
        u64 moment = 0; ///< of the entry before

        template <typename Self, typename Archive>
        static void transfer(Self &self, Archive &archive) {
            archive(self.chunk, self.taken, self.moment);
        }
    };
    /// That of the next one.
    [[nodiscard]] const Position &position() const { return position_; }
    /// To where the reader has been.
    void go_to(const Position &);

private:
    JournalReader() = default;

    void read_next();
    [[nodiscard]] bool read_chunk();
    [[nodiscard]] bool read_entry();
    [[nodiscard]] bool take(u64 &number);
    [[nodiscard]] bool take_hash(u64 &hash);
    void cut(std::string reason);

    FileBytes file_;
    std::string path_;
    std::string_view manifest_;
    std::span<const std::byte> rest_; ///< of the file
    std::vector<std::byte> chunk_;
    std::size_t taken_ = 0; ///< of the chunk
    u64 chunk_at_ = 0;
    u64 chunk_moment_ = 0; ///< from which its first entry counts
    Position position_;
    Entry next_;
};

} // namespace tandem::machine::replay
