#include "jit/llvm/linker.h"

// LLVM's headers are not written for our warnings.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wredundant-move"
#include <llvm/ExecutionEngine/JITLink/ELF_x86_64.h>
#include <llvm/ExecutionEngine/JITLink/JITLink.h>
#include <llvm/ExecutionEngine/JITLink/JITLinkMemoryManager.h>
#include <llvm/ExecutionEngine/JITLink/x86_64.h>
#pragma GCC diagnostic pop

namespace tandem::jit::llvm_tier {
namespace {

namespace jitlink = llvm::jitlink;
constexpr const char *kStackMapSection = ".llvm_stackmaps";
/// Where JITLink believes the code to be: anywhere aligned will do, as nothing may depend on it.
constexpr u64 kBase = 0x10000;
using llvm::orc::ExecutorAddr;

/// All sections of an object in one piece.
class ImageMemory final : public jitlink::JITLinkMemoryManager {
public:
    explicit ImageMemory(std::vector<std::byte> &code) : code_(code) {}

    void allocate(const jitlink::JITLinkDylib *, jitlink::LinkGraph &graph,
                  OnAllocatedFunction on_allocated) override {
        jitlink::BasicLayout layout(graph);
        std::size_t size = 0;
        for (auto &[group, segment] : layout.segments()) {
            if (segment.Alignment.value() > RegionImage::kAlignment)
                return on_allocated(llvm::createStringError("a section is aligned too much"));
            size = align_up(size, segment.Alignment.value()) + segment.ContentSize +
                   segment.ZeroFillSize;
        }
        code_.assign(size, std::byte{0});
        std::size_t offset = 0;
        for (auto &[group, segment] : layout.segments()) {
            offset = align_up(offset, segment.Alignment.value());
            segment.WorkingMem = reinterpret_cast<char *>(code_.data() + offset);
            segment.Addr = ExecutorAddr(kBase + offset);
            offset += segment.ContentSize + segment.ZeroFillSize;
        }
        if (llvm::Error error = layout.apply()) return on_allocated(std::move(error));
        on_allocated(std::make_unique<InFlight>());
    }
    void deallocate(std::vector<FinalizedAlloc> allocations,
                    OnDeallocatedFunction on_deallocated) override {
        for (FinalizedAlloc &allocation : allocations) allocation.release();
        on_deallocated(llvm::Error::success());
    }

private:
    struct InFlight final : JITLinkMemoryManager::InFlightAlloc {
        void abandon(OnAbandonedFunction on_abandoned) override {
            on_abandoned(llvm::Error::success());
        }
        void finalize(OnFinalizedFunction on_finalized) override {
            on_finalized(FinalizedAlloc(ExecutorAddr(1)));
        }
        using JITLinkMemoryManager::InFlightAlloc::finalize;
    };
    std::vector<std::byte> &code_;
};

/// What the passes find on their way.
struct Link {
    /// A reference to something outside. Its place is known once sections have theirs.
    struct Outside {
        const jitlink::Block *block;
        u32 offset;
        Relocation relocation;
    };
    std::string_view entry;
    FindSymbol find;
    RegionImage image{};
    std::vector<Outside> outside{};
    bool has_entry = false;
    std::string error{};

    llvm::Error take_outside_edges(jitlink::Block &block);
};

/// Leaves the block without references to what the object lacks, or that depend on an address.
llvm::Error Link::take_outside_edges(jitlink::Block &block) {
    for (auto edge = block.edges().begin(); edge != block.edges().end();) {
        if (!edge->isRelocation()) {
            ++edge;
            continue;
        }
        const bool counts_from_end = edge->getKind() == jitlink::x86_64::BranchPCRel32 ||
                                     edge->getKind() == jitlink::x86_64::PCRel32;
        if (!counts_from_end && edge->getKind() != jitlink::x86_64::Delta32)
            return llvm::createStringError("a reference of a kind unknown to us");
        const jitlink::Symbol &target = edge->getTarget();
        if (target.isDefined()) {
            ++edge;
            continue;
        }
        const std::string_view name(target.hasName() ? target.getName().data() : "",
                                    target.hasName() ? target.getName().size() : 0);
        Outside &added = outside.emplace_back(&block, edge->getOffset(), Relocation{});
        if (!find(name, added.relocation))
            return llvm::createStringError("unknown symbol " + std::string(name));
        added.relocation.addend = static_cast<i32>(edge->getAddend() - (counts_from_end ? 4 : 0));
        edge = block.removeEdge(edge);
    }
    return llvm::Error::success();
}

class Context final : public jitlink::JITLinkContext {
public:
    Context(ImageMemory &memory, Link &link)
        : JITLinkContext(nullptr), memory_(memory), link_(link) {}

    jitlink::JITLinkMemoryManager &getMemoryManager() override { return memory_; }
    void notifyFailed(llvm::Error error) override {
        link_.error = llvm::toString(std::move(error));
    }
    void lookup(const LookupMap &symbols,
                std::unique_ptr<jitlink::JITLinkAsyncLookupContinuation> then) override {
        if (!symbols.empty()) return then->run(llvm::createStringError("unresolved symbols"));
        then->run(jitlink::AsyncLookupResult{});
    }
    llvm::Error notifyResolved(jitlink::LinkGraph &graph) override {
        for (const jitlink::Symbol *symbol : graph.defined_symbols()) {
            if (!symbol->hasName() || std::string_view(symbol->getName()) != link_.entry) continue;
            link_.image.entry = static_cast<u32>(symbol->getAddress().getValue() - kBase);
            link_.has_entry = true;
        }
        for (Link::Outside &each : link_.outside) {
            each.relocation.offset =
                static_cast<u32>(each.block->getAddress().getValue() - kBase) + each.offset;
            link_.image.relocations.push_back(each.relocation);
        }
        return llvm::Error::success();
    }
    void notifyFinalized(jitlink::JITLinkMemoryManager::FinalizedAlloc allocation) override {
        allocation.release(); // the image owns the memory
    }
    jitlink::LinkGraphPassFunction getMarkLivePass(const llvm::Triple &) const override {
        return jitlink::markAllSymbolsLive;
    }
    llvm::Error modifyPassConfig(jitlink::LinkGraph &,
                                 jitlink::PassConfiguration &passes) override {
        passes.PrePrunePasses.push_back([this](jitlink::LinkGraph &graph) -> llvm::Error {
            if (jitlink::Section *maps = graph.findSectionByName(kStackMapSection))
                graph.removeSection(*maps);
            for (jitlink::Block *block : graph.blocks())
                if (llvm::Error error = link_.take_outside_edges(*block)) return error;
            return llvm::Error::success();
        });
        return llvm::Error::success();
    }

private:
    ImageMemory &memory_;
    Link &link_;
};

} // namespace

Result<RegionImage> link_object(std::span<const char> object, std::string_view entry,
                                FindSymbol find) {
    auto graph = jitlink::createLinkGraphFromELFObject_x86_64(
        llvm::MemoryBufferRef(llvm::StringRef(object.data(), object.size()), "region"));
    if (!graph) return failure(llvm::toString(graph.takeError()));
    Link link{.entry = entry, .find = find};
    ImageMemory memory(link.image.code);
    // Everything here runs on this thread, before the call returns.
    jitlink::link_ELF_x86_64(std::move(*graph), std::make_unique<Context>(memory, link));
    if (!link.error.empty()) return failure(link.error);
    if (!link.has_entry) return failure("the object lacks its function");
    return std::move(link.image);
}

} // namespace tandem::jit::llvm_tier
