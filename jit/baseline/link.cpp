#include "jit/baseline/compiler.h"
#include "support/check.h"

#include <atomic>

namespace tandem::jit {
namespace {

void set_displacement(CodeWindow block, const LinkSite &site, const void *target) {
    const auto *after = block.executable + site.jump + 4;
    const auto distance = static_cast<const std::byte *>(target) - after;
    const i32 displacement = static_cast<i32>(distance);
    CHECK(displacement == distance && site.jump + 4 <= block.size);
    // An aligned store of the displacement: a core that fetches the jump sees the old or the new
    // target, both valid (Intel SDM 8.1.3 asks for no more when either instruction may run).
    auto *field = reinterpret_cast<i32 *>(block.writable + site.jump);
    std::atomic_ref<i32>(*field).store(displacement, std::memory_order_release);
}

} // namespace

void set_link(CodeWindow block, const LinkSite &site, const void *target) {
    set_displacement(block, site, target);
}

void clear_link(CodeWindow block, const LinkSite &site) {
    set_displacement(block, site, block.executable + site.stub);
}

} // namespace tandem::jit
