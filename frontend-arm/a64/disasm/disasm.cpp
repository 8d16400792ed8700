#include "frontend-arm/a64/disasm/disasm.h"

#include "support/check.h"

#include <capstone/capstone.h>
#include <fmt/format.h>

namespace tandem::arm::a64 {
namespace {

/// A capstone handle, with the instruction it reuses. Capstone's handles are for one thread.
class Capstone {
public:
    Capstone() {
        CHECK(cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &handle_) == CS_ERR_OK);
        insn_ = cs_malloc(handle_);
        CHECK(insn_ != nullptr);
    }
    ~Capstone() {
        cs_free(insn_, 1);
        cs_close(&handle_);
    }
    Capstone(const Capstone &) = delete;
    Capstone &operator=(const Capstone &) = delete;

    std::string disassemble(u32 word, u64 address) {
        const u8 *code = reinterpret_cast<const u8 *>(&word);
        std::size_t size = sizeof word;
        if (!cs_disasm_iter(handle_, &code, &size, &address, insn_))
            return fmt::format(".word {:#010x}", word);
        if (insn_->op_str[0] == '\0') return insn_->mnemonic;
        return fmt::format("{} {}", static_cast<const char *>(insn_->mnemonic),
                           static_cast<const char *>(insn_->op_str));
    }

private:
    csh handle_ = 0;
    cs_insn *insn_ = nullptr;
};

} // namespace

std::string disassemble(u32 word, u64 address) {
    thread_local Capstone capstone;
    return capstone.disassemble(word, address);
}

} // namespace tandem::arm::a64
