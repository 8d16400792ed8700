#include "machine/debug/arm64_registers.h"

#include <fmt/format.h>

namespace tandem::machine {
namespace {

using arm::RegisterClass;

// SPSR_EL1's layout (Arm ARM C5.2).
constexpr std::string_view kCoreTypes = R"(
<flags id="cpsr_flags" size="4">
<field name="SP" start="0" end="0"/><field name="EL" start="2" end="3"/><field name="nRW" start="4" end="4"/>
<field name="F" start="6" end="6"/><field name="I" start="7" end="7"/><field name="A" start="8" end="8"/>
<field name="D" start="9" end="9"/><field name="BTYPE" start="10" end="11"/><field name="SSBS" start="12" end="12"/>
<field name="IL" start="20" end="20"/><field name="SS" start="21" end="21"/><field name="PAN" start="22" end="22"/>
<field name="UAO" start="23" end="23"/><field name="DIT" start="24" end="24"/><field name="V" start="28" end="28"/>
<field name="C" start="29" end="29"/><field name="Z" start="30" end="30"/><field name="N" start="31" end="31"/>
</flags>)";

constexpr std::string_view kFloatingPointTypes = R"(
<vector id="v2d" type="ieee_double" count="2"/><vector id="v2u" type="uint64" count="2"/>
<vector id="v2i" type="int64" count="2"/><vector id="v4f" type="ieee_single" count="4"/>
<vector id="v4u" type="uint32" count="4"/><vector id="v4i" type="int32" count="4"/>
<vector id="v8f" type="ieee_half" count="8"/><vector id="v8u" type="uint16" count="8"/>
<vector id="v8i" type="int16" count="8"/><vector id="v16u" type="uint8" count="16"/>
<vector id="v16i" type="int8" count="16"/><vector id="v1u" type="uint128" count="1"/>
<vector id="v1i" type="int128" count="1"/>
<union id="vnd"><field name="f" type="v2d"/><field name="u" type="v2u"/><field name="s" type="v2i"/></union>
<union id="vns"><field name="f" type="v4f"/><field name="u" type="v4u"/><field name="s" type="v4i"/></union>
<union id="vnh"><field name="f" type="v8f"/><field name="u" type="v8u"/><field name="s" type="v8i"/></union>
<union id="vnb"><field name="u" type="v16u"/><field name="s" type="v16i"/></union>
<union id="vnq"><field name="u" type="v1u"/><field name="s" type="v1i"/></union>
<union id="aarch64v"><field name="d" type="vnd"/><field name="s" type="vns"/><field name="h" type="vnh"/>
<field name="b" type="vnb"/><field name="q" type="vnq"/></union>
<flags id="fpsr_flags" size="4">
<field name="IOC" start="0" end="0"/><field name="DZC" start="1" end="1"/><field name="OFC" start="2" end="2"/>
<field name="UFC" start="3" end="3"/><field name="IXC" start="4" end="4"/><field name="IDC" start="7" end="7"/>
<field name="QC" start="27" end="27"/>
</flags>
<flags id="fpcr_flags" size="4">
<field name="FZ16" start="19" end="19"/><field name="RMode" start="22" end="23"/><field name="FZ" start="24" end="24"/>
<field name="DN" start="25" end="25"/><field name="AHP" start="26" end="26"/>
</flags>)";

class Builder {
public:
    explicit Builder(Arm64RegisterFile &made) : made_(made) {}

    void feature(std::string_view name, std::string_view types) {
        made_.file.features.push_back({name, types, {}});
    }
    void add(RegisterDescription description, RegisterClass of, unsigned index) {
        made_.file.features.back().registers.push_back(std::move(description));
        made_.registers.push_back({of, static_cast<u16>(index)});
    }

private:
    Arm64RegisterFile &made_;
};

} // namespace

Arm64RegisterFile describe_arm64_registers(const arm::CpuModel &model) {
    Arm64RegisterFile made;
    Builder build(made);
    RegisterFile &file = made.file;
    file.architecture = "aarch64";
    file.frame_pointer = 29;
    file.stack_pointer = 31;
    file.program_counter = 32;

    build.feature("org.gnu.gdb.aarch64.core", kCoreTypes);
    for (unsigned n = 0; n < 31; ++n)
        build.add({fmt::format("x{}", n), 64, "int", ""}, RegisterClass::General, n);
    build.add({"sp", 64, "data_ptr", ""}, RegisterClass::General, 31);
    build.add({"pc", 64, "code_ptr", ""}, RegisterClass::ProgramCounter, 0);
    build.add({"cpsr", 32, "cpsr_flags", ""}, RegisterClass::Pstate, 0);

    build.feature("org.gnu.gdb.aarch64.fpu", kFloatingPointTypes);
    for (unsigned n = 0; n < 32; ++n)
        build.add({fmt::format("v{}", n), 128, "aarch64v", ""}, RegisterClass::Vector, n);
    build.add({"fpsr", 32, "fpsr_flags", "float"}, RegisterClass::System, arm::reg::FPSR);
    build.add({"fpcr", 32, "fpcr_flags", "float"}, RegisterClass::System, arm::reg::FPCR);
    file.all_at_once = file.count();

    if (model.has(arm::Feature::PAuth)) {
        // The first version has no masks for the upper half, and gdb 12 fails with it here.
        build.feature("org.gnu.gdb.aarch64.pauth_v2", "");
        for (const bool upper : {false, true})
            for (const bool is_data : {true, false})
                build.add({fmt::format("pauth_{}mask{}", is_data ? 'd' : 'c', upper ? "_high" : ""),
                           64, "int", "system"},
                          RegisterClass::PacMask, unsigned{is_data} | unsigned{upper} << 1);
    }
    build.feature("org.tandem.arm64.system", "");
    for (const arm::SysRegId id : arm::debug_system_registers(model))
        build.add({std::string(arm::system_register_name(id)), 64, "int", "system"},
                  RegisterClass::System, id);
    return made;
}

} // namespace tandem::machine
