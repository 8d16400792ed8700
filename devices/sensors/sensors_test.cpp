#include "devices/sensors/sensor_set.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tandem::devices {
namespace {

class SensorsTest : public ::testing::Test {
protected:
    I2cTarget &chip(u8 address) { return *set.bus().find(address); }
    std::vector<u8> read(u8 address, u8 number, std::size_t count) {
        I2cTarget &target = chip(address);
        EXPECT_TRUE(target.start(I2cDirection::Write) && target.write(number) &&
                    target.start(I2cDirection::Read));
        std::vector<u8> bytes;
        for (std::size_t i = 0; i < count; ++i) bytes.push_back(target.read());
        target.stop();
        return bytes;
    }
    void write(u8 address, std::initializer_list<u8> bytes) {
        I2cTarget &target = chip(address);
        EXPECT_TRUE(target.start(I2cDirection::Write));
        for (const u8 byte : bytes) EXPECT_TRUE(target.write(byte));
        target.stop();
    }
    i32 read_little(u8 address, u8 number) {
        const auto bytes = read(address, number, 2);
        return static_cast<i16>(bytes[0] | bytes[1] << 8);
    }
    u32 read_big(u8 address, u8 number) {
        const auto bytes = read(address, number, 2);
        return static_cast<u32>(bytes[0] << 8 | bytes[1]);
    }

