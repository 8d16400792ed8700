#include "machine/bisect/report.h"

#include "frontend-arm/a64/disasm/disasm.h"
#include "machine/memory/page_sum.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <set>

namespace tandem::machine::bisect {
namespace {

constexpr u64 kPageSize = PageSum::kPageSize;
/// More pages are only counted.
constexpr std::size_t kMostPages = 16;
/// Shown of a page, from its first difference on.
constexpr std::size_t kShownBytes = 16;

std::string in_seconds(u64 ns) {
    return fmt::format("{}.{:09} s", ns / 1'000'000'000, ns % 1'000'000'000);
}

/// Of a little-endian number.
std::string number_of(std::span<const std::byte> bytes) {
    std::string text = "0x";
    for (auto each = bytes.rbegin(); each != bytes.rend(); ++each)
        text += fmt::format("{:02x}", static_cast<unsigned>(*each));
    return text;
}

std::string bytes_of(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte byte : bytes) text += fmt::format(" {:02x}", static_cast<unsigned>(byte));
    return text;
}

struct Change {
    std::size_t first = 0, count = 0;
};
Change difference(std::span<const std::byte> one, std::span<const std::byte> other) {
    Change change;
    const std::size_t size = std::min(one.size(), other.size());
    for (std::size_t i = 0; i < size; ++i)
        if (one[i] != other[i] && change.count++ == 0) change.first = i;
    if (one.size() != other.size() && change.count == 0) change.first = size;
    change.count += std::max(one.size(), other.size()) - size;
    return change;
}

std::vector<std::byte> read(DebugTarget &target, u32 cpu, std::size_t number) {
    std::vector<std::byte> bytes(target.registers().at(number).bytes());
    target.read_register(cpu, number, bytes);
    return bytes;
}

u64 program_counter(DebugTarget &target, u32 cpu) {
    u64 pc = 0;
    const auto bytes = read(target, cpu, target.registers().program_counter);
    std::memcpy(&pc, bytes.data(), std::min(bytes.size(), sizeof pc));
    return pc;
}

/// The instruction that the reference executes between the two positions.
Result<std::string> instruction(const Finding &finding, Subject &reference) {
    const u32 cpu = TRY(reference.go_to(finding.to)).last_cpu;
    static_cast<void>(TRY(reference.go_to(finding.from)));
    DebugTarget &target = reference.target();
    const u64 before = program_counter(target, cpu);
    const auto line_at = [&](u64 pc) {
        std::array<std::byte, 4> bytes{};
        u32 word = 0;
        if (target.read_memory({cpu}, pc, bytes) != bytes.size())
            return fmt::format("  {:#018x}: not mapped\n", pc);
        std::memcpy(&word, bytes.data(), sizeof word);
        return fmt::format("  {:#018x}: {:08x}  {}\n", pc, word, arm::a64::disassemble(word, pc));
    };
    const std::string straight = fmt::format("CPU {} executes\n", cpu) + line_at(before);
    // What enters in this moment may interrupt it.
    const Subject::Place place = TRY(reference.step(cpu));
    if (place.position != finding.from) return straight;
    return fmt::format("CPU {} takes an interrupt at {:#018x} and executes\n", cpu, before) +
           line_at(program_counter(target, cpu));
}

class Comparison {
public:
    Comparison(Subject &candidate, Subject &reference, const EngineNames &names)
        : candidate_(candidate), reference_(reference), names_(names) {}

    Result<std::string> differences() {
        text_ += fmt::format("  {:24}{:36}{}\n", "", names_.reference, names_.candidate);
        add_registers();
        TRY(add_parts());
        TRY(add_pages());
        return std::move(text_);
    }

private:
    void add_registers() {
        DebugTarget &one = candidate_.target(), &other = reference_.target();
        const RegisterFile &file = one.registers();
        for (u32 cpu = 0; cpu < one.cpu_count(); ++cpu)
            for (std::size_t number = 0; number < file.count(); ++number) {
                const auto got = read(one, cpu, number), expected = read(other, cpu, number);
                if (got == expected) continue;
                has_registers_ = true;
                text_ += fmt::format("  CPU {} {:18}{:36}{}\n", cpu, file.at(number).name,
                                     number_of(expected), number_of(got));
            }
    }

