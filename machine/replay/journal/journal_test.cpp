/// What is written is read again, and a file that is not what was written says so.
#include "machine/replay/journal/format.h"
#include "machine/replay/journal/journal_reader.h"
#include "machine/replay/journal/journal_writer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace tandem::machine::replay {
namespace {

class JournalTest : public testing::Test {
protected:
    JournalTest()
        : path((std::filesystem::temp_directory_path() /
                ("journal-" + std::to_string(::getpid()) + "-" +
                 testing::UnitTest::GetInstance()->current_test_info()->name()))
                   .string()) {}
    ~JournalTest() override { std::filesystem::remove(path); }

    std::unique_ptr<JournalWriter> create() {
        return JournalWriter::create(path, "{}", [this](Error error) { failed = error.message; })
            .value();
    }
    static std::span<const std::byte> bytes_of(std::string_view text) {
        return std::as_bytes(std::span(text));
    }
    static std::string text_of(std::span<const std::byte> bytes) {
        return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
    }
    std::string read_file() const {
        std::ifstream file(path, std::ios::binary);
        return {std::istreambuf_iterator(file), {}};
    }
    std::expected<std::unique_ptr<JournalReader>, JournalReader::OpenFailure>
    open(std::string_view content) const {
        auto data = std::make_unique<std::byte[]>(content.size());
        std::memcpy(data.get(), content.data(), content.size());
        return JournalReader::open(path, FileBytes{std::move(data), content.size()});
    }
    /// Entries up to the end or the cut.
    static std::vector<std::string> entries(JournalReader &reader) {
        std::vector<std::string> all;
        for (;; reader.advance()) {
            const std::string at = std::to_string(reader.next().moment) + " ";
            const auto &what = reader.next().what;
            if (const auto *input = std::get_if<InputEntry>(&what))
                all.push_back(at + std::to_string(static_cast<u32>(input->port)) + " " +
                              text_of(input->bytes));
            else if (const auto *check = std::get_if<CheckEntry>(&what))
                all.push_back(at + "check " + std::to_string(check->devices) + " " +
                              std::to_string(check->memory));
            else if (const auto *end = std::get_if<EndEntry>(&what))
                return all.push_back(at + "end " + std::to_string(end->hash.state)), all;
            else
                return all.push_back("cut"), all;
        }
    }

