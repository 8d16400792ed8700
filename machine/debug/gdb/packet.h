#pragma once
/// Framing of gdb's remote serial protocol (the gdb manual, appendix "Remote Protocol"): bytes to
/// packets and back, and the encodings inside.
#include "support/bits.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::machine {

class PacketReader {
public:
    /// Longer packets are dropped as damaged ones are.
    static constexpr std::size_t kMaxPacket = 0x10000;

    enum class Kind : u8 {
        Packet,
        Damaged,   ///< a wrong checksum, or too long
        Interrupt, ///< Ctrl-C
        Repeat,    ///< '-': the peer wants the last packet again
    };
    struct Piece {
        Kind kind = Kind::Packet;
        std::string text; ///< of a packet, without escapes
    };

    void add(std::string_view bytes) { waiting_ += bytes; }
    [[nodiscard]] std::optional<Piece> next();

private:
    std::string waiting_;
    std::size_t scanned_ = 0; ///< bytes of waiting_ that have been looked at
    bool is_too_long_ = false;
};

/// `$payload#checksum`; the payload's special bytes are escaped.
[[nodiscard]] std::string frame_packet(std::string_view payload);

/// Two hexadecimal digits for each byte.
[[nodiscard]] std::string to_hex(std::span<const std::byte> bytes);
[[nodiscard]] std::string to_hex(std::string_view text);
/// Nothing else than pairs of digits.
[[nodiscard]] std::optional<std::vector<std::byte>> from_hex(std::string_view digits);

/// Takes a packet apart from its beginning.
class PacketCursor {
public:
    explicit PacketCursor(std::string_view text) : rest_(text) {}

    [[nodiscard]] std::string_view rest() const { return rest_; }
    [[nodiscard]] bool is_at_end() const { return rest_.empty(); }
    [[nodiscard]] bool take(std::string_view expected) {
        if (!rest_.starts_with(expected)) return false;
        rest_.remove_prefix(expected.size());
        return true;
    }
    /// Up to 16 hexadecimal digits, at least one.
    [[nodiscard]] std::optional<u64> take_hex();
    /// What is before the delimiter, which goes too; or all.
    [[nodiscard]] std::string_view take_until(char delimiter);

private:
    std::string_view rest_;
};

} // namespace tandem::machine
