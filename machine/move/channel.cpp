#include "machine/move/channel.h"

#include "machine/host/monotonic.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tandem::machine::move {
namespace {

/// A peer that takes or sends nothing for that long is as good as gone.
constexpr int kStallMs = 30'000;
constexpr int kGreetingMs = 10'000;
constexpr const char *kCancelled = "cancelled";
/// What may be sent at once under a limit of speed.
constexpr std::size_t kLimitedPiece = 64 * 1024;

u64 hash_of(FrameKind kind, std::span<const std::byte> payload) {
    return ::XXH3_64bits_withSeed(payload.data(), payload.size(), static_cast<u64>(kind));
}

/// A host that vanishes is noticed within a minute (tcp(7)). Not TCP: nothing happens.
void set_keepalive(int socket) {
    const auto set = [socket](int level, int option, int value) {
        ::setsockopt(socket, level, option, &value, sizeof value);
    };
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 15);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
    set(IPPROTO_TCP, TCP_NODELAY, 1);
}

/// One line without control characters, whoever wrote it.
std::string printable(std::span<const std::byte> bytes) {
    std::string line;
    for (const std::byte byte : bytes.first(std::min<std::size_t>(bytes.size(), kMaxReason))) {
        const auto c = static_cast<char>(byte);
        line += (c >= ' ' && c <= '~') ? c : '?';
    }
    return line;
}

} // namespace

