#pragma once
/// Base of devices whose registers are 32-bit words (APB peripherals, virtio-mmio's header).
#include "devices/core/mmio_device.h"

namespace tandem::devices {

/// Reduces accesses of every width to whole words: a narrow read extracts from the word, a narrow
/// write at the word's first byte writes it zero-extended (APB has no byte strobes), elsewhere it
/// is ignored, and a 64-bit access is two words, the lower address first.
class WordDevice : public MmioDevice {
public:
    [[nodiscard]] bool read(u64 offset, unsigned size_log2, u64 &value) override {
        const u32 word_offset = static_cast<u32>(offset & ~u64{3});
        if (size_log2 == 3) {
            value = read_word(word_offset);
            value |= u64{read_word(word_offset + 4)} << 32;
        } else {
            value = bits(read_word(word_offset) >> ((offset & 3) * 8), (8u << size_log2) - 1, 0);
        }
        return true;
    }
    [[nodiscard]] bool write(u64 offset, unsigned size_log2, u64 value) override {
        if ((offset & 3) != 0) return true;
        const u32 word_offset = static_cast<u32>(offset);
        if (size_log2 == 3) {
            write_word(word_offset, static_cast<u32>(value));
            write_word(word_offset + 4, static_cast<u32>(value >> 32));
        } else {
            write_word(word_offset, static_cast<u32>(bits(value, (8u << size_log2) - 1, 0)));
        }
        return true;
    }

protected:
    virtual u32 read_word(u32 offset) = 0;
    virtual void write_word(u32 offset, u32 value) = 0;
};

} // namespace tandem::devices
