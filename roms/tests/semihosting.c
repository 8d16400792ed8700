/* Semihosting, as an emulator's or a debugger's user has it: console, files of the folder, command line, time, and the
 * end with a status. What the host has to find afterwards, and what it gives, is up to the words of the command line:
 *   files      write, append to, read, rename and remove files; try to leave the folder
 *   echo       say what comes from the console, up to a '.'
 *   wait       leave a file open for as long as it takes to be saved and restored
 *   exit=N     end with that status */
#include "runtime/runtime.h"

const char rom_name[] = "semihosting";

enum {
    kOpen = 0x01, kClose, kWriteCharacter, kWriteText, kWrite, kRead, kReadCharacter, kIsError, kIsTerminal, kSeek,
    kLength = 0x0c, kTemporaryName, kRemove, kRename, kClock, kTime, kSystem, kErrno, kCommandLine = 0x15, kHeapInfo,
    kExit = 0x18, kExitExtended = 0x20, kElapsed = 0x30, kTickFrequency
};
enum { kModeRead = 0, kModeWrite = 4, kModeAppend = 8, kModeUpdate = 2 };
static const u64 kApplicationExit = 0x20026;

static u64 call(u64 operation, const void *parameter) {
    register u64 x0 __asm__("x0") = operation;
    register const void *x1 __asm__("x1") = parameter;
    __asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
    return x0;
}

#define CALL(operation, ...)                                                                       \
    ({                                                                                             \
        u64 block_[] = {__VA_ARGS__};                                                              \
        call(operation, block_);                                                                   \
    })

static u64 length_of(const char *text) {
    u64 length = 0;
    while (text[length] != 0) ++length;
    return length;
}

static int is_equal(const char *a, const char *b, u64 length) {
    for (u64 i = 0; i < length; ++i)
        if (a[i] != b[i]) return 0;
    return 1;
}

static const char *find(const char *text, const char *part) {
    for (; *text != 0; ++text)
        if (is_equal(text, part, length_of(part))) return text + length_of(part);
    return 0;
}

static u64 open_file(const char *name, u64 mode) {
    return CALL(kOpen, (u64)name, mode, length_of(name));
}

static void end_with(u64 status) {
    CALL(kExitExtended, kApplicationExit, status);
    check_equal(1, 0, "the program goes on after its end", __LINE__);
}

static void use_files(void) {
    char buffer[16];
    const u64 file = open_file("made.txt", kModeWrite | kModeUpdate);
    CHECK_EQUAL(file != ~0ull && file != 0, 1);
    CHECK_EQUAL(CALL(kIsTerminal, file), 0);
    CHECK_EQUAL(CALL(kWrite, file, (u64) "written by hand", 15), 0);
    CHECK_EQUAL(CALL(kLength, file), 15);
    CHECK_EQUAL(CALL(kSeek, file, 8), 0);
    CHECK_EQUAL(CALL(kRead, file, (u64)buffer, 16), 9); /* 7 of them */
    CHECK_EQUAL(is_equal(buffer, "by hand", 7), 1);
    CHECK_EQUAL(CALL(kRead, file, (u64)buffer, 16), 16);
    CHECK_EQUAL(CALL(kClose, file), 0);
    CHECK_EQUAL(CALL(kClose, file), ~0ull);

    const u64 more = open_file("made.txt", kModeAppend);
    CHECK_EQUAL(CALL(kWrite, more, (u64) ", and more", 10), 0);
    CHECK_EQUAL(CALL(kClose, more), 0);
    CHECK_EQUAL(CALL(kRename, (u64) "made.txt", 8, (u64) "kept.txt", 8), 0);
    CHECK_EQUAL(open_file("made.txt", kModeRead), ~0ull);
    CHECK_EQUAL(call(kErrno, 0), 2);

    char name[32];
    CHECK_EQUAL(CALL(kTemporaryName, (u64)name, 3, sizeof name), 0);
    const u64 temporary = open_file(name, kModeWrite);
    CHECK_EQUAL(temporary != ~0ull, 1);
    CHECK_EQUAL(CALL(kClose, temporary), 0);
    CHECK_EQUAL(CALL(kRemove, (u64)name, length_of(name)), 0);
    CHECK_EQUAL(open_file(name, kModeRead), ~0ull);
    print("files are used\n");
}