Channel::Channel(ScopedFd socket, std::string peer)
    : socket_(std::move(socket)), cancelled_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      peer_(std::move(peer)) {
    ::fcntl(socket_.get(), F_SETFL, ::fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
    set_keepalive(socket_.get());
}

std::unexpected<Error> Channel::gone(std::string_view why) const {
    return failure(fmt::format("{}: {}; see what it says there", peer_, why));
}

void Channel::cancel() {
    is_cancelled_ = true;
    ::eventfd_write(cancelled_.get(), 1);
}

Result<> Channel::wait(short events, int timeout_ms) {
    std::array<pollfd, 2> polled{pollfd{socket_.get(), events, 0},
                                 pollfd{cancelled_.get(), POLLIN, 0}};
    int ready = 0;
    do ready = ::poll(polled.data(), polled.size(), timeout_ms);
    while (ready < 0 && errno == EINTR);
    if (polled[1].revents != 0) return failure(kCancelled);
    if (ready <= 0) return gone("does not answer");
    return {};
}

Result<> Channel::keep_to_limit(std::size_t bytes) {
    const u64 rate = limit_.load(std::memory_order_relaxed);
    if (rate == 0) return {};
    const u64 now = monotonic_ns();
    if (free_at_ns_ > now) {
        static constexpr u64 kMillisecond = 1'000'000;
        pollfd cancelled{cancelled_.get(), POLLIN, 0};
        // A limit that is raised meanwhile is to be noticed.
        static constexpr u64 kLongestNap = 100;
        while (monotonic_ns() < free_at_ns_ && limit_.load(std::memory_order_relaxed) == rate) {
            const u64 left = (free_at_ns_ - std::min(free_at_ns_, monotonic_ns())) / kMillisecond;
            if (::poll(&cancelled, 1, static_cast<int>(std::min(left + 1, kLongestNap))) > 0)
                return failure(kCancelled);
        }
    }
    free_at_ns_ = std::max(free_at_ns_, now) +
                  static_cast<u64>(static_cast<double>(bytes) * 1e9 / static_cast<double>(rate));
    return {};
}

Result<> Channel::write(std::span<const std::byte> &bytes) {
    while (!bytes.empty()) {
        const bool is_limited = limit_.load(std::memory_order_relaxed) != 0;
        const std::size_t piece = is_limited ? std::min(bytes.size(), kLimitedPiece) : bytes.size();
        TRY(keep_to_limit(piece));
        const ssize_t sent = ::send(socket_.get(), bytes.data(), piece, MSG_NOSIGNAL);
        if (sent >= 0) {
            sent_.fetch_add(static_cast<u64>(sent), std::memory_order_relaxed);
            bytes = bytes.subspan(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            TRY(wait(POLLOUT, kStallMs));
        } else if (errno != EINTR) {
            return gone(std::strerror(errno));
        }
    }
    // It may be that there was nothing to wait for.
    if (is_cancelled_) return failure(kCancelled);
    return {};
}

Result<> Channel::read(std::span<std::byte> bytes, int timeout_ms) {
    while (!bytes.empty()) {
        TRY(wait(POLLIN, timeout_ms));
        const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got < 0) return gone(std::strerror(errno));
        if (got == 0) return gone("has hung up");
        bytes = bytes.subspan(static_cast<std::size_t>(got));
    }
    return {};
}

Channel::Greeting Channel::greet() {
    const Preamble ours;
    Preamble theirs;
    std::span<const std::byte> unsent = std::as_bytes(std::span(&ours, 1));
    if (!write(unsent).has_value() ||
        !read(std::as_writable_bytes(std::span(&theirs, 1)), kGreetingMs).has_value() ||
        theirs.magic != kMagic)
        return Greeting::Stranger;
    return theirs.version == kStreamVersion ? Greeting::Sound : Greeting::OtherVersion;
}

std::unexpected<Error> Channel::bad_greeting(Greeting greeting) const {
    if (greeting == Greeting::OtherVersion)
        return failure(fmt::format("{}: is a Tandem that moves machines another way than this one "
                                   "(version {}); use the same on both sides",
                                   peer_, kStreamVersion));
    return failure(fmt::format("{}: is no Tandem that moves a machine; start one there: tandem run "
                               "--incoming",
                               peer_));
}

Result<> Channel::send(FrameKind kind, std::span<const std::byte> payload) {
    out_.resize(sizeof(FrameHeader) + payload.size());
    std::ranges::copy(payload, out_.begin() + sizeof(FrameHeader));
    const FrameHeader header{kind, static_cast<u32>(payload.size()),
                             hash_of(kind, std::span(out_).subspan(sizeof(FrameHeader)))};
    std::memcpy(out_.data(), &header, sizeof header);
    unsent_ = out_;
    auto sent = write(unsent_);
    if (sent.has_value() || is_cancelled_) return sent;
    // It may have said why it closed the connection.
    while (receive(0).has_value()) {
    }
    if (refusal_.has_value()) return std::unexpected(*refusal_);
    return sent;
}

void Channel::send_failure(std::string_view reason) {
    // Not by way of write(), which a cancelled channel refuses; what does not fit soon is lost.
    static constexpr int kPatienceMs = 200;
    while (!unsent_.empty()) {
        pollfd ready{socket_.get(), POLLOUT, 0};
        if (::poll(&ready, 1, kPatienceMs) <= 0) return;
        const ssize_t sent =
            ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) return;
        if (sent > 0) unsent_ = unsent_.subspan(static_cast<std::size_t>(sent));
    }
    const FrameHeader header{
        FrameKind::Failed, static_cast<u32>(reason.size()),
        hash_of(FrameKind::Failed, std::as_bytes(std::span(reason.data(), reason.size())))};
    std::string bytes(reinterpret_cast<const char *>(&header), sizeof header);
    bytes += reason;
    static_cast<void>(::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

Result<Frame> Channel::receive(int timeout_ms) {
    FrameHeader header;
    TRY(read(std::as_writable_bytes(std::span(&header, 1)), timeout_ms));
    if (header.bytes > kMaxFrame)
        return failure(fmt::format("{}: sends a frame of {} bytes, more than there are; use the "
                                   "same Tandem on both sides",
                                   peer_, header.bytes));
    in_.resize(header.bytes);
    TRY(read(in_, timeout_ms == kForever ? kForever : kStallMs));
    if (hash_of(header.kind, in_) != header.hash)
        return failure(
            fmt::format("{}: a frame has a wrong checksum; check the connection", peer_));
    if (header.kind == FrameKind::Failed) {
        refusal_ = Error{fmt::format("{} says: {}", peer_, printable(in_))};
        return std::unexpected(*refusal_);
    }
    return Frame{header.kind, in_};
}

Result<Frame> Channel::expect(FrameKind kind, int timeout_ms) {
    const Frame frame = TRY(receive(timeout_ms));
    if (frame.kind != kind)
        return failure(fmt::format("{}: sends frame {} in place of {}; use the same Tandem on both "
                                   "sides",
                                   peer_, static_cast<u32>(frame.kind), static_cast<u32>(kind)));
    return frame;
}

} // namespace tandem::machine::move
