#include "machine/board/virt_board.h"

#include "machine/board/memory_map.h"
#include "machine/host/entropy.h"
#include "machine/host/flash_storage.h"

#include <gtest/gtest.h>
#include <libfdt.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

namespace tandem::machine {
namespace {

/// Keeps what the guest writes, and types one character.
class Recorder final : public devices::Char {
public:
    std::size_t read(std::span<std::byte> bytes) override {
        if (!has_input_.exchange(false)) return 0;
        bytes[0] = std::byte{'k'};
        return 1;
    }
    void set_listener(devices::CharListener *listener) override { listener_ = listener; }
    void type() {
        has_input_ = true;
        listener_->readable();
    }
    std::size_t write(std::span<const std::byte> bytes) override {
        text.append(reinterpret_cast<const char *>(bytes.data()), bytes.size());
        return bytes.size();
    }
    std::string text;

private:
    devices::CharListener *listener_ = nullptr;
    std::atomic<bool> has_input_ = false;
};

class BoardTest : public testing::Test {
protected:
    BoardTest() {
        config.memory = 32u << 20;
        backends.serial = &serial;
        backends.entropy = &entropy;
        for (std::size_t i = 0; i < flash.size(); ++i) {
            flash[i] = MemoryFlash::create(kFlashBankSize).value();
            backends.flash[i] = flash[i].get();
        }
    }
    std::unique_ptr<VirtBoard> create() { return VirtBoard::create(config, backends).value(); }

    /// A kernel image of these instructions.
    void use_program(std::initializer_list<u32> code) {
        path = std::filesystem::temp_directory_path() /
               ("board-" + std::to_string(::getpid()) + "-" +
                testing::UnitTest::GetInstance()->current_test_info()->name());
        std::vector<u32> words(16);
        words[0] = 0x1400'0010; // b #64
        words[14] = 0x644d'5241;
        words.insert(words.end(), code);
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char *>(words.data()),
                   static_cast<std::streamsize>(words.size() * 4));
        config.kernel = path;
    }
    /// Returns what the next snapshot can be based on.
    static snapshot::Base save(VirtBoard &board, const std::string &file,
                               std::optional<snapshot::Base> base = {}) {
        snapshot::Writer writer = snapshot::Writer::create(file).value();
        if (base.has_value()) writer.set_base(std::move(*base));
        const Result<> saved = board.save(writer);
        EXPECT_TRUE(saved.has_value()) << saved.error().message;
        return writer.finish("{}").value().base;
    }
    ~BoardTest() override {
        if (!path.empty()) std::filesystem::remove(path);
    }

