#include "machine/debug/block_printer.h"

#include "ir/text/text.h"

#include <capstone/capstone.h>
#include <fmt/format.h>

namespace tandem::machine {
namespace {

enum class Isa : u8 { A64, X86_64 };

std::string disassemble(Isa isa, u64 address, std::span<const std::byte> code) {
    csh handle = 0;
    const cs_err opened = isa == Isa::A64 ? cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &handle)
                                          : cs_open(CS_ARCH_X86, CS_MODE_64, &handle);
    if (opened != CS_ERR_OK) return fmt::format("  ({})\n", cs_strerror(opened));
    // Encodings that the disassembler does not know are shown as data.
    cs_option(handle, CS_OPT_SKIPDATA, CS_OPT_ON);
    cs_insn *instructions = nullptr;
    const std::size_t count = cs_disasm(handle, reinterpret_cast<const uint8_t *>(code.data()),
                                        code.size(), address, 0, &instructions);
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        const cs_insn &instruction = instructions[i];
        text += fmt::format("  {:#x}:  ", instruction.address);
        if (isa == Isa::A64 && instruction.size == 4) {
            u32 word = 0;
            __builtin_memcpy(&word, instruction.bytes, 4);
            text += fmt::format("{:08x}  ", word);
        }
        text += fmt::format("{} {}\n", instruction.mnemonic, instruction.op_str);
    }
    if (instructions != nullptr) cs_free(instructions, count);
    cs_close(&handle);
    return text;
}

} // namespace

void BlockPrinter::translated(u64 va, std::span<const std::byte> guest_code, const ir::Block &raw,
                              const ir::Block &optimised) {
    std::string text;
    if (config_.decode)
        text += fmt::format("-- {:#x}: guest code\n{}", va, disassemble(Isa::A64, va, guest_code));
    if (config_.ir) text += fmt::format("-- {:#x}: IR\n{}", va, ir::print(raw, &frontend_));
    if (config_.optimised)
        text += fmt::format("-- {:#x}: IR, optimised\n{}", va, ir::print(optimised, &frontend_));
    const std::lock_guard lock(mutex_);
    std::fwrite(text.data(), 1, text.size(), out_);
}

void BlockPrinter::compiled(u64 va, std::span<const std::byte> host_code) {
    if (!config_.assembly) return;
    const std::string text =
        fmt::format("-- {:#x}: host code, {} bytes\n{}", va, host_code.size(),
                    disassemble(Isa::X86_64, reinterpret_cast<u64>(host_code.data()), host_code));
    const std::lock_guard lock(mutex_);
    std::fwrite(text.data(), 1, text.size(), out_);
}

void BlockPrinter::optimised(u64 va, const std::string &ir, std::span<const std::byte> host_code) {
    if (!config_.llvm) return;
    const std::string text =
        fmt::format("-- {:#x}: region, LLVM IR\n{}-- {:#x}: region, host code, {} bytes\n{}", va,
                    ir, va, host_code.size(),
                    disassemble(Isa::X86_64, reinterpret_cast<u64>(host_code.data()), host_code));
    const std::lock_guard lock(mutex_);
    std::fwrite(text.data(), 1, text.size(), out_);
}

} // namespace tandem::machine
