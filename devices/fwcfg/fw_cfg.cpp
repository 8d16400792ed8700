#include "devices/fwcfg/fw_cfg.h"

#include "devices/core/fdt_node.h"
#include "support/check.h"

#include <algorithm>
#include <bit>

namespace tandem::devices {

namespace {

#define TANDEM_REGISTERS "devices/fwcfg/fw_cfg_registers.inc"
#include "devices/core/register_table.inc"

// What identifies the interface to drivers; part of the protocol.
constexpr std::string_view kSignatureText = "QEMU";
constexpr u64 kDmaSignature = 0x51454d5520434647; // "QEMU CFG"
constexpr u32 kVersionDma = 3;                    // bit 0 data port, bit 1 DMA

/// The DMA control structure, big-endian in guest memory.
struct DmaControl {
    u32 control = 0;
    u32 length = 0;
    u64 address = 0;
};
constexpr u32 kDmaError = 1 << 0, kDmaRead = 1 << 1, kDmaSkip = 1 << 2, kDmaSelect = 1 << 3,
              kDmaWrite = 1 << 4;

/// Entry of the file directory, big-endian.
struct FileEntry {
    u32 size = 0;
    u16 key = 0;
    u16 reserved = 0;
    std::array<char, FwCfg::kMaxFileName + 1> name{};
};
static_assert(sizeof(FileEntry) == 64);

// std::byteswap is not in GCC 12's library.
u16 swap(u16 value) {
    return __builtin_bswap16(value);
}
u32 swap(u32 value) {
    return __builtin_bswap32(value);
}
u64 swap(u64 value) {
    return __builtin_bswap64(value);
}

template <typename T>
std::vector<std::byte> bytes_of(const T &value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    return {bytes.begin(), bytes.end()};
}

} // namespace

FwCfg::FwCfg(DmaSpace &memory) : memory_(memory) {
    const auto text = std::as_bytes(std::span(kSignatureText));
    add_item(kSignature, {text.begin(), text.end()});
    add_item(kInterfaceVersion, kVersionDma);
    rebuild_directory();
}

void FwCfg::add_item(u16 key, std::vector<std::byte> data) {
    items_[key] = std::move(data);
}

void FwCfg::add_item(u16 key, u32 value) {
    add_item(key, bytes_of(value));
}

void FwCfg::add_file(std::string name, std::vector<std::byte> data) {
    CHECK(name.size() <= kMaxFileName);
    const auto [file, is_new] = files_.try_emplace(std::move(name), next_file_);
    if (is_new) ++next_file_;
    items_[file->second] = std::move(data);
    rebuild_directory();
}

void FwCfg::rebuild_directory() {
    std::vector<std::byte> directory = bytes_of(swap(static_cast<u32>(files_.size())));
    for (const auto &[name, key] : files_) {
        FileEntry entry{.size = swap(static_cast<u32>(items_[key].size())), .key = swap(key)};
        std::ranges::copy(name, entry.name.begin());
        const auto bytes = std::as_bytes(std::span(&entry, 1));
        directory.insert(directory.end(), bytes.begin(), bytes.end());
    }
    items_[kFileDirectory] = std::move(directory);
}

void FwCfg::reset() {
    const std::scoped_lock lock(mutex_);
    state_ = {};
}

void FwCfg::select(u16 key) {
    state_.selected = key;
    state_.position = 0;
}

std::span<const std::byte> FwCfg::rest() const {
    const auto item = items_.find(state_.selected);
    if (item == items_.end()) return {};
    const std::span<const std::byte> data = item->second;
    return data.subspan(std::min<std::size_t>(state_.position, data.size()));
}

bool FwCfg::read(u64 offset, unsigned size_log2, u64 &value) {
    value = 0;
    const std::scoped_lock lock(mutex_);
    if (offset < static_cast<u64>(Register::Selector)) {
        // Any offset within the port reads the next bytes; after the end there are zeros.
        const std::span<const std::byte> data = rest();
        const std::size_t count = std::min<std::size_t>(data.size(), std::size_t{1} << size_log2);
        if (count != 0) std::memcpy(&value, data.data(), count);
        state_.position += static_cast<u32>(count);
    } else if (offset >= static_cast<u64>(Register::DmaHigh)) {
        const u64 big_endian = swap(kDmaSignature);
        value = (big_endian >> ((offset & 7) * 8)) & ones(8u << size_log2);
    }
    return true;
}

bool FwCfg::write(u64 offset, unsigned size_log2, u64 value) {
    const std::scoped_lock lock(mutex_);
    switch (static_cast<Register>(offset)) {
    case Register::Selector:
        if (size_log2 == 1) select(swap(static_cast<u16>(value)));
        break;
    case Register::DmaHigh:
        if (size_log2 == 3) {
            state_.dma_high = 0;
            run_dma(GuestPhysAddr(swap(value)));
        } else if (size_log2 == 2) {
            state_.dma_high = swap(static_cast<u32>(value));
        }
        break;
    case Register::DmaLow:
        if (size_log2 == 2) {
            const u64 high = std::exchange(state_.dma_high, 0);
            run_dma(GuestPhysAddr(high << 32 | swap(static_cast<u32>(value))));
        }
        break;
    default: break; // the data port takes no writes
    }
    return true;
}

void FwCfg::run_dma(GuestPhysAddr at) {
    DmaControl request;
    if (!memory_.read_object(at, request)) return; // nowhere to report to
    const u32 control = swap(request.control);
    const u32 length = swap(request.length);
    const GuestPhysAddr address(swap(request.address));
    u32 result = 0;
    if ((control & kDmaSelect) != 0) select(static_cast<u16>(control >> 16));
    if ((control & kDmaRead) != 0) {
        std::byte *target = length == 0 ? nullptr : memory_.map(address, length, DmaAccess::Write);
        if (target != nullptr) {
            const std::span<const std::byte> data = rest();
            const std::size_t count = std::min<std::size_t>(length, data.size());
            if (count != 0) std::memcpy(target, data.data(), count);
            std::memset(target + count, 0, length - count);
            memory_.written(address, length);
            state_.position += static_cast<u32>(count);
        } else if (length != 0) {
            result = kDmaError;
        }
    } else if ((control & kDmaSkip) != 0) {
        state_.position += static_cast<u32>(std::min<std::size_t>(length, rest().size()));
    } else if ((control & kDmaWrite) != 0) {
        result = kDmaError; // no item can be written
    }
    // The driver polls the control word, so it is written last.
    static_cast<void>(memory_.write_object(at, swap(result)));
}

void FwCfg::save(StateWriter &writer) const {
    const std::scoped_lock lock(mutex_);
    FwCfgState state = state_;
    for (const auto &[key, data] : items_) {
        const auto *bytes = reinterpret_cast<const u8 *>(data.data());
        state.items.push_back({key, {bytes, bytes + data.size()}});
    }
    save_state(writer, name(), state);
}

Result<> FwCfg::restore(StateReader &reader) {
    FwCfgState state;
    if (auto result = restore_state(reader, name(), state); !result) return result;
    const std::scoped_lock lock(mutex_);
    items_.clear();
    for (const FwCfgState::Item &item : state.items) {
        const auto data = std::as_bytes(std::span(item.data));
        items_[item.key] = {data.begin(), data.end()};
    }
    state.items.clear();
    state_ = std::move(state);
    return {};
}

void FwCfg::describe(FdtNode &parent, const FdtPlacement &placement) const {
    FdtNode &node = parent.child(fdt_unit_name("fw-cfg", placement.base));
    node.strings("compatible", {"qemu,fw-cfg-mmio"});
    fdt_reg(node, placement.base, size());
    node.flag("dma-coherent");
}

} // namespace tandem::devices
