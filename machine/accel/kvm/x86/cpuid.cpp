#include "machine/accel/kvm/x86/cpuid.h"

#include "machine/accel/kvm/kvm_requests.h"
#include "machine/accel/kvm/kvm_vm.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <optional>

namespace tandem::machine::x86 {
namespace {

constexpr std::optional<u32> kAny = std::nullopt;

struct Edit {
    u32 leaf;
    std::optional<u32> subleaf;
    u32 kvm_cpuid_entry2::*reg;
    u32 cleared, set;
};

constexpr Edit kEdits[] = {
#define ANY kAny
#define EDIT(leaf, subleaf, register, cleared, set, why)                                           \
    {leaf, subleaf, &kvm_cpuid_entry2::register, cleared, set},
#include "machine/accel/kvm/x86/cpuid_edits.inc"
#undef EDIT
#undef ANY
};

constexpr u32 kFeatures = 1, kIntelCaches = 4, kTopology = 0xb, kTopologyV2 = 0x1f,
              kAmdSizes = 0x8000'0008, kAmdCaches = 0x8000'001d, kAmdTopology = 0x8000'001e;
constexpr u32 kSubleafMatters = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;

/// Bits in which a number below `count` fits.
u32 width_of(u32 count) {
    return static_cast<u32>(std::bit_width(count - 1));
}

} // namespace

Result<Cpuid> Cpuid::create(const KvmHost &host, u32 cpus) {
    // KVM says E2BIG as long as there is no room for all.
    static constexpr std::size_t kMost = 4096;
    for (std::size_t room = 128; room <= kMost; room *= 2) {
        KvmList<kvm_cpuid_entry2> list(room);
        if (::ioctl(host.fd(), kKvmGetSupportedCpuid, list.argument()) == 0)
            return Cpuid(list.entries(), cpus, host.extension(KVM_CAP_TSC_DEADLINE_TIMER) > 0);
        if (errno != E2BIG) break;
    }
    return kvm_failure("it does not say what processors it supports", errno);
}

Cpuid::Cpuid(std::vector<kvm_cpuid_entry2> supported, u32 cpus, bool has_deadline_timer)
    : leaves_(std::move(supported)), cpus_(cpus) {
    edit();
    for (kvm_cpuid_entry2 &leaf : leaves_) {
        if (leaf.function != kFeatures) continue;
        // cpuid.rst: the local APIC's deadline timer is the kernel's, whatever the processor has.
        constexpr u32 kDeadlineTimer = 1 << 24;
        leaf.ecx = has_deadline_timer ? leaf.ecx | kDeadlineTimer : leaf.ecx & ~kDeadlineTimer;
    }
    add_topology();
}

void Cpuid::edit() {
    for (kvm_cpuid_entry2 &leaf : leaves_)
        for (const Edit &edit : kEdits) {
            if (leaf.function != edit.leaf) continue;
            if (edit.subleaf.has_value() && leaf.index != *edit.subleaf) continue;
            u32 &value = leaf.*edit.reg;
            value = (value & ~edit.cleared) | edit.set;
        }
}

void Cpuid::add_topology() {
    std::erase_if(leaves_, [](const kvm_cpuid_entry2 &leaf) {
        return leaf.function == kTopology || leaf.function == kTopologyV2;
    });
    // SDM, leaf 0BH: one thread in a core, all cores in the package, then nothing.
    constexpr u32 kThread = 1, kCore = 2;
    const auto level = [](u32 index, u32 shift, u32 count, u32 type) {
        kvm_cpuid_entry2 leaf{};
        leaf.function = kTopology;
        leaf.index = index;
        leaf.flags = kSubleafMatters;
        leaf.eax = shift;
        leaf.ebx = count;
        leaf.ecx = type << 8 | index;
        return leaf;
    };
    leaves_.push_back(level(0, 0, 1, kThread));
    leaves_.push_back(level(1, width_of(cpus_), cpus_, kCore));
    leaves_.push_back(level(2, 0, 0, 0));
    // Intel's processors have leaf 0 say how far others go; AMD's have had this one for long, too.
    for (kvm_cpuid_entry2 &leaf : leaves_)
        if (leaf.function == 0) leaf.eax = std::clamp(leaf.eax, kTopology, kTopologyV2 - 1);
}

std::vector<kvm_cpuid_entry2> Cpuid::leaves_of(u32 index) const {
    std::vector<kvm_cpuid_entry2> leaves = leaves_;
    // Caches of levels 1 and 2 are a core's own, those above are everybody's.
    const auto sharers = [this](u32 cache_level) { return cache_level >= 3 ? cpus_ - 1 : 0; };
    for (kvm_cpuid_entry2 &leaf : leaves) switch (leaf.function) {
        case kFeatures: {
            constexpr u32 kSeveral = 1 << 28; // HTT: EBX<23:16> means something
            leaf.ebx = (leaf.ebx & 0xffff) | std::bit_ceil(cpus_) << 16 | index << 24;
            leaf.edx = cpus_ > 1 ? leaf.edx | kSeveral : leaf.edx & ~kSeveral;
            break;
        }
        case kIntelCaches:
            if ((leaf.eax & 0x1f) == 0) break;
            leaf.eax = (leaf.eax & 0x3fff) | sharers(leaf.eax >> 5 & 7) << 14 |
                       (std::bit_ceil(cpus_) - 1) << 26;
            break;
        case kAmdCaches:
            if ((leaf.eax & 0x1f) == 0) break;
            leaf.eax = (leaf.eax & 0x3fff) | sharers(leaf.eax >> 5 & 7) << 14;
            break;
        case kTopology: leaf.edx = index; break;
        case kAmdSizes:
            leaf.ecx = (leaf.ecx & ~0xf0ffu) | (cpus_ - 1) | width_of(cpus_) << 12;
            break;
        case kAmdTopology:
            leaf.eax = index;
            leaf.ebx = index & 0xff; // one thread in a core
            leaf.ecx = 0;            // of one node
            break;
        default: break;
        }
    return leaves;
}

Result<> Cpuid::give_to(int cpu, u32 index) const {
    const std::vector<kvm_cpuid_entry2> leaves = leaves_of(index);
    KvmList<kvm_cpuid_entry2> list{std::span(leaves)};
    if (::ioctl(cpu, kKvmSetCpuid2, list.argument()) < 0)
        return kvm_failure("it does not take the processor's features", errno);
    return {};
}

} // namespace tandem::machine::x86
