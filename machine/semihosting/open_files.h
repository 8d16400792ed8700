#pragma once
/// The files that a semihosted program has open: its console, the list of extensions, and files of
/// the host's folder. Handles are 1..kMaxOpen. Used by one thread at a time.
#include "devices/backend/char.h"
#include "devices/core/state.h"
#include "machine/semihosting/guest_folder.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tandem::machine {

/// The console of semihosted programs. Without a line of its own nothing can be read from it.
struct SemihostingConsole {
    devices::Char *line = nullptr;
    bool has_input = false;
};

class OpenFiles {
public:
    template <typename T = void>
    using Answer = GuestFolder::Answer<T>;
    static constexpr std::size_t kMaxOpen = 256;
    static constexpr unsigned kModes = 12; ///< of fopen(): r, rb, r+, r+b, w ... a+b

    /// Null: there is no folder. Both outlive the table.
    OpenFiles(SemihostingConsole console, const GuestFolder *folder)
        : console_(console), folder_(folder) {}

    /// `mode` is below kModes.
    [[nodiscard]] Answer<u64> open(const std::string &name, unsigned mode);
    [[nodiscard]] Answer<> close(u64 handle);
    [[nodiscard]] Answer<bool> is_console(u64 handle) const;
    [[nodiscard]] Answer<u64> size(u64 handle) const;
    [[nodiscard]] Answer<> seek(u64 handle, u64 position);

    enum class Ended : u8 {
        No,
        Yes,  ///< there is nothing more to read
        Waits ///< for somebody at the console's other end
    };
    struct Moved {
        std::size_t bytes = 0;
        Ended end = Ended::No;
    };
    [[nodiscard]] Answer<Moved> read(u64 handle, std::span<std::byte>);
    [[nodiscard]] Answer<Moved> write(u64 handle, std::span<const std::byte>);

    // Of the console, open or not.
    [[nodiscard]] Moved read_console(std::span<std::byte>);
    [[nodiscard]] Moved write_console(std::span<const std::byte>);

    void save(devices::StateWriter &) const;
    /// A file that is no longer there answers with errors.
    [[nodiscard]] Result<> restore(devices::StateReader &);

private:
    enum class Kind : u8 { Free, ConsoleInput, ConsoleOutput, Features, File };
    struct OpenFile {
        Kind kind = Kind::Free;
        u8 mode = 0;
        u64 position = 0;
        std::string name;
        ScopedFd file;
    };
    [[nodiscard]] OpenFile *find(u64 handle);
    [[nodiscard]] const OpenFile *find(u64 handle) const;
    [[nodiscard]] Answer<OpenFile> open_named(const std::string &name, unsigned mode) const;
    [[nodiscard]] Answer<ScopedFd> open_file(const std::string &name, unsigned mode,
                                             bool again) const;

    SemihostingConsole console_;
    const GuestFolder *folder_;
    std::vector<OpenFile> files_;
};

} // namespace tandem::machine
