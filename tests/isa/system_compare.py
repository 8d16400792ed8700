#!/usr/bin/env python3
"""system_compare.py TANDEM QEMU ROM [--seed N] [--accel KIND]: system instructions at EL1 and EL0 against
an independent emulator.

Runs roms/oracle/system_instructions on Tandem and on qemu-system-aarch64 (-M virt -cpu max), with the same
seed (by default another each time; it is printed), and compares what the two print of each trial: exceptions
with their syndrome, return address, saved state and fault address, and results. Differences that the
architecture allows, or that are the oracle's, are in KNOWN with their reason; any other fails.
"""
import argparse
import collections
import random
import re
import shlex
import subprocess
import sys
import tempfile


class Trial:
    """One line: a label, and the fields of the outcome by name."""

    def __init__(self, line):
        self.label, outcome = line.split(":", 1)
        self.words = self.label.split()
        words = outcome.split()
        self.fields = dict(zip(words[::2], (int(w, 16) for w in words[1::2])))

    def input(self, name):
        """The number after a word of the label."""
        return int(self.words[self.words.index(name) + 1], 16)

    @property
    def exception_class(self):
        return self.fields["esr"] >> 26

    @property
    def completed(self):
        return self.exception_class == 0x3c and self.fields["at"] != 0

    @property
    def fault_status(self):
        return self.fields["esr"] & 0x3f if self.exception_class in (0x20, 0x21, 0x24, 0x25) else None

    def without(self, bits, field="spsr"):
        """The outcome but for some bits of a field."""
        return {**self.fields, field: self.fields.get(field, 0) & ~bits}


# Feature not in Tandem's max, but in the oracle's: what it adds is UNDEFINED here.
ABSENT_SYS = {
    (3, 7, 3): "FEAT_SPECRES and FEAT_SPECRES2: prediction restriction",
    (0, 7, 9): "FEAT_ATS1A", (0, 7, 6): "FEAT_MTE2", (0, 7, 10): "FEAT_MTE2", (0, 7, 14): "FEAT_MTE2",
    (3, 7, 4): "FEAT_MTE", (3, 7, 10): "FEAT_MTE", (3, 7, 11): "FEAT_OCCMO or FEAT_MTE", (3, 7, 12): "FEAT_MTE",
    (3, 7, 13): "FEAT_MTE", (3, 7, 14): "FEAT_MTE", (0, 7, 7): "FEAT_GCS", (3, 7, 7): "FEAT_GCS",
}
ABSENT_PSTATE = {(1, 0): "FEAT_NMI: ALLINT", (3, 4): "FEAT_MTE: TCO", (3, 3): "FEAT_SME: SVCR"}

# Registers whose value is the implementation's or the moment's; access to them is still compared.
VALUES = {
    r"MIDR_EL1|REVIDR_EL1|ID_.*|MVFR\d_EL1|CTR_EL0|CLIDR_EL1|CCSIDR_EL1|DCZID_EL0|PMCEID\d_EL0|GMID_EL1|PMCR_EL0":
        "identification: implementation defined, or of features",
    r"RNDR|RNDRRS": "random numbers",
    r"CNT[PV]CT_EL0|CNT[PV]_TVAL_EL0|CNT[PV]_CTL_EL0|CNT[PV]_CVAL_EL0|PMCCNTR_EL0|ISR_EL1|ICC_HPPIR\d_EL1":
        "depends on time",
    r"ICC_CTLR_EL1": "IDbits is implementation defined (IHI 0069, ICC_CTLR_EL1)",
    r"ICC_BPR[01]_EL1": "the minimum is implementation defined (IHI 0069, ICC_BPR0_EL1)",
    r"ICC_AP\dR0_EL1": "bits 63:32 are RES0, but for ICC_AP1R0_EL1.NMI with FEAT_GICv3_NMI, which the oracle has",
    r"SCTLR_EL1": "bits of features that one side lacks; RES1 bits without FEAT_AA32EL0 read as one",
    r"FPCR": "Len and Stride are RES0 without AArch32; AH, FIZ, NEP are FEAT_AFP's, EBF is FEAT_EBF16's",
    r"FPSR": "N, Z, C, V are RES0 without AArch32 (FPSR)",
    r"CPACR_EL1|CNTKCTL_EL1|TCR_EL1|PMXEVTYPER_EL0|PMEVTYPER\d_EL0|PMCCFILTR_EL0|MDSCR_EL1|DBGWCR\d_EL1":
        "RES0 bits, of features that Tandem lacks or of external debug; the oracle stores all",
    r"PMXEVCNTR_EL0|PMEVCNTR\d_EL0": "bits 63:32 are RES0 without FEAT_PMUv3p5",
    r"OSDTR[RT]X_EL1|MDCCINT_EL1": "the oracle has no debug channel",
    r"DBGBVR\d_EL1|DBGWVR\d_EL1": "bits 1:0 are RES0; RESS bits may read as the sign (DBGBVR<n>_EL1.RESS)",
    r"DBGBCR\d_EL1": "BAS is RES1 without AArch32 (DBGBCR<n>_EL1)",
    r"SCXTNUM_EL0": "the reset value of SCTLR_EL1.TSCXT is architecturally UNKNOWN",
}
# Registers that the oracle does not have.
MISSING = {
    r"ERR.*|ERX.*": "without error records ERRSELR_EL1 is RES0 or UNDEFINED, ERX*_EL1 RAZ/WI, NOPs or UNDEFINED",
    r"DBGPRCR_EL1|DBGAUTHSTATUS_EL1|DBGDTR.*_EL0|OSECCR_EL1": "debug registers the oracle lacks",
}


