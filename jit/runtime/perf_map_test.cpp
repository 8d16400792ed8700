#include "jit/runtime/perf_map.h"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace tandem::jit {
namespace {

std::string path_for(const char *name) {
    return (std::filesystem::temp_directory_path() /
            (std::string(name) + std::to_string(::getpid())))
        .string();
}

TEST(PerfMap, WritesALineForEachPiece) {
    const std::string path = path_for("perf-map-lines-");
    std::ofstream(path) << "of another run\n";
    static constexpr std::array<std::byte, 0x20> kCode{};
    {
        auto map = PerfMap::create_at(
            path, [](u64 va) { return va == 0x1000 ? std::string("main+0x10") : std::string{}; });
        ASSERT_TRUE(map.has_value()) << map.error().message;
        (*map)->add("t1", 0x1000, kCode);
        (*map)->add("t2", 0xffff'8000'0000'1234, std::span(kCode).first(1));
        (*map)->add("t1", 0x1000, {});
    }
    std::stringstream text, wanted;
    text << std::ifstream(path).rdbuf();
    wanted << std::hex << reinterpret_cast<std::uintptr_t>(kCode.data())
           << " 20 t1:1000:main+0x10\n"
           << reinterpret_cast<std::uintptr_t>(kCode.data()) << " 1 t2:ffff800000001234\n";
    EXPECT_EQ(text.str(), wanted.str());
    std::filesystem::remove(path);
}

TEST(PerfMap, SaysWhyItCannot) {
    const auto map = PerfMap::create_at("/proc/no-such-folder/perf.map", {});
    ASSERT_FALSE(map.has_value());
    EXPECT_NE(map.error().message.find("No such file"), std::string::npos) << map.error().message;
}

} // namespace
} // namespace tandem::jit
