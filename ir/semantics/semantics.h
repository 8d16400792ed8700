#pragma once
/// Every semantics function: the definition of each Pure and Fp opcode but Second*.
///
/// A function has its opcode's name and takes, in this order, the FpEnv if the opcode is of class
/// Fp (env.mode holds imm<7:0>; env.flags accumulates), the immediate if the operation uses it, and
/// the arguments. Types: I1 bool, I32 and Flags u32, I64 u64, F16/F32/F64 their bit pattern in
/// u16/u32/u64, V128 Vec.
#include "ir/semantics/crypto.h"
#include "ir/semantics/flags.h"
#include "ir/semantics/fp_scalar.h"
#include "ir/semantics/fp_vector.h"
#include "ir/semantics/integer.h"
#include "ir/semantics/vector_integer.h"
#include "ir/semantics/vector_move.h"
#include "ir/semantics/vector_multiply.h"
#include "ir/semantics/vector_shift.h"
