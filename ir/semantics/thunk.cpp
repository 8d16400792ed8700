#include "ir/semantics/thunk.h"

#include "ir/semantics/semantics.h"

#include <bit>
#include <cstring>
#include <type_traits>
#include <utility>

namespace tandem::ir::semantics {
namespace {

static_assert(std::endian::native == std::endian::little, "a value is in its slot's first bytes");

// The representation of the IR's types, named as in the table.
using I1 = bool;
using I32 = u32;
using I64 = u64;
using F16 = u16;
using F32 = u32;
using F64 = u64;
using V128 = Vec;
using Flags = u32;

template <typename T>
T load(const void *slot) {
    if constexpr (std::is_same_v<T, bool>) {
        u8 value = 0;
        std::memcpy(&value, slot, sizeof value);
        return (value & 1) != 0;
    } else {
        T value;
        std::memcpy(&value, slot, sizeof value);
        return value;
    }
}

template <typename T>
void store(void *slot, T value) {
    if constexpr (std::is_same_v<T, Vec>) {
        std::memcpy(slot, &value, sizeof value);
    } else {
        const Vec whole{{value, 0}};
        std::memcpy(slot, &whole, sizeof whole);
    }
}

/// The thunk of kFunction, whose opcode has result R and arguments Args. Fails to compile if the
/// function's signature does not fit the opcode's row.
template <auto kFunction, bool kIsFp, typename R, typename... Args>
struct Adapter {
    using Function = decltype(kFunction);
    static constexpr bool kUsesImmediate = std::is_same_v<
        Function, std::conditional_t<kIsFp, R (*)(FpEnv &, u64, Args...), R (*)(u64, Args...)>>;
    static_assert(
        kUsesImmediate ||
            std::is_same_v<Function,
                           std::conditional_t<kIsFp, R (*)(FpEnv &, Args...), R (*)(Args...)>>,
        "the function's signature contradicts ir/opcodes.inc");

    static void call(u32 &fpsr, void *result, const void *a, const void *b, const void *c,
                     const void *d, u64 imm) {
        const void *const slots[] = {a, b, c, d};
        call(fpsr, result, slots, imm, std::index_sequence_for<Args...>{});
    }

private:
    template <std::size_t... kIndex>
    static void call([[maybe_unused]] u32 &fpsr, void *result,
                     [[maybe_unused]] const void *const *slots, [[maybe_unused]] u64 imm,
                     std::index_sequence<kIndex...>) {
        if constexpr (kIsFp) {
            FpEnv env{FpMode{static_cast<u8>(imm)}};
            if constexpr (kUsesImmediate) {
                store(result, kFunction(env, imm, load<Args>(slots[kIndex])...));
            } else {
                store(result, kFunction(env, load<Args>(slots[kIndex])...));
            }
            fpsr |= env.flags;
        } else if constexpr (kUsesImmediate) {
            store(result, kFunction(imm, load<Args>(slots[kIndex])...));
        } else {
            store(result, kFunction(load<Args>(slots[kIndex])...));
        }
    }
};

// Second* name another instruction's second result: the executor has it, nothing computes it.
// These stand in for their functions below, and are recognised by their type.
struct NotComputed {};
constexpr NotComputed Second, SecondF32, SecondF64, SecondV128;

template <auto kFunction, bool kIsFp, typename R, typename... Args>
consteval Thunk make() {
    if constexpr (std::is_same_v<std::remove_const_t<decltype(kFunction)>, NotComputed>) {
        return nullptr;
    } else {
        return Adapter<kFunction, kIsFp, R, Args...>::call;
    }
}

constexpr Thunk kThunks[] = {
#define PURE(name, ...) make<name, false, __VA_ARGS__>(),
#define FP(name, ...) make<name, true, __VA_ARGS__>(),
#define OPCODE(name, ...) nullptr,
#include "ir/opcodes.inc"
};
static_assert(std::size(kThunks) == kOpcodeCount);

} // namespace

Thunk thunk(Opcode op) {
    return kThunks[static_cast<unsigned>(op)];
}

} // namespace tandem::ir::semantics
