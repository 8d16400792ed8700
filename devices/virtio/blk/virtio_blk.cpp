#include "devices/virtio/blk/virtio_blk.h"

#include "devices/core/buffer_list.h"
#include "devices/virtio/core/config_space.h"

#include <algorithm>
#include <chrono>

namespace tandem::devices {

using namespace virtio_blk;

namespace {
constexpr u32 kMaxRangeSectors = 1u << 22; ///< 2 GiB for one discard or write-zeroes
/// Requests handed to the back end at once.
constexpr std::size_t kBatch = 64;
} // namespace

struct VirtioBlk::Request final : BlockRequest {
    explicit Request(VirtioBlk &device) : device(device) {}
    void complete(BlockStatus status) override { device.complete(*this, status); }

    VirtioBlk &device;
    u32 queue = 0;
    DescriptorChain chain;
    std::vector<std::span<std::byte>> data;
};

VirtioBlk::VirtioBlk(Block &backend, u32 queues)
    : backend_(backend), queues_(std::clamp(queues, 1u, 64u)) {}

VirtioBlk::~VirtioBlk() = default;

u64 VirtioBlk::features() const {
    u64 features = kFeatureSegMax | kFeatureBlockSize | kFeatureFlush | kFeatureTopology;
    if (queues_ > 1) features |= kFeatureMultiqueue;
    if (backend_.read_only()) return features | kFeatureReadOnly;
    features |= kFeatureWriteZeroes;
    if (backend_.can_discard()) features |= kFeatureDiscard;
    return features;
}

Config VirtioBlk::config() const {
    const u32 alignment = std::max<u32>(backend_.preferred_alignment(), kSectorSize);
    Config config;
    config.capacity = backend_.size() / kSectorSize;
    config.seg_max = kQueueSize - 2; // the header and the status take a descriptor each
    config.blk_size = kSectorSize;
    config.physical_block_exp = static_cast<u8>(std::countr_zero(alignment / kSectorSize));
    config.min_io_size = static_cast<u16>(alignment / kSectorSize);
    config.num_queues = static_cast<u16>(queues_);
    config.max_discard_sectors = config.max_write_zeroes_sectors = kMaxRangeSectors;
    config.max_discard_seg = config.max_write_zeroes_seg = 1;
    config.discard_sector_alignment = alignment / kSectorSize;
    config.write_zeroes_may_unmap = backend_.can_discard() ? 1 : 0;
    return config;
}

void VirtioBlk::read_config(u32 offset, std::span<std::byte> target) {
    read_config_struct(config(), offset, target);
}

VirtioBlk::Request &VirtioBlk::take_request() {
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

void VirtioBlk::notify(u32 index) {
    std::array<BlockRequest *, kBatch> batch;
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
                    ++in_flight_;
                    batch[count++] = &request;
                } else {
                    finished_some = true;
                }
            }
            if (finished_some) transport().signal_used(index);
        }
        if (count != 0) backend_.submit(std::span(batch).first(count));
        if (!more) return;
    }
}

bool VirtioBlk::prepare(Request &request) {
    const DescriptorChain &chain = request.chain;
    RequestHeader header;
    // Virtio 1.2 §2.7.4: framing is the driver's choice, so the header and the status byte are
    // found by position, not by descriptor.
    if (!chain.read_object(0, header) || chain.writable_bytes() == 0) {
        idle_.push_back(&request);
        transport().fail();
        return false;
    }
    request.data.clear();
    request.offset = request.length = 0;
    request.may_unmap = false;
    u8 status = kStatusUnsupported;
    switch (header.type) {
    case kTypeIn:
    case kTypeOut: status = prepare_transfer(request, header); break;
    case kTypeFlush:
        request.operation = BlockOperation::Flush;
        status = kStatusOk;
        break;
    case kTypeDiscard:
    case kTypeWriteZeroes: status = prepare_range(request, header); break;
    case kTypeGetId: finish(request, give_identity(request)); return false;
    default: break;
    }
    request.buffers = request.data;
    if (status == kStatusOk) return true;
    finish(request, status);
    return false;
}

