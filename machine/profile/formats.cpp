#include "machine/profile/formats.h"

#include "machine/profile/flame_graph_page.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace tandem::machine::profile {
namespace {

using Json = nlohmann::ordered_json;

std::string folded(const Profile &profile) {
    std::string text;
    for (const auto &[stack, weight] : profile.stacks) {
        for (std::size_t i = 0; i < stack.size(); ++i) {
            if (i != 0) text += ';';
            text += profile.names.name(stack[i]);
        }
        text += fmt::format(" {}\n", weight);
    }
    return text;
}

std::string speedscope(const Profile &profile, const std::string &title) {
    Json frames = Json::array();
    for (std::size_t i = 0; i < profile.names.size(); ++i)
        frames.push_back({{"name", profile.names.name(static_cast<u32>(i))}});
    Json samples = Json::array(), weights = Json::array();
    for (const auto &[stack, weight] : profile.stacks) {
        samples.push_back(stack);
        weights.push_back(weight);
    }
    return Json{{"$schema", "https://www.speedscope.app/file-format-schema.json"},
                {"name", title},
                {"exporter", "tandem"},
                {"activeProfileIndex", 0},
                {"shared", {{"frames", std::move(frames)}}},
                {"profiles",
                 Json::array({{{"type", "sampled"},
                               {"name", title},
                               {"unit", profile.unit == Unit::Nanoseconds ? "nanoseconds" : "none"},
                               {"startValue", 0},
                               {"endValue", profile.total},
                               {"samples", std::move(samples)},
                               {"weights", std::move(weights)}}})}}
               .dump(-1, ' ', true) +
           "\n";
}

/// Stacks are in order, so those that begin alike follow each other. Writes [name, weight,
/// [callees]] for each function called at this depth.
class TreeWriter {
public:
    explicit TreeWriter(const Profile &profile)
        : at_(profile.stacks.begin()), end_(profile.stacks.end()) {}

    std::string write() {
        callees(0);
        return std::move(text_);
    }

private:
    void callees(std::size_t depth) {
        text_ += '[';
        const Stack prefix = at_ == end_
                                 ? Stack{}
                                 : Stack(at_->first.begin(),
                                         at_->first.begin() + static_cast<std::ptrdiff_t>(depth));
        for (bool is_first = true; is_in(prefix) && at_->first.size() > depth; is_first = false) {
            if (!is_first) text_ += ',';
            function(depth);
        }
        text_ += ']';
    }
    void function(std::size_t depth) {
        const Stack path(at_->first.begin(),
                         at_->first.begin() + static_cast<std::ptrdiff_t>(depth) + 1);
        u64 weight = 0;
        for (auto each = at_; each != end_ && begins(each->first, path); ++each)
            weight += each->second;
        text_ += fmt::format("[{},{},", path.back(), weight);
        // One that ends here is the first of those that begin alike.
        if (at_->first.size() == path.size()) ++at_;
        if (is_in(path))
            callees(depth + 1);
        else
            text_ += "[]";
        text_ += ']';
    }
    [[nodiscard]] bool is_in(const Stack &prefix) const {
        return at_ != end_ && begins(at_->first, prefix);
    }
    [[nodiscard]] static bool begins(const Stack &stack, const Stack &prefix) {
        return stack.size() >= prefix.size() &&
               std::equal(prefix.begin(), prefix.end(), stack.begin());
    }

    std::map<Stack, u64>::const_iterator at_;
    const std::map<Stack, u64>::const_iterator end_;
    std::string text_;
};

/// For a script inside a page: nothing there may look like its end.
std::string script_json(const Json &value) {
    std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
    for (std::size_t at = 0; (at = text.find('<', at)) != std::string::npos;)
        text.replace(at, 1, "\\u003c");
    return text;
}

std::string html(const Profile &profile, const std::string &title) {
    Json names = Json::array();
    for (std::size_t i = 0; i < profile.names.size(); ++i)
        names.push_back(profile.names.name(static_cast<u32>(i)));
    const std::pair<std::string_view, std::string> parts[] = {
        {"@TITLE@", script_json(title)},
        {"@UNIT@", profile.unit == Unit::Nanoseconds ? "\"ms\"" : "\"instructions\""},
        {"@SCALE@", profile.unit == Unit::Nanoseconds ? "1e6" : "1"},
        {"@NAMES@", script_json(names)},
        {"@TOTAL@", fmt::format("{}", profile.total)},
        {"@TREE@", TreeWriter(profile).write()}};
    std::string page(kFlameGraphPage);
    for (const auto &[mark, value] : parts) page.replace(page.find(mark), mark.size(), value);
    return page;
}

} // namespace

std::optional<Format> format_of(const std::string &path) {
    static constexpr std::array<std::pair<std::string_view, Format>, 3> kExtensions{
        {{".folded", Format::Folded}, {".json", Format::Speedscope}, {".html", Format::Html}}};
    for (const auto &[extension, format] : kExtensions)
        if (path.ends_with(extension)) return format;
    return std::nullopt;
}

std::string write_profile(const Profile &profile, Format format, const std::string &title) {
    switch (format) {
    case Format::Folded: return folded(profile);
    case Format::Speedscope: return speedscope(profile, title);
    case Format::Html: return html(profile, title);
    }
    __builtin_unreachable();
}

} // namespace tandem::machine::profile
