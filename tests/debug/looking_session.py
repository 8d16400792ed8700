"""Runs inside gdb: looks at a deterministic Linux guest in many ways, and changes nothing. The variables ADDRESS (a
text), START_KERNEL and DOWN_READ (kernel addresses) are set before, in_gdb.py's functions too."""
import gdb

run("set pagination off")
run("set confirm off")
run("set architecture aarch64")
run(f"target remote {ADDRESS}")
run(f"hbreak *{START_KERNEL:#x}")
run("continue")
check(value("$pc") == START_KERNEL, "start_kernel is reached")
run("delete")
run(f"hbreak *{DOWN_READ:#x}")
for _ in range(20):
    run("continue")
    check(value("$pc") == DOWN_READ, "the breakpoint is reached")
    before = value("$pc")
    run("stepi 15")
    check(value("$pc") != before, "instructions are stepped")
    run("info registers system")
    run("monitor xp/4xw 0x40000000")
run("continue")
lock = value("$x0")
run("delete")
watched = gdb.Breakpoint(f"*(unsigned long *){lock:#x}", gdb.BP_WATCHPOINT, gdb.WP_WRITE)
for _ in range(4):
    before = value(f"*(unsigned long *){lock:#x}")
    run("continue")
    check(value(f"*(unsigned long *){lock:#x}") != before, "the watchpoint tells each change")
run("delete")
run("detach")
print("PASS looking_session")