u8 VirtioBlk::prepare_transfer(Request &request, const RequestHeader &header) {
    const DescriptorChain &chain = request.chain;
    const bool is_read = header.type == kTypeIn;
    const u64 length =
        is_read ? chain.writable_bytes() - 1 : chain.readable_bytes() - sizeof(RequestHeader);
    const u64 capacity = backend_.size() / kSectorSize;
    if (length % kSectorSize != 0 || header.sector > capacity ||
        length / kSectorSize > capacity - header.sector)
        return kStatusIoError;
    if (!is_read && backend_.read_only()) return kStatusIoError;
    request.operation = is_read ? BlockOperation::Read : BlockOperation::Write;
    request.offset = header.sector * kSectorSize;
    request.length = length;
    slice_buffers(is_read ? chain.writable() : chain.readable(),
                  is_read ? 0 : sizeof(RequestHeader), length, request.data);
    return kStatusOk;
}

u8 VirtioBlk::prepare_range(Request &request, const RequestHeader &header) {
    const bool is_discard = header.type == kTypeDiscard;
    if (backend_.read_only()) return kStatusIoError;
    if (is_discard && !backend_.can_discard()) return kStatusUnsupported;
    DiscardSegment segment;
    // max_discard_seg and max_write_zeroes_seg are 1.
    if (request.chain.readable_bytes() != sizeof(RequestHeader) + sizeof(segment) ||
        !request.chain.read_object(sizeof(RequestHeader), segment))
        return kStatusIoError;
    // §5.2.6.2: an unknown flag, or unmap in a discard, is unsupported.
    if ((segment.flags & ~kDiscardUnmap) != 0 || (is_discard && segment.flags != 0))
        return kStatusUnsupported;
    const u64 capacity = backend_.size() / kSectorSize;
    if (segment.num_sectors > kMaxRangeSectors || segment.sector > capacity ||
        segment.num_sectors > capacity - segment.sector)
        return kStatusIoError;
    request.operation = is_discard ? BlockOperation::Discard : BlockOperation::WriteZeroes;
    request.offset = segment.sector * kSectorSize;
    request.length = segment.num_sectors * kSectorSize;
    request.may_unmap = (segment.flags & kDiscardUnmap) != 0;
    return kStatusOk;
}

u8 VirtioBlk::give_identity(const Request &request) const {
    std::array<char, kIdentityLength> identity{};
    const std::string_view text = backend_.identity();
    std::ranges::copy(text.substr(0, identity.size()), identity.begin());
    if (request.chain.writable_bytes() != kIdentityLength + 1) return kStatusIoError;
    return request.chain.write(0, std::as_bytes(std::span(identity))) ? kStatusOk : kStatusIoError;
}

void VirtioBlk::finish(Request &request, u8 status) {
    const DescriptorChain &chain = request.chain;
    const u64 length = chain.writable_bytes();
    const std::byte byte{status};
    // The status is the chain's last byte, so it is there.
    static_cast<void>(chain.write(length - 1, std::span(&byte, 1)));
    chain.report_written(transport().memory(), length);
    transport().queue(request.queue).push(chain, static_cast<u32>(std::min<u64>(length, ~u32{0})));
    idle_.push_back(&request);
}

void VirtioBlk::complete(Request &request, BlockStatus status) {
    const std::scoped_lock lock(transport().mutex());
    const u32 queue = request.queue;
    finish(request, status == BlockStatus::Ok        ? kStatusOk
                    : status == BlockStatus::IoError ? kStatusIoError
                                                     : kStatusUnsupported);
    transport().signal_used(queue);
    if (--in_flight_ == 0) none_in_flight_.notify_all();
}

void VirtioBlk::quiesce() {
    std::unique_lock lock(transport().mutex());
    while (in_flight_ != 0) {
        lock.unlock();
        backend_.drain();
        lock.lock();
        // A request that another thread has popped but not submitted yet escapes drain().
        none_in_flight_.wait_for(lock, std::chrono::milliseconds(1),
                                 [this] { return in_flight_ == 0; });
    }
}

void VirtioBlk::save(StateWriter &writer) const {
    save_state(writer, "virtio-blk", VirtioBlkState{.capacity = backend_.size()});
}

Result<> VirtioBlk::restore(StateReader &reader) {
    VirtioBlkState state;
    if (auto result = restore_state(reader, "virtio-blk", state); !result) return result;
    if (state.capacity != backend_.size())
        return failure("snapshot: a disk has another size than when it was taken");
    return {};
}

} // namespace tandem::devices
