#include "machine/phone/script.h"

#include "machine/boot/file_bytes.h"
#include "machine/screen/image_file.h"
#include "machine/screen/picture_match.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <sstream>
#include <thread>

namespace tandem::machine {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr u64 kMaxBytes = 1u << 20;
constexpr double kMaxSeconds = 86'400;
constexpr std::chrono::milliseconds kLookPause{50};

Result<double> number(const json &step, const char *name, double otherwise, double most) {
    if (!step.contains(name)) return otherwise;
    const json &value = step[name];
    if (!value.is_number() || !(value.get<double>() >= 0 && value.get<double>() <= most))
        return failure(fmt::format("\"{}\" is no number of 0 to {}", name, most));
    return value.get<double>();
}

Result<ScriptStep> action_step(const json &words) {
    ActionStep step;
    if (words.is_string()) {
        std::istringstream text(words.get<std::string>());
        for (std::string word; text >> word;) step.arguments.push_back(word);
    } else if (words.is_array()) {
        for (const json &word : words)
            if (word.is_string()) step.arguments.push_back(word.get<std::string>());
    }
    if (step.arguments.empty() || (words.is_array() && step.arguments.size() != words.size()))
        return failure("\"do\" is no action; write it like \"tap 100 200\"");
    const std::string name = step.arguments.front();
    step.arguments.erase(step.arguments.begin());
    step.action = TRY(find_phone_action(name, step.arguments.size()));
    return step;
}

Result<ScriptStep> see_step(const json &step, const std::filesystem::path &folder) {
    static constexpr double kMaxColour = 255, kAll = 100, kMaxSide = 0xffff, kWithin = 10;
    if (!step["see"].is_string()) return failure("\"see\" names no picture");
    SeeStep see;
    see.path = (folder / step["see"].get<std::string>()).string();
    see.picture = TRY(read_png(see.path));
    see.tolerance = static_cast<u32>(TRY(number(step, "tolerance", 0, kMaxColour)));
    see.differing = TRY(number(step, "differing", 0, kAll));
    see.within = TRY(number(step, "within", kWithin, kMaxSeconds));
    if (!step.contains("at")) return see;
    const json &at = step["at"];
    if (!at.is_array() || at.size() != 2)
        return failure("\"at\" is no pixel; write it like [0, 24]");
    const json place{{"x", at[0]}, {"y", at[1]}};
    see.x = static_cast<u32>(TRY(number(place, "x", 0, kMaxSide)));
    see.y = static_cast<u32>(TRY(number(place, "y", 0, kMaxSide)));
    return see;
}

Result<ScriptStep> parse_step(const json &step, const std::filesystem::path &folder) {
    static constexpr std::string_view kMembers[] = {"do",        "wait",      "see",   "at",
                                                    "tolerance", "differing", "within"};
    if (!step.is_object()) return failure("is no object; write it like {\"do\": \"tap 100 200\"}");
    for (const auto &[name, value] : step.items())
        if (std::ranges::find(kMembers, name) == std::end(kMembers))
            return failure(fmt::format("\"{}\" is unknown; use do, wait or see", name));
    if (step.contains("do") + step.contains("wait") + step.contains("see") != 1)
        return failure("has not one of do, wait and see; give it one");
    if (step.contains("do")) return action_step(step["do"]);
    if (step.contains("wait")) return WaitStep{TRY(number(step, "wait", 0, kMaxSeconds))};
    return see_step(step, folder);
}

// ------------------------------------------------------------------------------------------- steps

/// Removes the file at its end.
class PictureFile {
public:
    PictureFile()
        : path_(
              (std::filesystem::temp_directory_path() /
               fmt::format("tandem-{}-{}.png", ::getpid(), Clock::now().time_since_epoch().count()))
                  .string()) {}
    ~PictureFile() { ::unlink(path_.c_str()); }
    PictureFile(const PictureFile &) = delete;
    PictureFile &operator=(const PictureFile &) = delete;
    [[nodiscard]] const std::string &path() const { return path_; }

private:
    std::string path_;
};

void sleep(double seconds) {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

Result<std::string> see(QmpClient &machine, const SeeStep &step, unsigned output) {
    const PictureFile file;
    const auto deadline = Clock::now() + std::chrono::duration<double>(step.within);
    for (;;) {
        TRY(machine.execute("screendump",
                            {{"filename", file.path()}, {"format", "png"}, {"head", output}}));
        const double differing = 100 * differing_share(TRY(read_png(file.path())), step.picture,
                                                       step.x, step.y, step.tolerance);
        if (differing <= step.differing) return std::string{};
        if (Clock::now() >= deadline)
            return failure(fmt::format("{}: not seen within {} s; {:.2f} % of it differ", step.path,
                                       step.within, differing));
        std::this_thread::sleep_for(kLookPause);
    }
}

} // namespace

Result<std::vector<ScriptStep>> read_script(const std::string &path) {
    const FileBytes file = TRY(FileBytes::read(path, kMaxBytes));
    const auto *text = reinterpret_cast<const char *>(file.span().data());
    const json list = json::parse(text, text + file.size(), nullptr, false);
    if (!list.is_array())
        return failure(
            fmt::format("{}: is no JSON list of steps; write [{{\"do\": \"tap 100 200\"}}]", path));
    std::vector<ScriptStep> steps;
    for (const json &each : list) {
        auto step = parse_step(each, std::filesystem::path(path).parent_path());
        if (!step.has_value())
            return failure(
                fmt::format("{}: step {}: {}", path, steps.size() + 1, step.error().message));
        steps.push_back(std::move(*step));
    }
    return steps;
}

Result<std::string> run_step(QmpClient &machine, const ScriptStep &step, unsigned output) {
    if (const auto *action = std::get_if<ActionStep>(&step); action != nullptr)
        return action->action->run({machine, action->arguments, output});
    if (const auto *wait = std::get_if<WaitStep>(&step); wait != nullptr) {
        sleep(wait->seconds);
        return std::string{};
    }
    return see(machine, std::get<SeeStep>(step), output);
}

} // namespace tandem::machine
