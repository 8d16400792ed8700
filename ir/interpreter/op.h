#pragma once
/// The predecoded form shared by the interpreter's handler files.
#include "ir/interpreter/interpreter.h"
#include "ir/memory_access.h"
#include "ir/semantics/thunk.h"

#include <bit>
#include <cstring>

namespace tandem::ir {

/// Operands are slots: 16 bytes each, integers zero-extended, FP values zero-extended to 128 bits.
struct Predecoded::Op {
    Handler handler;
    u16 dst = 0;
    std::array<u16, 4> args{};
    u64 imm = 0;
    union {
        semantics::Thunk thunk = nullptr;
        Helper::Function helper;
    };
};

struct Predecoded::Frame {
    ExecContext &ctx;
    Vec *slots;
    u32 retired = 0; ///< instructions begun; the current one included

    template <typename T>
    [[nodiscard]] T get(u16 slot) const {
        if constexpr (std::is_same_v<T, Vec>) {
            return slots[slot];
        } else {
            return static_cast<T>(slots[slot].d[0]);
        }
    }
    void set(u16 slot, u64 value) { slots[slot].d[0] = value; }
    void set(u16 slot, const Vec &value) { slots[slot] = value; }
    /// For values of the vector register class, whose upper bits are defined.
    void set_vector_scalar(u16 slot, u64 value) { slots[slot] = Vec{{value, 0}}; }

    template <typename T>
    [[nodiscard]] T state(u64 offset) const {
        T value;
        std::memcpy(&value, reinterpret_cast<const std::byte *>(&ctx) + offset, sizeof value);
        return value;
    }
    template <typename T>
    void set_state(u64 offset, const T &value) {
        std::memcpy(reinterpret_cast<std::byte *>(&ctx) + offset, &value, sizeof value);
    }
};

/// The handler of an operation; each file provides those of its classes, null for others.
Predecoded::Handler memory_handler(Opcode op);
Predecoded::Handler integer_handler(Opcode op);
Predecoded::Handler control_handler(Opcode op);

} // namespace tandem::ir
