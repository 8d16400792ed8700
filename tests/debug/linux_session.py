"""Runs inside gdb, with guest.c's program loaded: debugs a Linux guest that stands at its first instruction. The
variables ADDRESS (a text), START_KERNEL and DOWN_READ (kernel addresses) are set before, in_gdb.py's functions too."""
import gdb


def exception_level():
    return value("$cpsr") >> 2 & 3


def stop():
    """Goes on; returns the numbers of the breakpoints and watchpoints that it ends at."""
    stops.clear()
    run("continue")
    return [each.number for each in stops]


def thread():
    return gdb.selected_thread().num


def frames():
    names, frame = [], gdb.newest_frame()
    while frame is not None:
        names.append(frame.name())
        frame = frame.older()
    return names


stops = []
gdb.events.stop.connect(lambda event: stops.extend(getattr(event, "breakpoints", [])))
run("set pagination off")
run("set confirm off")
run(f"target remote {ADDRESS}")
check(value("$pc") & 0xfff == 0 and exception_level() == 1, "the machine stands at the kernel's entry, at EL1")
check("CPU 1 (off)" in run("info threads"), "the second CPU is off")

# The kernel, once its MMU is on.
run(f"hbreak *{START_KERNEL:#x}")
run("continue")
check(value("$pc") == START_KERNEL, "start_kernel is reached")
check(value("$SCTLR_EL1") & 1 == 1, "the MMU is on")
physical = int(run("monitor gva2gpa 0x%x" % START_KERNEL).split()[1], 16)
code = bytes(gdb.selected_inferior().read_memory(START_KERNEL, 16))
run("maintenance packet Qqemu.PhyMemMode:1")
gdb.execute("flushregs", to_string=True)
check(bytes(gdb.selected_inferior().read_memory(physical, 16)) == code, "the same by its physical address")
run("maintenance packet Qqemu.PhyMemMode:0")
gdb.execute("flushregs", to_string=True)
check(bytes(gdb.selected_inferior().read_memory(START_KERNEL, 16)) == code, "and by its virtual one again")
run("delete")

# A program of the guest: calls, its memory, its registers.
run("break inner")
run("continue")
check(exception_level() == 0, "a program runs at EL0")
check(frames()[:4] == ["inner", "middle", "outer", "guest_main"], f"the calls are seen: {frames()}")
check(value("a") == 7, "and their arguments")
run("set var poked = 42")
check(value("poked") == 42, "memory is written")
run("delete")
run("finish")
check(frames()[0] == "middle" and value("$x0") == 49, "finish returns to the caller with the result")
run("stepi")
run("set var $v3.d.u[1] = 0x1122334455667788")
check(value("$v3.d.u[1]") == 0x1122334455667788, "vector registers are written")

# From a system call into the kernel, instruction by instruction.
run("break *&system_call_site")
run("continue")
site = value("$pc")
run("stepi")
check(value("$pc") == value("$VBAR_EL1") + 0x400, "an SVC is stepped to the vector")
check(value("$ELR_EL1") == site + 4 and exception_level() == 1, "with its return address")
run("stepi 20")
check(exception_level() == 1, "and on in the kernel")
run("delete")

# Interrupts wait while instructions are stepped, unless they need not.
run("break spin")
run("continue")
run("stepi 300")
check(exception_level() == 0, "a step takes no interrupt")
run("maintenance packet Qqemu.sstep=0x1")
for _ in range(5000):
    if exception_level() == 1:
        break
    run("stepi")
check(value("$pc") == value("$VBAR_EL1") + 0x480, "with QEMU's word it does, and stands at the handler")
run("maintenance packet Qqemu.sstep=0x7")
run("delete")

# A variable of the kernel that both CPUs change: the lock that uname() takes to read.
run("break ask_name")
run("continue")
run("delete")
run(f"hbreak *{DOWN_READ:#x}")
run("set scheduler-locking on")
run("continue")
run("set scheduler-locking off")
run("delete")
lock = value("$x0")
watched = gdb.Breakpoint(f"*(unsigned long *){lock:#x}", gdb.BP_WATCHPOINT, gdb.WP_WRITE)
seen = []
for count in range(8):
    check(stop() == [watched.number] and exception_level() == 1, "the watchpoint tells what the kernel writes")
    check(value(f"*(unsigned long *){lock:#x}") == (0x100 if count % 2 == 0 else 0), "a reader comes and goes")
    seen.append(thread())
check(sorted(set(seen)) == [1, 2], f"on both CPUs: {seen}")
run("delete")

# One of the program.
shared = value("shared_value")
watched = gdb.Breakpoint("shared_value", gdb.BP_WATCHPOINT, gdb.WP_WRITE)
seen = []
for count in range(1, 7):
    check(stop() == [watched.number] and value("shared_value") == shared + count, "the watchpoint tells each change")
    seen.append(thread())
check(sorted(set(seen)) == [1, 2], f"of both CPUs: {seen}")
run("delete")
for kind in (gdb.WP_READ, gdb.WP_ACCESS):
    watched = gdb.Breakpoint("shared_value", gdb.BP_WATCHPOINT, kind)
    check(stop() == [watched.number], "a read is told")
    run("delete")

# The guest's own debugging, with ours beside it.
run("break breakpoint_instructions")
run("continue")
run("break traced_function")
watched = gdb.Breakpoint("traps", gdb.BP_WATCHPOINT, gdb.WP_WRITE)
for count in (1, 2, 3):
    check(stop() == [watched.number] and value("traps") == count, "BRK reaches the program")
run("continue")
check(frames()[0] == "traced_function", "our breakpoint is at the same place as the guest's")
run("delete")
run("detach")
print("PASS linux_session")
