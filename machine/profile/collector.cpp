#include "machine/profile/collector.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tandem::machine::profile {
namespace {

constexpr std::size_t kMaxFunctions = 1'000'000;

std::string_view name_of(jit::Activity activity) {
    // clang-format off
    switch (activity) {
    case jit::Activity::Outside:     return "[machine]";
    case jit::Activity::Dispatch:    return "[dispatch]";
    case jit::Activity::Translation: return "[translation]";
    case jit::Activity::Compilation: return "[compilation]";
    case jit::Activity::Interpreter: return "[T0]";
    case jit::Activity::Baseline:    return "[T1]";
    case jit::Activity::Optimised:   return "[T2]";
    case jit::Activity::Helper:      return "[helper]";
    case jit::Activity::Softmmu:     return "[softmmu]";
    case jit::Activity::Device:      return "[device]";
    }
    // clang-format on
    __builtin_unreachable();
}

} // namespace

void Collector::add(const Sample &sample) {
    const bool has_new_symbols = guest_.learn_from(sample);
    const std::span<const u64> frames(sample.frames.data(), sample.has_guest ? sample.depth : 0);
    if (!waits_) {
        // Found late: the kernel has been loaded by one that ran before.
        if (has_new_symbols) functions_.clear();
        return resolve(sample, frames);
    }
    waiting_.emplace_back(sample, std::vector<u64>(frames.begin(), frames.end()));
    if (has_new_symbols || waiting_.size() >= kMaxWaiting) settle_waiting();
}

void Collector::finish() {
    settle_waiting();
}

void Collector::settle_waiting() {
    waits_ = false;
    for (const Waiting &each : std::exchange(waiting_, {})) resolve(each.head, each.frames);
}

Collector::Function Collector::function_at(u64 address, bool is_kernel) {
    if (const auto known = functions_.find(address); known != functions_.end())
        return known->second;
    auto found = files_.nearest(address);
    if (!found.has_value() && is_kernel) found = guest_.symbols().nearest(address);
    Function function;
    if (found.has_value()) {
        // As perf's scripts mark a kernel's functions.
        function.name =
            profile_.names.number_of(plain_name(found->name) + (is_kernel ? "_[k]" : ""));
        function.begin = found->address;
        function.is_known = true;
    } else {
        function.name = profile_.names.number_of(fmt::format("{:#x}", address));
        function.begin = address;
    }
    if (functions_.size() >= kMaxFunctions) functions_.clear();
    functions_.emplace(address, function);
    return function;
}

u32 Collector::process_of(const Sample &sample, bool came_from_user) {
    const std::string_view all(sample.name.data(), sample.name.size());
    if (const std::string_view name = all.substr(0, all.find('\0')); !name.empty()) {
        const u32 number = profile_.names.number_of(plain_name(name));
        // The address space of a kernel thread is that of whoever ran before.
        if (came_from_user) processes_[sample.space] = number;
        return number;
    }
    if (const auto known = processes_.find(sample.space); known != processes_.end())
        return known->second;
    return profile_.names.number_of(fmt::format("asid_{}", sample.space >> 48));
}

void Collector::resolve(const Sample &sample, std::span<const u64> frames) {
    Stack stack; // innermost first
    if (profile_.unit == Unit::Nanoseconds)
        stack.push_back(profile_.names.number_of(name_of(sample.activity)));
    if (!sample.has_guest) {
        profile_.add(std::move(stack), sample.weight);
        return;
    }
    Function innermost;
    for (std::size_t i = 0; i < frames.size(); ++i) {
        const bool is_kernel = i < sample.kernel_depth;
        // A return address may be the next function's first; so may not the call before it.
        const bool is_next = i == 0 || i == sample.kernel_depth;
        const Function function = function_at(is_next ? frames[i] : frames[i] - 4, is_kernel);
        if (i == 1 && innermost.is_known) {
            // A function that calls none makes no record: only the link register knows its caller.
            const Function caller = function_at(sample.link - 4, sample.kernel_depth != 0);
            if (caller.is_known && caller.begin != innermost.begin &&
                caller.begin != function.begin)
                stack.push_back(caller.name);
        }
        if (i == 0) innermost = function;
        stack.push_back(function.name);
    }
    const bool came_from_user = sample.kernel_depth != 0 && frames.size() > sample.kernel_depth;
    stack.push_back(process_of(sample, came_from_user));
    std::ranges::reverse(stack);
    profile_.add(std::move(stack), sample.weight);
}

} // namespace tandem::machine::profile
