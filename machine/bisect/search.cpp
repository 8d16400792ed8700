#include "machine/bisect/search.h"

#include <algorithm>
#include <optional>

namespace tandem::machine::bisect {
namespace {

using replay::CheckEntry;
using replay::Sequencer;
using replay::Verdict;

/// An interval is divided into so many: walking it forward meets the first of several differences,
/// where halving might meet another, and each instruction is executed some five times.
constexpr u64 kParts = 16;

struct Sight {
    Subject::Place place;
    CheckEntry state;
    friend bool operator==(const Sight &, const Sight &) = default;
};

Result<Sight> see(Subject &subject, u64 position) {
    const Subject::Place place = TRY(subject.go_to(position));
    return Sight{place, TRY(subject.look())};
}

/// Nothing: they are the same there.
Result<std::optional<std::pair<Sight, Sight>>> compare(Subject &candidate, Subject &reference,
                                                       u64 position) {
    const Sight one = TRY(see(candidate, position)), other = TRY(see(reference, position));
    if (one == other) return std::nullopt;
    return std::pair(one, other);
}

} // namespace

Result<Finding> find_divergence(Subject &candidate, Subject &reference) {
    Finding finding;
    const Sight seen{TRY(candidate.run_to_end()), TRY(candidate.look())};
    finding.verdict = TRY(candidate.verdict());
    finding.to = seen.place.position;
    finding.to_ns = seen.place.time_ns;
    if (finding.verdict.verdict != Verdict::Diverged) return finding;

    // Up to the check before, it was what was recorded.
    constexpr u64 kInterval = Sequencer::kCheckInterval;
    const u64 last_check = (std::max<u64>(finding.to, 1) - 1) / kInterval * kInterval;
    const Subject::Start start = TRY(candidate.start_before(last_check));
    TRY(reference.adopt(start));
    finding.from = std::max(last_check, start.position);
    // A disk may have been busy there; then they are the same at the checkpoint in any case.
    if (TRY(compare(candidate, reference, finding.from)).has_value()) {
        finding.to = finding.from;
        finding.from = start.position;
        static_cast<void>(TRY(compare(candidate, reference, finding.from)));
    }
    finding.from_ns = TRY(candidate.go_to(finding.from)).time_ns;

    const u64 last = finding.to;
    if (!TRY(compare(candidate, reference, last)).has_value()) {
        const bool is_again = TRY(see(candidate, last)) == seen;
        finding.kind = is_again ? Finding::Kind::Agreed : Finding::Kind::Disappeared;
        return finding;
    }
    finding.reference_is_right = TRY(reference.is_recorded());
    for (u64 part = 0; part != 1 || finding.to - finding.from > 1;) {
        part = std::max<u64>((finding.to - finding.from) / kParts, 1);
        const u64 end = finding.to;
        bool differs = false;
        for (u64 at = finding.from; !differs && at < end;) {
            at = std::min(at + part, end);
            const auto different = TRY(compare(candidate, reference, at));
            differs = different.has_value();
            (differs ? finding.to : finding.from) = at;
            const Subject::Place place = TRY(candidate.go_to(at));
            (differs ? finding.to_ns : finding.from_ns) = place.time_ns;
        }
        if (!differs) {
            finding.kind = Finding::Kind::Disappeared;
            finding.to = end;
            return finding;
        }
    }
    finding.kind = Finding::Kind::Found;
    return finding;
}

} // namespace tandem::machine::bisect