    Result<> add_parts() {
        const auto got = TRY(candidate_.parts()), expected = TRY(reference_.parts());
        for (std::size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
            if (got[i].name == "cpus" && has_registers_) continue;
            const Change change = difference(got[i].state, expected[i].state);
            if (change.count == 0) continue;
            text_ += fmt::format("  {}: {} of {} bytes of its state differ, the first is {}\n",
                                 got[i].name, change.count, got[i].state.size(), change.first);
        }
        return {};
    }

    Result<> add_pages() {
        GuestMemory &got = *TRY(candidate_.ram());
        GuestMemory &expected = *TRY(reference_.ram());
        std::set<u64> pages; // of either
        for (const GuestMemory *memory : {&got, &expected})
            for (const auto &[offset, length] : memory->populated())
                for (u64 at = offset; at < offset + length; at += kPageSize) pages.insert(at);
        std::size_t count = 0;
        for (const u64 offset : pages) {
            const std::byte *one = got.host() + offset, *other = expected.host() + offset;
            if (std::memcmp(one, other, kPageSize) == 0) continue;
            if (++count <= kMostPages) add_page(got.base() + offset, one, other);
        }
        if (count > kMostPages) text_ += fmt::format("  and {} more pages\n", count - kMostPages);
        return {};
    }

    void add_page(GuestPhysAddr base, const std::byte *got, const std::byte *expected) {
        const Change change = difference({got, kPageSize}, {expected, kPageSize});
        const std::size_t first = align_down(change.first, 8);
        const std::size_t shown = std::min(kShownBytes, kPageSize - first);
        text_ += fmt::format("  page {:#x}: {} bytes differ, the first at {:#x}; from {:#x} on\n",
                             base.value(), change.count, base.value() + change.first,
                             base.value() + first);
        text_ += fmt::format("    {:10}{}\n    {:10}{}\n", names_.reference,
                             bytes_of({expected + first, shown}), names_.candidate,
                             bytes_of({got + first, shown}));
    }

    Subject &candidate_, &reference_;
    const EngineNames &names_;
    std::string text_;
    bool has_registers_ = false;
};

} // namespace

Result<std::string> describe(const Finding &finding, Subject &candidate, Subject &reference,
                             const EngineNames &names) {
    using Kind = Finding::Kind;
    const std::string interval =
        fmt::format("instructions {} to {}, guest time {} to {}", finding.from + 1, finding.to,
                    in_seconds(finding.from_ns), in_seconds(finding.to_ns));
    switch (finding.kind) {
    case Kind::None:
        return fmt::format("no divergence up to instruction {}, guest time {}\n", finding.to,
                           in_seconds(finding.to_ns));
    case Kind::Agreed:
        return fmt::format("diverged within {}\n"
                           "  {} and {} both make the same of the recording there, which is not "
                           "what was recorded:\n"
                           "  what was recorded ran otherwise, or something else entered it\n",
                           interval, names.reference, names.candidate);
    case Kind::Disappeared:
        return fmt::format("diverged within {}\n"
                           "  but not when {} executed that again: it depends on what was "
                           "translated when\n",
                           interval, names.candidate);
    case Kind::Found: break;
    }
    std::string text = fmt::format("diverged at instruction {}, guest time {}: ", finding.to,
                                   in_seconds(finding.from_ns));
    text += TRY(instruction(finding, reference));
    static_cast<void>(TRY(candidate.go_to(finding.to)));
    static_cast<void>(TRY(reference.go_to(finding.to)));
    text += "  after it";
    if (finding.reference_is_right.has_value())
        text += fmt::format(" (what follows in {} {} what was recorded)", names.reference,
                            *finding.reference_is_right ? "is" : "is not");
    text += ":\n";
    return text + TRY(Comparison(candidate, reference, names).differences());
}

} // namespace tandem::machine::bisect
