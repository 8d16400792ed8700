#include "jit/baseline/host_features.h"

#include <xbyak/xbyak_util.h>

namespace tandem::jit {

HostFeatures HostFeatures::detect() {
    using Xbyak::util::Cpu;
    const Cpu cpu;
    HostFeatures f;
    f.avx = cpu.has(Cpu::tAVX);
    f.avx2 = f.avx && cpu.has(Cpu::tAVX2);
    f.bmi1 = cpu.has(Cpu::tBMI1);
    f.bmi2 = cpu.has(Cpu::tBMI2);
    f.lzcnt = cpu.has(Cpu::tLZCNT);
    f.movbe = cpu.has(Cpu::tMOVBE);
    f.fma = f.avx && cpu.has(Cpu::tFMA);
    f.f16c = f.avx && cpu.has(Cpu::tF16C);
    f.aes = cpu.has(Cpu::tAESNI);
    f.pclmul = cpu.has(Cpu::tPCLMULQDQ);
    f.sha = cpu.has(Cpu::tSHA);
    f.gfni = cpu.has(Cpu::tGFNI);
    f.avx512 = f.avx2 && cpu.has(Cpu::tAVX512F) && cpu.has(Cpu::tAVX512BW) &&
               cpu.has(Cpu::tAVX512DQ) && cpu.has(Cpu::tAVX512VL);
    return f;
}

HostFeatures HostFeatures::detect_up_to(unsigned level) {
    HostFeatures f = detect();
    if (level < 4) f.avx512 = false;
    if (level < 3) f = HostFeatures{};
    return f;
}

} // namespace tandem::jit
