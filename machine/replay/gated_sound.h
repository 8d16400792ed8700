#pragma once
/// The loudspeaker and the microphone of a deterministic machine.
#include "devices/backend/sound.h"
#include "machine/replay/gate.h"

namespace tandem::machine::replay {

class GatedSound final : public devices::Sound, private GatePort {
public:
    /// `host` outlives it.
    GatedSound(Gate &gate, devices::Sound &host)
        : gate_(gate), host_(host), port_(gate.add(*this)) {}

    void play(u32 rate, std::span<const devices::SoundFrame>) override;
    void record(u32 rate, std::span<devices::SoundFrame>) override;

    // The machine's thread, between two instructions.
    void save(devices::StateWriter &) const;
    /// The host gets no frame a second time.
    [[nodiscard]] Result<> restore(devices::StateReader &);

private:
    /// The machine asks for what it records.
    bool fetch(std::vector<std::byte> &) override { return false; }
    void enter(std::span<const std::byte>) override {}

    Gate &gate_;
    devices::Sound &host_;
    PortId port_;
    u64 played_ = 0;    ///< frames, by the guest
    u64 passed_on_ = 0; ///< the most of them that ever was
};

} // namespace tandem::machine::replay
