// Cryptographic extensions.
#include "frontend-arm/a64/translate/simd.h"

namespace tandem::arm::a64 {

#define ROW(row, ...)                                                                              \
    bool Translator::row(Fields<Row::row> f) {                                                     \
        set_v(f.d(), __VA_ARGS__);                                                                 \
        return true;                                                                               \
    }
ROW(AESE, b.AesEncrypt(v(f.d()), v(f.n())))
ROW(AESD, b.AesDecrypt(v(f.d()), v(f.n())))
ROW(AESMC, b.AesMixColumns(v(f.n())))
ROW(AESIMC, b.AesInverseMixColumns(v(f.n())))

ROW(SHA1C, b.Sha1Choose(v(f.d()), b.FromF32(s(f.n())), v(f.m())))
ROW(SHA1P, b.Sha1Parity(v(f.d()), b.FromF32(s(f.n())), v(f.m())))
ROW(SHA1M, b.Sha1Majority(v(f.d()), b.FromF32(s(f.n())), v(f.m())))
ROW(SHA1H, b.VFromF32(b.ToF32(b.Sha1Hash(b.FromF32(s(f.n()))))))
ROW(SHA1SU0, b.Sha1Schedule0(v(f.d()), v(f.n()), v(f.m())))
ROW(SHA1SU1, b.Sha1Schedule1(v(f.d()), v(f.n())))
ROW(SHA256H, b.Sha256Hash(v(f.d()), v(f.n()), v(f.m())))
ROW(SHA256H2, b.Sha256Hash2(v(f.d()), v(f.n()), v(f.m())))
ROW(SHA256SU0, b.Sha256Schedule0(v(f.d()), v(f.n())))
ROW(SHA256SU1, b.Sha256Schedule1(v(f.d()), v(f.n()), v(f.m())))
ROW(SHA512H, b.Sha512Hash(v(f.d()), v(f.n()), v(f.m())))
ROW(SHA512H2, b.Sha512Hash2(v(f.d()), v(f.n()), v(f.m())))
ROW(SHA512SU0, b.Sha512Schedule0(v(f.d()), v(f.n())))
ROW(SHA512SU1, b.Sha512Schedule1(v(f.d()), v(f.n()), v(f.m())))

ROW(EOR3, b.VXor(b.VXor(v(f.n()), v(f.m())), v(f.a())))
ROW(BCAX, b.VXor(v(f.n()), b.VAndNot(v(f.m()), v(f.a()))))

ROW(SM3PARTW1, b.Sm3PartW1(v(f.d()), v(f.n()), v(f.m())))
ROW(SM3PARTW2, b.Sm3PartW2(v(f.d()), v(f.n()), v(f.m())))
ROW(SM3SS1, b.Sm3Ss1(v(f.n()), v(f.m()), v(f.a())))
ROW(SM3TT1A, b.Sm3Tt1a(v(f.d()), v(f.n()), v(f.m()), f.i()))
ROW(SM3TT1B, b.Sm3Tt1b(v(f.d()), v(f.n()), v(f.m()), f.i()))
ROW(SM3TT2A, b.Sm3Tt2a(v(f.d()), v(f.n()), v(f.m()), f.i()))
ROW(SM3TT2B, b.Sm3Tt2b(v(f.d()), v(f.n()), v(f.m()), f.i()))
ROW(SM4E, b.Sm4Encrypt(v(f.d()), v(f.n())))
ROW(SM4EKEY, b.Sm4Key(v(f.n()), v(f.m())))
#undef ROW

bool Translator::RAX1(Fields<Row::RAX1> f) {
    const ir::V128 m = v(f.m());
    const ir::V128 rotated = b.VOr(b.VShlImm64(m, 1), b.VLsrImm64(m, 63));
    set_v(f.d(), b.VXor(v(f.n()), rotated));
    return true;
}

bool Translator::XAR(Fields<Row::XAR> f) {
    const unsigned amount = f.i();
    ir::V128 value = b.VXor(v(f.n()), v(f.m()));
    if (amount != 0) value = b.VOr(b.VLsrImm64(value, amount), b.VShlImm64(value, 64 - amount));
    set_v(f.d(), value);
    return true;
}

} // namespace tandem::arm::a64
