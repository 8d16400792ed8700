#include "devices/virtio/net/virtio_net.h"

#include "devices/virtio/core/config_space.h"
#include "support/check.h"

#include <algorithm>
#include <bit>

namespace tandem::devices {

using namespace virtio_net;

namespace {

/// Frames moved in one go, so that neither side keeps the mutex for ever.
constexpr unsigned kBurst = 256;
/// Buffers for one frame; a driver's are of a page or so.
constexpr std::size_t kMaxMerged = 64;

/// RFC 1071: the one's complement sum of 16-bit words, in network order as they lie there.
u16 internet_checksum(std::span<const std::byte> bytes) {
    u64 sum = 0;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
        sum += static_cast<u64>(bytes[i]) << 8 | static_cast<u64>(bytes[i + 1]);
    if (bytes.size() % 2 != 0) sum += static_cast<u64>(bytes.back()) << 8;
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<u16>(~sum);
}

} // namespace

VirtioNet::VirtioNet(Net &backend, const MacAddress &mac, u16 pairs)
    : backend_(backend), mac_(mac), pairs_(pairs), frame_(Net::kMaxFrame) {
    CHECK(pairs >= 1 && pairs <= kMaxPairs);
    state_.mac = mac;
}

VirtioNet::~VirtioNet() {
    backend_.set_listener(nullptr);
}

u64 VirtioNet::features() const {
    u64 features = kFeatureChecksum | kFeatureGuestChecksum | kFeatureMtu | kFeatureMac |
                   kFeatureMergeableBuffers | kFeatureStatus | kFeatureControlQueue |
                   kFeatureControlReceive | kFeatureControlMac;
    if (pairs_ > 1) features |= kFeatureMultiqueue;
    if (backend_.takes_large_segments()) features |= kFeatureHostTso4 | kFeatureHostTso6;
    return features;
}

void VirtioNet::read_config(u32 offset, std::span<std::byte> target) {
    Config config;
    std::ranges::copy(state_.mac, config.mac);
    config.status = kStatusLinkUp;
    config.max_queue_pairs = pairs_;
    config.mtu = backend_.mtu();
    read_config_struct(config, offset, target);
}

u32 VirtioNet::control_queue() const {
    return (features_ & kFeatureMultiqueue) != 0 ? pairs_ * 2u : kControlQueue;
}

void VirtioNet::notify(u32 queue) {
    const std::scoped_lock lock(transport().mutex());
    if (queue == control_queue())
        control();
    else if (queue > control_queue())
        return; // the driver does not know of it
    else if (queue % 2 == kReceiveQueue)
        receive();
    else
        transmit(queue);
}

void VirtioNet::frames_wait() {
    const std::scoped_lock lock(transport().mutex());
    receive();
}

// ------------------------------------------------------------------------------- host to guest

std::optional<u32> VirtioNet::deliver(std::span<const std::byte> frame) {
    const u8 pair = state_.flows.pair_of(frame);
    const u32 index = kReceiveQueue + (pair < state_.active_pairs ? pair * 2u : 0);
    Virtqueue &queue = transport().queue(index);
    const bool merges = (features_ & kFeatureMergeableBuffers) != 0;
    const u64 needed = sizeof(Header) + frame.size();
    u64 room = 0;
    std::size_t count = 0;
    while (room < needed) {
        if (count == (merges ? kMaxMerged : 1)) break;
        if (merged_.size() == count) merged_.emplace_back();
        const Virtqueue::Pop pop = queue.pop(merged_[count]);
        if (pop == Virtqueue::Pop::Broken) transport().fail();
        if (pop != Virtqueue::Pop::Chain) {
            for (; count != 0; --count) queue.undo_pop();
            return std::nullopt;
        }
        room += merged_[count++].writable_bytes();
    }
    Header header;
    // The back end's frames have their checksums.
    if ((features_ & kFeatureGuestChecksum) != 0) header.flags = kChecksumValid;
    header.buffers = static_cast<u16>(count);
    // Virtio 1.2 §5.1.6.4: too small a buffer loses the frame, the header tells of nothing then.
    if (room < needed) frame = {};
    const auto head = std::as_bytes(std::span(&header, 1));
    for (std::size_t i = 0; i < count; ++i) {
        DescriptorChain &chain = merged_[i];
        const u64 skip = i == 0 ? std::min<u64>(head.size(), chain.writable_bytes()) : 0;
        const u64 take = std::min<u64>(frame.size(), chain.writable_bytes() - skip);
        static_cast<void>(chain.write(0, head.first(skip)));
        static_cast<void>(chain.write(skip, frame.first(take)));
        chain.report_written(transport().memory(), skip + take);
        queue.push(chain, static_cast<u32>(skip + take));
        frame = frame.subspan(take);
    }
    return index;
}

void VirtioNet::receive() {
    if (!transport().is_running()) return;
    u64 used = 0; // queues, a bit each
    const auto pass = [&](std::span<const std::byte> frame) {
        const std::optional<u32> queue = deliver(frame);
        if (queue.has_value()) used |= u64{1} << *queue;
        return queue.has_value();
    };
    const bool is_free = state_.waiting.empty() || pass(std::as_bytes(std::span(state_.waiting)));
    if (is_free) state_.waiting.clear();
    for (unsigned i = 0; is_free && i < kBurst; ++i) {
        const std::size_t size = backend_.receive(frame_);
        if (size == 0) break;
        if (pass(std::span(frame_).first(size))) continue;
        const auto *bytes = reinterpret_cast<const u8 *>(frame_.data());
        state_.waiting.assign(bytes, bytes + size);
        break;
    }
    for (; used != 0; used &= used - 1)
        transport().signal_used(static_cast<u32>(std::countr_zero(used)));
}

// ------------------------------------------------------------------------------- guest to host

bool VirtioNet::finish_checksum(const Header &header, std::span<std::byte> frame) {
    if ((header.flags & kNeedsChecksum) == 0) return true;
    const u64 start = header.checksum_start, at = start + header.checksum_offset;
    if ((features_ & kFeatureChecksum) == 0 || start >= frame.size() || at + 2 > frame.size())
        return false;
    u16 sum = internet_checksum(frame.subspan(start));
    if (sum == 0) sum = 0xffff; // RFC 768: 0 means that there is none
    frame[at] = static_cast<std::byte>(sum >> 8);
    frame[at + 1] = static_cast<std::byte>(sum);
    return true;
}

void VirtioNet::transmit(u32 index) {
    if (!transport().is_running()) return;
    Virtqueue &queue = transport().queue(index);
    for (unsigned i = 0; i < Virtqueue::kMaxSize; ++i) {
        const Virtqueue::Pop pop = queue.pop(chain_);
        if (pop == Virtqueue::Pop::Broken) transport().fail();
        if (pop != Virtqueue::Pop::Chain) break;
        Header header;
        const u64 size =
            chain_.readable_bytes() < sizeof(header) ? 0 : chain_.readable_bytes() - sizeof(header);
        // A frame that is none is dropped, as on a wire.
        if (size != 0 && size <= frame_.size() && chain_.read_object(0, header)) {
            const auto frame = std::span(frame_).first(size);
            if (chain_.read(sizeof(header), frame) && finish_checksum(header, frame)) {
                state_.flows.learn(frame, static_cast<u8>(index / 2));
                backend_.send(frame);
            }
        }
        queue.push(chain_, 0);
    }
    transport().signal_used(index);
}

// -------------------------------------------------------------------------------------- control

u8 VirtioNet::execute(const ControlHeader &header) {
    switch (header.command_class) {
    case kClassReceive:
        // The port hears nothing but what is for its guest, so that filters change nothing.
        return header.command < kReceiveCommands ? kAckOk : kAckError;
    case kClassMac:
        if (header.command == kMacTableSet) return kAckOk;
        if (header.command == kMacAddressSet && chain_.read_object(sizeof(header), state_.mac))
            return kAckOk;
        return kAckError;
    case kClassMultiqueue: {
        u16 pairs = 0; // §5.1.6.5.5: from 1 to what the device has
        if (header.command != kPairsSet || (features_ & kFeatureMultiqueue) == 0 ||
            !chain_.read_object(sizeof(header), pairs) || pairs == 0 || pairs > pairs_)
            return kAckError;
        state_.active_pairs = pairs;
        return kAckOk;
    }
    default: return kAckError;
    }
}

void VirtioNet::control() {
    if (!transport().is_running()) return;
    Virtqueue &queue = transport().queue(control_queue());
    for (unsigned i = 0; i < Virtqueue::kMaxSize; ++i) {
        const Virtqueue::Pop pop = queue.pop(chain_);
        ControlHeader header;
        // Virtio 1.2 §5.1.6.5: the last byte is the answer's; without it the driver is at fault.
        const bool broken = pop == Virtqueue::Pop::Broken ||
                            (pop == Virtqueue::Pop::Chain &&
                             (chain_.writable_bytes() == 0 || !chain_.read_object(0, header)));
        if (broken) transport().fail();
        if (broken || pop != Virtqueue::Pop::Chain) break;
        const std::byte answer{execute(header)};
        const u64 length = chain_.writable_bytes();
        static_cast<void>(chain_.write(length - 1, std::span(&answer, 1)));
        chain_.report_written(transport().memory(), length);
        queue.push(chain_, static_cast<u32>(std::min<u64>(length, ~u32{0})));
    }
    transport().signal_used(control_queue());
}

void VirtioNet::reset() {
    state_ = {};
    state_.mac = mac_;
    features_ = 0;
}

void VirtioNet::save(StateWriter &writer) const {
    save_state(writer, "virtio-net", state_);
}

Result<> VirtioNet::restore(StateReader &reader) {
    if (auto result = restore_state(reader, "virtio-net", state_); !result) return result;
    state_.active_pairs = std::clamp<u16>(state_.active_pairs, 1, pairs_);
    return {};
}

} // namespace tandem::devices
