#include "devices/virtio/net/flow_table.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace tandem::devices {
namespace {

struct End {
    u8 host;
    u8 port;
};

std::vector<std::byte> ipv4(End from, End to, u8 protocol, u8 fragment = 0) {
    std::vector<std::byte> frame(60);
    const auto put = [&](std::size_t at, u8 value) { frame[at] = std::byte{value}; };
    put(12, 0x08);
    put(14, 0x45);
    put(21, fragment);
    put(23, protocol);
    put(29, from.host);
    put(33, to.host);
    put(35, from.port);
    put(37, to.port);
    return frame;
}

std::vector<std::byte> ipv6(End from, End to) {
    std::vector<std::byte> frame(80);
    const auto put = [&](std::size_t at, u8 value) { frame[at] = std::byte{value}; };
    put(12, 0x86);
    put(13, 0xdd);
    put(20, 17);
    put(37, from.host);
    put(53, to.host);
    put(55, from.port);
    put(57, to.port);
    return frame;
}

TEST(FlowTable, AnswersFollowWhatTheyAnswer) {
    const End guest{15, 80}, host{2, 99};
    for (const auto &[sent, answer] : {std::pair{ipv4(guest, host, 6), ipv4(host, guest, 6)},
                                       {ipv4(guest, host, 17), ipv4(host, guest, 17)},
                                       {ipv4(guest, host, 1), ipv4(host, guest, 1)},
                                       {ipv6(guest, host), ipv6(host, guest)}}) {
        FlowTable table;
        EXPECT_EQ(table.pair_of(answer), 0);
        table.learn(sent, 3);
        EXPECT_EQ(table.pair_of(answer), 3);
    }
}

TEST(FlowTable, TellsFlowsApartByTheirPorts) {
    FlowTable table;
    table.learn(ipv4({15, 80}, {2, 99}, 6), 1);
    EXPECT_EQ(table.pair_of(ipv4({2, 100}, {15, 80}, 6)), 0);
    EXPECT_EQ(table.pair_of(ipv4({2, 99}, {15, 80}, 6, 1)), 0) << "a fragment shows no ports";
}

TEST(FlowTable, TakesAnyFrame) {
    const std::vector<std::byte> whole = ipv4({15, 80}, {2, 99}, 6);
    for (const u8 first : {u8{0x45}, u8{0x4f}, u8{0x40}})
        for (std::size_t size = 0; size <= whole.size(); ++size) {
            // Copies, so that a read past their ends shows.
            std::vector<std::byte> cut(whole.begin(),
                                       whole.begin() + static_cast<std::ptrdiff_t>(size));
            if (size > 14) cut[14] = std::byte{first};
            FlowTable table;
            table.learn(cut, 1);
            EXPECT_EQ(table.pair_of(cut), 1);
        }
}

} // namespace
} // namespace tandem::devices
