/// libFuzzer: a debugger's connection, with anything on it. Records of a kind (one byte) and a
/// length (two): a packet, framed as it should be; bytes as they are; a CPU that stops; what
/// happens to the machine; a monitor's command line.
#include "machine/control/monitor_debug.h"
#include "machine/debug/gdb/gdb_session.h"
#include "machine/debug/testing/fake_target.h"

#include <algorithm>

namespace {

using namespace tandem;
using namespace tandem::machine;

constexpr std::size_t kMaxOutput = std::size_t{1} << 24;

void play(GdbSession &session, testing::FakeTarget &target, u8 kind, std::string_view body) {
    const u8 first = body.empty() ? u8{0} : static_cast<u8>(body[0]);
    switch (kind % 5) {
    case 0: session.receive(frame_packet(body)); break;
    case 1: session.receive(body); break;
    case 2:
        session.cpu_stopped(target.run, first & 1,
                            {(first & 2) != 0 ? CpuStop::Cause::Point : CpuStop::Cause::Stepped,
                             {static_cast<DebugPointKind>((first >> 2) % 5), 0x1000, 4},
                             0x1000});
        break;
    case 3: session.machine_event(static_cast<MachineEvent>(first % 5), EventCause::None); break;
    case 4:
        static_cast<void>(show_memory(target, first & 1,
                                      (first & 2) != 0 ? MemoryView::Physical : MemoryView::Virtual,
                                      body.substr(body.empty() ? 0 : 1)));
        break;
    default: break;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    testing::FakeTarget target;
    GdbSession session(target);
    std::string_view input(reinterpret_cast<const char *>(data), size);
    while (input.size() > 3 && !session.is_over()) {
        const auto kind = static_cast<u8>(input[0]);
        const std::size_t wanted =
            static_cast<u8>(input[1]) | std::size_t{static_cast<u8>(input[2])} << 8;
        input.remove_prefix(3);
        const std::string_view body = input.substr(0, wanted);
        input.remove_prefix(body.size());
        play(session, target, kind, body);
        if (session.output.size() > kMaxOutput) session.output.clear();
    }
    return 0;
}
