#pragma once
/// Stand-ins for what machine gives to devices, for unit tests and fuzz targets.
#include "devices/backend/block.h"
#include "devices/backend/char.h"
#include "devices/backend/display.h"
#include "devices/backend/entropy.h"
#include "devices/backend/flash_storage.h"
#include "devices/backend/input.h"
#include "devices/backend/net.h"
#include "devices/backend/sound.h"
#include "devices/backend/vsock.h"
#include "devices/core/clock.h"
#include "devices/core/dma_space.h"
#include "devices/core/fdt_node.h"
#include "devices/core/irq_line.h"
#include "devices/core/vcpu_identity.h"
#include "devices/flash/cfi_flash.h"
#include "devices/gic/cpu_interrupt_sink.h"

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace tandem::devices::testing {

/// RAM of one piece, all else absent.
class FakeMemory final : public DmaSpace {
public:
    explicit FakeMemory(u64 size, u64 base = 0) : base_(base), bytes_(size) {}

    [[nodiscard]] bool read(GuestPhysAddr, std::span<std::byte>) override;
    [[nodiscard]] bool write(GuestPhysAddr, std::span<const std::byte>) override;
    [[nodiscard]] std::byte *map(GuestPhysAddr, u64 length, DmaAccess) override;
    void written(GuestPhysAddr address, u64 length) override;
    void discard(GuestPhysAddr address, u64 length) override;

    /// Direct access for the test; the address must be RAM.
    template <typename T>
    [[nodiscard]] T get(u64 address) {
        T value;
        std::memcpy(&value, bytes_.data() + (address - base_), sizeof(T));
        return value;
    }
    template <typename T>
    void put(u64 address, const T &value) {
        std::memcpy(bytes_.data() + (address - base_), &value, sizeof(T));
    }
    [[nodiscard]] std::span<std::byte> bytes() { return bytes_; }
    [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
    [[nodiscard]] u64 reported_bytes() const { return reported_bytes_; }
    [[nodiscard]] u64 discards() const { return discards_; }

private:
    [[nodiscard]] bool contains(u64 address, u64 length) const;
    u64 base_;
    std::vector<std::byte> bytes_;
    u64 reported_bytes_ = 0, discards_ = 0;
};

/// Time that passes when the test says so.
class FakeClock final : public Clock {
public:
    [[nodiscard]] u64 now_ns() const override { return now_; }
    [[nodiscard]] u64 calendar_seconds() const override { return kEpoch + now_ / 1'000'000'000; }
    [[nodiscard]] std::unique_ptr<Timer> create_timer(TimerListener &) override;
    void advance(u64 nanoseconds);

    static constexpr u64 kEpoch = 1'700'000'000;

private:
    class FakeTimer;
    u64 now_ = 0;
    std::vector<FakeTimer *> timers_;
};

/// Remembers levels and counts rising edges.
class FakeIrqSink final : public IrqSink {
public:
    void set_level(u32 input, bool level) override {
        if (level && !levels_[input]) ++edges_[input];
        levels_[input] = level;
    }
    [[nodiscard]] bool level(u32 input = 0) { return levels_[input]; }
    [[nodiscard]] u32 edges(u32 input = 0) { return edges_[input]; }
    [[nodiscard]] IrqLine line(u32 input = 0) { return IrqLine(*this, input); }

private:
    std::map<u32, bool> levels_;
    std::map<u32, u32> edges_;
};

class FakeCpuSink final : public CpuInterruptSink {
public:
    void set_interrupt_lines(u32 cpu, bool irq, bool fiq) override {
        irq_[cpu] = irq;
        fiq_[cpu] = fiq;
    }
    [[nodiscard]] bool irq(u32 cpu) { return irq_[cpu]; }
    [[nodiscard]] bool fiq(u32 cpu) { return fiq_[cpu]; }

private:
    std::array<bool, 64> irq_{}, fiq_{};
};

class FakeIdentity final : public VcpuIdentity {
public:
    [[nodiscard]] u32 current() const override { return cpu; }
    u32 cpu = 0;
};

class FakeChar final : public Char {
public:
    [[nodiscard]] std::size_t write(std::span<const std::byte>) override;
    [[nodiscard]] std::size_t read(std::span<std::byte>) override;
    [[nodiscard]] bool is_connected() const override { return is_connected_; }
    void set_listener(CharListener *listener) override { listener_ = listener; }

    /// Becomes like the other, but for who listens.
    void adopt(const FakeChar &);
    void set_connected(bool connected);
    /// Input arrives from the host.
    void type(std::string_view text);
    /// How many more bytes of output are taken.
    void set_room(std::size_t room);
    [[nodiscard]] const std::string &output() const { return output_; }
    [[nodiscard]] std::size_t waiting() const { return input_.size(); }

private:
    CharListener *listener_ = nullptr;
    std::deque<char> input_;
    std::string output_;
    std::size_t room_ = ~std::size_t{0};
    bool is_connected_ = true;
};

/// A disk in memory that completes requests at once, or when told.
class FakeBlock final : public Block {
public:
    explicit FakeBlock(u64 size) : bytes_(size) {}
    [[nodiscard]] u64 size() const override { return bytes_.size(); }
    [[nodiscard]] bool read_only() const override { return is_read_only; }
    [[nodiscard]] bool can_discard() const override { return discards; }
    [[nodiscard]] u32 preferred_alignment() const override { return 4096; }
    [[nodiscard]] std::string_view identity() const override { return "fake-disk"; }
    void submit(std::span<BlockRequest *const>) override;
    void drain() override { complete_all(); }

    void complete_all();
    [[nodiscard]] std::size_t pending() const { return pending_.size(); }
    [[nodiscard]] std::span<std::byte> bytes() { return bytes_; }
    [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

    bool is_read_only = false;
    bool discards = true;
    bool holds_requests = false; ///< until complete_all()
    BlockStatus answer = BlockStatus::Ok;
    u32 flushes = 0;

private:
    void run(const BlockRequest &);
    std::vector<std::byte> bytes_;
    std::vector<BlockRequest *> pending_;
};

/// Counts up.
class FakeEntropy final : public Entropy {
public:
    void fill(std::span<std::byte> target) override {
        for (std::byte &byte : target) byte = std::byte{next_++};
    }

private:
    u8 next_ = 1;
};

/// A port whose frames the test sends and sees.
class FakeNet final : public Net {
public:
    [[nodiscard]] MacAddress mac() const override { return {0x52, 0x54, 0, 0x12, 0x34, 0x56}; }
    [[nodiscard]] u16 mtu() const override { return 1500; }
    [[nodiscard]] bool takes_large_segments() const override { return true; }
    void send(std::span<const std::byte> frame) override {
        if (sent.size() < 64) sent.emplace_back(frame.begin(), frame.end());
    }
    [[nodiscard]] std::size_t receive(std::span<std::byte> target) override {
        if (waiting_.empty()) return 0;
        const std::size_t size = std::min(waiting_.front().size(), target.size());
        std::copy_n(waiting_.front().begin(), size, target.begin());
        waiting_.pop_front();
        return size;
    }
    void set_listener(NetListener *listener) override { listener_ = listener; }

    /// Becomes like the other, but for who listens.
    void adopt(const FakeNet &other) {
        sent = other.sent;
        waiting_ = other.waiting_;
    }
    void arrive(std::vector<std::byte> frame) {
        waiting_.push_back(std::move(frame));
        if (listener_ != nullptr) listener_->frames_wait();
    }
    std::vector<std::vector<std::byte>> sent;

private:
    NetListener *listener_ = nullptr;
    std::deque<std::vector<std::byte>> waiting_;
};

/// A host whose events the test makes.
class FakeVsock final : public Vsock {
public:
    [[nodiscard]] bool keeps_streams() const override { return keeps; }
    void open(VsockPorts ports) override { note("open", ports); }
    void accept(VsockPorts ports) override { note("accept", ports); }
    void send(VsockPorts ports, std::span<const std::byte> bytes) override {
        note("send", ports);
        if (sent.size() < (1u << 20))
            sent.append(reinterpret_cast<const char *>(bytes.data()), bytes.size());
    }
    void grant(VsockPorts ports, u32 count) override {
        note("grant", ports);
        granted += count;
    }
    void finish(VsockPorts ports) override { note("finish", ports); }
    void close(VsockPorts ports) override { note("close", ports); }
    [[nodiscard]] bool receive(VsockEvent &event) override {
        if (waiting_.empty()) return false;
        event = std::move(waiting_.front());
        waiting_.pop_front();
        return true;
    }
    void set_listener(VsockListener *listener) override { listener_ = listener; }

    /// Becomes like the other, but for who listens.
    void adopt(const FakeVsock &other) {
        sent = other.sent;
        calls = other.calls;
        granted = other.granted;
        waiting_ = other.waiting_;
    }
    void happen(VsockEvent event) {
        waiting_.push_back(std::move(event));
        if (listener_ != nullptr) listener_->events_wait();
    }
    std::vector<std::string> calls; ///< the last ones, as "open 52<1234": host and guest
    std::string sent;
    u64 granted = 0;
    bool keeps = true;

private:
    void note(std::string_view call, VsockPorts ports);

    VsockListener *listener_ = nullptr;
    std::deque<VsockEvent> waiting_;
};

/// Remembers what it shows, as the device had it.
class FakeDisplay final : public Display {
public:
    struct Picture {
        u32 width = 0, height = 0;
        std::vector<u32> pixels; ///< their four bytes
        PixelFormat format = {};
        u32 updates = 0;
        DisplayRectangle last_update;
        bool has_cursor = false;
        std::array<u32, 2> hot{}, tip{};
        bool operator==(const Picture &) const = default;
    };
    void show(u32 output, u32 width, u32 height) override {
        Picture &picture = pictures[output];
        picture.width = width;
        picture.height = height;
        picture.pixels.assign(std::size_t{width} * height, 0);
    }
    void update(u32 output, const DisplayRectangle &part, const PixelRows &rows) override {
        Picture &picture = pictures[output];
        picture.format = rows.format;
        picture.last_update = part;
        ++picture.updates;
        for (u32 y = 0; y < part.height; ++y)
            std::memcpy(&picture.pixels.at((part.y + y) * picture.width + part.x),
                        rows.bytes.subspan(y * rows.stride, part.width * sizeof(u32)).data(),
                        part.width * sizeof(u32));
    }
    void set_cursor(u32 output, u32 hot_x, u32 hot_y, const PixelRows &rows) override {
        pictures[output].has_cursor = !rows.bytes.empty();
        pictures[output].hot = {hot_x, hot_y};
    }
    void move_cursor(u32 output, u32 x, u32 y) override { pictures[output].tip = {x, y}; }

    std::map<u32, Picture> pictures;
};

/// Keeps the last of what is played; records a sawtooth.
class FakeSound final : public Sound {
public:
    static constexpr std::size_t kKept = 1 << 16;

    void play(u32 at_rate, std::span<const SoundFrame> frames) override {
        rate = at_rate;
        played.insert(played.end(), frames.begin(), frames.end());
        if (played.size() > kKept)
            played.erase(played.begin(), played.end() - static_cast<std::ptrdiff_t>(kKept));
    }
    void record(u32 at_rate, std::span<SoundFrame> frames) override {
        rate = at_rate;
        for (SoundFrame &frame : frames) {
            ++recorded;
            frame = {.left = static_cast<i16>(recorded), .right = static_cast<i16>(~recorded)};
        }
    }

    u32 rate = 0; ///< the last one
    std::vector<SoundFrame> played;
    u32 recorded = 0; ///< frames
};

/// Hands that the test moves.
class FakeInput final : public Input {
public:
    [[nodiscard]] bool receive(InputReport &report) override {
        if (waiting_.empty()) return false;
        report = std::move(waiting_.front());
        waiting_.pop_front();
        return true;
    }
    void set_lights(InputLights value) override { lights = value; }
    void set_listener(InputListener *listener) override { listener_ = listener; }

    /// Becomes like the other, but for who listens.
    void adopt(const FakeInput &other) {
        lights = other.lights;
        waiting_ = other.waiting_;
    }
    void happen(InputReport report) {
        waiting_.push_back(std::move(report));
        if (listener_ != nullptr) listener_->reports_wait();
    }
    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
    InputLights lights = 0;

private:
    InputListener *listener_ = nullptr;
    std::deque<InputReport> waiting_;
};

class FakeFlashStorage final : public FlashStorage {
public:
    explicit FakeFlashStorage(u64 size) : bytes_(size, std::byte{0xff}) {}
    [[nodiscard]] std::span<std::byte> cells() override { return bytes_; }
    [[nodiscard]] bool read_only() const override { return is_read_only; }
    bool persist(u64 offset, u64 length) override {
        changes.emplace_back(offset, length);
        return !is_full;
    }

    bool is_read_only = false;
    bool is_full = false;
    std::vector<std::pair<u64, u64>> changes;

private:
    std::vector<std::byte> bytes_;
};

class FakeRomWindow final : public RomWindow {
public:
    void set_direct(bool direct) override { is_direct = direct; }
    bool is_direct = false;
};

/// Writes the tree as text: "name { property = <cells>; child { } }".
class FakeFdtNode final : public FdtNode {
public:
    FdtNode &child(std::string_view name) override;
    void flag(std::string_view property) override;
    void cells(std::string_view property, std::initializer_list<u32> values) override;
    void cells(std::string_view property, std::span<const u32> values) override;
    void strings(std::string_view property,
                 std::initializer_list<std::string_view> values) override;
    u32 phandle() override { return 1; }
    [[nodiscard]] std::string text() const;

private:
    std::string properties_;
    std::deque<std::pair<std::string, FakeFdtNode>> children_;
};

} // namespace tandem::devices::testing
