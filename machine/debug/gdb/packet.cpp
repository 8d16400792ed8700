#include "machine/debug/gdb/packet.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace tandem::machine {
namespace {

constexpr char kInterrupt = '\x03';
constexpr char kEscape = '}', kEscapeBit = 0x20;

std::optional<unsigned> digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
    return std::nullopt;
}

u8 checksum_of(std::string_view text) {
    u8 sum = 0;
    for (const char c : text) sum = static_cast<u8>(sum + static_cast<u8>(c));
    return sum;
}

std::string unescaped(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == kEscape && i + 1 < text.size())
            result += static_cast<char>(text[++i] ^ kEscapeBit);
        else
            result += text[i];
    }
    return result;
}

} // namespace

std::optional<PacketReader::Piece> PacketReader::next() {
    // Between packets.
    while (!waiting_.empty() && waiting_.front() != '$') {
        const char c = waiting_.front();
        waiting_.erase(0, 1);
        if (c == kInterrupt) return Piece{Kind::Interrupt, {}};
        if (c == '-') return Piece{Kind::Repeat, {}};
    }
    const std::size_t end = waiting_.find('#', scanned_);
    if (end == std::string::npos) {
        scanned_ = waiting_.size();
        if (scanned_ > kMaxPacket) {
            is_too_long_ = true;
            waiting_.resize(1);
            scanned_ = 1;
        }
        return std::nullopt;
    }
    scanned_ = end;
    if (waiting_.size() < end + 3) return std::nullopt;
    const std::string_view body = std::string_view{waiting_}.substr(1, end - 1);
    const std::optional<unsigned> high = digit(waiting_[end + 1]), low = digit(waiting_[end + 2]);
    const bool is_sound = high.has_value() && low.has_value() &&
                          checksum_of(body) == (*high << 4 | *low) && !is_too_long_ &&
                          body.size() <= kMaxPacket;
    Piece piece{Kind::Damaged, {}};
    if (is_sound) piece = {Kind::Packet, unescaped(body)};
    waiting_.erase(0, end + 3);
    scanned_ = 0;
    is_too_long_ = false;
    return piece;
}

std::string frame_packet(std::string_view payload) {
    std::string packet{"$"};
    for (const char c : payload) {
        // '*' would be taken for a repetition.
        if (c == '$' || c == '#' || c == kEscape || c == '*') {
            packet += kEscape;
            packet += static_cast<char>(c ^ kEscapeBit);
        } else {
            packet += c;
        }
    }
    fmt::format_to(std::back_inserter(packet), "#{:02x}",
                   checksum_of(std::string_view{packet}.substr(1)));
    return packet;
}

std::string to_hex(std::span<const std::byte> bytes) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const std::byte b : bytes) {
        text += kDigits[std::to_integer<unsigned>(b) >> 4];
        text += kDigits[std::to_integer<unsigned>(b) & 15];
    }
    return text;
}

std::string to_hex(std::string_view text) {
    return to_hex(std::as_bytes(std::span(text)));
}

std::optional<std::vector<std::byte>> from_hex(std::string_view digits) {
    if (digits.size() % 2 != 0) return std::nullopt;
    std::vector<std::byte> bytes;
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        const std::optional<unsigned> high = digit(digits[i]), low = digit(digits[i + 1]);
        if (!high.has_value() || !low.has_value()) return std::nullopt;
        bytes.push_back(static_cast<std::byte>(*high << 4 | *low));
    }
    return bytes;
}

std::optional<u64> PacketCursor::take_hex() {
    u64 value = 0;
    std::size_t length = 0;
    while (length < rest_.size() && length < 16) {
        const std::optional<unsigned> next = digit(rest_[length]);
        if (!next.has_value()) break;
        value = value << 4 | *next;
        ++length;
    }
    if (length == 0) return std::nullopt;
    rest_.remove_prefix(length);
    return value;
}

std::string_view PacketCursor::take_until(char delimiter) {
    const std::size_t end = rest_.find(delimiter);
    const std::string_view taken = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    return taken;
}

} // namespace tandem::machine
