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
#pragma GCC diagnostic pop

namespace tandem::jit::llvm_tier {
namespace {

namespace jitlink = llvm::jitlink;
constexpr const char *kStackMapSection = ".llvm_stackmaps";
using llvm::orc::ExecutorAddr;
using llvm::orc::ExecutorSymbolDef;

/// All sections of an object in one piece of the arena: code is written through one view of it and
/// runs, and finds its constants, in the other.
class ArenaMemory final : public jitlink::JITLinkMemoryManager {
public:
    explicit ArenaMemory(CodeArena &arena) : arena_(arena) {}

    void allocate(const jitlink::JITLinkDylib *, jitlink::LinkGraph &graph,
                  OnAllocatedFunction on_allocated) override {
        jitlink::BasicLayout layout(graph);
        std::size_t size = 0;
        for (auto &[group, segment] : layout.segments())
            size = align_up(size, segment.Alignment.value()) + segment.ContentSize +
                   segment.ZeroFillSize;
        piece = ArenaPiece(arena_, size);
        const CodeWindow &window = piece.window();
        if (window.size == 0)
            return on_allocated(llvm::createStringError("no room for the code of a region"));
        std::size_t offset = 0;
        for (auto &[group, segment] : layout.segments()) {
            offset = align_up(offset, segment.Alignment.value());
            segment.WorkingMem = reinterpret_cast<char *>(window.writable + offset);
            segment.Addr = ExecutorAddr::fromPtr(window.executable + offset);
            std::fill_n(segment.WorkingMem + segment.ContentSize, segment.ZeroFillSize, '\0');
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

    ArenaPiece piece;

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
    CodeArena &arena_;
};

class Context final : public jitlink::JITLinkContext {
public:
    Context(ArenaMemory &memory, std::string_view entry,
            const std::function<const void *(std::string_view)> &resolve, std::string &error,
            const void *&address)
        : JITLinkContext(nullptr), memory_(memory), entry_(entry), resolve_(resolve), error_(error),
          address_(address) {}

    jitlink::JITLinkMemoryManager &getMemoryManager() override { return memory_; }
    void notifyFailed(llvm::Error error) override { error_ = llvm::toString(std::move(error)); }
    void lookup(const LookupMap &symbols,
                std::unique_ptr<jitlink::JITLinkAsyncLookupContinuation> then) override {
        jitlink::AsyncLookupResult result;
        for (const auto &[name, flags] : symbols) {
            const void *address = resolve_({name.data(), name.size()});
            if (address == nullptr)
                return then->run(llvm::createStringError("unknown symbol " + name.str()));
            result[name] =
                ExecutorSymbolDef(ExecutorAddr::fromPtr(address), llvm::JITSymbolFlags::Exported);
        }
        then->run(std::move(result));
    }
    llvm::Error notifyResolved(jitlink::LinkGraph &graph) override {
        for (const jitlink::Symbol *symbol : graph.defined_symbols())
            if (symbol->hasName() && std::string_view(symbol->getName()) == entry_)
                address_ = symbol->getAddress().toPtr<const void *>();
        return llvm::Error::success();
    }
    void notifyFinalized(jitlink::JITLinkMemoryManager::FinalizedAlloc allocation) override {
        allocation.release(); // the arena's piece owns the memory
    }
    jitlink::LinkGraphPassFunction getMarkLivePass(const llvm::Triple &) const override {
        return jitlink::markAllSymbolsLive;
    }
    llvm::Error modifyPassConfig(jitlink::LinkGraph &,
                                 jitlink::PassConfiguration &passes) override {
        passes.PrePrunePasses.push_back([](jitlink::LinkGraph &graph) {
            if (jitlink::Section *maps = graph.findSectionByName(kStackMapSection))
                graph.removeSection(*maps);
            return llvm::Error::success();
        });
        return llvm::Error::success();
    }

private:
    ArenaMemory &memory_;
    std::string_view entry_;
    const std::function<const void *(std::string_view)> &resolve_;
    std::string &error_;
    const void *&address_;
};

} // namespace

Result<LinkedObject> link_object(std::span<const char> object, CodeArena &arena,
                                 std::string_view entry,
                                 const std::function<const void *(std::string_view)> &resolve) {
    auto graph = jitlink::createLinkGraphFromELFObject_x86_64(
        llvm::MemoryBufferRef(llvm::StringRef(object.data(), object.size()), "region"));
    if (!graph) return failure(llvm::toString(graph.takeError()));
    ArenaMemory memory(arena);
    std::string error;
    LinkedObject result;
    // Everything here runs on this thread, before the call returns.
    jitlink::link_ELF_x86_64(
        std::move(*graph), std::make_unique<Context>(memory, entry, resolve, error, result.entry));
    if (!error.empty()) return failure(error);
    if (result.entry == nullptr) return failure("the object lacks its function");
    result.code = std::move(memory.piece);
    return result;
}

} // namespace tandem::jit::llvm_tier
