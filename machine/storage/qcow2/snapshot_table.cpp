#include "machine/storage/qcow2/snapshot_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem::machine::qcow2 {
namespace {

constexpr u64 kEntryBytes = 40;      ///< the fixed part
constexpr u64 kKnownExtraBytes = 16; ///< large VM state size, disk size

} // namespace

Result<SnapshotTable> read_snapshot_table(ByteFile &file, const Header &header) {
    SnapshotTable table;
    const auto corrupt = [&](std::string_view what) {
        return failure(fmt::format("{}: damaged qcow2 image: {}; restore it from a backup",
                                   file.name(), what));
    };
    for (u32 i = 0; i < header.snapshots; ++i) {
        const u64 at = header.snapshots_offset + table.bytes;
        if (at + kEntryBytes > file.size()) return corrupt("the snapshot table is cut off");
        std::array<std::byte, kEntryBytes> fixed;
        TRY(file.read_exactly(at, fixed));
        Snapshot snapshot;
        snapshot.l1_offset = load_be<u64>(fixed.data());
        snapshot.l1_entries = load_be<u32>(fixed.data() + 8);
        const u64 id_bytes = load_be<u16>(fixed.data() + 12);
        const u64 name_bytes = load_be<u16>(fixed.data() + 14);
        snapshot.seconds = load_be<u32>(fixed.data() + 16);
        snapshot.nanoseconds = load_be<u32>(fixed.data() + 20);
        snapshot.guest_nanoseconds = load_be<u64>(fixed.data() + 24);
        snapshot.vm_state_bytes = load_be<u32>(fixed.data() + 32);
        snapshot.disk_size = header.size; // unless it says otherwise
        const u64 extra_bytes = load_be<u32>(fixed.data() + 36);
        if (extra_bytes > kMaxSnapshotExtra) return corrupt("a snapshot has too much extra data");
        std::vector<std::byte> rest(extra_bytes + id_bytes + name_bytes);
        TRY(file.read_exactly(at + kEntryBytes, rest));
        if (extra_bytes >= 8) snapshot.vm_state_bytes = load_be<u64>(rest.data());
        if (extra_bytes >= 16) snapshot.disk_size = load_be<u64>(rest.data() + 8);
        if (extra_bytes > kKnownExtraBytes)
            snapshot.extra.assign(rest.begin() + kKnownExtraBytes,
                                  rest.begin() + static_cast<std::ptrdiff_t>(extra_bytes));
        const char *text = reinterpret_cast<const char *>(rest.data()) + extra_bytes;
        snapshot.id.assign(text, id_bytes);
        snapshot.name.assign(text + id_bytes, name_bytes);
        table.snapshots.push_back(std::move(snapshot));
        table.bytes += align_up(kEntryBytes + rest.size(), 8);
        if (table.bytes > kMaxSnapshotBytes) return corrupt("the snapshot table is too large");
    }
    return table;
}

std::vector<std::byte> snapshot_table_bytes(std::span<const Snapshot> snapshots) {
    std::vector<std::byte> bytes;
    for (const Snapshot &snapshot : snapshots) {
        const u64 at = bytes.size();
        bytes.resize(at + kEntryBytes + kKnownExtraBytes);
        std::byte *entry = bytes.data() + at;
        store_be(entry, snapshot.l1_offset);
        store_be(entry + 8, snapshot.l1_entries);
        store_be(entry + 12, static_cast<u16>(snapshot.id.size()));
        store_be(entry + 14, static_cast<u16>(snapshot.name.size()));
        store_be(entry + 16, snapshot.seconds);
        store_be(entry + 20, snapshot.nanoseconds);
        store_be(entry + 24, snapshot.guest_nanoseconds);
        store_be(entry + 32, snapshot.vm_state_bytes > ones(32)
                                 ? u32{0}
                                 : static_cast<u32>(snapshot.vm_state_bytes));
        store_be(entry + 36, static_cast<u32>(kKnownExtraBytes + snapshot.extra.size()));
        store_be(entry + 40, snapshot.vm_state_bytes);
        store_be(entry + 48, snapshot.disk_size);
        bytes.insert(bytes.end(), snapshot.extra.begin(), snapshot.extra.end());
        for (const std::string &text : {snapshot.id, snapshot.name}) {
            const auto view = std::as_bytes(std::span(text));
            bytes.insert(bytes.end(), view.begin(), view.end());
        }
        bytes.resize(align_up(bytes.size(), 8));
    }
    return bytes;
}

} // namespace tandem::machine::qcow2
