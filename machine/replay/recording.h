#pragma once
/// What a recording says of the machine it is of: its configuration, and the files it started from.
#include "machine/board/machine_config.h"
#include "support/result.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::machine::replay {

/// A file that must still be what it was.
struct PinnedFile {
    std::string path;
    u64 bytes = 0;
    std::string hash; ///< XXH3 of the content, 32 hexadecimal digits
    friend bool operator==(const PinnedFile &, const PinnedFile &) = default;
};

struct Recording {
    MachineConfig config; ///< without what concerns the host alone
    std::vector<PinnedFile> files;
};

/// Of a machine about to be recorded: reads and pins every file that it starts from, backing images
/// included.
[[nodiscard]] Result<Recording> describe(const MachineConfig &);
/// The first file that is not what it was is an error.
[[nodiscard]] Result<> verify_files(const Recording &, const std::string &path);

[[nodiscard]] std::string to_json(const Recording &);
/// `path` names the recording in errors.
[[nodiscard]] Result<Recording> parse_recording(std::string_view json, const std::string &path);

} // namespace tandem::machine::replay
