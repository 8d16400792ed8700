#include "machine/accel/kvm/x86/cpuid.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tandem::machine::x86 {
namespace {

kvm_cpuid_entry2 leaf(u32 function, u32 index, u32 eax, u32 ebx, u32 ecx, u32 edx) {
    kvm_cpuid_entry2 entry{};
    entry.function = function;
    entry.index = index;
    entry.eax = eax;
    entry.ebx = ebx;
    entry.ecx = ecx;
    entry.edx = edx;
    return entry;
}

/// A processor that has every feature.
std::vector<kvm_cpuid_entry2> everything() {
    std::vector<kvm_cpuid_entry2> leaves;
    for (const u32 function :
         {1u, 6u, 7u, 0xau, 0xbu, 0x1fu, 0x8000'0001u, 0x8000'0008u, 0x8000'000au, 0x8000'001eu})
        leaves.push_back(leaf(function, 0, ~0u, ~0u, ~0u, ~0u));
    leaves.push_back(leaf(0, 0, 0x20, 0, 0, 0));
    // Caches of levels 1 and 3, and the end of them.
    for (const u32 function : {4u, 0x8000'001du}) {
        leaves.push_back(leaf(function, 0, 0xfc00'0121, 1, 2, 3));
        leaves.push_back(leaf(function, 1, 0xfc00'0163, 1, 2, 3));
        leaves.push_back(leaf(function, 2, 0, 0, 0, 0));
    }
    return leaves;
}

kvm_cpuid_entry2 find(const std::vector<kvm_cpuid_entry2> &leaves, u32 function, u32 index = 0) {
    const auto found = std::ranges::find_if(leaves, [=](const kvm_cpuid_entry2 &each) {
        return each.function == function && each.index == index;
    });
    EXPECT_NE(found, leaves.end()) << function;
    return found != leaves.end() ? *found : kvm_cpuid_entry2{};
}

TEST(Cpuid, TakesWhatGuestsHaveNoUseFor) {
    const auto leaves = Cpuid(everything(), 1, true).leaves_of(0);
    const kvm_cpuid_entry2 features = find(leaves, 1);
    EXPECT_FALSE(bit(features.ecx, 5)) << "VMX";
    EXPECT_FALSE(bit(features.ecx, 3)) << "MONITOR";
    EXPECT_TRUE(bit(features.ecx, 31)) << "a hypervisor";
    EXPECT_TRUE(bit(features.ecx, 21)) << "x2APIC";
    EXPECT_FALSE(bit(find(leaves, 7).ebx, 2)) << "SGX";
    EXPECT_FALSE(bit(find(leaves, 0x8000'0001).ecx, 2)) << "SVM";
    EXPECT_EQ(find(leaves, 0x8000'000a).edx, 0u) << "SVM";
    EXPECT_EQ(find(leaves, 0xa).eax, 0u) << "performance counters";
    EXPECT_EQ(find(leaves, 6).eax, 4u) << "but ARAT";
}

TEST(Cpuid, HasTheDeadlineTimerIfKvmHas) {
    EXPECT_TRUE(bit(find(Cpuid(everything(), 1, true).leaves_of(0), 1).ecx, 24));
    EXPECT_FALSE(bit(find(Cpuid(everything(), 1, false).leaves_of(0), 1).ecx, 24));
}

TEST(Cpuid, IsAPackageOfCoresWithoutThreads) {
    const Cpuid cpuid(everything(), 6, true);
    for (const u32 index : {0u, 5u}) {
        const auto leaves = cpuid.leaves_of(index);
        const kvm_cpuid_entry2 features = find(leaves, 1);
        EXPECT_EQ(features.ebx >> 24, index);
        EXPECT_EQ(features.ebx >> 16 & 0xff, 8u) << "room for 6";
        EXPECT_TRUE(bit(features.edx, 28));
        EXPECT_EQ(find(leaves, 0).eax, 0x1eu) << "as far as there are leaves";
        EXPECT_EQ(find(leaves, 0xb, 0).ebx, 1u);
        const kvm_cpuid_entry2 cores = find(leaves, 0xb, 1);
        EXPECT_EQ(cores.eax, 3u);
        EXPECT_EQ(cores.ebx, 6u);
        EXPECT_EQ(cores.ecx, 0x201u);
        EXPECT_EQ(cores.edx, index);
        EXPECT_EQ(find(leaves, 0xb, 2).ecx >> 8, 0u);
        EXPECT_EQ(find(leaves, 0x8000'0008).ecx & 0xf0ff, 0x3005u);
        EXPECT_EQ(find(leaves, 0x8000'001e).eax, index);
        EXPECT_EQ(find(leaves, 4, 0).eax, 0x1c00'0121u) << "of its own";
        EXPECT_EQ(find(leaves, 4, 1).eax, 0x1c01'4163u) << "of all six";
        EXPECT_EQ(find(leaves, 0x8000'001d, 1).eax, 0x0001'4163u);
        EXPECT_EQ(find(leaves, 4, 2).eax, 0u);
    }
    EXPECT_FALSE(bit(find(Cpuid(everything(), 1, true).leaves_of(0), 1).edx, 28));
}

} // namespace
} // namespace tandem::machine::x86
