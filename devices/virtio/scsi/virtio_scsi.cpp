#include "devices/virtio/scsi/virtio_scsi.h"

#include "devices/core/buffer_list.h"
#include "devices/virtio/core/config_space.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

namespace tandem::devices {

using namespace virtio_scsi;

namespace {
/// Requests taken off a queue before they are handed to back ends.
constexpr std::size_t kBatch = 64;
} // namespace

struct VirtioScsi::Request final : BlockRequest {
    explicit Request(VirtioScsi &device) : device(device) {}
    void complete(BlockStatus status) override { device.complete(*this, status); }

    VirtioScsi &device;
    u32 queue = 0;
    u32 target = 0;
    u64 id = 0;
    bool is_in_flight = false;
    DescriptorChain chain;
    ScsiCommand command;
    std::vector<std::span<std::byte>> data_out, data_in, pieces;
};

VirtioScsi::VirtioScsi(std::vector<std::unique_ptr<ScsiUnit>> units, u32 queues)
    : queues_(std::clamp(queues, 1u, 64u)) {
    for (auto &unit : units) targets_.push_back({.unit = std::move(unit)});
}

VirtioScsi::~VirtioScsi() = default;

Config VirtioScsi::config() const {
    Config config;
    config.num_queues = queues_;
    config.seg_max = kQueueSize - 2; // header and response take a descriptor each
    config.max_sectors = 0xffff;
    config.cmd_per_lun = kQueueSize / 2;
    config.sense_size = state_.sense_bytes;
    config.cdb_size = state_.cdb_bytes;
    config.max_target = kMaxUnits - 1;
    return config;
}

void VirtioScsi::read_config(u32 offset, std::span<std::byte> target) {
    read_config_struct(config(), offset, target);
}

void VirtioScsi::write_config(u32 offset, std::span<const std::byte> source) {
    u32 value = 0;
    if (source.size() != sizeof value) return;
    std::memcpy(&value, source.data(), sizeof value);
    if (offset == offsetof(Config, sense_size) && value <= kMaxSenseBytes)
        state_.sense_bytes = value;
    if (offset == offsetof(Config, cdb_size) && value <= kMaxCdbBytes) state_.cdb_bytes = value;
}

std::optional<u32> VirtioScsi::target_of(const Lun &lun) const {
    if (lun[0] != 1 || lun[1] >= targets_.size()) return std::nullopt;
    return lun[1];
}

void VirtioScsi::notify(u32 queue) {
    if (queue == kControlQueue) serve_control();
    // Nothing happens to units that the event queue would tell of.
    else if (queue >= kFirstRequestQueue)
        serve_requests(queue);
}

// ------------------------------------------------------------------------------------- requests

VirtioScsi::Request &VirtioScsi::take_request() {
    if (idle_.empty()) {
        requests_.push_back(std::make_unique<Request>(*this));
        // So that finish() never allocates.
        idle_.reserve(requests_.size());
        return *requests_.back();
    }
    Request *request = idle_.back();
    idle_.pop_back();
    return *request;
}

void VirtioScsi::serve_requests(u32 index) {
    std::array<Request *, kBatch> batch;
    for (;;) {
        std::size_t count = 0;
        bool more = true;
        {
            const std::scoped_lock lock(transport().mutex());
            Virtqueue &queue = transport().queue(index);
            bool finished_some = false;
            while (count < kBatch) {
                if (!transport().is_running()) {
                    more = false;
                    break;
                }
                Request &request = take_request();
                request.queue = index;
                const Virtqueue::Pop pop = queue.pop(request.chain);
                if (pop != Virtqueue::Pop::Chain) {
                    idle_.push_back(&request);
                    if (pop == Virtqueue::Pop::Broken) transport().fail();
                    more = false;
                    break;
                }
                if (prepare(request)) {
                    request.is_in_flight = true;
                    ++targets_[request.target].in_flight;
                    ++in_flight_;
                    batch[count++] = &request;
                } else {
                    finished_some = true;
                }
            }
            if (finished_some) transport().signal_used(index);
        }
        submit(std::span(batch).first(count));
        if (!more) return;
    }
}

void VirtioScsi::submit(std::span<Request *const> requests) {
    std::array<BlockRequest *, kBatch> run;
    while (!requests.empty()) {
        // What goes to the same back end goes at once. A request may end as soon as it is there.
        const u32 target = requests.front()->target;
        std::size_t count = 0;
        while (count < requests.size() && requests[count]->target == target) {
            run[count] = requests[count];
            ++count;
        }
        targets_[target].unit->backend().submit(std::span(run).first(count));
        requests = requests.subspan(count);
    }
}

bool VirtioScsi::prepare(Request &request) {
    const DescriptorChain &chain = request.chain;
    const u64 head = sizeof(RequestHeader) + state_.cdb_bytes;
    const u64 answer = sizeof(ResponseHeader) + state_.sense_bytes;
    RequestHeader header;
    if (chain.readable_bytes() < head || chain.writable_bytes() < answer ||
        !chain.read_object(0, header)) {
        idle_.push_back(&request);
        transport().fail();
        return false;
    }
    request.id = header.id;
    request.data_out.clear();
    request.data_in.clear();
    request.pieces.clear();
    ScsiCommand &command = request.command = ScsiCommand{};
    const auto cdb = std::as_writable_bytes(std::span(command.cdb));
    static_cast<void>(chain.read(sizeof(RequestHeader),
                                 cdb.first(std::min<std::size_t>(cdb.size(), state_.cdb_bytes))));
    command.data_out_bytes = chain.readable_bytes() - head;
    command.data_in_bytes = chain.writable_bytes() - answer;
    slice_buffers(chain.readable(), head, command.data_out_bytes, request.data_out);
    slice_buffers(chain.writable(), answer, command.data_in_bytes, request.data_in);
    command.data_out = request.data_out;
    command.data_in = request.data_in;

    const Lun lun = header.lun;
    const std::optional<u32> target = target_of(lun);
    if (!target.has_value()) {
        finish(request, kBadTarget);
        return false;
    }
    request.target = *target;
    if (((lun[2] << 8 | lun[3]) & 0x3fff) != 0)
        ScsiUnit::answer_for_none(command);
    else if (targets_[*target].unit->start(command, request, request.pieces) ==
             ScsiUnit::Start::Submit)
        return true;
    finish(request, kOk);
    return false;
}

void VirtioScsi::finish(Request &request, u8 response) {
    const DescriptorChain &chain = request.chain;
    const ScsiCommand &command = request.command;
    const bool is_overrun =
        command.wanted_bytes > std::max(command.data_in_bytes, command.data_out_bytes);
    const u64 offered = std::max(command.data_in_bytes, command.data_out_bytes);
    ResponseHeader header;
    header.response = response == kOk && is_overrun ? kOverrun : response;
    header.status = static_cast<u8>(command.status);
    header.residual =
        static_cast<u32>(std::min<u64>(offered - std::min(offered, command.moved_bytes), ~u32{0}));
    if (command.status == ScsiStatus::CheckCondition) {
        const std::array<u8, kSenseBytes> sense = encode(command.sense);
        header.sense_length = std::min<u32>(sense.size(), state_.sense_bytes);
        static_cast<void>(
            chain.write(sizeof header, std::as_bytes(std::span(sense)).first(header.sense_length)));
    }
    static_cast<void>(chain.write(0, std::as_bytes(std::span(&header, 1))));
    u64 written = sizeof header + state_.sense_bytes;
    if (command.data_in_bytes != 0) written += command.moved_bytes;
    chain.report_written(transport().memory(), written);
    transport().queue(request.queue).push(chain, static_cast<u32>(std::min<u64>(written, ~u32{0})));
    idle_.push_back(&request);
}

void VirtioScsi::complete(Request &request, BlockStatus status) {
    const std::scoped_lock lock(transport().mutex());
    const u32 queue = request.queue, target = request.target;
    targets_[target].unit->finish(request.command, request, status);
    request.is_in_flight = false;
    finish(request, kOk);
    transport().signal_used(queue);
    if (--targets_[target].in_flight == 0) end_waiting(target);
    if (--in_flight_ == 0) none_in_flight_.notify_all();
}

// ------------------------------------------------------------------------------ task management

void VirtioScsi::serve_control() {
    const std::scoped_lock lock(transport().mutex());
    Virtqueue &queue = transport().queue(kControlQueue);
    while (transport().is_running()) {
        DescriptorChain chain;
        const Virtqueue::Pop pop = queue.pop(chain);
        if (pop == Virtqueue::Pop::Empty) break;
        u32 type = 0;
        if (pop == Virtqueue::Pop::Broken || !chain.read_object(0, type)) {
            transport().fail();
            return;
        }
        TaskRequest task;
        if (type == kTaskManagement && chain.read_object(0, task)) {
            if (const std::optional<u8> response = manage(task, chain))
                answer_control(chain, std::as_bytes(std::span(&*response, 1)));
        } else if (type == kNotificationQuery || type == kNotificationSubscribe) {
            const NotificationAnswer none;
            answer_control(chain, std::as_bytes(std::span(&none, 1)));
        } else {
            transport().fail();
            return;
        }
    }
    transport().signal_used(kControlQueue);
}

std::optional<u8> VirtioScsi::manage(const TaskRequest &task, DescriptorChain &chain) {
    const std::optional<u32> target = target_of(task.lun);
    if (!target.has_value()) return kBadTarget;
    if (((task.lun[2] << 8 | task.lun[3]) & 0x3fff) != 0) return kIncorrectLun;
    const auto is_pending = [&](bool any) {
        return std::ranges::any_of(requests_, [&](const std::unique_ptr<Request> &request) {
            return request->is_in_flight && request->target == *target &&
                   (any || request->id == task.id);
        });
    };
    bool resets = false;
    switch (task.function) {
    case TaskFunction::QueryTask: return is_pending(false) ? kFunctionSucceeded : kOk;
    case TaskFunction::QueryTaskSet: return is_pending(true) ? kFunctionSucceeded : kOk;
    case TaskFunction::ClearAca: return kOk; // there never is such a condition
    case TaskFunction::AbortTask:
        if (!is_pending(false)) return kOk;
        break;
    case TaskFunction::AbortTaskSet:
    case TaskFunction::ClearTaskSet: break;
    case TaskFunction::NexusReset:
    case TaskFunction::LogicalUnitReset: resets = true; break;
    default: return kFunctionRejected;
    }
    // Requests at the host cannot be taken back: they are let end, which an abort allows (SAM-5
    // §7.2).
    if (targets_[*target].in_flight != 0) {
        waiting_.push_back({std::move(chain), *target, resets});
        return std::nullopt;
    }
    if (resets) targets_[*target].unit->reset();
    return kOk;
}

void VirtioScsi::answer_control(const DescriptorChain &chain, std::span<const std::byte> answer) {
    const u64 length = std::min<u64>(answer.size(), chain.writable_bytes());
    static_cast<void>(chain.write(0, answer.first(length)));
    chain.report_written(transport().memory(), length);
    transport().queue(kControlQueue).push(chain, static_cast<u32>(length));
}

void VirtioScsi::end_waiting(u32 target) {
    bool answered = false;
    for (const WaitingTask &task : waiting_) {
        if (task.target != target) continue;
        if (task.resets) targets_[target].unit->reset();
        answer_control(task.chain, std::as_bytes(std::span(&kOk, 1)));
        answered = true;
    }
    if (!answered) return;
    std::erase_if(waiting_, [target](const WaitingTask &task) { return task.target == target; });
    transport().signal_used(kControlQueue);
}

// ---------------------------------------------------------------------------------------- state

void VirtioScsi::quiesce() {
    std::unique_lock lock(transport().mutex());
    while (in_flight_ != 0) {
        lock.unlock();
        for (Target &target : targets_) target.unit->backend().drain();
        lock.lock();
        // A request that another thread has popped but not submitted yet escapes drain().
        none_in_flight_.wait_for(lock, std::chrono::milliseconds(1),
                                 [this] { return in_flight_ == 0; });
    }
}

void VirtioScsi::reset() {
    waiting_.clear();
    state_ = VirtioScsiState{};
    for (Target &target : targets_) target.unit->reset();
}

void VirtioScsi::save(StateWriter &writer) const {
    VirtioScsiState state = state_;
    state.units = static_cast<u32>(targets_.size());
    save_state(writer, "virtio-scsi", state);
    for (const Target &target : targets_) target.unit->save(writer);
}

Result<> VirtioScsi::restore(StateReader &reader) {
    if (auto result = restore_state(reader, "virtio-scsi", state_); !result) return result;
    if (state_.units != targets_.size() || state_.sense_bytes > kMaxSenseBytes ||
        state_.cdb_bytes > kMaxCdbBytes)
        return failure("snapshot: another set of SCSI disks, or a damaged file");
    for (Target &target : targets_)
        if (auto result = target.unit->restore(reader); !result) return result;
    return {};
}

} // namespace tandem::devices
