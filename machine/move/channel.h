#pragma once
/// One end of a connection between two processes: frames out and in, with checksums, a limit of
/// speed, and an end to every wait.
#include "machine/move/format.h"
#include "support/result.h"
#include "support/scoped_fd.h"

#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::machine::move {

struct Frame {
    FrameKind kind{};
    std::span<const std::byte> payload; ///< until the next one is received
};

class Channel {
public:
    /// A connected socket; `peer` names the other end in errors.
    Channel(ScopedFd socket, std::string peer);
    Channel(const Channel &) = delete;
    Channel &operator=(const Channel &) = delete;

    [[nodiscard]] const std::string &peer() const { return peer_; }

    enum class Greeting : u8 { Sound, OtherVersion, Stranger };
    /// Exchanges preambles.
    [[nodiscard]] Greeting greet();
    /// The line for a greeting that is not sound.
    [[nodiscard]] std::unexpected<Error> bad_greeting(Greeting) const;

    /// The payload is copied before anything is sent: it may change meanwhile.
    [[nodiscard]] Result<> send(FrameKind, std::span<const std::byte> payload);
    [[nodiscard]] Result<> send(FrameKind kind) { return send(kind, std::span<const std::byte>{}); }
    [[nodiscard]] Result<> send(FrameKind kind, std::string_view text) {
        return send(kind, std::as_bytes(std::span(text.data(), text.size())));
    }
    /// Tells the other end that there is no move, if it listens.
    void send_failure(std::string_view reason);

    static constexpr int kForever = -1;
    /// The next frame; a Failed is an error, with the other end's words.
    [[nodiscard]] Result<Frame> receive(int timeout_ms);
    /// The same, of this kind.
    [[nodiscard]] Result<Frame> expect(FrameKind, int timeout_ms);

    // Any thread.
    /// Ends every wait, now and later.
    void cancel();
    [[nodiscard]] bool is_cancelled() const { return is_cancelled_; }
    /// Bytes a second; 0: no limit.
    void set_limit(u64 rate) { limit_.store(rate, std::memory_order_relaxed); }
    [[nodiscard]] u64 sent_bytes() const { return sent_.load(std::memory_order_relaxed); }

private:
    /// Waits for POLLIN or POLLOUT; fails when cancelled, or too late.
    [[nodiscard]] Result<> wait(short events, int timeout_ms);
    /// Leaves what could not be sent.
    [[nodiscard]] Result<> write(std::span<const std::byte> &);
    [[nodiscard]] Result<> read(std::span<std::byte>, int timeout_ms);
    [[nodiscard]] Result<> keep_to_limit(std::size_t bytes);
    [[nodiscard]] std::unexpected<Error> gone(std::string_view why) const;

    ScopedFd socket_, cancelled_;
    std::string peer_;
    std::vector<std::byte> out_, in_;
    std::atomic<u64> sent_ = 0, limit_ = 0;
    std::atomic<bool> is_cancelled_ = false;
    std::optional<Error> refusal_;      ///< the other end's words
    u64 free_at_ns_ = 0;                ///< when the limit allows the next byte
    std::span<const std::byte> unsent_; ///< of out_: the rest of a frame that was broken off
};

} // namespace tandem::machine::move