static void check_confinement(void) {
    CHECK_EQUAL(open_file("../outside.txt", kModeRead), ~0ull);
    CHECK_EQUAL(open_file("link/outside.txt", kModeRead), ~0ull);
    CHECK_EQUAL(open_file("pipe", kModeRead), ~0ull);
    CHECK_EQUAL(open_file(".", kModeRead), ~0ull);
    CHECK_EQUAL(CALL(kRemove, (u64) "../outside.txt", 14) == 0, 0);
    CHECK_EQUAL(CALL(kSystem, (u64) "true", 4) == 0, 0);
    print("the folder cannot be left\n");
}

static void leave_file_open(void) {
    char buffer[8];
    const u64 file = open_file("long.txt", kModeRead);
    CHECK_EQUAL(CALL(kRead, file, (u64)buffer, 8), 0);
    CHECK_EQUAL(is_equal(buffer, "01234567", 8), 1);
    print("a file is open\n");
    const u64 input = open_file(":tt", kModeRead);
    CHECK_EQUAL(CALL(kRead, input, (u64)buffer, 1), 0); /* a key, once it has been restored */
    CHECK_EQUAL(CALL(kRead, file, (u64)buffer, 8), 0);
    CHECK_EQUAL(is_equal(buffer, "89abcdef", 8), 1);
    print("and goes on where it was\n");
}

static void echo(void) {
    for (;;) {
        const char key = (char)call(kReadCharacter, 0);
        call(kWriteCharacter, &key);
        if (key == '.') break;
    }
}

void rom_main(void) {
    char line[256], feature[5];
    u64 where[2] = {(u64)line, sizeof line};
    CHECK_EQUAL(call(kCommandLine, where), 0);
    CHECK_EQUAL(where[1], length_of(line));

    const u64 features = open_file(":semihosting-features", kModeRead);
    CHECK_EQUAL(CALL(kRead, features, (u64)feature, 5), 0);
    CHECK_EQUAL(is_equal(feature, "SHFB", 4), 1);
    CHECK_EQUAL(feature[4] & 3, 3);
    CHECK_EQUAL(CALL(kClose, features), 0);

    const u64 output = open_file(":tt", kModeWrite), errors = open_file(":tt", kModeAppend);
    CHECK_EQUAL(CALL(kIsTerminal, output), 1);
    CHECK_EQUAL(CALL(kWrite, output, (u64) "written\n", 8), 0);
    CHECK_EQUAL(CALL(kWrite, errors, (u64) "in error\n", 9), 0);
    call(kWriteText, "said\n");

    const u64 status = ~0ull;
    CHECK_EQUAL(call(kIsError, &status), 1);
    u64 heap[4], *heap_at = heap;
    call(kHeapInfo, &heap_at);
    CHECK_EQUAL(heap[0] > (u64)&rom_name && heap[0] < heap[1], 1);
    CHECK_EQUAL(call(kTime, 0) > 1700000000, 1);
    u64 before = 0, after = 0;
    const u64 frequency = call(kTickFrequency, 0);
    CHECK_EQUAL(call(kElapsed, &before), 0);
    const u64 start = call(kClock, 0);
    while (call(kClock, 0) - start < 3) {
    }
    CHECK_EQUAL(call(kElapsed, &after), 0);
    CHECK_EQUAL((after - before) / (frequency / 100) >= 2, 1);
    CHECK_EQUAL(call(0xf7, 0), ~0ull);                  /* no such operation */
    CHECK_EQUAL(call(kOpen, (void *)0x3ffffff0), ~0ull); /* no RAM there */

    if (find(line, "files")) {
        use_files();
        check_confinement();
    }
    if (find(line, "wait")) leave_file_open();
    if (find(line, "echo")) echo();
    print("PASS semihosting\n");
    const char *wanted = find(line, "exit=");
    end_with(wanted ? (u64)(*wanted - '0') : 0);
}
