#include "machine/host/module.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>

namespace tandem::machine {

std::string module_path(std::string_view file) {
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    const auto folder = program.parent_path();
    const auto beside = folder / file;
    if (std::filesystem::exists(beside, error)) return beside.string();
    return (folder / TANDEM_MODULE_FOLDER / file).string();
}

Result<void *> function_of_module(std::string_view option, std::string_view file,
                                  const char *function) {
    void *module = ::dlopen(module_path(file).c_str(), RTLD_NOW | RTLD_LOCAL);
    void *found = module != nullptr ? ::dlsym(module, function) : nullptr;
    if (found != nullptr) return found;
    return failure(
        fmt::format("{}: {}; install the libraries that it needs, or build all of tandem", option,
                    ::dlerror()));
}

} // namespace tandem::machine
