#include "machine/replay/gated_input.h"

#include <gtest/gtest.h>

#include <deque>
#include <linux/input-event-codes.h>

namespace tandem::machine::replay {
namespace {

using devices::InputReport;

struct Hands final : devices::Input {
    bool receive(InputReport &report) override {
        if (waiting.empty()) return false;
        report = waiting.front();
        waiting.pop_front();
        return true;
    }
    void set_lights(devices::InputLights value) override { lights = value; }
    void set_listener(devices::InputListener *value) override { listener = value; }
    void happen(InputReport report) {
        waiting.push_back(std::move(report));
        listener->reports_wait();
    }
    std::deque<InputReport> waiting;
    devices::InputListener *listener = nullptr;
    devices::InputLights lights = 0;
};

const InputReport kPress{{EV_KEY, KEY_A, 1}, {EV_SYN, SYN_REPORT, 0}};
const InputReport kRelease{{EV_KEY, KEY_A, 0}, {EV_SYN, SYN_REPORT, 0}};

TEST(GatedInput, LetsReportsInBetweenInstructions) {
    VirtualClock clock(0);
    Gate gate(clock);
    Hands hands;
    GatedInput input(gate, hands);
    InputReport report;
    hands.happen(kPress);
    hands.happen(kRelease);
    EXPECT_FALSE(input.receive(report)) << "not yet";
    gate.admit();
    devices::StateWriter writer;
    input.save(writer);
    for (const InputReport &expected : {kPress, kRelease}) {
        ASSERT_TRUE(input.receive(report));
        EXPECT_EQ(report, expected);
    }
    EXPECT_FALSE(input.receive(report));
    devices::StateReader reader(writer.data());
    ASSERT_TRUE(input.restore(reader).has_value());
    ASSERT_TRUE(input.receive(report));
    EXPECT_EQ(report, kPress);
}

TEST(GatedInput, CountsLightsAmongOutputs) {
    VirtualClock clock(0);
    Gate gate(clock);
    Hands hands;
    GatedInput input(gate, hands);
    const u64 before = gate.outputs();
    input.set_lights(2);
    EXPECT_EQ(hands.lights, 2u);
    EXPECT_NE(gate.outputs(), before);
}

} // namespace
} // namespace tandem::machine::replay
