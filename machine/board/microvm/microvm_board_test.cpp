#include "machine/board/microvm/microvm_board.h"

#include "machine/host/entropy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

namespace tandem::machine {
namespace {

/// A line that remembers what the guest says.
class Listener final : public devices::Char {
public:
    std::size_t write(std::span<const std::byte> bytes) override {
        const std::lock_guard lock(mutex_);
        text_.append(reinterpret_cast<const char *>(bytes.data()), bytes.size());
        changed_.notify_all();
        return bytes.size();
    }
    [[nodiscard]] std::string text() {
        const std::lock_guard lock(mutex_);
        return text_;
    }
    [[nodiscard]] bool wait_for(std::string_view wanted) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(60),
                                 [&] { return text_.find(wanted) != std::string::npos; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string text_;
};

/// Programs of a few instructions in an ELF file without a PVH note: 64-bit code at 1 MiB.
class MicrovmBoardTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (!KvmHost::open().has_value()) GTEST_SKIP() << "this host has no KVM";
        config_.board = BoardKind::Microvm;
        config_.kernel = path_;
        config_.memory = 16u << 20;
        config_.cpus = 1;
        config_.net.kind = NetConfig::Kind::None;
        backends_.serial = &line_;
        backends_.entropy = &entropy_;
    }
    ~MicrovmBoardTest() override { std::filesystem::remove(path_); }

    void write_program(std::initializer_list<u8> code) {
        std::string file(0x1000, '\0');
        const auto put = [&file](std::size_t at, auto value) {
            std::memcpy(file.data() + at, &value, sizeof value);
        };
        std::memcpy(file.data(),
                    "\x7f"
                    "ELF\x02\x01\x01",
                    7);
        put(16, u16{2});         // an executable
        put(18, u16{62});        // for x86-64
        put(24, u64{0x10'0000}); // entry
        put(32, u64{64});        // program headers
        put(54, u16{56});
        put(56, u16{1});
        put(64, u32{1}); // to be loaded
        put(72, u64{0x800});
        put(80, u64{0x10'0000});
        put(88, u64{0x10'0000});
        put(96, u64{code.size()});
        put(104, u64{code.size()});
        std::copy(code.begin(), code.end(), file.begin() + 0x800);
        std::ofstream(path_, std::ios::binary) << file;
    }
    Result<StopReason> run() { return MicrovmBoard::create(config_, backends_).value()->run(); }

    const std::string path_ =
        ::testing::TempDir() + "/microvm_program" + std::to_string(::getpid());
    MachineConfig config_;
    HostBackends backends_;
    Listener line_;
    HostEntropy entropy_;
};

// mov $0x3f8, %edx; mov $'k', %al; out %al, (%dx)
#define SAY_K 0xba, 0xf8, 0x03, 0x00, 0x00, 0xb0, 'k', 0xee
// mov $0xd0100010, %edi; movb $0x34, (%rdi): SLP_EN, S5
#define POWER_OFF 0xbf, 0x10, 0x00, 0x10, 0xd0, 0xc6, 0x07, 0x34
// movb $1, 2(%rdi) after the address above
#define RESET 0xbf, 0x10, 0x00, 0x10, 0xd0, 0xc6, 0x47, 0x02, 0x01
// jmp .
#define SPIN 0xeb, 0xfe

TEST_F(MicrovmBoardTest, RunsAProgramThatPrintsAndPowersOff) {
    write_program({SAY_K, POWER_OFF, SPIN});
    EXPECT_EQ(run().value(), StopReason::PowerOff);
    EXPECT_EQ(line_.text(), "k");
}

TEST_F(MicrovmBoardTest, ResetsWhenAskedAndByATripleFault) {
    write_program({RESET, SPIN});
    EXPECT_EQ(run().value(), StopReason::Reset);
    // lidt of nothing, ud2
    write_program({0x0f, 0x01, 0x1c, 0x25, 0x00, 0x06, 0x00, 0x00, 0x0f, 0x0b});
    EXPECT_EQ(run().value(), StopReason::Reset);
}

TEST_F(MicrovmBoardTest, StopsAndPausesCpusThatSpinOrSleep) {
    for (const std::initializer_list<u8> &code :
         {std::initializer_list<u8>{SAY_K, SPIN}, {SAY_K, 0xfa, 0xf4, SPIN}}) {
        Listener line;
        backends_.serial = &line;
        config_.cpus = 2;
        write_program(code);
        const auto board = MicrovmBoard::create(config_, backends_).value();
        StopReason reason = StopReason::None;
        std::thread thread([&] { reason = board->run().value(); });
        EXPECT_TRUE(line.wait_for("k"));
        for (int i = 0; i < 20; ++i) {
            board->pause();
            board->resume();
        }
        board->stop(StopReason::Quit);
        thread.join();
        EXPECT_EQ(reason, StopReason::Quit);
    }
}

TEST_F(MicrovmBoardTest, HasRamOnBothSidesOfTheHole) {
    config_.memory = u64{3328} << 20;
    write_program({SAY_K, POWER_OFF, SPIN});
    const auto board = MicrovmBoard::create(config_, backends_).value();
    const std::byte mark{0x5a};
    EXPECT_EQ(board->write_memory(0xbfff'ffff, std::span(&mark, 1)), 1u);
    EXPECT_EQ(board->write_memory(0xc000'0000, std::span(&mark, 1)), 0u);
    EXPECT_EQ(board->write_memory(0xffff'ffff, std::span(&mark, 1)), 0u);
    EXPECT_EQ(board->write_memory(0x1'0000'0000, std::span(&mark, 1)), 1u);
    EXPECT_EQ(board->write_memory(0x1'1000'0000, std::span(&mark, 1)), 0u);
    EXPECT_EQ(board->ram().host()[0xbfff'ffff], mark);
    EXPECT_EQ(board->ram().host()[0xc000'0000], mark);
    EXPECT_EQ(board->run().value(), StopReason::PowerOff);
}

} // namespace
} // namespace tandem::machine
