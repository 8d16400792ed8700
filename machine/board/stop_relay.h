#pragma once
/// Part of Board: what a CPU's stop sets off.
#include "machine/board/board.h"

namespace tandem::machine {

class Board::StopRelay final : public CpuStopListener {
public:
    StopRelay(CpuSet &cpus, std::function<bool(u32, const CpuStop &)> told)
        : cpus_(cpus), told_(std::move(told)) {}

    bool cpu_stopped(u32 cpu, const CpuStop &stop) override {
        cpus_.hold();
        return told_(cpu, stop);
    }

private:
    CpuSet &cpus_;
    std::function<bool(u32, const CpuStop &)> told_;
};

} // namespace tandem::machine