def match(table, name):
    return next((reason for pattern, reason in table.items() if re.fullmatch(pattern, name)), None)


def known_register(ours, theirs):
    if ours.words[1] not in ("MRS", "MSR"):
        return None
    name = ours.words[2]
    if theirs.exception_class == 0 and match(MISSING, name):
        return match(MISSING, name)
    if ours.without(~0, "esr")["vector"] == theirs.fields["vector"] and \
            (ours.completed == theirs.completed or name == "SCXTNUM_EL0"):
        return match(VALUES, name)
    return None


def known_absence(ours, theirs):
    if ours.exception_class != 0:
        return None
    if ours.words[1] in ("SYS", "SYSL"):
        return ABSENT_SYS.get((ours.input("op1"), ours.input("crn"), ours.input("crm")))
    if ours.words[1] == "MSR_imm":
        return ABSENT_PSTATE.get((ours.input("op1"), ours.input("op2")))
    if ours.label.startswith("EL0 trapped wait d50310"):
        return "FEAT_WFxT"
    return None


def known_return(ours, theirs):
    if ours.words[1] != "ERET":
        return None
    if ours.input("spsr") >> 4 & 1 and ours.exception_class in (0x0e, 0x22):
        return "AArch32 is not implemented: a return to it is illegal"
    # SSBS, UAO, DIT, TCO, ALLINT and BTYPE are UNKNOWN then.
    unknown = 1 << 12 | 1 << 23 | 1 << 24 | 1 << 25 | 1 << 13 | 3 << 10
    if ours.fields["spsr"] >> 20 & 1 and ours.without(unknown | 1 << 22) == theirs.without(unknown | 1 << 22):
        return ("illegal exception returns leave part of PSTATE UNKNOWN, and set PAN from the SPSR (Arm ARM, "
                "SetPSTATEFromPSR), which the oracle does not")
    absent = 1 << 25 | 1 << 13
    if ours.without(absent) == theirs.without(absent):
        return "FEAT_MTE and FEAT_NMI: PSTATE.TCO and ALLINT"
    return None


def known_pstate(ours, theirs):
    if ours.words[1] == "MSR_imm" and ours.exception_class == theirs.exception_class == 0x18:
        return "ISS.Op2 is bits 19:17 and Op1 16:14 of trapped accesses; the oracle swaps them for MSR (immediate)"
    return None


def stripped(pointer, tcr, is_data):
    """What XPACI and XPACD make of a pointer (Arm ARM, Strip)."""
    upper = pointer >> 55 & 1
    size = max(16, min(39, tcr >> 16 * upper & 0x3f))  # TxSZ
    tagged = tcr >> 37 + upper & 1 and (is_data or not tcr >> 51 + upper & 1)  # TBI, TBID
    code = (1 << (56 if tagged else 64)) - (1 << 64 - size)
    return pointer | code if upper else pointer & ~code


def known_pauth(ours, theirs):
    if ours.words[0] != "PAuth":
        return None
    # What authenticates or strips goes by bit 55 on both sides.
    word = int(ours.words[2], 16)
    operation = word >> 10 & 0x3f if word >> 16 == 0xdac1 else None
    adds = operation in (*range(4), *range(8, 12))  # PACIA ..., PACIZA ...
    pointer = ours.input("pointer")
    if operation in (16, 17) and ours.fields["x0"] == stripped(pointer, ours.input("tcr"), operation == 17) and \
            theirs.fields["x0"] == pointer:
        return ("XPACI and XPACD strip whatever the keys and TBID (Arm ARM, Strip); the oracle has been seen to leave "
                "a pointer alone, where it strips others under the same controls")
    if adds and (pointer >> 63 & 1) != (pointer >> 55 & 1):
        return ("AddPAC takes the half of a pointer, and with it TxSZ, from bit 55 if either half has tags, else from "
                "bit 63 (Arm ARM, AddPAC); the oracle takes TxSZ from bit 55, and the half from bit 63 unless the "
                "one of bit 55 has tags")
    return None


