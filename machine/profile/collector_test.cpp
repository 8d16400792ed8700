#include "machine/profile/collector.h"
#include "machine/profile/formats.h"
#include "machine/profile/summary.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <cstring>

namespace tandem::machine::profile {
namespace {

using ::testing::HasSubstr;

class CollectorTest : public testing::Test {
protected:
    CollectorTest() {
        EXPECT_TRUE(symbols_.parse("400100 T leaf\n"
                                   "400200 T caller\n"
                                   "400300 T main;x\n"
                                   "ffff800008000000 T vector\n"
                                   "ffff800008000100 T syscall\n"));
    }

    static Sample sample(std::vector<u64> frames, u32 kernel_depth = 0) {
        Sample result;
        result.weight = 1000;
        result.activity = jit::Activity::Baseline;
        result.has_guest = true;
        result.space = u64{5} << 48;
        result.kernel_depth = kernel_depth;
        for (const u64 frame : frames) result.push(frame);
        return result;
    }
    std::string folded() {
        collector_.finish();
        return write_profile(profile_, Format::Folded, "");
    }

    Symbols symbols_;
    std::unique_ptr<GuestMemory> memory_ =
        GuestMemory::create(GuestPhysAddr{0x4000'0000}, 1 << 20).value();
    Profile profile_;
    Collector collector_{symbols_, *memory_, profile_};
};

TEST_F(CollectorTest, NamesFramesAndAddsUp) {
    collector_.add(sample({0x400200, 0x400310}));
    collector_.add(sample({0x400210, 0x400310}));
    collector_.add(sample({0x10, 0x400310}));
    EXPECT_EQ(folded(), "asid_5;main?x;caller;[T1] 2000\n"
                        "asid_5;main?x;0x10;[T1] 1000\n");
}

TEST_F(CollectorTest, KnowsALeafsCallerFromTheLinkRegister) {
    Sample leaf = sample({0x400100, 0x400310});
    leaf.link = 0x400220;
    collector_.add(leaf);
    Sample not_a_leaf = sample({0x400210, 0x400310});
    not_a_leaf.link = 0x400220; // of a call that has returned
    collector_.add(not_a_leaf);
    EXPECT_EQ(folded(), "asid_5;main?x;caller;[T1] 1000\n"
                        "asid_5;main?x;caller;leaf;[T1] 1000\n");
}

TEST_F(CollectorTest, ACallThatEndsItsFunctionIsStillIn) {
    collector_.add(sample({0x400100, 0x400300})); // returns to the next function's first
    EXPECT_EQ(folded(), "asid_5;caller;leaf;[T1] 1000\n");
}

TEST_F(CollectorTest, PutsTheKernelOnTopAndLearnsTheProcess) {
    Sample in_kernel =
        sample({0xffff'8000'0800'0110, 0xffff'8000'0800'0010, 0x400110, 0x400310}, 2);
    std::memcpy(in_kernel.name.data(), "a b\n", 4);
    collector_.add(in_kernel);
    collector_.add(sample({0x400110}));
    EXPECT_EQ(folded(), "a_b?;leaf;[T1] 1000\n"
                        "a_b?;main?x;leaf;vector_[k];syscall_[k];[T1] 1000\n");
}

TEST_F(CollectorTest, TimeOutsideTheGuestHasNoProcess) {
    Sample outside;
    outside.weight = 7;
    collector_.add(outside);
    EXPECT_EQ(folded(), "[machine] 7\n");
}

TEST_F(CollectorTest, SpeedscopeHasEveryStack) {
    collector_.add(sample({0x400200, 0x400310}));
    collector_.add(sample({0x400310}));
    collector_.finish();
    const auto json =
        nlohmann::json::parse(write_profile(profile_, Format::Speedscope, "a \"title\""));
    EXPECT_EQ(json["$schema"], "https://www.speedscope.app/file-format-schema.json");
    const auto &only = json["profiles"].at(0);
    EXPECT_EQ(only["type"], "sampled");
    EXPECT_EQ(only["unit"], "nanoseconds");
    EXPECT_EQ(only["name"], "a \"title\"");
    EXPECT_EQ(only["endValue"], 2000);
    ASSERT_EQ(only["samples"].size(), 2u);
    ASSERT_EQ(only["weights"].size(), 2u);
    for (const auto &stack : only["samples"])
        for (const auto &frame : stack)
            EXPECT_TRUE(json["shared"]["frames"].at(frame.get<std::size_t>()).contains("name"));
}

/// The value of a constant in the page's script.
nlohmann::json constant(const std::string &page, const std::string &before) {
    const std::size_t at = page.find(before) + before.size();
    const std::size_t end = page.find_first_of("\n", at);
    std::string text = page.substr(at, end - at);
    text = text.substr(0, text.find_last_of("]") + 1);
    return nlohmann::json::parse(text);
}

TEST_F(CollectorTest, ThePageHasTheWholeTree) {
    ASSERT_TRUE(symbols_.parse("400400 T </script><b>\n"));
    collector_.add(sample({0x400200, 0x400310}));
    collector_.add(sample({0x400100, 0x400310}));
    collector_.add(sample({0x400310}));
    collector_.add(sample({0x400410}));
    collector_.finish();
    const std::string page = write_profile(profile_, Format::Html, "</script>");
    EXPECT_THAT(page, Not(HasSubstr("@")));
    EXPECT_EQ(page.find("</script>"), page.rfind("</script>"));
    const auto names = constant(page, "const names = ");
    const auto tree = constant(page, "root.callees = nodes(");
    ASSERT_EQ(tree.size(), 1u);
    EXPECT_EQ(names.at(tree[0][0].get<std::size_t>()), "asid_5");
    EXPECT_EQ(tree[0][1], 4000);
    std::map<std::string, u64> callees;
    for (const auto &callee : tree[0][2])
        callees[names.at(callee[0].get<std::size_t>())] = callee[1];
    EXPECT_EQ(callees, (std::map<std::string, u64>{{"main?x", 3000}, {"</script><b>", 1000}}));
}

TEST_F(CollectorTest, TheSummaryCountsRecursionOnce) {
    collector_.add(sample({0x400110, 0x400110, 0x400110, 0x400310}));
    collector_.add(sample({0x400310}));
    collector_.finish();
    EXPECT_EQ(summarise(profile_), "  100.0 %           [T1]\n"
                                   "     self    total  function\n"
                                   "   50.0 %  50.0 %  leaf\n"
                                   "   50.0 % 100.0 %  main?x\n");
}

TEST(Profile, IsBounded) {
    Profile profile;
    for (u32 i = 0; i < Profile::kMaxStacks + 10; ++i) profile.add({i, i + 1}, 1);
    EXPECT_EQ(profile.total, Profile::kMaxStacks + 10);
    EXPECT_EQ(profile.stacks.size(), Profile::kMaxStacks + 1);
}

TEST(Formats, AreChosenByExtension) {
    EXPECT_EQ(format_of("a.folded"), Format::Folded);
    EXPECT_EQ(format_of("a.json"), Format::Speedscope);
    EXPECT_EQ(format_of("/b/a.html"), Format::Html);
    EXPECT_FALSE(format_of("a.svg").has_value());
    EXPECT_FALSE(format_of("json").has_value());
}

} // namespace
} // namespace tandem::machine::profile
