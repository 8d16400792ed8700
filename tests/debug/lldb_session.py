"""Runs inside lldb, with roms/tests/smp.c loaded, as rom_session.py does inside gdb. ADDRESS is set before."""
import lldb


def check(condition, what):
    if not condition:
        raise RuntimeError(f"failed: {what}")


def succeed(function, *arguments):
    error = lldb.SBError()
    result = function(*arguments, error)
    check(error.Success(), error.GetCString())
    return result


def register(name):
    return process.GetSelectedThread().GetFrameAtIndex(0).FindRegister(name)


lldb.debugger.SetAsync(False)
target = lldb.debugger.GetSelectedTarget()
process = succeed(target.ConnectRemote, lldb.SBListener("session"), f"connect://{ADDRESS}", "gdb-remote")
check(process.GetNumThreads() == 2, "each CPU is a thread")
target.BreakpointCreateByName("rom_main")
process.Continue()
thread = process.GetSelectedThread()
check(thread.GetStopReason() == lldb.eStopReasonBreakpoint, "the breakpoint is reached")
calls = [frame.GetFunctionName() for frame in thread]
check(calls[:2] == ["rom_main", "cpu_entry"], f"the calls are seen: {calls}")
check(register("SCTLR_EL1").GetValueAsUnsigned() & 0x800 != 0, "registers of the system are read")
check(register("v3").GetByteSize() == 16, "and vectors")
starts = target.FindSymbols("starts")[0].GetSymbol().GetStartAddress().GetLoadAddress(target)
succeed(target.WatchAddress, starts, 8, False, True)
for count in (1, 2, 3):
    process.Continue()
    thread = process.GetSelectedThread()
    check(thread.GetStopReason() == lldb.eStopReasonWatchpoint and
          succeed(process.ReadUnsignedFromMemory, starts, 8) == count, "each start is told")
    check(thread.GetIndexID() == 2, "on the CPU that was started")
target.DeleteAllWatchpoints()
before = register("pc").GetValueAsUnsigned()
thread.StepInstruction(False)
check(register("pc").GetValueAsUnsigned() == before + 4, "one instruction is stepped")
target.DeleteAllBreakpoints()
process.Continue()
check(process.GetState() == lldb.eStateExited and process.GetExitStatus() == 0, "the machine's end is told")
print("PASS lldb_session")
