#pragma once
/// A byte stream both ways (a serial line's other end). machine/host implements it, machine/replay
/// wraps it. Neither direction blocks, and neither calls the listener: a device may hold its mutex.
#include "support/bits.h"

#include <cstddef>
#include <span>

namespace tandem::devices {

class CharListener {
public:
    virtual ~CharListener() = default;
    /// Bytes have arrived where there were none. Any thread; no lock of the back end is held.
    virtual void readable() = 0;
    /// There is room again after write() took less than it was given.
    virtual void writable() = 0;
    /// is_connected() is another than it was.
    virtual void connection_changed() {}
};

/// A Char without a host end: everything written is taken, nothing arrives.
class Char {
public:
    virtual ~Char() = default;
    /// Guest to host; returns how many bytes were taken. If fewer than given, writable() follows.
    [[nodiscard]] virtual std::size_t write(std::span<const std::byte> bytes) {
        return bytes.size();
    }
    /// Host to guest; returns how many bytes were copied; 0 if none wait (readable() follows).
    [[nodiscard]] virtual std::size_t read(std::span<std::byte>) { return 0; }
    /// Somebody is at the host's end.
    [[nodiscard]] virtual bool is_connected() const { return true; }
    /// At most one listener; null removes it and waits for a running call.
    virtual void set_listener(CharListener *) {}
};

} // namespace tandem::devices
