#include "devices/virtio/vsock/virtio_vsock.h"

#include "devices/virtio/core/config_space.h"

#include <algorithm>
#include <bit>

namespace tandem::devices {

using namespace virtio_vsock;

namespace {

struct Config {
    u64 guest_cid = 0;
};

constexpr std::size_t kMaxStreams = 1024;
/// What the device holds of each stream, for the guest and of the guest's.
constexpr u32 kWindow = 64u << 10, kBuffer = 256u << 10;
/// Resets that the driver gives no room for, after which they are lost: only its own peers miss
/// them.
constexpr std::size_t kMaxResets = 256;

} // namespace

VirtioVsock::~VirtioVsock() {
    backend_.set_listener(nullptr);
    backend_.close_all();
}

void VirtioVsock::read_config(u32 offset, std::span<std::byte> target) {
    read_config_struct(Config{guest_cid_}, offset, target);
}

void VirtioVsock::notify(u32 queue) {
    const std::scoped_lock lock(transport().mutex());
    switch (queue) {
    case kReceiveQueue: take_events(); break;
    case kTransmitQueue: take_packets(); break;
    default: send_transport_reset(); break;
    }
}

void VirtioVsock::events_wait() {
    const std::scoped_lock lock(transport().mutex());
    take_events();
}

// --------------------------------------------------------------------------------------- streams

VsockStream &VirtioVsock::add(VsockPorts ports, VsockStream::Phase phase) {
    VsockStream &stream = streams_[ports];
    stream.ports = ports;
    stream.phase = phase;
    return stream;
}

void VirtioVsock::forget(Streams::iterator stream) {
    if (stream->second.is_queued) std::erase(queued_, stream->first);
    backend_.close(stream->first);
    streams_.erase(stream);
}

void VirtioVsock::abort(VsockPorts ports) {
    if (const auto stream = streams_.find(ports); stream != streams_.end()) forget(stream);
    if (resets_.size() < kMaxResets) resets_.push_back(ports);
}

void VirtioVsock::widen_window(VsockStream &stream) {
    if (stream.phase != VsockStream::Phase::Open || !stream.guest_receives || stream.host_finished)
        return;
    const u32 used = stream.granted + static_cast<u32>(stream.waiting.size());
    if (used > kWindow / 2) return;
    stream.granted += kWindow - used;
    backend_.grant(stream.ports, kWindow - used);
}

// --------------------------------------------------------------------------------- to the driver

Header VirtioVsock::header_to(VsockPorts ports, u16 operation) const {
    return {.source_cid = kHostCid,
            .destination_cid = guest_cid_,
            .source_port = ports.host,
            .destination_port = ports.guest,
            .length = 0,
            .type = kTypeStream,
            .operation = operation,
            .flags = 0,
            .buffer = 0,
            .forwarded = 0};
}

u32 VirtioVsock::credit_of(const VsockStream &stream) {
    // §5.10.6.3. A driver that has forwarded more than it got, or shrunk its buffer, has none.
    const u32 in_flight = stream.sent - stream.guest_forwarded;
    return in_flight < stream.guest_buffer ? stream.guest_buffer - in_flight : 0;
}

bool VirtioVsock::has_packet(const VsockStream &stream) {
    return stream.owed != 0 || (!stream.waiting.empty() && credit_of(stream) != 0);
}

void VirtioVsock::enqueue(VsockStream &stream) {
    if (stream.is_queued || !has_packet(stream)) return;
    stream.is_queued = true;
    queued_.push_back(stream.ports);
}

bool VirtioVsock::write_packet(VsockStream &stream, u64 &length) {
    Header header = header_to(stream.ports, kData);
    // A shutdown comes behind the data.
    const u8 owed = stream.waiting.empty() ? stream.owed : stream.owed & ~VsockStream::kOweShutdown;
    if (owed != 0) {
        const u8 one = static_cast<u8>(owed & -owed);
        stream.owed &= static_cast<u8>(~one);
        switch (one) {
        case VsockStream::kOweRequest: header.operation = kRequest; break;
        case VsockStream::kOweResponse: header.operation = kResponse; break;
        case VsockStream::kOweQuestion: header.operation = kCreditRequest; break;
        case VsockStream::kOweShutdown:
            header.operation = kShutdown;
            header.flags = kNoSend | (stream.host_closed ? kNoReceive : 0);
            break;
        default: header.operation = kCreditUpdate; break;
        }
    } else {
        const u64 room = chain_.writable_bytes() - sizeof header;
        const u64 count = std::min<u64>({stream.waiting.size(), credit_of(stream), room});
        if (count == 0) return false;
        header.length = static_cast<u32>(count);
    }
    header.buffer = kBuffer;
    header.forwarded = stream.said_taken = stream.taken;
    static_cast<void>(chain_.write(0, std::as_bytes(std::span(&header, 1))));
    const auto data = std::as_bytes(std::span(stream.waiting)).first(header.length);
    static_cast<void>(chain_.write(sizeof header, data));
    length = sizeof header + data.size();
    stream.sent += header.length;
    stream.waiting.erase(stream.waiting.begin(),
                         stream.waiting.begin() + static_cast<std::ptrdiff_t>(data.size()));
    widen_window(stream);
    if (!stream.waiting.empty() && credit_of(stream) == 0 && !stream.has_asked) {
        stream.has_asked = true;
        stream.owed |= VsockStream::kOweQuestion;
    }
    return true;
}

void VirtioVsock::transmit_to_driver() {
    Virtqueue &queue = transport().queue(kReceiveQueue);
    while (!queued_.empty() || !resets_.empty()) {
        const Virtqueue::Pop pop = queue.pop(chain_);
        if (pop == Virtqueue::Pop::Broken) transport().fail();
        if (pop != Virtqueue::Pop::Chain) break;
        u64 length = 0;
        if (chain_.writable_bytes() < sizeof(Header)) {
            // Of no use; §5.10.6.4 has no buffer without room for a header.
        } else if (!resets_.empty()) {
            const Header header = header_to(resets_.front(), kReset);
            resets_.pop_front();
            static_cast<void>(chain_.write(0, std::as_bytes(std::span(&header, 1))));
            length = sizeof header;
        } else {
            // In turn: one packet of each.
            VsockStream &stream = streams_.at(queued_.front());
            queued_.pop_front();
            stream.is_queued = false;
            const bool written = write_packet(stream, length);
            if (written) enqueue(stream);
            if (!written) {
                queue.undo_pop();
                continue;
            }
        }
        chain_.report_written(transport().memory(), length);
        queue.push(chain_, static_cast<u32>(length));
    }
    transport().signal_used(kReceiveQueue);
}

void VirtioVsock::send_transport_reset() {
    if (!transport().is_running()) return;
    if (transport_reset_ == TransportReset::Told) {
        // Its buffer is back: it has dropped its streams, and would drop no new one now.
        transport_reset_ = TransportReset::None;
        return take_events();
    }
    if (transport_reset_ != TransportReset::Owed) return;
    Virtqueue &queue = transport().queue(kEventQueue);
    // An empty queue has the driver notify of the next buffer, and that is what tells that it has
    // dealt with the event.
    u32 buffers = 0;
    Virtqueue::Pop pop = queue.pop(chain_);
    for (; pop == Virtqueue::Pop::Chain && buffers < queue.max_size(); pop = queue.pop(chain_))
        ++buffers;
    if (pop == Virtqueue::Pop::Broken) transport().fail();
    if (pop == Virtqueue::Pop::Chain) queue.undo_pop(); // more than there can be
    for (u32 i = 0; i < buffers; ++i) queue.undo_pop();
    if (buffers == 0 || queue.pop(chain_) != Virtqueue::Pop::Chain) return;
    transport_reset_ = TransportReset::Told;
    const bool fits = chain_.write(0, std::as_bytes(std::span(&kTransportReset, 1)));
    const u32 length = fits ? sizeof kTransportReset : 0;
    chain_.report_written(transport().memory(), length);
    queue.push(chain_, length);
    transport().signal_used(kEventQueue);
}

// ------------------------------------------------------------------------------- from the driver

void VirtioVsock::take_packets() {
    if (!transport().is_running()) return;
    Virtqueue &queue = transport().queue(kTransmitQueue);
    for (unsigned i = 0; i < Virtqueue::kMaxSize; ++i) {
        const Virtqueue::Pop pop = queue.pop(chain_);
        if (pop == Virtqueue::Pop::Broken) transport().fail();
        if (pop != Virtqueue::Pop::Chain) break;
        take_packet();
        queue.push(chain_, 0);
    }
    transport().signal_used(kTransmitQueue);
    transmit_to_driver();
}

void VirtioVsock::take_packet() {
    Header header;
    if (!chain_.read_object(0, header) || header.length > chain_.readable_bytes() - sizeof header)
        return; // none: dropped
    const VsockPorts ports{.host = header.destination_port, .guest = header.source_port};
    const auto stream = streams_.find(ports);
    const bool is_known = stream != streams_.end();
    if (header.destination_cid != kHostCid || header.source_cid != guest_cid_) return;
    if (header.type != kTypeStream || (!is_known && header.operation != kRequest)) {
        // §5.10.6.4.2: what is unknown is reset, but resets are not answered.
        if (header.operation != kReset) abort(ports);
        return;
    }
    if (is_known) {
        stream->second.guest_buffer = header.buffer;
        stream->second.guest_forwarded = header.forwarded;
        stream->second.has_asked = false;
    }
    using Phase = VsockStream::Phase;
    switch (header.operation) {
    case kRequest: {
        // Ports that the host's own streams have are nobody's to call.
        if (is_known || ports.host >= Vsock::kFirstHostPort || streams_.size() == kMaxStreams)
            return abort(ports);
        VsockStream &added = add(ports, Phase::Asked);
        added.guest_buffer = header.buffer;
        added.guest_forwarded = header.forwarded;
        backend_.open(ports);
        return;
    }
    case kResponse:
        if (stream->second.phase != Phase::Offered) return abort(ports);
        stream->second.phase = Phase::Open;
        backend_.accept(ports);
        widen_window(stream->second);
        break;
    case kReset: return forget(stream);
    case kShutdown: return take_shutdown(stream, header.flags);
    case kData: return take_data(stream, header);
    case kCreditUpdate: break;
    case kCreditRequest: stream->second.owed |= VsockStream::kOweCredit; break;
    default: return abort(ports);
    }
    enqueue(stream->second);
}

void VirtioVsock::take_data(Streams::iterator at, const Header &header) {
    VsockStream &stream = at->second;
    // §5.10.6.3: no more than the device has said that it has room for.
    if (stream.phase != VsockStream::Phase::Open ||
        header.length > kBuffer - (stream.received - stream.taken))
        return abort(at->first);
    stream.received += header.length;
    buffer_.resize(header.length);
    static_cast<void>(chain_.read(sizeof header, buffer_));
    if (stream.host_closed)
        stream.taken = stream.received; // nobody does
    else
        backend_.send(at->first, buffer_);
    enqueue(stream);
}

void VirtioVsock::take_shutdown(Streams::iterator at, u32 flags) {
    VsockStream &stream = at->second;
    if ((flags & kNoReceive) != 0) {
        stream.guest_receives = false;
        stream.waiting.clear();
    }
    if ((flags & kNoSend) != 0) backend_.finish(at->first);
    // §5.10.6.6: both directions at once are the end, which a reset confirms.
    if ((flags & (kNoReceive | kNoSend)) == (kNoReceive | kNoSend)) return abort(at->first);
    enqueue(stream);
}

// --------------------------------------------------------------------------------- from the host

void VirtioVsock::take_events() {
    if (!transport().is_running() || transport_reset_ != TransportReset::None) return;
    while (backend_.receive(event_)) take_event(event_);
    transmit_to_driver();
}

void VirtioVsock::take_event(VsockEvent &event) {
    using Kind = VsockEvent::Kind;
    using Phase = VsockStream::Phase;
    if (event.kind == Kind::Opening) {
        if (streams_.size() == kMaxStreams || streams_.contains(event.ports))
            return backend_.close(event.ports);
        VsockStream &stream = add(event.ports, Phase::Offered);
        stream.owed = VsockStream::kOweRequest;
        return enqueue(stream);
    }
    const auto at = streams_.find(event.ports);
    if (at == streams_.end()) return;
    VsockStream &stream = at->second;
    switch (event.kind) {
    case Kind::Accepted:
        if (stream.phase != Phase::Asked) return;
        stream.phase = Phase::Open;
        stream.owed |= VsockStream::kOweResponse;
        widen_window(stream);
        break;
    case Kind::Data: {
        // A recording may hold anything.
        const std::size_t count = std::min<std::size_t>(event.bytes.size(), stream.granted);
        stream.granted -= static_cast<u32>(count);
        const auto *bytes = reinterpret_cast<const u8 *>(event.bytes.data());
        if (stream.guest_receives)
            stream.waiting.insert(stream.waiting.end(), bytes, bytes + count);
        break;
    }
    case Kind::Taken:
        stream.taken += std::min(event.count, stream.received - stream.taken);
        // Told at once when the driver may be short of room, else with whatever goes there next.
        if (stream.taken - stream.said_taken >= kBuffer / 4) stream.owed |= VsockStream::kOweCredit;
        break;
    case Kind::Finished:
        stream.host_finished = true;
        stream.owed |= VsockStream::kOweShutdown;
        break;
    case Kind::Closed:
        if (stream.phase != Phase::Open) return abort(event.ports);
        stream.host_finished = stream.host_closed = true;
        stream.taken = stream.received;
        stream.owed |= VsockStream::kOweShutdown;
        break;
    case Kind::Opening: break;
    }
    enqueue(stream);
}

// ----------------------------------------------------------------------------------------- state

void VirtioVsock::reset() {
    backend_.close_all();
    streams_.clear();
    queued_.clear();
    resets_.clear();
    transport_reset_ = TransportReset::None;
}

void VirtioVsock::save(StateWriter &writer) const {
    VirtioVsockState state;
    for (const auto &[ports, stream] : streams_) state.streams.push_back(stream);
    state.queued.assign(queued_.begin(), queued_.end());
    state.resets.assign(resets_.begin(), resets_.end());
    state.transport_reset = transport_reset_;
    save_state(writer, "virtio-vsock", state);
}

Result<> VirtioVsock::restore(StateReader &reader) {
    VirtioVsockState state;
    if (auto result = restore_state(reader, "virtio-vsock", state); !result) return result;
    if (state.streams.size() > kMaxStreams || state.resets.size() > kMaxResets)
        return failure("snapshot: virtio-vsock has more streams than it can");
    if (!backend_.keeps_streams()) {
        // The host's ends have stayed where they were.
        transport_reset_ = TransportReset::Owed;
        return {};
    }
    for (VsockStream &stream : state.streams) {
        if (stream.phase > VsockStream::Phase::Open || stream.granted > kWindow ||
            stream.waiting.size() > kWindow || stream.received - stream.taken > kBuffer)
            return failure("snapshot: virtio-vsock has a stream that makes no sense");
        stream.is_queued = false;
        streams_[stream.ports] = std::move(stream);
    }
    for (const VsockPorts &ports : state.queued) {
        const auto stream = streams_.find(ports);
        if (stream == streams_.end() || std::exchange(stream->second.is_queued, true))
            return failure("snapshot: virtio-vsock has a stream that makes no sense");
    }
    queued_.assign(state.queued.begin(), state.queued.end());
    resets_.assign(state.resets.begin(), state.resets.end());
    transport_reset_ = state.transport_reset;
    return {};
}

} // namespace tandem::devices
