#pragma once
/// KVM's requests whose argument is a header with an array behind it. <linux/kvm.h> of Linux 6.1
/// makes such structures larger in C++ than in C (an empty structure has a byte there), and with
/// them the numbers of their requests, which have the size in them.
#include "support/bits.h"

#include <linux/kvm.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

namespace tandem::machine {

struct KvmListHeader {
    u32 count = 0, padding = 0;
};
inline constexpr unsigned long kKvmGetSupportedCpuid = _IOWR(KVMIO, 0x05, KvmListHeader);
inline constexpr unsigned long kKvmSetCpuid2 = _IOW(KVMIO, 0x90, KvmListHeader);
inline constexpr unsigned long kKvmSetMsrs = _IOW(KVMIO, 0x89, KvmListHeader);

/// The argument of such a request.
template <typename Entry>
class KvmList {
public:
    /// Room for so many.
    explicit KvmList(std::size_t room) : bytes_(sizeof(KvmListHeader) + room * sizeof(Entry)) {
        set_count(static_cast<u32>(room));
    }
    explicit KvmList(std::span<const Entry> entries) : KvmList(entries.size()) {
        if (!entries.empty())
            std::memcpy(bytes_.data() + sizeof(KvmListHeader), entries.data(),
                        entries.size_bytes());
    }
    [[nodiscard]] void *argument() { return bytes_.data(); }
    /// What the kernel has left there.
    [[nodiscard]] std::vector<Entry> entries() const {
        KvmListHeader header;
        std::memcpy(&header, bytes_.data(), sizeof header);
        const std::size_t room = (bytes_.size() - sizeof header) / sizeof(Entry);
        std::vector<Entry> entries(std::min<std::size_t>(header.count, room));
        if (!entries.empty())
            std::memcpy(entries.data(), bytes_.data() + sizeof header,
                        entries.size() * sizeof(Entry));
        return entries;
    }

private:
    void set_count(u32 count) {
        const KvmListHeader header{count, 0};
        std::memcpy(bytes_.data(), &header, sizeof header);
    }
    std::vector<std::byte> bytes_;
};

} // namespace tandem::machine