    MachineConfig config;
    Recorder serial;
    HostEntropy entropy;
    std::array<std::unique_ptr<MemoryFlash>, 2> flash;
    HostBackends backends;
    std::filesystem::path path;
};

std::string property(const std::vector<std::byte> &tree, const char *node, const char *name) {
    int length = 0;
    const int offset = fdt_path_offset(tree.data(), node);
    const void *value = fdt_getprop(tree.data(), offset, name, &length);
    if (value == nullptr) return "(missing)";
    return {static_cast<const char *>(value), static_cast<std::size_t>(length)};
}

std::string cells(std::initializer_list<u32> values) {
    std::string text;
    for (const u32 value : values) {
        const fdt32_t raw = cpu_to_fdt32(value);
        text.append(reinterpret_cast<const char *>(&raw), sizeof raw);
    }
    return text;
}

TEST_F(BoardTest, DescribesItselfAsVirt) {
    config.cpus = 3;
    const auto tree = create()->device_tree().value();
    ASSERT_EQ(fdt_check_full(tree.data(), tree.size()), 0);
    using namespace std::string_literals;
    EXPECT_EQ(property(tree, "/", "compatible"), "linux,dummy-virt\0"s);
    EXPECT_EQ(property(tree, "/psci", "method"), "hvc\0"s);
    EXPECT_EQ(property(tree, "/cpus/cpu@2", "enable-method"), "psci\0"s);
    EXPECT_EQ(property(tree, "/cpus/cpu@3", "reg"), "(missing)");
    EXPECT_EQ(property(tree, "/timer", "interrupts"),
              cells({1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4}));
    EXPECT_EQ(property(tree, "/pmu", "interrupts"), cells({1, 7, 4}));
    EXPECT_EQ(property(tree, "/intc@8000000", "compatible"), "arm,gic-v3\0"s);
    EXPECT_EQ(property(tree, "/pl011@9000000", "interrupts"), cells({0, 1, 4}));
    EXPECT_EQ(property(tree, "/pl031@9010000", "interrupts"), cells({0, 2, 4}));
    EXPECT_EQ(property(tree, "/pl061@9030000", "interrupts"), cells({0, 7, 4}));
    EXPECT_EQ(property(tree, "/fw-cfg@9020000", "reg"), cells({0, 0x902'0000, 0, 0x18}));
    EXPECT_EQ(property(tree, "/flash@0", "bank-width"), cells({4}));
    EXPECT_EQ(property(tree, "/virtio_mmio@a000000", "interrupts"), cells({0, 16, 1}));
    EXPECT_EQ(property(tree, "/virtio_mmio@a003e00", "interrupts"), cells({0, 47, 1}));
    EXPECT_EQ(property(tree, "/pcie@10000000", "reg"), cells({0x40, 0x1000'0000, 0, 0x1000'0000}));
    EXPECT_EQ(property(tree, "/pcie@10000000", "bus-range"), cells({0, 255}));
    EXPECT_EQ(property(tree, "/chosen", "stdout-path"), "/pl011@9000000\0"s);
}

TEST_F(BoardTest, DescribesGicV2WithItsCpuMask) {
    config.gic_version = 2;
    const auto tree = create()->device_tree().value();
    using namespace std::string_literals;
    EXPECT_EQ(property(tree, "/intc@8000000", "compatible"), "arm,cortex-a15-gic\0"s);
    EXPECT_EQ(property(tree, "/pmu", "interrupts"), cells({1, 7, 0x304}));
}

TEST_F(BoardTest, RunsAProgramThatPrintsAndPowersOff) {
    use_program({
        0xd2a1'2001, // mov x1, #0x09000000
        0x5280'0d00, // mov w0, #'h'
        0x3900'0020, // strb w0, [x1]
        0x5280'0d20, // mov w0, #'i'
        0x3900'0020, // strb w0, [x1]
        0xd280'0100, // mov x0, #8
        0xf2b0'8000, // movk x0, #0x8400, lsl #16
        0xd400'0002, // hvc #0
    });
    for (const auto kind : {AcceleratorKind::Interpreter, AcceleratorKind::Jit}) {
        config.accelerator = kind;
        serial.text.clear();
        EXPECT_EQ(create()->run().value(), StopReason::PowerOff);
        EXPECT_EQ(serial.text, "hi");
    }
}

TEST_F(BoardTest, StopsAMachineThatSleepsOrSpins) {
    for (const u32 instruction : {0xd503'207fu /* wfi */, 0xd503'201fu /* nop */}) {
        use_program({instruction, 0x17ff'ffff /* b .-4 */});
        const auto board = create();
        std::thread stopper([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            board->stop(StopReason::Timeout);
        });
        EXPECT_EQ(board->run().value(), StopReason::Timeout);
        stopper.join();
    }
}

TEST_F(BoardTest, GoesOnWhereItWasSaved) {
    use_program({
        0xd2a1'2001, // mov x1, #0x09000000
        0x5280'6020, // mov w0, #0x301: UARTEN, TXE, RXE
        0xb900'3020, // str w0, [x1, #0x30]
        0xb940'1820, // ldr w0, [x1, #0x18]
        0x3727'ffe0, // tbnz w0, #4, .-4: RXFE
        0x5280'0de0, // mov w0, #'o'
        0x3900'0020, // strb w0, [x1]
        0x3940'0020, // ldrb w0, [x1]
        0x3900'0020, // strb w0, [x1]
        0xd280'0100, // mov x0, #8
        0xf2b0'8000, // movk x0, #0x8400, lsl #16
        0xd400'0002, // hvc #0
    });
    for (const unsigned gic : {2u, 3u}) {
        config.gic_version = gic;
        const std::string first = path.string() + ".first", second = path.string() + ".second";
        {
            const auto board = create();
            std::thread runner([&] { EXPECT_EQ(board->run().value(), StopReason::Quit); });
            while (!board->is_running()) std::this_thread::yield();
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            board->pause();
            save(*board, first);
            board->stop(StopReason::Quit);
            runner.join();
        }
        EXPECT_EQ(serial.text, "");
        for (int i = 0; i < 2; ++i) {
            const auto file = snapshot::SnapshotFile::open(first).value();
            ASSERT_TRUE(file->read_frames().has_value());
            const auto board = create();
            const auto restored = board->restore(file, [](Error) { FAIL(); });
            ASSERT_TRUE(restored.has_value()) << restored.error().message;
            EXPECT_EQ(save(*board, second).id, file->id()) << "the same state, the same bytes";
            serial.text.clear();
            EXPECT_TRUE(board->is_running());
            // Who stops it before it runs finds it as it was, as long as that takes.
            const bool is_stopped = i == 1;
            if (is_stopped) board->pause();
            std::thread runner([&] { EXPECT_EQ(board->run().value(), StopReason::PowerOff); });
            if (is_stopped) {
                std::this_thread::sleep_for(std::chrono::milliseconds(20));
                EXPECT_EQ(save(*board, second).id, file->id());
                board->resume();
            }
            serial.type();
            runner.join();
            EXPECT_EQ(serial.text, "ok");
        }
        serial.text.clear();
        // A machine that is another one refuses it.
        const auto file = snapshot::SnapshotFile::open(first).value();
        config.cpus = 3;
        EXPECT_FALSE(create()->restore(file, [](Error) { FAIL(); }).has_value());
        config.cpus = 2;
        config.gic_version = 5 - gic;
        EXPECT_FALSE(create()->restore(file, [](Error) { FAIL(); }).has_value());
        std::filesystem::remove(first);
        std::filesystem::remove(second);
    }
}

TEST_F(BoardTest, NoticesEveryPageThatIsWritten) {
    // Stores to 8 MiB over and over, aligned and across the boundaries of pages, and never the
    // same value twice. With the MMU on: RAM is Normal memory then, which has a fast path.
    use_program({
        0xd2a8'3002, // mov x2, #0x41800000
        0xd280'e023, // mov x3, #0x701: a block of 1 GiB for EL1
        0xf2a8'0003, // movk x3, #0x4000, lsl #16
        0xf900'0443, // str x3, [x2, #8]
        0xd518'2002, // msr ttbr0_el1, x2
        0xd280'1fe3, // mov x3, #0xff
        0xd518'a203, // msr mair_el1, x3
        0xd286'a403, // mov x3, #0x3520: 32 bits of addresses, pages of 4 KiB
        0xf2a0'1003, // movk x3, #0x80, lsl #16
        0xd518'2043, // msr tcr_el1, x3
        0xd503'3fdf, // isb
        0xd538'1003, // mrs x3, sctlr_el1
        0xb240'0063, // orr x3, x3, #1
        0xd518'1003, // msr sctlr_el1, x3
        0xd503'3fdf, // isb
        0xd2a8'2002, // mov x2, #0x41000000
        0xd280'0003, // mov x3, #0
        0xd280'0004, // mov x4, #0
        0x8b03'0045, // add x5, x2, x3
        0xf900'00a4, // str x4, [x5]
        0xa93f'90a4, // stp x4, x4, [x5, #-8]
        0x9100'0484, // add x4, x4, #1
        0xd282'0106, // mov x6, #4104
        0x8b06'0063, // add x3, x3, x6
        0x9240'5863, // and x3, x3, #0x7fffff
        0x17ff'fff9, // b .-28
    });
    for (const auto kind : {AcceleratorKind::Interpreter, AcceleratorKind::Jit}) {
        config.accelerator = kind;
        const auto board = create();
        std::thread runner([&] { EXPECT_EQ(board->run().value(), StopReason::Quit); });
        while (!board->is_running()) std::this_thread::yield();
        GuestMemory &ram = board->ram();
        std::vector<std::byte> copy(ram.size());
        // Until this many pages have been collected.
        const auto copy_written = [&](u64 wanted) {
            u64 count = 0;
            do {
                std::vector<u64> pages(ram.dirty_log().word_count());
                board->collect_written(pages);
                for (u64 page = 0; page < ram.size() / DirtyLog::kPageSize; ++page)
                    if (bit(pages[page / 64], page % 64)) {
                        std::memcpy(copy.data() + page * DirtyLog::kPageSize,
                                    ram.host() + page * DirtyLog::kPageSize, DirtyLog::kPageSize);
                        ++count;
                    }
            } while (count < wanted);
            return count;
        };
        // Snapshots and others who want to know of writes do not get into each other's way.
        const std::string first = path.string() + ".first", second = path.string() + ".second";
        board->pause();
        snapshot::Base base = save(*board, first);
        board->resume();
        board->start_tracking();
        std::memcpy(copy.data(), ram.host(), ram.size());
        copy_written(20'000);
        board->pause();
        copy_written(0);
        EXPECT_EQ(std::memcmp(copy.data(), ram.host(), ram.size()), 0);
        EXPECT_EQ(copy_written(0), 0u) << "nothing moves";
        save(*board, second, std::move(base));
        const auto file = snapshot::SnapshotFile::open(second).value();
        EXPECT_LT(file->find_region("ram")->slots, 2'500u) << "the rest is in the first";
        ASSERT_TRUE(file->read_frames().has_value());
        u64 wrong = 0;
        ASSERT_TRUE(file->for_each_page("ram",
                                        [&](u64 page, std::span<const std::byte> bytes) {
                                            const std::byte *now =
                                                ram.host() + page * DirtyLog::kPageSize;
                                            wrong += bytes.empty()
                                                         ? *now != std::byte{0}
                                                         : !std::ranges::equal(
                                                               bytes, std::span(now, bytes.size()));
                                            return true;
                                        })
                        .has_value());
        EXPECT_EQ(wrong, 0u);
        std::filesystem::remove(first);
        std::filesystem::remove(second);
        board->resume();
        copy_written(1);
        board->stop_tracking();
        board->stop(StopReason::Quit);
        runner.join();
    }
}

} // namespace
} // namespace tandem::machine
