#include "ir/text/text.h"

#include "ir/frontend.h"

#include <fmt/format.h>

#include <charconv>
#include <iterator>
#include <optional>
#include <unordered_map>

namespace tandem::ir {
namespace {

bool names_state(Opcode op) {
    const OpcodeInfo &row = info(op);
    return row.op_class == OpClass::State && op != Opcode::PcRelative;
}

const std::unordered_map<std::string_view, Opcode> &opcodes_by_name() {
    static const auto *const map = [] {
        auto *names = new std::unordered_map<std::string_view, Opcode>;
        for (unsigned i = 0; i < kOpcodeCount; ++i)
            names->emplace(info(static_cast<Opcode>(i)).name, static_cast<Opcode>(i));
        return names;
    }();
    return *map;
}

/// Splits a line into words; a comment ends it.
class Words {
public:
    explicit Words(std::string_view line) : rest_(line.substr(0, line.find(';'))) {}

    std::string_view next() {
        const auto start = rest_.find_first_not_of(" \t,");
        if (start == std::string_view::npos) return rest_ = {};
        rest_.remove_prefix(start);
        const auto end = rest_.find_first_of(" \t,");
        const std::string_view word = rest_.substr(0, end);
        rest_.remove_prefix(word.size());
        return word;
    }

private:
    std::string_view rest_;
};

std::optional<u64> parse_number(std::string_view word) {
    int base = 10;
    if (word.starts_with("0x")) {
        base = 16;
        word.remove_prefix(2);
    }
    u64 value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, base);
    if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
    return value;
}

class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {}

    Result<Block> run() {
        bool header_seen = false;
        while (!text_.empty()) {
            const auto end = text_.find('\n');
            const std::string_view line = text_.substr(0, end);
            text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + 1);
            ++line_number_;
            Words words(line);
            const std::string_view first = words.next();
            if (first.empty()) continue;
            if (!header_seen) {
                if (first != "block") return bad("expected 'block'");
                TRY(header(words));
                header_seen = true;
            } else {
                TRY(instruction(first, words));
            }
        }
        if (!header_seen) return bad("no 'block' line");
        return std::move(block_);
    }

private:
    std::unexpected<Error> bad(std::string_view what) const {
        return failure(fmt::format("IR text, line {}: {}", line_number_, what));
    }

    Result<> header(Words &words) {
        for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
            const auto equals = word.find('=');
            const auto value = equals == std::string_view::npos
                                   ? std::nullopt
                                   : parse_number(word.substr(equals + 1));
            if (!value || *value > 0xffffffff) return bad("expected name=number");
            const std::string_view name = word.substr(0, equals);
            if (name == "offset") {
                block_.page_offset = static_cast<u32>(*value);
            } else if (name == "mode") {
                block_.mode = static_cast<u32>(*value);
            } else if (name == "bytes") {
                block_.guest_bytes = static_cast<u32>(*value);
            } else if (name == "instructions") {
                block_.guest_instructions = static_cast<u32>(*value);
            } else {
                return bad("unknown block attribute");
            }
        }
        return {};
    }

    Result<> instruction(std::string_view first, Words &words) {
        if (block_.insts.size() >= kMaxBlockInsts) return bad("block too long");
        if (first.starts_with('%')) {
            if (parse_number(first.substr(1)) != block_.insts.size())
                return bad("a value is named by the index of its instruction");
            if (words.next() != "=") return bad("expected '='");
            first = words.next();
        }
        const auto found = opcodes_by_name().find(first);
        if (found == opcodes_by_name().end()) return bad("unknown operation");
        Inst inst{.op = found->second};
        unsigned arg_count = 0;
        for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
            const auto value = parse_number(word.substr(1));
            if (!value) return bad("expected %value or #immediate");
            if (word[0] == '#') {
                inst.imm = *value;
            } else if (word[0] == '%' && arg_count < 4 && *value < kNoValue) {
                inst.args[arg_count++] = static_cast<ValueId>(*value);
            } else {
                return bad("expected %value or #immediate");
            }
        }
        if (arg_count != info(inst.op).arg_count) return bad("wrong number of arguments");
        block_.insts.push_back(inst);
        return {};
    }

    std::string_view text_;
    unsigned line_number_ = 0;
    Block block_;
};

} // namespace

std::string print(const Block &block, const Frontend *frontend) {
    std::string text =
        fmt::format("block offset={:#x} mode={:#x} bytes={} instructions={}\n", block.page_offset,
                    block.mode, block.guest_bytes, block.guest_instructions);
    auto out = std::back_inserter(text);
    for (std::size_t i = 0; i < block.insts.size(); ++i) {
        const Inst &inst = block.insts[i];
        const OpcodeInfo &row = info(inst.op);
        out = row.result == Type::Void ? fmt::format_to(out, "  {}", row.name)
                                       : fmt::format_to(out, "  %{} = {}", i, row.name);
        for (unsigned a = 0; a < row.arg_count; ++a)
            out = fmt::format_to(out, " %{}", inst.args[a]);
        if (inst.imm != 0) out = fmt::format_to(out, " #{:#x}", inst.imm);
        if (frontend != nullptr && names_state(inst.op))
            out = fmt::format_to(out, " ; {}", frontend->state_name(static_cast<i64>(inst.imm)));
        if (frontend != nullptr && row.op_class == OpClass::Call) {
            const auto helpers = frontend->helpers();
            if (const u64 id = inst.imm & 0xffff; id < helpers.size())
                out = fmt::format_to(out, " ; {}", helpers[id].name);
        }
        text += '\n';
    }
    return text;
}

Result<Block> parse(std::string_view text) {
    return Parser(text).run();
}

} // namespace tandem::ir
