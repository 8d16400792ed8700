#pragma once
/// Definitions of the cryptographic operations: AES, SHA-1, SHA-2, SM3 and SM4 steps as the A64
/// instructions define them, arguments in the order of ir/opcodes.inc.
#include "ir/types.h"

namespace tandem::ir::semantics {

[[nodiscard]] Vec AesEncrypt(Vec state, Vec key);
[[nodiscard]] Vec AesDecrypt(Vec state, Vec key);
[[nodiscard]] Vec AesMixColumns(Vec state);
[[nodiscard]] Vec AesInverseMixColumns(Vec state);

[[nodiscard]] Vec Sha1Choose(Vec d, u32 n, Vec m);
[[nodiscard]] Vec Sha1Parity(Vec d, u32 n, Vec m);
[[nodiscard]] Vec Sha1Majority(Vec d, u32 n, Vec m);
[[nodiscard]] u32 Sha1Hash(u32 n);
[[nodiscard]] Vec Sha1Schedule0(Vec d, Vec n, Vec m);
[[nodiscard]] Vec Sha1Schedule1(Vec d, Vec n);
[[nodiscard]] Vec Sha256Hash(Vec d, Vec n, Vec m);
[[nodiscard]] Vec Sha256Hash2(Vec d, Vec n, Vec m);
[[nodiscard]] Vec Sha256Schedule0(Vec d, Vec n);
[[nodiscard]] Vec Sha256Schedule1(Vec d, Vec n, Vec m);
[[nodiscard]] Vec Sha512Hash(Vec d, Vec n, Vec m);
[[nodiscard]] Vec Sha512Hash2(Vec d, Vec n, Vec m);
[[nodiscard]] Vec Sha512Schedule0(Vec d, Vec n);
[[nodiscard]] Vec Sha512Schedule1(Vec d, Vec n, Vec m);

[[nodiscard]] Vec Sm3PartW1(Vec d, Vec n, Vec m);
[[nodiscard]] Vec Sm3PartW2(Vec d, Vec n, Vec m);
[[nodiscard]] Vec Sm3Ss1(Vec n, Vec m, Vec a);
[[nodiscard]] Vec Sm3Tt1a(u64 imm, Vec d, Vec n, Vec m);
[[nodiscard]] Vec Sm3Tt1b(u64 imm, Vec d, Vec n, Vec m);
[[nodiscard]] Vec Sm3Tt2a(u64 imm, Vec d, Vec n, Vec m);
[[nodiscard]] Vec Sm3Tt2b(u64 imm, Vec d, Vec n, Vec m);
[[nodiscard]] Vec Sm4Encrypt(Vec d, Vec n);
[[nodiscard]] Vec Sm4Key(Vec n, Vec m);

} // namespace tandem::ir::semantics
