/// libFuzzer: any code of any CPU model in any mode is translated, and its block passes every stage
/// up to host code. The first byte picks the model and how many instructions a block may have, the
/// next four are the mode; code follows. tests/isa runs translated code.
#include "frontend-arm/a64/a64_frontend.h"
#include "frontend-arm/state/cpu_model.h"
#include "ir/verifier/verifier.h"
#include "support/check.h"
#include "tests/fuzz/block_stages.h"

#include <algorithm>
#include <array>
#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    using namespace tandem;
    if (size < 9) return 0;
    using arm::a64::A64Frontend;
    static const auto frontends = [] {
        std::vector<A64Frontend> all;
        for (const std::string_view name : arm::CpuModel::names())
            all.emplace_back(arm::CpuModel::create(name)->features());
        return all;
    }();
    const A64Frontend &frontend = frontends[data[0] % frontends.size()];
    const u32 limit = data[0] / 4 % ir::kMaxBlockInstructions + 1;
    u32 mode = 0;
    std::memcpy(&mode, data + 1, sizeof mode);
    mode &= (arm::Mode::kUnalignedOrdered << 1) - 1;

    // At the end of its page, so that blocks meet it.
    alignas(4096) static std::array<std::byte, 4096> page;
    page.fill({});
    const size_t length = std::min<size_t>((size - 5) & ~size_t{3}, page.size());
    std::memcpy(page.data() + page.size() - length, data + 5, length);
    for (size_t offset = page.size() - length; offset < page.size(); offset += 4) {
        ir::Block block;
        frontend.translate(page, static_cast<u32>(offset), mode, limit, block);
        CHECK(block.guest_instructions >= 1 && block.guest_instructions <= limit);
        CHECK(block.page_offset == offset && block.mode == mode);
        CHECK(ir::verify(block, frontend.helpers()).has_value());
        fuzz::pass_ir_stages(block, frontend.helpers());
        fuzz::pass_executors(block, frontend.helpers());
        // Its other instructions, first in a block of their own, are the mutations' business.
        offset += block.guest_bytes >= 8 ? block.guest_bytes - 4 : 0;
    }
    return 0;
}
