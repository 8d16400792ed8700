// Pointer authentication (FEAT_PAuth), but for branches and loads.
#include "frontend-arm/a64/translate/translator.h"

namespace tandem::arm::a64 {

using ir::I64;

#define ROW(name) bool Translator::name(Fields<Row::name> f)
#define ROW_WITHOUT_FIELDS(name) bool Translator::name(Fields<Row::name>)

/// The authenticated pointer; raises the exception of FEAT_FPACCOMBINE.
I64 Translator::authenticate(HelperId id, I64 pointer, I64 modifier) {
    const I64 result = call(id, pointer, modifier);
    // ESR_EL1.ISS numbers the keys in the order of the helpers.
    const u64 key = static_cast<u64>(id) - static_cast<u64>(HelperId::auth_ia);
    raise_if(b.TestBit64(b.Xor64(result, pointer), 0), HelperId::raise_pauth_failure, key);
    return result;
}

bool Translator::aut(HelperId id, unsigned d, I64 modifier) {
    set_x(d, authenticate(id, x(d), modifier));
    return true;
}

/// Signs register d in place.
bool Translator::pac(HelperId id, unsigned d, I64 modifier) {
    set_x(d, call(id, x(d), modifier));
    return true;
}

// clang-format off
ROW(PACIA) { return pac(HelperId::pac_ia, f.d(), x_sp(f.n())); }
ROW(PACIB) { return pac(HelperId::pac_ib, f.d(), x_sp(f.n())); }
ROW(PACDA) { return pac(HelperId::pac_da, f.d(), x_sp(f.n())); }
ROW(PACDB) { return pac(HelperId::pac_db, f.d(), x_sp(f.n())); }
ROW(AUTIA) { return aut(HelperId::auth_ia, f.d(), x_sp(f.n())); }
ROW(AUTIB) { return aut(HelperId::auth_ib, f.d(), x_sp(f.n())); }
ROW(AUTDA) { return aut(HelperId::auth_da, f.d(), x_sp(f.n())); }
ROW(AUTDB) { return aut(HelperId::auth_db, f.d(), x_sp(f.n())); }
ROW(PACIZA) { return pac(HelperId::pac_ia, f.d(), b.Const64(0)); }
ROW(PACIZB) { return pac(HelperId::pac_ib, f.d(), b.Const64(0)); }
ROW(PACDZA) { return pac(HelperId::pac_da, f.d(), b.Const64(0)); }
ROW(PACDZB) { return pac(HelperId::pac_db, f.d(), b.Const64(0)); }
ROW(AUTIZA) { return aut(HelperId::auth_ia, f.d(), b.Const64(0)); }
ROW(AUTIZB) { return aut(HelperId::auth_ib, f.d(), b.Const64(0)); }
ROW(AUTDZA) { return aut(HelperId::auth_da, f.d(), b.Const64(0)); }
ROW(AUTDZB) { return aut(HelperId::auth_db, f.d(), b.Const64(0)); }
// clang-format on

ROW(PACGA) {
    set_x(f.d(), call(HelperId::pac_ga, x(f.n()), x_sp(f.m())));
    return true;
}

ROW(XPACI) {
    set_x(f.d(), call(HelperId::strip_pac_instruction, x(f.d())));
    return true;
}

ROW(XPACD) {
    set_x(f.d(), call(HelperId::strip_pac_data, x(f.d())));
    return true;
}

// --- the forms in the hint space

ROW_WITHOUT_FIELDS(XPACLRI) {
    set_x(30, call(HelperId::strip_pac_instruction, x(30)));
    return true;
}

// clang-format off
ROW_WITHOUT_FIELDS(PACIA1716) { return pac(HelperId::pac_ia, 17, x(16)); }
ROW_WITHOUT_FIELDS(PACIB1716) { return pac(HelperId::pac_ib, 17, x(16)); }
ROW_WITHOUT_FIELDS(AUTIA1716) { return aut(HelperId::auth_ia, 17, x(16)); }
ROW_WITHOUT_FIELDS(AUTIB1716) { return aut(HelperId::auth_ib, 17, x(16)); }
ROW_WITHOUT_FIELDS(PACIAZ) { return pac(HelperId::pac_ia, 30, b.Const64(0)); }
ROW_WITHOUT_FIELDS(PACIASP) { return pac(HelperId::pac_ia, 30, x_sp(31)); }
ROW_WITHOUT_FIELDS(PACIBZ) { return pac(HelperId::pac_ib, 30, b.Const64(0)); }
ROW_WITHOUT_FIELDS(PACIBSP) { return pac(HelperId::pac_ib, 30, x_sp(31)); }
ROW_WITHOUT_FIELDS(AUTIAZ) { return aut(HelperId::auth_ia, 30, b.Const64(0)); }
ROW_WITHOUT_FIELDS(AUTIASP) { return aut(HelperId::auth_ia, 30, x_sp(31)); }
ROW_WITHOUT_FIELDS(AUTIBZ) { return aut(HelperId::auth_ib, 30, b.Const64(0)); }
ROW_WITHOUT_FIELDS(AUTIBSP) { return aut(HelperId::auth_ib, 30, x_sp(31)); }
// clang-format on

} // namespace tandem::arm::a64
