#pragma once
/// One virtual machine of KVM: its memory, its interrupt lines and its doorbells. x86-64, with the
/// interrupt controllers (PIC, IOAPIC, local APICs) and the PIT in the kernel.
#include "devices/core/irq_line.h"
#include "machine/accel/kvm/kvm_host.h"

#include <array>
#include <cstddef>
#include <memory>
#include <span>

namespace tandem::machine {

class KvmVm final : public devices::IrqSink {
public:
    static constexpr u32 kLines = 24; ///< inputs of the IOAPIC; the number is the GSI

    /// `host` outlives the machine.
    [[nodiscard]] static Result<std::unique_ptr<KvmVm>> create(const KvmHost &host);

    /// Puts host memory at guest physical `address`; both by whole pages. It outlives the machine.
    [[nodiscard]] Result<> map(u64 address, std::span<std::byte> memory);
    /// From now on a rising level of this line is one edge, made by an eventfd; a falling one is
    /// nothing. For lines that the guest's tables call edge-triggered.
    [[nodiscard]] Result<> use_edges(u32 line);
    /// Any thread. Of another line: the level itself.
    void set_level(u32 line, bool level) override;
    /// A store of `value`, four bytes, to guest physical `address` is no exit but wakes the
    /// eventfd.
    [[nodiscard]] Result<> ring(int eventfd, u64 address, u32 value);

    [[nodiscard]] const KvmHost &host() const { return host_; }
    [[nodiscard]] int fd() const { return fd_.get(); }

private:
    KvmVm(const KvmHost &host, ScopedFd fd) : host_(host), fd_(std::move(fd)) {}

    const KvmHost &host_;
    ScopedFd fd_;
    u32 slots_ = 0;
    std::array<ScopedFd, kLines> edges_;
};

/// "/dev/kvm: WHAT: reason; mend", of the host's error number.
[[nodiscard]] std::unexpected<Error> kvm_failure(std::string_view what, int error);

} // namespace tandem::machine
