#pragma once
/// /dev/kvm, opened and looked over (Linux Documentation/virt/kvm/api.rst).
#include "support/bits.h"
#include "support/result.h"
#include "support/scoped_fd.h"

#include <functional>
#include <memory>
#include <string>

namespace tandem::machine {

class KvmHost {
public:
    static constexpr const char *kDevice = "/dev/kvm";

    /// Fails, in one line with the mend, where this host has no KVM that can run a machine.
    [[nodiscard]] static Result<std::unique_ptr<KvmHost>> open(const char *path = kDevice);

    [[nodiscard]] int fd() const { return fd_.get(); }
    /// Value of KVM_CHECK_EXTENSION.
    [[nodiscard]] int extension(int capability) const;
    /// Bytes of each vCPU's shared page(s).
    [[nodiscard]] u64 run_size() const { return run_size_; }
    [[nodiscard]] unsigned max_cpus() const;

private:
    KvmHost(ScopedFd fd, u64 run_size) : fd_(std::move(fd)), run_size_(run_size) {}

    ScopedFd fd_;
    u64 run_size_;
};

// What open() is made of, for tests.

/// Why the device cannot be opened.
[[nodiscard]] Error kvm_open_error(const char *path, int error);
/// Whether all is there that a machine needs; `extension` as KVM_CHECK_EXTENSION.
[[nodiscard]] Result<> check_kvm_extensions(const char *path,
                                            const std::function<int(int)> &extension);

} // namespace tandem::machine
