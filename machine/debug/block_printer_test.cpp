#include "machine/debug/block_printer.h"

#include "frontend-arm/a64/a64_frontend.h"
#include "frontend-arm/state/cpu_model.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <cstring>

namespace tandem::machine {
namespace {

TEST(BlockPrinter, ShowsTheStagesAskedFor) {
    const auto model = arm::CpuModel::create("max").value();
    const arm::a64::A64Frontend frontend(model.features());
    alignas(4) std::array<std::byte, 4096> page{};
    const std::array<u32, 2> code{0x9100'0421, 0xd65f'03c0}; // add x1, x1, #1; ret
    std::memcpy(page.data(), code.data(), sizeof code);
    ir::Block block;
    frontend.translate(page, 0, 1, 64, block);

    char *text = nullptr;
    std::size_t size = 0;
    std::FILE *out = ::open_memstream(&text, &size);
    TraceConfig config;
    config.decode = config.ir = config.assembly = true;
    config.first = 0x1000;
    config.last = 0x1fff;
    BlockPrinter printer(config, frontend, out);
    EXPECT_TRUE(printer.wants(0x1000));
    EXPECT_FALSE(printer.wants(0x2000));
    printer.translated(0x1000, std::span(page).first(8), block, block);
    const std::array host{std::byte{0x90}, std::byte{0xc3}};
    printer.compiled(0x1000, host);
    std::fclose(out);
    const std::string printed(text, size);
    std::free(text);
    EXPECT_NE(printed.find("add x1, x1, #1"), std::string::npos) << printed;
    EXPECT_NE(printed.find("block offset="), std::string::npos) << printed;
    EXPECT_EQ(printed.find("optimised"), std::string::npos) << printed;
    EXPECT_NE(printed.find("nop"), std::string::npos) << printed;
}

} // namespace
} // namespace tandem::machine
