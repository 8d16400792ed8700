"""Runs inside gdb, with guest.c's program loaded: goes forward and backward in a recording of a Linux guest with two CPUs.
The variables ADDRESS (a text) and START_KERNEL (a kernel address) are set before, in_gdb.py's functions too."""
import re

import gdb


def when():
    return int(re.search(r"instruction (\d+),", run("monitor when"))[1])


def go(command):
    """Goes on; returns the numbers of the breakpoints and watchpoints that it ends at."""
    stops.clear()
    run(command)
    return [each.number for each in stops]


def at():
    return (when(), value("$pc"), gdb.selected_thread().num)


def watch(expression, kind):
    return gdb.Breakpoint(expression, gdb.BP_WATCHPOINT, kind).number


stops = []
gdb.events.stop.connect(lambda event: stops.extend(getattr(event, "breakpoints", [])))
run("set pagination off")
run("set confirm off")
run(f"target remote {ADDRESS}")
check(when() == 0, "a recording begins with its first instruction")
run("reverse-stepi")  # the end of history, as debugger.py sees
check(when() == 0, "before which there is none")

# There and back again.
run(f"hbreak *{START_KERNEL:#x}")
run("continue")
start = at()
check(start[1] == START_KERNEL, "start_kernel is reached")
check(go("reverse-continue") == [] and when() == 0, "nothing stops the way back")
run("continue")
check(at() == start, "and the way is the same again")
run("delete")

# Instruction by instruction.
trace = [at()]
for _ in range(1000):
    run("stepi")
    trace.append(at())
check([each[0] for each in trace] == list(range(start[0], start[0] + 1001)), "each step is an instruction")
for expected in reversed(trace[:-1]):
    run("reverse-stepi")
    check(at() == expected, f"backwards, the machine is where it was: {at()}, {expected}")
run("stepi 500")
check(at() == trace[500], "and forward again")

# Calls.
run("break inner")
check(go("continue") != [] and gdb.newest_frame().name() == "inner" and value("a") == 7, "inner is called")
inner = at()
run("delete")
run("reverse-finish")
check(gdb.newest_frame().name() == "middle", "reverse-finish goes to before the call")
check(when() < inner[0], "which is earlier")
run("reverse-step")
check(when() < inner[0] - 1, "reverse-step goes on from there")
run("break inner")
run("continue")
check(at() == inner, "and the call comes again")
run("delete")

# Each change of a variable that both CPUs change, forward and backward.
watched = watch("shared_value", gdb.WP_WRITE)
changes = []
for count in range(1, 17):
    check(go("continue") == [watched] and value("shared_value") == count, "each change is told")
    changes.append(at())
check({each[2] for each in changes} == {1, 2}, "of both CPUs")
for count in range(16, 0, -1):
    check(go("reverse-continue") == [watched] and value("shared_value") == count - 1, f"and is undone: {count}")
    now = at()
    check(now[2] == changes[count - 1][2] and now[0] < changes[count - 1][0] and now[1] == changes[count - 1][1] - 4,
          f"before the store that made it: {now}, {changes[count - 1]}")
run("delete")

# Who wrote that? And who reads it?
run("break breakpoint_instructions")
run("continue")
run("delete")
asked = at()
check(value("shared_value") == 16, "the guest has counted")
watched = watch("shared_value", gdb.WP_WRITE)
check(go("reverse-continue") == [watched] and value("shared_value") == 15, "its last writer is found")
check(gdb.newest_frame().name() == "count" and at()[1] == changes[-1][1] - 4, "in count()")
run("delete")
for kind in (gdb.WP_READ, gdb.WP_ACCESS):
    before = when()
    watched = watch("shared_value", kind)
    check(go("reverse-continue") == [watched] and when() < before, "an earlier access is found")
    run("delete")

# By count.
check(f"instruction {asked[0]}," in run(f"monitor goto {asked[0]}"), "goto goes forward")
run("maintenance flush register-cache")
check(value("$pc") == asked[1] and value("shared_value") == 16, "to the same place")
run(f"monitor goto {inner[0]}")
run("maintenance flush register-cache")
run(f"thread {inner[2]}")
check(value("$pc") == inner[1] and value("shared_value") == 0, f"and backward: {at()}, {inner}")
check("not a number" in run("monitor goto there"), "which must be a count")

# To the end, from where the past is still there.
check(go("continue") == [], "the recording ends")
end = when()
check(end > asked[0] and go("continue") == [] and when() == end, "and does not go on")
run("reverse-stepi 3")
check(when() == end - 3, "but back")
run("detach")
print("PASS reverse_session")
