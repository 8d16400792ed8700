#include "machine/control/json_splitter.h"

namespace tandem::machine {
namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

} // namespace

void JsonSplitter::begin_value() {
    scanned_ = 0;
    depth_ = 0;
    in_string_ = escaped_ = is_plain_ = complete_ = false;
}

void JsonSplitter::scan(char c) {
    if (in_string_) {
        if (escaped_)
            escaped_ = false;
        else if (c == '\\')
            escaped_ = true;
        else if (c == '"')
            in_string_ = false;
        return;
    }
    switch (c) {
    case '"':
        in_string_ = true;
        is_plain_ |= depth_ == 0;
        break;
    case '{':
    case '[': ++depth_; break;
    case '}':
    case ']':
        // One too many is a value of its own, and wrong.
        if (depth_ > 0) --depth_;
        complete_ = depth_ == 0;
        break;
    default:
        if (depth_ > 0) break;
        if (is_space(c))
            complete_ = true;
        else
            is_plain_ = true;
    }
}

std::optional<JsonSplitter::Piece> JsonSplitter::next() {
    for (;;) {
        if (skipping_) {
            const std::size_t end = waiting_.find('\n');
            skipping_ = end == std::string::npos;
            waiting_.erase(0, skipping_ ? end : end + 1);
            if (skipping_) return std::nullopt;
        }
        if (scanned_ == 0) {
            std::size_t blank = 0;
            while (blank < waiting_.size() && is_space(waiting_[blank])) ++blank;
            waiting_.erase(0, blank);
        }
        while (scanned_ < waiting_.size() && !complete_ && depth_ <= kMaxDepth &&
               scanned_ <= kMaxLength)
            scan(waiting_[scanned_++]);
        if (depth_ > kMaxDepth || scanned_ > kMaxLength) {
            begin_value();
            skipping_ = true;
            return Piece{Kind::TooLarge, {}};
        }
        if (!complete_) return std::nullopt;
        Piece piece{Kind::Value, waiting_.substr(0, scanned_)};
        waiting_.erase(0, scanned_);
        begin_value();
        return piece;
    }
}

} // namespace tandem::machine