    std::string path, failed;
};

TEST_F(JournalTest, HasWhatWasWritten) {
    {
        const auto writer = create();
        writer->input(5, PortId{3}, bytes_of("hello"));
        writer->input(5, PortId{0}, {});
        writer->check(1'000'000'000'000, {.devices = ~u64{0}, .memory = 7});
        writer->end(1'000'000'000'000, {RunEnd::Guest, {1, 2, 3}});
    }
    const auto reader = JournalReader::open(path);
    ASSERT_TRUE(reader.has_value());
    EXPECT_EQ((*reader)->manifest(), "{}");
    EXPECT_EQ(
        entries(**reader),
        (std::vector<std::string>{"5 3 hello", "5 0 ", "1000000000000 check 18446744073709551615 7",
                                  "1000000000000 end 2"}));
    (*reader)->advance(); // nothing is behind it
    EXPECT_EQ(entries(**reader), (std::vector<std::string>{"1000000000000 end 2"}));
}

TEST_F(JournalTest, MayBeginWithPagesAndState) {
    const std::string page(kPageBytes, 'p'), state(3 * kMaxInput - 1, 's');
    {
        const auto writer = create();
        for (u64 index = 0; index < 40; ++index)
            writer->page(7, 1, index * index,
                         std::span<const std::byte, kPageBytes>(bytes_of(page)));
        writer->state(7, bytes_of(state));
        writer->input(9, PortId{3}, bytes_of("hello"));
        writer->end(9, {RunEnd::Host, {1, 2, 3}});
    }
    const auto reader = std::move(*JournalReader::open(path));
    for (u64 index = 0; index < 40; ++index, reader->advance()) {
        const auto &found = std::get<PageEntry>(reader->next().what);
        EXPECT_EQ(reader->next().moment, 7u);
        EXPECT_EQ(found.memory, 1u);
        EXPECT_EQ(found.index, index * index);
        EXPECT_EQ(text_of(found.bytes), page);
    }
    std::string all;
    for (bool is_last = false; !is_last; reader->advance()) {
        const auto &piece = std::get<StateEntry>(reader->next().what);
        is_last = piece.is_last;
        all += text_of(piece.bytes);
    }
    EXPECT_EQ(all, state);
    EXPECT_EQ(entries(*reader), (std::vector<std::string>{"9 3 hello", "9 end 2"}));
}

TEST_F(JournalTest, ChunksCountFromTheirOwnMoments) {
    {
        const auto writer = create();
        writer->input(5, PortId{0}, bytes_of("a"));
        writer->flush();
        writer->continue_from(100);
        writer->input(107, PortId{0}, bytes_of("b"));
        writer->flush();
        writer->continue_from(50);
        writer->end(60, {});
    }
    EXPECT_EQ(entries(**JournalReader::open(path)),
              (std::vector<std::string>{"5 0 a", "107 0 b", "cut"}));
}

TEST_F(JournalTest, InputsOfEverySizeFillManyChunks) {
    std::vector<std::string> expected;
    {
        const auto writer = create();
        for (u64 i = 0; i < 200; ++i) {
            const std::string text(i % 10 == 9 ? kMaxInput - i : i,
                                   static_cast<char>('a' + i % 26));
            writer->input(i, PortId{1}, bytes_of(text));
            expected.push_back(std::to_string(i) + " 1 " + text);
        }
        writer->end(200, {});
    }
    expected.emplace_back("200 end 0");
    const auto reader = JournalReader::open(path);
    ASSERT_TRUE(reader.has_value());
    EXPECT_EQ(entries(**reader), expected);
}

TEST_F(JournalTest, IsReadAgainFromWhereverTheReaderHasBeen) {
    {
        const auto writer = create();
        for (u64 i = 0; i < 40; ++i)
            writer->input(i * 7, PortId{2},
                          bytes_of(std::string(20'000, static_cast<char>('a' + i % 26))));
        writer->end(300, {RunEnd::Host, {1, 2, 3}});
    }
    const std::string whole = read_file();
    for (const std::size_t length : {whole.size(), whole.size() - 9}) {
        const auto reader = std::move(*open(whole.substr(0, length)));
        std::vector<JournalReader::Position> positions;
        std::vector<u64> moments;
        const auto is_last = [&] {
            return std::holds_alternative<EndEntry>(reader->next().what) ||
                   std::holds_alternative<CutEntry>(reader->next().what);
        };
        for (;; reader->advance()) {
            positions.push_back(reader->position());
            moments.push_back(reader->next().moment);
            if (is_last()) break;
        }
        reader->go_to(positions.front());
        const std::vector<std::string> all = entries(*reader);
        EXPECT_EQ(all.size(), positions.size());
        for (std::size_t i = positions.size(); i-- > 0;) {
            reader->go_to(positions[i]);
            EXPECT_EQ(reader->next().moment, moments[i]);
            EXPECT_EQ(entries(*reader),
                      (std::vector(all.begin() + static_cast<std::ptrdiff_t>(i), all.end())));
        }
    }
}

TEST_F(JournalTest, EveryTruncationIsTold) {
    {
        const auto writer = create();
        writer->input(7, PortId{1}, bytes_of("first"));
        // Longer than entries may wait: so there are two chunks.
        ::usleep(250'000);
        writer->rest();
        writer->input(9, PortId{1}, bytes_of("second"));
        writer->end(10, {});
    }
    const std::string whole = read_file();
    const std::size_t behind_manifest = sizeof(RecordingHeader) + 2;
    bool has_first = false;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto reader = open(whole.substr(0, size));
        EXPECT_EQ(reader.has_value(), size >= behind_manifest) << size;
        if (!reader.has_value()) continue;
        const auto found = entries(**reader);
        EXPECT_EQ(found.back(), "cut") << size;
        EXPECT_LE(found.size(), 2u) << size; // no half of a chunk
        has_first |= found.front() == "7 1 first";
    }
    EXPECT_TRUE(has_first);
}

TEST_F(JournalTest, EveryFlippedBitIsTold) {
    {
        const auto writer = create();
        writer->input(7, PortId{1}, bytes_of("first"));
        writer->end(10, {RunEnd::Host, {1, 2, 3}});
    }
    const std::string whole = read_file();
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        std::string changed = whole;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
        const auto reader = open(changed);
        if (!reader.has_value()) {
            EXPECT_FALSE(reader.error().error.message.empty());
            EXPECT_EQ(reader.error().is_unsupported, bit / 64 == 1 && bit / 8 < 12) << bit;
            continue;
        }
        EXPECT_EQ(entries(**reader).back(), "cut") << bit;
    }
}

TEST_F(JournalTest, AFullDiskIsToldOnceAndLeavesARecording) {
    struct rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
    {
        const auto writer = create();
        writer->input(1, PortId{1}, bytes_of("first"));
        ::usleep(250'000);
        writer->rest();
        const rlimit full{.rlim_cur = read_file().size() + 100, .rlim_max = before.rlim_max};
        ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
        std::string noise;
        for (u32 i = 0; i < 100'000; ++i) noise += static_cast<char>(i * 2654435761u >> 24);
        for (u64 i = 0; i < 4; ++i) writer->input(2 + i, PortId{1}, bytes_of(noise));
        EXPECT_NE(failed.find("cannot record any further"), std::string::npos);
        failed.clear();
        writer->end(10, {});
        EXPECT_EQ(failed, "");
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, old_handler);
    const auto reader = JournalReader::open(path);
    ASSERT_TRUE(reader.has_value());
    EXPECT_EQ(entries(**reader), (std::vector<std::string>{"1 1 first", "cut"}));
}

TEST_F(JournalTest, KeepsAFileThatIsThere) {
    std::ofstream(path) << "mine";
    const auto writer = JournalWriter::create(path, "{}", [](const Error &) {});
    ASSERT_FALSE(writer.has_value());
    EXPECT_NE(writer.error().message.find("File exists"), std::string::npos);
    EXPECT_EQ(read_file(), "mine");
}

} // namespace
} // namespace tandem::machine::replay
