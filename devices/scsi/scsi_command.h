#pragma once
/// A SCSI command between a host adapter and a logical unit, and how it ended (SAM-5, SPC-4).
#include "support/bits.h"

#include <array>
#include <span>

namespace tandem::devices {

/// Status codes, SAM-5 §5.3.
enum class ScsiStatus : u8 { Good = 0x00, CheckCondition = 0x02 };

/// Why a command failed: sense key, additional sense code and its qualifier (SPC-4 §4.5).
struct ScsiSense {
    u8 key = 0, code = 0, qualifier = 0;
    [[nodiscard]] explicit operator bool() const { return key != 0; }
    bool operator==(const ScsiSense &) const = default;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.key, self.code, self.qualifier);
    }
};

namespace scsi_sense {
inline constexpr ScsiSense kNone{};
inline constexpr ScsiSense kTrayClosedWithoutMedium{0x2, 0x3a, 0x01};
inline constexpr ScsiSense kTrayOpen{0x2, 0x3a, 0x02};
inline constexpr ScsiSense kReadError{0x3, 0x11, 0x00};
inline constexpr ScsiSense kWriteError{0x3, 0x0c, 0x00};
inline constexpr ScsiSense kInvalidOperation{0x5, 0x20, 0x00};
inline constexpr ScsiSense kOutOfRange{0x5, 0x21, 0x00};
inline constexpr ScsiSense kInvalidField{0x5, 0x24, 0x00};
inline constexpr ScsiSense kNoSuchUnit{0x5, 0x25, 0x00};
inline constexpr ScsiSense kInvalidParameter{0x5, 0x26, 0x00};
inline constexpr ScsiSense kSavingUnsupported{0x5, 0x39, 0x00};
inline constexpr ScsiSense kRemovalPrevented{0x5, 0x53, 0x02};
inline constexpr ScsiSense kMediumMayHaveChanged{0x6, 0x28, 0x00};
inline constexpr ScsiSense kWasReset{0x6, 0x29, 0x00};
inline constexpr ScsiSense kWriteProtected{0x7, 0x27, 0x00};
} // namespace scsi_sense

/// Fixed-format sense data (SPC-4 §4.5.3).
inline constexpr std::size_t kSenseBytes = 18;
[[nodiscard]] constexpr std::array<u8, kSenseBytes> encode(const ScsiSense &sense) {
    return {0x70, 0,          sense.key,      0, 0, 0, 0, kSenseBytes - 8, 0, 0, 0,
            0,    sense.code, sense.qualifier};
}

struct ScsiCommand {
    static constexpr std::size_t kMaxBytes = 32;
    std::array<u8, kMaxBytes> cdb{}; ///< the command descriptor block, zeros after its end
    /// Guest memory: it may change while the command runs.
    std::span<const std::span<std::byte>> data_out; ///< the unit takes from them
    std::span<const std::span<std::byte>> data_in;  ///< the unit fills them
    u64 data_out_bytes = 0, data_in_bytes = 0;      ///< their sums

    // The answer.
    ScsiStatus status = ScsiStatus::Good;
    ScsiSense sense{};    ///< with CheckCondition
    u64 wanted_bytes = 0; ///< that the unit has to transfer; more than there is room for: overrun
    u64 moved_bytes = 0;  ///< of data_in or data_out
};

} // namespace tandem::devices
