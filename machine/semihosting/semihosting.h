#pragma once
/// Semihosting (Arm, "Semihosting for AArch32 and AArch64", release 3.0): HLT #0xF000 of a
/// privileged program asks the host for an operation. W0 is its number, X1 its parameter or the
/// address of a block of them; X0 is the answer.
#include "devices/core/clock.h"
#include "devices/core/state.h"
#include "frontend-arm/state/environment.h"
#include "machine/memory/physical_map.h"
#include "machine/semihosting/guest_folder.h"
#include "machine/semihosting/open_files.h"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace tandem::machine {

class Semihosting final : public arm::SemihostingCalls, private devices::CharListener {
public:
    /// What it works on; all of it outlives it.
    struct Wiring {
        PhysicalMap *memory = nullptr;
        devices::Clock *clock = nullptr;
        arm::EventBus *events = nullptr; ///< wakes CPUs that wait for the console
        SemihostingConsole console;
        std::unique_ptr<GuestFolder> folder = nullptr; ///< null: there are no files
        std::string command_line;
        u32 cpus = 1;
        u64 ram_end = 0;
        /// The program ends with this status. On the CPU's thread.
        std::function<void(u8 status)> exit;
    };

    explicit Semihosting(Wiring);
    ~Semihosting() override;

    /// Once there are CPUs that may be woken.
    void listen();
    /// Before the guest runs: RAM is free from here on.
    void set_free_ram(u64 start) { free_ram_ = start; }

    Completion call(arm::ArmState &) override;

    // While no CPU executes.
    void save(devices::StateWriter &) const;
    [[nodiscard]] Result<> restore(devices::StateReader &);

private:
    struct Call;
    struct Answer;
    struct Operation;
    struct SavedState;

    void readable() override { wiring_.events->send_event(); }
    void writable() override { wiring_.events->send_event(); }

    static const Operation kOperations[];
    [[nodiscard]] Answer perform(Call &);
    Answer failed(int error);
    template <typename T>
    Answer unless_failed(const GuestFolder::Answer<T> &, u64 value);

    // clang-format off
    Answer open(Call &);
    Answer close(Call &);
    Answer write_character(Call &);
    Answer write_text(Call &);
    Answer write(Call &);
    Answer read(Call &);
    Answer read_character(Call &);
    Answer is_error(Call &);
    Answer is_terminal(Call &);
    Answer seek(Call &);
    Answer file_length(Call &);
    Answer temporary_name(Call &);
    Answer remove(Call &);
    Answer rename(Call &);
    Answer centiseconds(Call &);
    Answer calendar_time(Call &);
    Answer run_command(Call &);
    Answer last_error(Call &);
    Answer command_line(Call &);
    Answer heap_info(Call &);
    Answer exit(Call &);
    Answer elapsed_ticks(Call &);
    Answer tick_frequency(Call &);
    // clang-format on
    /// Of a call that is made again until all of it has been taken.
    Answer say(Call &, std::span<const std::byte> text);
    [[nodiscard]] GuestFolder::Answer<std::string> name_at(Call &, u64 va, u64 length) const;

    const Wiring wiring_;
    std::mutex mutex_; ///< guards what follows
    OpenFiles files_;
    int last_error_ = 0;
    u64 free_ram_ = 0;
    std::vector<u64> said_; ///< of the text that each CPU is saying: bytes that have been taken
};

} // namespace tandem::machine
