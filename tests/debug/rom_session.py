"""Runs inside gdb, with roms/tests/smp.c loaded: two CPUs, symbols, watchpoints. ADDRESS is set before, in_gdb.py's functions too."""
import gdb


def name():
    return gdb.newest_frame().name()


run("set pagination off")
run("set confirm off")
run(f"target remote {ADDRESS}")
run("break rom_main")
run("continue")
check(name() == "rom_main" and gdb.selected_thread().num == 1, "CPU 0 comes to rom_main")
run("watch *(unsigned long *)&starts")
for count in (1, 2, 3):
    run("continue")
    check(int(gdb.parse_and_eval("*(unsigned long *)&starts")) == count, "each start is told")
    check(name() == "secondary_main" and gdb.selected_thread().num == 2, "on the CPU that was started")
    # It goes off and on again between; each time its breakpoints are still there.
check("CPU 1 (on)" in run("info threads"), "which is on now")
run("delete")
run("thread 1")
before = int(gdb.parse_and_eval("$pc"))
run("set scheduler-locking on")
run("stepi 50")
run("set scheduler-locking off")
ends = []
gdb.events.exited.connect(lambda event: ends.append(event.exit_code))
run("continue")
check(ends == [0], "the machine's end is told")
print("PASS rom_session")
