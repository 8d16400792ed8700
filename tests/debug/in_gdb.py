"""What scripts that run inside gdb share; loaded before them."""
import gdb


def check(condition, what):
    if not condition:
        raise gdb.GdbError(f"failed: {what}")


def value(expression):
    return int(gdb.parse_and_eval(expression)) & (2**64 - 1)


def run(command):
    return gdb.execute(command, to_string=True)
