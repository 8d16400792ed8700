#include "machine/accel/kvm/x86/start_state.h"

#include "machine/accel/kvm/kvm_requests.h"
#include "machine/accel/kvm/kvm_vm.h"
#include "machine/boot/x86/low_memory.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

namespace tandem::machine::x86 {
namespace {

// Intel SDM volume 3, 2.5, "Control registers", and 4.5.
constexpr u64 kCr0Pe = 1 << 0, kCr0Et = 1 << 4, kCr0Pg = u64{1} << 31;
constexpr u64 kCr4Pae = 1 << 5;
constexpr u64 kEferLme = 1 << 8, kEferLma = 1 << 10;
constexpr u64 kPresent = 1 << 0, kWritable = 1 << 1, kLargePage = 1 << 7;
constexpr u64 kFlagsReserved = 1 << 1; ///< of RFLAGS

// boot.rst: __BOOT_CS is 0x10 and __BOOT_DS is 0x18.
constexpr u16 kCodeSelector = 0x10, kDataSelector = 0x18, kTaskSelector = 0x20;
constexpr u8 kCodeType = 0xb, kDataType = 0x3, kTaskType = 0xb; ///< accessed; a busy 32-bit TSS

enum class CodeSize : u8 { Bits32, Bits64 };

kvm_segment flat_segment(u16 selector, u8 type, CodeSize size) {
    const bool is_code = selector == kCodeSelector;
    kvm_segment segment{};
    segment.limit = ~u32{0};
    segment.selector = selector;
    segment.type = type;
    segment.present = 1;
    segment.s = 1;
    segment.g = 1;
    segment.l = is_code && size == CodeSize::Bits64 ? 1 : 0;
    segment.db = segment.l != 0 ? 0 : 1;
    return segment;
}

kvm_segment task_segment() {
    kvm_segment segment{};
    segment.limit = 0x67; // pvh.pandoc: a 32-bit TSS with base 0 and this limit
    segment.selector = kTaskSelector;
    segment.type = kTaskType;
    segment.present = 1;
    return segment;
}

/// SDM volume 3, figure 3-8.
u64 descriptor_of(const kvm_segment &segment) {
    const u64 limit = segment.g != 0 ? segment.limit >> 12 : segment.limit;
    return (limit & 0xffff) | (segment.base & 0xff'ffff) << 16 | u64{segment.type} << 40 |
           u64{segment.s} << 44 | u64{segment.dpl} << 45 | u64{segment.present} << 47 |
           (limit >> 16 & 0xf) << 48 | u64{segment.avl} << 52 | u64{segment.l} << 53 |
           u64{segment.db} << 54 | u64{segment.g} << 55 | (segment.base >> 24 & 0xff) << 56;
}

// SDM volume 3, table 2-3.
constexpr u32 kMtrrDefaultType = 0x2ff, kMiscEnable = 0x1a0;
constexpr u64 kMtrrsOn = 1 << 11, kWriteBack = 6, kFastStrings = 1 << 0;

Result<> set_registers(int cpu, const CpuStart &start, BootProtocol protocol) {
    kvm_sregs system{};
    if (::ioctl(cpu, KVM_GET_SREGS, &system) < 0) return kvm_failure("no registers", errno);
    const CodeSize size = protocol == BootProtocol::Linux64 ? CodeSize::Bits64 : CodeSize::Bits32;
    system.cs = flat_segment(kCodeSelector, kCodeType, size);
    const kvm_segment data = flat_segment(kDataSelector, kDataType, size);
    system.ds = system.es = system.ss = system.fs = system.gs = data;
    system.tr = task_segment();
    system.gdt.base = kDescriptors;
    system.gdt.limit = 5 * sizeof(u64) - 1;
    system.idt = {};
    system.cr0 = kCr0Pe | kCr0Et;
    if (protocol == BootProtocol::Linux64) {
        system.cr0 |= kCr0Pg;
        system.cr3 = kPageTables;
        system.cr4 |= kCr4Pae;
        system.efer |= kEferLme | kEferLma;
    }
    if (::ioctl(cpu, KVM_SET_SREGS, &system) < 0)
        return kvm_failure("it takes no registers", errno);

    kvm_regs registers{};
    registers.rflags = kFlagsReserved;
    registers.rip = start.entry;
    if (protocol == BootProtocol::Linux64)
        registers.rsi = start.arguments[kStartInfo];
    else
        registers.rbx = start.arguments[kStartInfo];
    if (::ioctl(cpu, KVM_SET_REGS, &registers) < 0)
        return kvm_failure("it takes no registers", errno);
    return {};
}

/// What firmware leaves behind: memory is cached.
Result<> set_model_registers(int cpu) {
    static constexpr kvm_msr_entry kEntries[] = {
        {.index = kMtrrDefaultType, .reserved = 0, .data = kMtrrsOn | kWriteBack},
        {.index = kMiscEnable, .reserved = 0, .data = kFastStrings}};
    KvmList<kvm_msr_entry> list{std::span(kEntries)};
    // Which of them there are is the host's affair.
    if (::ioctl(cpu, kKvmSetMsrs, list.argument()) < 0)
        return kvm_failure("it takes no model-specific registers", errno);
    return {};
}

/// SDM volume 3, 11.5.1: firmware routes the PIC to LINT0 and NMIs to LINT1.
Result<> set_local_apic(int cpu) {
    constexpr std::size_t kLint0 = 0x350, kLint1 = 0x360;
    constexpr u32 kExternal = 7 << 8, kNmi = 4 << 8;
    kvm_lapic_state apic{};
    if (::ioctl(cpu, KVM_GET_LAPIC, &apic) < 0) return kvm_failure("no local APIC", errno);
    std::memcpy(apic.regs + kLint0, &kExternal, sizeof kExternal);
    std::memcpy(apic.regs + kLint1, &kNmi, sizeof kNmi);
    if (::ioctl(cpu, KVM_SET_LAPIC, &apic) < 0) return kvm_failure("no local APIC", errno);
    return {};
}

} // namespace

void write_start_tables(std::span<std::byte> low_memory) {
    const auto put = [&](u64 address, u64 value) {
        std::memcpy(low_memory.data() + address, &value, sizeof value);
    };
    put(kDescriptors, 0);
    put(kDescriptors + 8, 0);
    put(kDescriptors + kCodeSelector,
        descriptor_of(flat_segment(kCodeSelector, kCodeType, CodeSize::Bits64)));
    put(kDescriptors + kDataSelector,
        descriptor_of(flat_segment(kDataSelector, kDataType, CodeSize::Bits64)));
    put(kDescriptors + kTaskSelector, descriptor_of(task_segment()));

    constexpr u64 kPage = 0x1000, kLarge = u64{2} << 20, kEntries = 512;
    constexpr u64 kPointers = kPageTables + kPage, kDirectories = kPointers + kPage;
    put(kPageTables, kPointers | kPresent | kWritable);
    for (u64 i = 0; i < 4; ++i)
        put(kPointers + i * 8, (kDirectories + i * kPage) | kPresent | kWritable);
    for (u64 i = 0; i < 4 * kEntries; ++i)
        put(kDirectories + i * 8, i * kLarge | kPresent | kWritable | kLargePage);
    static_assert(kDirectories + 4 * kPage == kPageTablesEnd);
}

Result<> set_start_state(int cpu, const CpuStart &start) {
    TRY(set_registers(cpu, start, static_cast<BootProtocol>(start.arguments[kStartProtocol])));
    TRY(set_model_registers(cpu));
    return set_local_apic(cpu);
}

} // namespace tandem::machine::x86
