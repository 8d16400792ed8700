#pragma once
/// Holds an image's refcounts and tables against each other, and repairs them. Nobody else uses
/// the file meanwhile.
#include "machine/storage/byte_file.h"
#include "machine/storage/qcow2/format.h"

#include <functional>
#include <string>
#include <vector>

namespace tandem::machine::qcow2 {

enum class Repair : u8 {
    None,
    Leaks, ///< give clusters back that nothing refers to
    All,   ///< also number the references anew, and give up entries that lead nowhere
};

struct CheckReport {
    u64 errors = 0; ///< that are left: they can destroy data
    u64 leaks = 0;  ///< clusters that are left: they only waste space
    u64 repaired_errors = 0, repaired_leaks = 0;
    u64 clusters = 0;           ///< of the disk
    u64 allocated_clusters = 0; ///< of these; compressed ones included
    u64 compressed_clusters = 0;
    u64 fragmented_clusters = 0;       ///< that do not lie behind their predecessor
    u64 end = 0;                       ///< of the last cluster in use, in the file
    std::vector<std::string> findings; ///< the first hundred
};

/// Called with done and total, now and then.
using CheckProgress = std::function<void(u64, u64)>;

[[nodiscard]] Result<CheckReport> check(ByteFile &, Repair, const CheckProgress &);

} // namespace tandem::machine::qcow2
