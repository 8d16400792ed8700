#include "machine/boot/acpi/acpi_tables.h"

#include "devices/watchdog/sbsa_watchdog.h"
#include "machine/board/memory_map.h"

namespace tandem::machine {
namespace {

constexpr std::string_view kOemId = "TANDEM", kOemTableId = "VIRT";
constexpr std::string_view kTablesFile = "etc/acpi/tables", kRsdpFile = "etc/acpi/rsdp";
constexpr u32 kHeaderSize = 36, kChecksumAt = 9, kLengthAt = 4;
constexpr u32 kLevelHigh = 0; ///< flags of an interrupt in GTDT
constexpr u32 kAlwaysOn = 1 << 2;

/// The table loader's script: commands of 128 bytes that place files in memory, turn offsets into
/// pointers, and compute checksums.
class LoaderScript {
public:
    enum class Zone : u8 { High = 1, Low = 2 };

    void allocate(std::string_view file, u32 alignment, Zone zone) {
        begin(1).text(file, kNameSize, '\0').u32_(alignment).u8_(static_cast<u8>(zone));
        end();
    }
    void add_pointer(std::string_view in_file, u32 offset, u8 width, std::string_view to_file) {
        begin(2)
            .text(in_file, kNameSize, '\0')
            .text(to_file, kNameSize, '\0')
            .u32_(offset)
            .u8_(width);
        end();
    }
    void add_checksum(std::string_view file, u32 at, u32 start, u32 length) {
        begin(3).text(file, kNameSize, '\0').u32_(at).u32_(start).u32_(length);
        end();
    }
    [[nodiscard]] const std::vector<u8> &bytes() const { return out_.bytes(); }

private:
    static constexpr std::size_t kNameSize = 56, kCommandSize = 128;
    ByteWriter &begin(u32 command) { return out_.u32_(command); }
    void end() { out_.zeros((kCommandSize - out_.size() % kCommandSize) % kCommandSize); }

    ByteWriter out_;
};

class AcpiBuilder {
public:
    explicit AcpiBuilder(const AcpiBoard &board) : board_(board) {}

    AcpiFiles build() {
        script_.allocate(kRsdpFile, 16, LoaderScript::Zone::Low);
        script_.allocate(kTablesFile, 64, LoaderScript::Zone::High);
        add_dsdt();
        add_fadt();
        add_madt();
        add_gtdt();
        add_mcfg();
        add_spcr();
        if (board_.gic_version == 3) add_iort();
        add_pptt();
        add_xsdt();
        return {out_.bytes(), rsdp(), script_.bytes()};
    }

private:
    /// Starts a table; all but the DSDT are listed in the XSDT.
    void begin(std::string_view signature, u8 revision) {
        out_.zeros((8 - out_.size() % 8) % 8);
        start_ = here();
        out_.text(signature, 4).u32_(0).u8_(revision).u8_(0).text(kOemId, 6).text(kOemTableId, 8);
        out_.u32_(1).text("TNDM", 4).u32_(1);
        if (signature != "DSDT" && signature != "XSDT") listed_.push_back(start_);
    }
    void end() {
        out_.patch(start_ + kLengthAt, here() - start_, 4);
        script_.add_checksum(kTablesFile, start_ + kChecksumAt, start_, here() - start_);
    }
    /// Writes an offset in this file that firmware makes an address.
    void pointer(u32 target) {
        const u32 at = here();
        out_.u64_(target);
        script_.add_pointer(kTablesFile, at, 8, kTablesFile);
    }
    [[nodiscard]] u32 here() const { return static_cast<u32>(out_.size()); }
    [[nodiscard]] u32 cpus() const { return static_cast<u32>(board_.affinities.size()); }

    void add_dsdt() {
        begin("DSDT", 2);
        dsdt_ = start_;
        out_.append(build_dsdt(cpus()));
        end();
    }

    /// ACPI 6.5, 5.2.9: on hardware-reduced platforms nearly all of it is 0.
    void add_fadt() {
        constexpr u32 kHardwareReduced = 1 << 20;
        constexpr u32 kPsci = 1 << 0, kPsciByHvc = 1 << 1;
        begin("FACP", 6);
        out_.zeros(112 - kHeaderSize).u32_(kHardwareReduced);
        out_.zeros(129 - 116).u16_(kPsci | kPsciByHvc).u8_(3); // minor version: 6.3
        out_.zeros(140 - 132);
        pointer(dsdt_);
        out_.zeros(276 - 148);
        end();
    }

    void add_madt() {
        begin("APIC", 5);
        out_.u32_(0).u32_(0);
        const bool is_v2 = board_.gic_version == 2;
        // 5.2.12.15: GICD.
        out_.u8_(12).u8_(24).u16_(0).u32_(0).u64_(kGicDistributor.base).u32_(0);
        out_.u8_(board_.gic_version).zeros(3);
        for (u32 i = 0; i < cpus(); ++i) {
            // 5.2.12.14: GICC.
            constexpr u32 kEnabled = 1;
            out_.u8_(11).u8_(80).u16_(0).u32_(i).u32_(i).u32_(kEnabled);
            out_.u32_(0).u32_(ppi_intid(kPmuPpi)).u64_(0);
            out_.u64_(is_v2 ? kGicCpuInterface.base : 0).u64_(0).u64_(0).u32_(0);
            out_.u64_(0).u64_(board_.affinities[i]).u32_(0);
        }
        if (is_v2) {
            // 5.2.12.16: GIC MSI frame; bit 0 of the flags: take these SPIs.
            out_.u8_(13).u8_(24).u16_(0).u32_(0).u64_(kGicV2m.base).u32_(1);
            out_.u16_(kGicV2mSpis).u16_(spi_intid(kGicV2mSpi));
        } else {
            // 5.2.12.17, 5.2.12.18: GICR, ITS.
            out_.u8_(14).u8_(16).u16_(0).u64_(kGicRedistributors.base);
            out_.u32_(cpus() * kGicRedistributorStride);
            out_.u8_(15).u8_(20).u16_(0).u32_(0).u64_(kGicIts.base).u32_(0);
        }
        end();
    }