def known_access(ours, theirs):
    if "page" not in ours.words:
        return None
    kind = ours.label.split(" #")[0].split(" ", 1)[1]
    page = ours.input("page")
    alignment = 0x21
    if ours.input("sctlr") >> 57 & 1 and ours.input("pan") and theirs.fault_status == 0xf:
        return "FEAT_PAN3: SCTLR_EL1.EPAN is RES0 here"
    if kind == "STXR" and theirs.completed and ours.fault_status is not None:
        return ("whether aborts come before the check of the monitor is implementation defined (Arm ARM, "
                "AArch64.ExclusiveMonitorsPass)")
    if kind in ("LDADD", "CAS") and ours.without(1 << 6, "esr") == theirs.without(1 << 6, "esr"):
        return "WnR of an atomic is 0 if a read would fault as well (Arm ARM, ESR_EL1.ISS); the oracle varies"
    if kind == "LDXR" and ours.fault_status == alignment:
        return ("misaligned exclusives fault before translation, as reads (Arm ARM, AArch64.MemSingle; ISS.WnR)")
    if kind == "DC CIVAC" and theirs.completed:
        return "cache maintenance by address may fault (Arm ARM, DC CIVAC); the oracle ignores it"
    if ours.fault_status == alignment and page >> 5 & 1 and theirs.fault_status in (0xd, 0xe, 0xf):
        return "alignment faults for Device memory come before permission faults (Arm ARM, AArch64.S1Translate)"
    if ours.fault_status == alignment and page >> 5 & 1 and theirs.completed:
        return "unaligned accesses to Device memory fault (Arm ARM B2.8.2); the oracle checks some only"
    if kind == "BR" and ours.without(3 << 10) == theirs.without(3 << 10):
        return ("Tandem does not keep PSTATE.BTYPE until a guarded page has been mapped, so that SPSR_EL1.BTYPE is 0 "
                "in exceptions at the target")
    return None


KNOWN = (known_absence, known_register, known_return, known_pstate, known_pauth, known_access)


def run(command, limit):
    print(shlex.join(command), flush=True)
    with tempfile.TemporaryFile() as output:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, timeout=limit,
                       check=False)
        output.seek(0)
        text = output.read().decode(errors="replace").replace("\r", "")
    if "PASS system_instructions" not in text:
        sys.exit(f"did not get to its end:\n{text[-1000:]}")
    trials = [Trial(line) for line in text.split("\n") if ": vector " in line]
    return {trial.label: trial for trial in trials}


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("tandem")
    parser.add_argument("qemu")
    parser.add_argument("rom")
    parser.add_argument("--seed", type=int, default=random.getrandbits(32))
    parser.add_argument("--accel", default="auto")
    options = parser.parse_args()
    guest = ["--kernel", options.rom, "--append", f"seed={options.seed}"]
    ours = run([options.tandem, "run", "--accel", options.accel, "--cpus", "1", "--memory", "64M", "--cpu",
                "max,pauth=qarma5", "--timeout", "300", *guest], 400)
    theirs = run([options.qemu, "-M", "virt,gic-version=3", "-cpu", "max,pauth-qarma5=on,sve=off,sme=off", "-m", "64M",
                  "-nic", "none", "-nographic", *(w.replace("--", "-") for w in guest)], 400)
    explained = collections.Counter()
    wrong = [label for label in theirs.keys() ^ ours.keys()]
    for label in wrong:
        print(f"{label}: on one side only")
    for label, trial in ours.items():
        other = theirs.get(label)
        if other is None or trial.fields == other.fields:
            continue
        reason = next(filter(None, (known(trial, other) for known in KNOWN)), None)
        if reason is None:
            wrong.append(label)
            show = lambda t: " ".join(f"{k} {v:x}" for k, v in t.fields.items())
            print(f"{label}\n   is       {show(trial)}\n   expected {show(other)}")
        else:
            explained[reason] += 1
    print(f"{len(ours)} trials, {sum(explained.values())} explained differences, {len(wrong)} unexplained")
    for reason, count in explained.most_common():
        print(f"  {count:6}: {reason}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
