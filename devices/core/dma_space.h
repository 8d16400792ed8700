#pragma once
/// Guest physical memory as a bus master sees it; machine/memory implements it. Any thread.
#include "support/address.h"

#include <cstring>
#include <span>
#include <type_traits>

namespace tandem::devices {

enum class DmaAccess : u8 { Read, Write };

class DmaSpace {
public:
    virtual ~DmaSpace() = default;

    /// Copies between the guest and the host; false if any byte is not RAM (nothing may be assumed
    /// of what was copied). Ranges that wrap are not RAM. write() reports itself to code caches.
    [[nodiscard]] virtual bool read(GuestPhysAddr, std::span<std::byte>) = 0;
    [[nodiscard]] virtual bool write(GuestPhysAddr, std::span<const std::byte>) = 0;

    /// Host memory behind [address, address + length), or null unless all of it is RAM of one
    /// piece. Stays valid as long as the machine. vCPUs change it under the reader at any time:
    /// copy before checking. After writing through it, call written().
    [[nodiscard]] virtual std::byte *map(GuestPhysAddr address, u64 length, DmaAccess) = 0;
    /// Bytes were written through map(): translations of code there are void, pages are dirty.
    virtual void written(GuestPhysAddr address, u64 length) = 0;

    /// What these bytes hold is needed no more: whole pages among them read as zeros from now on,
    /// and are the host's. Nothing happens unless all of them are RAM.
    virtual void discard(GuestPhysAddr address, u64 length) = 0;

    template <typename T>
        requires std::is_trivially_copyable_v<T>
    [[nodiscard]] bool read_object(GuestPhysAddr address, T &object) {
        return read(address, std::as_writable_bytes(std::span(&object, 1)));
    }
    template <typename T>
        requires std::is_trivially_copyable_v<T>
    [[nodiscard]] bool write_object(GuestPhysAddr address, const T &object) {
        return write(address, std::as_bytes(std::span(&object, 1)));
    }
};

} // namespace tandem::devices
