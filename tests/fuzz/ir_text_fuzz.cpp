/// libFuzzer: any text as an IR block. What the verifier accepts passes every stage short of the
/// executors.
#include "frontend-arm/a64/a64_frontend.h"
#include "frontend-arm/state/cpu_model.h"
#include "ir/text/text.h"
#include "ir/verifier/verifier.h"
#include "support/check.h"
#include "tests/fuzz/block_stages.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    using namespace tandem;
    static const arm::a64::A64Frontend frontend(arm::CpuModel::create("max")->features());
    auto block = ir::parse({reinterpret_cast<const char *>(data), size});
    if (!block.has_value()) {
        CHECK(block.error().message.starts_with("IR text, line "));
        return 0;
    }
    if (ir::verify(*block, frontend.helpers()).has_value())
        fuzz::pass_ir_stages(*block, frontend.helpers());
    return 0;
}