    SensorSet set;
};

TEST_F(SensorsTest, TheImuInEachRange) {
    EXPECT_EQ(read(0x6a, 0x0f, 1)[0], 0x6c);
    set.set(Quantity::Acceleration, {9'806'650, -19'613'300, 0});
    EXPECT_EQ(read_little(0x6a, 0x28), 0) << "off";
    // CTRL1_XL: 26 Hz, and the range.
    for (const auto &[range, one_g] :
         {std::pair{0x20, 16393}, {0x28, 8197}, {0x2c, 4098}, {0x24, 2049}}) {
        write(0x6a, {0x10, static_cast<u8>(range)});
        EXPECT_NEAR(read_little(0x6a, 0x28), one_g, 1) << range;
        EXPECT_NEAR(read_little(0x6a, 0x2a), std::max(-2 * one_g, -32768), 2) << range;
        EXPECT_EQ(read_little(0x6a, 0x2c), 0);
    }
    EXPECT_EQ(read(0x6a, 0x1e, 1)[0], 0x05)
        << "results of it and of the thermometer, not of the gyroscope";
    write(0x6a, {0x11, 0x20});
    set.set(Quantity::Rotation, {0, 0, static_cast<i64>(std::lround(1e6 * 3.14159265 / 180))});
    EXPECT_NEAR(read_little(0x6a, 0x26), 1000 / 8.75, 1);
    write(0x6a, {0x11, 0x22});
    EXPECT_NEAR(read_little(0x6a, 0x26), 1000 / 4.375, 1);
    set.set(Quantity::Temperature, {26'000'000, 0, 0});
    EXPECT_EQ(read_little(0x6a, 0x20), 256);
    // Off, it keeps its last result; a reset is one.
    write(0x6a, {0x11, 0x00});
    set.set(Quantity::Rotation, {});
    EXPECT_NEAR(read_little(0x6a, 0x26), 1000 / 4.375, 1);
    write(0x6a, {0x12, 0x01});
    EXPECT_EQ(read(0x6a, 0x12, 1)[0], 0x04);
    EXPECT_EQ(read(0x6a, 0x10, 1)[0], 0x00);
    // Without automatic increment the same register comes again and again.
    write(0x6a, {0x12, 0x00});
    EXPECT_EQ(read(0x6a, 0x0f, 2), (std::vector<u8>{0x6c, 0x6c}));
}

TEST_F(SensorsTest, TheMagnetometerOnceAndContinuously) {
    EXPECT_EQ(read(0x0c, 0x00, 2), (std::vector<u8>{0x48, 0x04}));
    EXPECT_EQ(read(0x0c, 0x60, 3), (std::vector<u8>{128, 128, 128}));
    set.set(Quantity::MagneticField, {15'000'000, -30'000'000, 0});
    EXPECT_EQ(read(0x0c, 0x10, 1)[0], 0) << "no result yet";
    write(0x0c, {0x31, 0x01});
    EXPECT_EQ(read(0x0c, 0x31, 1)[0], 0) << "asleep again";
    EXPECT_EQ(read(0x0c, 0x10, 1)[0], 1);
    set.set(Quantity::MagneticField, {});
    EXPECT_EQ(read_little(0x0c, 0x11), 100);
    EXPECT_EQ(read_little(0x0c, 0x13), -200);
    EXPECT_EQ(read(0x0c, 0x10, 1)[0], 0) << "an old one";
    write(0x0c, {0x31, 0x08});
    EXPECT_EQ(read_little(0x0c, 0x11), 0);
    set.set(Quantity::MagneticField, {4'900'000'000, 0, 0});
    EXPECT_EQ(read_little(0x0c, 0x11), 32667);
    EXPECT_EQ(read(0x0c, 0x18, 1)[0], 0);
    set.set(Quantity::MagneticField, {4'914'000'000, 0, 0});
    EXPECT_EQ(read(0x0c, 0x18, 1)[0], 8) << "an overflow";
}

TEST_F(SensorsTest, TheBarometerByItsManualsFormula) {
    EXPECT_EQ(read(0x76, 0xd0, 1)[0], 0x58);
    const auto calibration = read(0x76, 0x88, 24);
    std::array<double, 12> digits{};
    for (std::size_t i = 0; i < digits.size(); ++i) {
        const u32 word = calibration[2 * i] | u32{calibration[2 * i + 1]} << 8;
        digits[i] = i == 0 || i == 3 ? static_cast<double>(word)
                                     : static_cast<double>(static_cast<i16>(word));
    }
    EXPECT_EQ(read(0x76, 0xf7, 6), (std::vector<u8>{0x80, 0, 0, 0x80, 0, 0}));
    for (const auto &[pascals, degrees] :
         {std::pair{101325.0, 25.0}, {30000.0, -40.0}, {110000.0, 85.0}}) {
        set.set(Quantity::Pressure, {static_cast<i64>(pascals * 1e4), 0, 0});
        set.set(Quantity::Temperature, {static_cast<i64>(degrees * 1e6), 0, 0});
        write(0x76, {0xf4, 0x27}); // normal, both
        const auto raw = read(0x76, 0xf7, 6);
        const double raw_pressure = raw[0] << 12 | raw[1] << 4 | raw[2] >> 4;
        const double raw_temperature = raw[3] << 12 | raw[4] << 4 | raw[5] >> 4;
        // BST-BMP280-DS001, 8.1: compensation in floating point.
        double first = (raw_temperature / 16384 - digits[0] / 1024) * digits[1];
        double second = raw_temperature / 131072 - digits[0] / 8192;
        const double fine = first + second * second * digits[2];
        EXPECT_NEAR(fine / 5120, degrees, 0.02);
        first = fine / 2 - 64000;
        second = first * first * digits[8] / 32768 + first * digits[7] * 2;
        second = second / 4 + digits[6] * 65536;
        first = (digits[5] * first * first / 524288 + digits[4] * first) / 524288;
        first = (1 + first / 32768) * digits[3];
        double pressure = (1048576 - raw_pressure - second / 4096) * 6250 / first;
        pressure += (digits[11] * pressure * pressure / 2147483648.0 +
                     pressure * digits[10] / 32768 + digits[9]) /
                    16;
        EXPECT_NEAR(pressure, pascals, 5);
    }
    // Once, and without pressure.
    write(0x76, {0xf4, 0x21});
    EXPECT_EQ(read(0x76, 0xf4, 1)[0], 0x20);
    EXPECT_EQ(read(0x76, 0xf7, 3), (std::vector<u8>{0x80, 0, 0}));
    write(0x76, {0xe0, 0xb6});
    EXPECT_EQ(read(0x76, 0xf4, 1)[0], 0);
}

TEST_F(SensorsTest, LightAndWhatIsNear) {
    EXPECT_EQ(read(0x48, 0x3e, 1)[0], 0x13);
    set.set(Quantity::Light, {640'000'000, 0, 0});
    set.set(Quantity::Proximity, {5'000'000, 0, 0});
    EXPECT_EQ(read_big(0x48, 0x13), 0u) << "off";
    write(0x48, {0x00, 0x03});
    for (const auto &[gain, count] :
         {std::pair{0x00, 100u}, {0x10, 400u}, {0x20, 1600u}, {0x30, 6400u}}) {
        write(0x48, {0x02, static_cast<u8>(gain)});
        EXPECT_EQ(read_big(0x48, 0x13), count) << gain;
    }
    set.set(Quantity::Light, {400'000'000'000, 0, 0});
    EXPECT_EQ(read_big(0x48, 0x13), 0xffffu);
    EXPECT_EQ(read_big(0x48, 0x11), Stk3310::kNearCount);
    set.set(Quantity::Proximity, {0, 0, 0});
    EXPECT_GT(read_big(0x48, 0x11), 60000u);
    set.set(Quantity::Proximity, {1'000'000'000, 0, 0});
    EXPECT_LT(read_big(0x48, 0x11), 10u);
    write(0x48, {0x13, 1, 1});
    EXPECT_NE(read_big(0x48, 0x13), 0x0101u) << "results cannot be written";
}

TEST_F(SensorsTest, TheBattery) {
    EXPECT_EQ(read(0x0b, 0x22, 6), (std::vector<u8>{4, 'L', 'I', 'O', 'N', 0xff}));
    EXPECT_EQ(read_little(0x0b, 0x16), 0xa0) << "full";
    EXPECT_EQ(read_little(0x0b, 0x0a), 0);
    set.set(Quantity::BatteryLevel, {50'000'000, 0, 0});
    EXPECT_EQ(read_little(0x0b, 0x0d), 50);
    EXPECT_EQ(read_little(0x0b, 0x0a), 1500) << "it is charged";
    EXPECT_EQ(read_little(0x0b, 0x13), 80);
    set.set(Quantity::Charger, {});
    EXPECT_EQ(read_little(0x0b, 0x0a), -300);
    EXPECT_EQ(read_little(0x0b, 0x12), 400);
    EXPECT_EQ(read_little(0x0b, 0x16), 0xc0);
    EXPECT_EQ(read_little(0x0b, 0x0f), 2000);
    write(0x0b, {0x03, 0x00, 0x80});
    EXPECT_EQ(read_little(0x0b, 0x0f), 770) << "in 10 mWh";
    set.set(Quantity::Temperature, {25'000'000, 0, 0});
    EXPECT_EQ(read_little(0x0b, 0x08), 2981);
    EXPECT_EQ(read(0x0b, 0x40, 2), (std::vector<u8>{0xff, 0xff})) << "no such command";
    for (int i = 0; i < 300; ++i) static_cast<void>(chip(0x0b).read());
}

TEST_F(SensorsTest, AllOfItComesBack) {
    write(0x6a, {0x10, 0x20});
    write(0x0c, {0x31, 0x01});
    write(0x0b, {0x03, 0x00, 0x80});
    set.set(Quantity::Pressure, {900'000'000, 0, 0});
    StateWriter writer;
    set.save(writer);
    SensorSet other;
    StateReader reader(writer.data());
    ASSERT_TRUE(other.restore(reader).has_value());
    StateWriter again;
    other.save(again);
    EXPECT_TRUE(std::ranges::equal(writer.data(), again.data()));
    EXPECT_EQ(other.world(), set.world());
    set.set(Quantity::Pressure, {1'200'000'000, 0, 0});
    StateWriter wrong;
    set.save(wrong);
    StateReader damaged(wrong.data());
    EXPECT_FALSE(other.restore(damaged).has_value()) << "more than there can be";
}

} // namespace
} // namespace tandem::devices
