#include "machine/phone/script.h"

#include "machine/screen/image_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tandem::machine {
namespace {

class ScriptTest : public testing::Test {
protected:
    ScriptTest() {
        std::filesystem::create_directories(folder);
        const Picture picture{1, 1, {0xff123456}};
        EXPECT_TRUE(write_image(picture, ImageFileKind::Png, folder / "p.png").has_value());
    }
    ~ScriptTest() override { std::filesystem::remove_all(folder); }

    Result<std::vector<ScriptStep>> read(const std::string &text) {
        std::ofstream(folder / "s.json") << text;
        return read_script(folder / "s.json");
    }

    std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("script-" + std::to_string(::getpid()));
};

TEST_F(ScriptTest, HasStepsOfThreeKinds) {
    const auto steps = read(R"([{"do": "tap 10 20"}, {"do": ["type", "two words"]}, {"wait": 0.25},
        {"see": "p.png"}, {"see": "p.png", "at": [3, 4], "tolerance": 5, "differing": 1.5, "within": 0}])");
    ASSERT_TRUE(steps.has_value()) << steps.error().message;
    ASSERT_EQ(steps->size(), 5u);
    const auto &tap = std::get<ActionStep>((*steps)[0]);
    EXPECT_EQ(tap.action->name, "tap");
    EXPECT_EQ(tap.arguments, (std::vector<std::string>{"10", "20"}));
    EXPECT_EQ(std::get<ActionStep>((*steps)[1]).arguments, (std::vector<std::string>{"two words"}));
    EXPECT_EQ(std::get<WaitStep>((*steps)[2]).seconds, 0.25);
    EXPECT_EQ(std::get<SeeStep>((*steps)[3]).within, 10);
    const auto &see = std::get<SeeStep>((*steps)[4]);
    EXPECT_EQ(see.picture.pixels, std::vector<u32>{0xff123456});
    EXPECT_EQ((std::tuple{see.x, see.y, see.tolerance, see.differing, see.within}),
              (std::tuple{3u, 4u, 5u, 1.5, 0.0}));
    EXPECT_EQ(read("[]")->size(), 0u);
}

TEST_F(ScriptTest, SaysWhichStepIsWrong) {
    for (const auto &[text, why] : std::initializer_list<std::pair<const char *, const char *>>{
             {"", "is empty"},
             {"{}", "no JSON list"},
             {"[1]", "step 1: is no object"},
             {R"([{"wait": 1}, {}])", "step 2: has not one of"},
             {R"([{"wait": 1, "do": "tap 1 2"}])", "has not one of"},
             {R"([{"wait": -1}])", "\"wait\" is no number"},
             {R"([{"wait": "1"}])", "\"wait\" is no number"},
             {R"([{"do": "tap 1"}])", "give it X Y"},
             {R"([{"do": "fly"}])", "no such action"},
             {R"([{"do": ""}])", "is no action"},
             {R"([{"do": ["tap", 1, 2]}])", "is no action"},
             {R"([{"see": "absent.png"}])", "absent.png"},
             {R"([{"see": 1}])", "names no picture"},
             {R"([{"see": "p.png", "at": [1]}])", "is no pixel"},
             {R"([{"see": "p.png", "at": [1, -1]}])", "\"y\" is no number"},
             {R"([{"see": "p.png", "tolerance": 256}])", "\"tolerance\""},
             {R"([{"see": "p.png", "colour": 1}])", "\"colour\" is unknown"}}) {
        const auto steps = read(text);
        ASSERT_FALSE(steps.has_value()) << text;
        EXPECT_NE(steps.error().message.find(why), std::string::npos) << steps.error().message;
        EXPECT_EQ(steps.error().message.find('\n'), std::string::npos);
    }
}

} // namespace
} // namespace tandem::machine
