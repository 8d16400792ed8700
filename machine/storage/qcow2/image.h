#pragma once
/// A qcow2 image as a disk. Reads, and writes to clusters that are there, run side by side; what
/// changes the tables runs alone.
#include "machine/storage/inflated_cache.h"
#include "machine/storage/qcow2/metadata.h"
#include "machine/storage/qcow2/snapshot_table.h"
#include "machine/storage/shared_gate.h"

#include <atomic>

namespace tandem::machine::qcow2 {

class Image final : public DiskStore {
public:
    /// The file is locked by who opened it. A file that can be written is repaired if it was not
    /// closed (the dirty bit), and refused if it is marked corrupt.
    [[nodiscard]] static Result<std::unique_ptr<Image>> open(std::unique_ptr<ByteFile>);
    ~Image() override;

    /// What unallocated clusters read from; must be given if header().backing_file is not empty.
    void set_backing(std::unique_ptr<DiskStore> backing) { backing_ = std::move(backing); }
    [[nodiscard]] const Header &header() const { return metadata_.header(); }
    [[nodiscard]] ByteFile &file() { return *file_; }

    u64 size() const override { return header().size; }
    StoreStatus read(u64 offset, u64 length, std::span<iovec>, bool may_wait) override;
    StoreStatus write(u64 offset, u64 length, std::span<iovec>) override;
    StoreStatus flush() override;
    StoreStatus discard(u64 offset, u64 length) override;
    StoreStatus write_zeroes(u64 offset, u64 length, bool may_unmap) override;
    Extent extent(u64 offset, u64 length) override;

    /// Writes a whole cluster compressed, if that makes it smaller.
    [[nodiscard]] StoreStatus write_compressed(u64 offset, std::span<const std::byte> cluster);

    // Administration: nobody else uses the image meanwhile.
    [[nodiscard]] Result<> resize(u64 size);
    [[nodiscard]] Result<std::vector<Snapshot>> snapshots();
    [[nodiscard]] Result<> create_snapshot(const std::string &name, u64 seconds, u32 nanoseconds);
    /// By name, or by id if no name matches.
    [[nodiscard]] Result<> apply_snapshot(const std::string &name);
    [[nodiscard]] Result<> delete_snapshot(const std::string &name);

private:
    explicit Image(std::unique_ptr<ByteFile> file, Header header)
        : file_(std::move(file)), metadata_(*file_, std::move(header)) {}

    [[nodiscard]] StoreStatus read_mapped(u64 offset, u64 length, std::span<iovec>, bool may_wait);
    [[nodiscard]] StoreStatus read_backing(u64 offset, u64 length, std::span<iovec>, bool may_wait);
    [[nodiscard]] StoreStatus read_compressed(u64 entry, u64 within, std::span<const iovec>,
                                              u64 length);
    /// As many bytes from the start as go to clusters that are ours alone.
    [[nodiscard]] StoreStatus write_in_place(u64 offset, u64 length, std::span<iovec>, u64 &done);
    /// Some bytes from the start, to clusters that are allocated first. Exclusive, as all below.
    [[nodiscard]] Result<u64> write_allocating(u64 offset, u64 length, std::span<iovec>);
    [[nodiscard]] Result<> fill_old(u64 offset, std::span<std::byte>);
    [[nodiscard]] Result<> zero_range(u64 offset, u64 length, bool may_unmap);
    [[nodiscard]] Result<> zero_bytes(u64 offset, u64 length);
    [[nodiscard]] Result<> drop_cluster(u64 offset, bool keep_place);
    [[nodiscard]] Result<> replace_snapshots(std::vector<Snapshot>);
    [[nodiscard]] Result<std::size_t> find_snapshot(std::span<const Snapshot>,
                                                    const std::string &name) const;
    /// Tells the user once, and marks the image if it is damaged.
    [[nodiscard]] StoreStatus failed(const Error &);
    template <typename Action>
    [[nodiscard]] StoreStatus exclusively(Action);
    [[nodiscard]] bool reads_zero(u64 offset, u64 length);
    [[nodiscard]] u64 cluster_size() const { return header().cluster_size(); }

    std::unique_ptr<ByteFile> file_;
    Metadata metadata_;
    std::unique_ptr<DiskStore> backing_;
    SharedGate gate_;
    std::atomic<bool> told_ = false;

    InflatedCache inflated_; ///< by L2 entry
};

} // namespace tandem::machine::qcow2
