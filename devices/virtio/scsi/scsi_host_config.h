#pragma once
/// What the driver and the virtio SCSI host adapter agree on in memory (virtio 1.2 §5.6).
#include "support/bits.h"

#include <array>

namespace tandem::devices::virtio_scsi {

// Queues, §5.6.2.
inline constexpr u32 kControlQueue = 0;
inline constexpr u32 kEventQueue = 1;
inline constexpr u32 kFirstRequestQueue = 2;

// §5.6.4. The driver may change the last but two rows.
inline constexpr u32 kDefaultSenseBytes = 96, kMaxSenseBytes = 252;
inline constexpr u32 kDefaultCdbBytes = 32, kMaxCdbBytes = 255;

struct Config {
    u32 num_queues = 0;
    u32 seg_max = 0;
    u32 max_sectors = 0;
    u32 cmd_per_lun = 0;
    u32 event_info_size = 16;
    u32 sense_size = kDefaultSenseBytes;
    u32 cdb_size = kDefaultCdbBytes;
    u16 max_channel = 0;
    u16 max_target = 0;
    u32 max_lun = 0;
};
static_assert(sizeof(Config) == 36);

/// §5.6.6.1: how a unit is named: a 1, the target, a number in flat space.
using Lun = std::array<u8, 8>;

/// §5.6.6.1; the descriptor block follows.
struct [[gnu::packed]] RequestHeader {
    Lun lun{};
    u64 id = 0;
    u8 task_attribute = 0;
    u8 priority = 0;
    u8 crn = 0;
};
static_assert(sizeof(RequestHeader) == 19);

/// The sense data follow.
struct ResponseHeader {
    u32 sense_length = 0;
    u32 residual = 0;
    u16 status_qualifier = 0;
    u8 status = 0;
    u8 response = 0;
};
static_assert(sizeof(ResponseHeader) == 12);

// Responses, §5.6.6.1 and §5.6.6.2.
inline constexpr u8 kOk = 0;
inline constexpr u8 kOverrun = 1;
inline constexpr u8 kBadTarget = 3;
inline constexpr u8 kFunctionSucceeded = 10;
inline constexpr u8 kFunctionRejected = 11;
inline constexpr u8 kIncorrectLun = 12;

// Control requests, §5.6.6.2.
inline constexpr u32 kTaskManagement = 0;
inline constexpr u32 kNotificationQuery = 1;
inline constexpr u32 kNotificationSubscribe = 2;

enum class TaskFunction : u32 {
    AbortTask,
    AbortTaskSet,
    ClearAca,
    ClearTaskSet,
    NexusReset,
    LogicalUnitReset,
    QueryTask,
    QueryTaskSet,
};

struct TaskRequest {
    u32 type = 0;
    TaskFunction function{};
    Lun lun{};
    u64 id = 0;
};
static_assert(sizeof(TaskRequest) == 24);

struct [[gnu::packed]] NotificationAnswer {
    u32 events = 0;
    u8 response = kOk;
};
static_assert(sizeof(NotificationAnswer) == 5);

} // namespace tandem::devices::virtio_scsi
