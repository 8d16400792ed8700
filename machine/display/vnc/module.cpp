#include "machine/display/vnc/vnc_server.h"

extern "C" __attribute__((visibility("default"))) void
tandem_open_vnc(tandem::machine::VncStart start, const tandem::machine::DisplayWiring &wiring,
                tandem::Result<std::unique_ptr<tandem::machine::VncService>> &opened) {
    opened = tandem::machine::VncServer::create(std::move(start), wiring);
}
