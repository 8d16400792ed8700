#pragma once
/// A machine with a name: a folder under the user's state directory that holds its description, its
/// disk and what it leaves behind, and, while it runs, three sockets.
#include "machine/control/qmp_client.h"
#include "support/bits.h"
#include "support/result.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tandem::machine {

/// What the machine is, as `create` was told.
struct MachineRecord {
    std::string image;                ///< absolute
    std::vector<std::string> options; ///< of `run`
    std::string directory;            ///< where relative paths among them start
    std::string copied_from = {};     ///< the machine whose disk its own is on top of; empty: none
};

/// What is known of the last start.
struct StartRecord {
    std::vector<std::string> ssh; ///< the command that logs in; empty: there is none
};

class NamedMachine {
public:
    /// The tag of the snapshot that a suspended machine goes on from, once.
    static constexpr const char *kSuspended = "suspended";

    /// Makes the folder and, for a disk image, an overlay on it, which is what the machine writes
    /// to: of `disk_size` bytes, or as large as the image.
    [[nodiscard]] static Result<NamedMachine> create(const std::string &name,
                                                     const std::string &image,
                                                     std::vector<std::string> options,
                                                     u64 disk_size);
    /// Fails if there is none of that name.
    [[nodiscard]] static Result<NamedMachine> find(const std::string &name);
    /// Sorted by name.
    [[nodiscard]] static Result<std::vector<NamedMachine>> all();

    [[nodiscard]] const std::string &name() const { return name_; }
    [[nodiscard]] const std::string &folder() const { return folder_; }
    [[nodiscard]] std::string control_path() const { return sockets_ + "/qmp.sock"; }
    [[nodiscard]] std::string console_path() const { return sockets_ + "/console.sock"; }
    [[nodiscard]] std::string agent_path() const { return sockets_ + "/agent.sock"; }
    [[nodiscard]] std::string move_path() const { return sockets_ + "/move.sock"; }
    [[nodiscard]] std::string snapshots() const { return folder_ + "/snapshots"; }
    [[nodiscard]] std::string console_log() const;
    [[nodiscard]] std::string run_log() const;

    [[nodiscard]] Result<MachineRecord> record() const;
    /// Starts `program run` with these arguments and the machine's sockets, and returns when it
    /// answers. The error is what the program said.
    [[nodiscard]] Result<> start(const std::vector<std::string> &arguments,
                                 const StartRecord &) const;
    [[nodiscard]] Result<StartRecord> last_start() const;
    /// Fails if the machine does not run.
    [[nodiscard]] Result<QmpClient> control() const;
    /// Where that snapshot is, if the machine is suspended.
    [[nodiscard]] std::optional<std::string> suspended() const;
    /// Makes a machine that goes on from where this one is suspended, on an overlay on its disk.
    /// This one cannot start while it has copies.
    [[nodiscard]] Result<> copy(const std::string &name) const;
    /// The names of those there are.
    [[nodiscard]] Result<std::vector<std::string>> copies() const;
    /// The machine must not run, nor have copies.
    [[nodiscard]] Result<> remove() const;

private:
    NamedMachine(std::string name, const std::string &state);
    /// Makes its folder, and what `fill` puts there: nothing is left of it if that fails.
    [[nodiscard]] static Result<NamedMachine>
    make(const std::string &name, const std::function<Result<>(const NamedMachine &)> &fill);
    [[nodiscard]] Result<> write(const MachineRecord &) const;
    /// An overlay on this machine's disk, which has what its snapshot `of` needs of that.
    [[nodiscard]] Result<> copy_disk(const std::string &of, const std::string &path) const;

    std::string name_, folder_, sockets_;
};

} // namespace tandem::machine
