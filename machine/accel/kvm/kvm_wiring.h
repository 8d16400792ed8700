#pragma once
/// What a vCPU of KVM meets outside of RAM.
#include "machine/memory/physical_map.h"
#include "machine/memory/port_map.h"

namespace tandem::machine {

/// Called on the vCPU's thread.
class KvmEvents {
public:
    virtual ~KvmEvents() = default;
    /// A triple fault, which resets a PC.
    virtual void cpu_shut_down() = 0;
    /// It cannot go on. The machine is to be stopped.
    virtual void cpu_failed(Error) = 0;
};

/// Outlives the vCPUs.
struct KvmWiring {
    PhysicalMap *memory = nullptr;
    PortMap *ports = nullptr;
    KvmEvents *events = nullptr;
};

} // namespace tandem::machine
