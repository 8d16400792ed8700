#pragma once
/// Part of VirtBoard: what a CPU's stop sets off.
#include "machine/board/virt_board.h"

namespace tandem::machine {

class VirtBoard::StopRelay final : public CpuStopListener {
public:
    StopRelay(CpuSet &cpus, StopQuestion passes, StopQuestion told)
        : cpus_(cpus), passes_(std::move(passes)), told_(std::move(told)) {}

    StopAnswer cpu_stopped(u32 cpu, const CpuStop &stop) override {
        if (passes_(cpu, stop)) return StopAnswer::Passed;
        cpus_.hold();
        return told_(cpu, stop) ? StopAnswer::Told : StopAnswer::Untold;
    }

private:
    CpuSet &cpus_;
    StopQuestion passes_, told_;
};

} // namespace tandem::machine