    void add_gtdt() {
        begin("GTDT", 2);
        out_.u64_(~u64{0}).u32_(0); // no memory-mapped counter
        for (const unsigned ppi : {kSecurePhysTimerPpi, kPhysTimerPpi, kVirtTimerPpi, kHypTimerPpi})
            out_.u32_(ppi_intid(ppi)).u32_(kLevelHigh | kAlwaysOn);
        constexpr u32 kLength = kHeaderSize + 60;
        out_.u64_(~u64{0})
            .u32_(board_.has_watchdog ? 1 : 0)
            .u32_(board_.has_watchdog ? kLength : 0);
        if (board_.has_watchdog) {
            constexpr u8 kGenericWatchdog = 1, kSize = 28;
            out_.u8_(kGenericWatchdog).u16_(kSize).u8_(0);
            out_.u64_(kWatchdog.base + devices::SbsaWatchdog::kRefreshFrame);
            out_.u64_(kWatchdog.base + devices::SbsaWatchdog::kControlFrame);
            out_.u32_(spi_intid(kWatchdogSpi)).u32_(kLevelHigh);
        }
        end();
    }

    void add_mcfg() {
        begin("MCFG", 1);
        out_.zeros(8).u64_(kPcieEcam.base).u16_(0).u8_(0).u8_(0xff).u32_(0);
        end();
    }

    void add_spcr() {
        constexpr u8 kPl011 = 3, kGicInterrupt = 1 << 3, kBaud9600 = 3, kHardwareFlow = 2,
                     kDword = 3;
        begin("SPCR", 2);
        out_.u8_(kPl011).zeros(3);
        out_.u8_(0).u8_(32).u8_(0).u8_(kDword).u64_(kUart.base); // memory space
        out_.u8_(kGicInterrupt).u8_(0).u32_(spi_intid(kUartSpi));
        out_.u8_(kBaud9600).u8_(0).u8_(1).u8_(kHardwareFlow).u8_(0).u8_(0);
        out_.u16_(0xffff).u16_(0xffff).zeros(3).u32_(0).u8_(0).u32_(0); // not a PCI device
        end();
    }

    /// Arm DEN 0049: PCI requester IDs are the ITS's DeviceIDs.
    void add_iort() {
        constexpr u32 kNodes = kHeaderSize + 12, kItsSize = 24, kRootSize = 36;
        begin("IORT", 3);
        out_.u32_(2).u32_(kNodes).u32_(0);
        out_.u8_(0).u16_(kItsSize).u8_(1).u32_(0).u32_(0).u32_(0).u32_(1).u32_(0);
        out_.u8_(2).u16_(kRootSize + 20).u8_(3).u32_(1).u32_(1).u32_(kRootSize);
        out_.u32_(1).u8_(0).u16_(0).u8_(3); // coherent, by the CPUs' caches
        out_.u32_(0).u32_(0).u8_(64).zeros(3);
        out_.u32_(0).u32_(0xffff).u32_(0).u32_(kNodes).u32_(0);
        end();
    }

    /// One package with all CPUs.
    void add_pptt() {
        constexpr u32 kPackage = 1 << 0, kIdValid = 1 << 1, kLeaf = 1 << 3;
        begin("PPTT", 2);
        const auto node = [this](u32 flags, u32 parent, u32 id) {
            out_.u8_(0).u8_(20).u16_(0).u32_(flags).u32_(parent).u32_(id).u32_(0);
        };
        node(kPackage, 0, 0);
        for (u32 i = 0; i < cpus(); ++i) node(kIdValid | kLeaf, kHeaderSize, i);
        end();
    }

    void add_xsdt() {
        begin("XSDT", 1);
        xsdt_ = start_;
        for (const u32 table : listed_) pointer(table);
        end();
    }

    std::vector<u8> rsdp() {
        constexpr u32 kVersion1Size = 20, kSize = 36, kXsdtAt = 24;
        ByteWriter out;
        out.text("RSD PTR ", 8)
            .u8_(0)
            .text(kOemId, 6)
            .u8_(2)
            .u32_(0)
            .u32_(kSize)
            .u64_(xsdt_)
            .zeros(4);
        script_.add_pointer(kRsdpFile, kXsdtAt, 8, kTablesFile);
        script_.add_checksum(kRsdpFile, 8, 0, kVersion1Size);
        script_.add_checksum(kRsdpFile, 32, 0, kSize);
        return out.bytes();
    }

    const AcpiBoard &board_;
    ByteWriter out_;
    LoaderScript script_;
    std::vector<u32> listed_;
    u32 start_ = 0, dsdt_ = 0, xsdt_ = 0;
};

} // namespace

AcpiFiles build_acpi(const AcpiBoard &board) {
    return AcpiBuilder(board).build();
}

} // namespace tandem::machine
