// The optimising compiler: lowers a region to LLVM IR, runs passes and code generation, links.
#include "jit/llvm/linker.h"
#include "jit/llvm/lowering.h"
#include "jit/llvm/side_table.h"
#include "jit/regions/region_compiler.h"
#include "support/check.h"

// LLVM's headers are not written for our warnings.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wredundant-move"
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/MC/MCContext.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/CommandLine.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/ADCE.h>
#include <llvm/Transforms/Scalar/DeadStoreElimination.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/LICM.h>
#include <llvm/Transforms/Scalar/LoopPassManager.h>
#include <llvm/Transforms/Scalar/SROA.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>
#pragma GCC diagnostic pop

#include <charconv>
#include <mutex>

namespace tandem::jit::llvm_tier {
namespace {

void initialise_llvm() {
    static std::once_flag once;
    std::call_once(once, [] {
        LLVMInitializeX86TargetInfo();
        LLVMInitializeX86Target();
        LLVMInitializeX86TargetMC();
        LLVMInitializeX86AsmPrinter();
        LLVMInitializeX86AsmParser(); // inline assembly
        const char *args[] = {
            "tandem",
            // On hosts with AVX-512 this pass takes as long as the rest of code generation
            // together.
            "-disable-x86-domain-reassignment",
            // The guest's compiler has chosen its induction variables; others need more registers.
            "-disable-lsr",
            // Nobody asks what is live after a side exit, and LLVM 19 crashes if mxcsr is.
            "-enable-patchpoint-liveness=false"};
        llvm::cl::ParseCommandLineOptions(static_cast<int>(std::size(args)), args, "",
                                          &llvm::nulls());
    });
}

/// What a name of lowering.h stands for.
bool find_symbol(std::string_view name, Relocation &out) {
    struct Row {
        std::string_view name;
        Relocation::Target target;
        bool is_numbered;
    };
    using Target = Relocation::Target;
    static constexpr Row kRows[] = {{kLookupSymbol, Target::ExitLookup, false},
                                    {kPcSetSymbol, Target::ExitPcSet, false},
                                    {kExitSymbol, Target::Exit, true},
                                    {kHelperSymbol, Target::Helper, true},
                                    {kCrossingSymbol, Target::Crossing, true}};
    for (const Row &row : kRows) {
        if (!name.starts_with(row.name)) continue;
        out.target = row.target;
        if (!row.is_numbered) return name == row.name;
        const char *const end = name.data() + name.size();
        const auto [at, error] = std::from_chars(name.data() + row.name.size(), end, out.index);
        return error == std::errc{} && at == end;
    }
    return false;
}

class Compiler final : public RegionCompiler {
public:
    Compiler(std::span<const ir::Helper> helpers, unsigned host_level)
        : helpers_(helpers), host_(HostFeatures::detect_up_to(host_level)) {
        initialise_llvm();
        const std::string triple = "x86_64-unknown-linux-gnu";
        std::string error;
        const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
        CHECK(target != nullptr);
        std::string cpu = "x86-64-v2", features;
        if (host_level >= 3) {
            cpu = llvm::sys::getHostCPUName().str();
            for (const auto &feature : llvm::sys::getHostCPUFeatures()) {
                if (!features.empty()) features += ',';
                features += (feature.getValue() ? '+' : '-') + feature.getKey().str();
            }
            if (host_level < 4) features += ",-avx512f";
        }
        llvm::TargetOptions options;
        machine_.reset(target->createTargetMachine(triple, cpu, features, options,
                                                   llvm::Reloc::PIC_, llvm::CodeModel::Small,
                                                   llvm::CodeGenOptLevel::Less, true));
        llvm::MCContext *mc = nullptr;
        CHECK(!machine_->addPassesToEmitMC(codegen_, mc, stream_));
        llvm::PassBuilder builder(machine_.get());
        builder.registerModuleAnalyses(modules_);
        builder.registerCGSCCAnalyses(call_graph_);
        builder.registerFunctionAnalyses(functions_);
        builder.registerLoopAnalyses(loops_);
        builder.crossRegisterProxies(loops_, functions_, call_graph_, modules_);
        passes_.addPass(llvm::SROAPass(llvm::SROAOptions::ModifyCFG));
        passes_.addPass(llvm::EarlyCSEPass(true));
        passes_.addPass(llvm::SimplifyCFGPass());
        llvm::LoopPassManager loop;
        loop.addPass(llvm::LICMPass(llvm::LICMOptions()));
        passes_.addPass(llvm::createFunctionToLoopPassAdaptor(std::move(loop), true));
        passes_.addPass(llvm::EarlyCSEPass(true));
        passes_.addPass(llvm::InstCombinePass());
        passes_.addPass(llvm::DSEPass());
        passes_.addPass(llvm::ADCEPass());
        passes_.addPass(llvm::SimplifyCFGPass());
    }

    bool has_code_for(ir::Opcode op) const override { return lowering(op, host_) != nullptr; }

    Result<RegionImage> compile(const Region &region, std::string *text) override {
        llvm::LLVMContext context;
        context.setDiscardValueNames(text == nullptr);
        llvm::Module module("region", context);
        module.setTargetTriple(machine_->getTargetTriple().str());
        module.setDataLayout(machine_->createDataLayout());
        Lowering lowering(module, region, helpers_, host_);
        llvm::Function *function = lowering.run();
        CHECK(!llvm::verifyFunction(*function, &llvm::errs()));
        if (text != nullptr) *text += "; before the passes\n" + print(*function);
        passes_.run(*function, functions_);
        if (text != nullptr) *text += "; after the passes\n" + print(*function);
        functions_.clear();
        loops_.clear();

        object_.clear();
        codegen_.run(module);

        const std::span<const char> object(object_.data(), object_.size());
        RegionImage image = TRY(link_object(object, kFunctionSymbol, find_symbol));
        image.exits = std::move(lowering.side_exits());
        TRY(add_sites(object, image));
        return image;
    }

private:
    static std::string print(const llvm::Function &function) {
        std::string text;
        llvm::raw_string_ostream(text) << function;
        return text;
    }
    std::span<const ir::Helper> helpers_;
    HostFeatures host_;
    std::unique_ptr<llvm::TargetMachine> machine_;
    llvm::LoopAnalysisManager loops_;
    llvm::FunctionAnalysisManager functions_;
    llvm::CGSCCAnalysisManager call_graph_;
    llvm::ModuleAnalysisManager modules_;
    llvm::FunctionPassManager passes_;
    llvm::SmallVector<char, 0> object_;
    llvm::raw_svector_ostream stream_{object_};
    llvm::legacy::PassManager codegen_;
};

} // namespace
} // namespace tandem::jit::llvm_tier

extern "C" __attribute__((visibility("default"))) tandem::jit::RegionCompiler *
tandem_create_region_compiler(const tandem::ir::Helper *helpers, std::size_t count,
                              unsigned host_level) {
    return new tandem::jit::llvm_tier::Compiler({helpers, count}, host_level);
}
