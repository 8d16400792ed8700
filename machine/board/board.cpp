/// What a board does that has not all that boards may have.
#include "machine/board/board.h"

#include "support/check.h"

namespace tandem::machine {
namespace {

/// can_be_saved() or check_config() has refused what would ask for this.
[[noreturn]] void refused_before() {
    check_failed("the board was asked for what it has not", __FILE__, __LINE__);
}

} // namespace

void Board::start_tracking() {
    refused_before();
}
void Board::stop_tracking() {
    refused_before();
}
void Board::collect_written(std::span<u64>) {
    refused_before();
}
void Board::hold_cpus() {
    refused_before();
}
void Board::let_cpus_go() {
    refused_before();
}
Result<> Board::save(snapshot::Writer &) {
    refused_before();
}
Result<> Board::restore(const std::shared_ptr<snapshot::SnapshotFile> &,
                        std::function<void(Error)>) {
    refused_before();
}
void Board::save_devices(const VisitState &) {
    refused_before();
}
Result<> Board::restore_devices(std::size_t, const FindState &) {
    refused_before();
}

u64 Board::device_hash() {
    refused_before();
}
u64 Board::state_hash() {
    refused_before();
}
u64 Board::ram_hash() {
    refused_before();
}
void Board::save_exactly(devices::StateWriter &) {
    refused_before();
}
Result<> Board::restore_exactly(devices::StateReader &) {
    refused_before();
}
void Board::forget_memory() {
    refused_before();
}
void Board::set_ram_page(u64, const std::byte *) {
    refused_before();
}
void Board::set_flash_page(unsigned, u64, const std::byte *) {
    refused_before();
}
void Board::forget_stop() {
    refused_before();
}

void Board::on_cpu_stop(StopQuestion, StopQuestion) {}
void Board::announce_stop(u32, const CpuStop &) {}

void Board::plug(const PluggedDevice &, const PluggedBackend &) {
    refused_before();
}
void Board::unplug(unsigned) {
    refused_before();
}
devices::RootPort::Button Board::press_port_button(unsigned) {
    refused_before();
}
bool Board::is_port_released(unsigned) const {
    refused_before();
}
std::vector<devices::PciFunctionView> Board::pci_functions() const {
    return {};
}

} // namespace tandem::machine
