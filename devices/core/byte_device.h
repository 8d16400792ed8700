#pragma once
/// Base of devices whose registers are bytes (those of the ISA bus).
#include "devices/core/mmio_device.h"

namespace tandem::devices {

/// A wider access is one to each byte, the lowest address first, as the bus makes of it.
class ByteDevice : public MmioDevice {
public:
    [[nodiscard]] bool read(u64 offset, unsigned size_log2, u64 &value) override {
        value = 0;
        for (unsigned i = 0; i < 1u << size_log2; ++i)
            value |= u64{read_byte(static_cast<u32>(offset) + i)} << (i * 8);
        return true;
    }
    [[nodiscard]] bool write(u64 offset, unsigned size_log2, u64 value) override {
        for (unsigned i = 0; i < 1u << size_log2; ++i)
            write_byte(static_cast<u32>(offset) + i, static_cast<u8>(value >> (i * 8)));
        return true;
    }

protected:
    virtual u8 read_byte(u32 offset) = 0;
    virtual void write_byte(u32 offset, u8 value) = 0;
};

} // namespace tandem::devices
