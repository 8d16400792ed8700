#pragma once
/// Saved device state: named, versioned sections of little-endian values. A device keeps what it
/// saves in a plain struct with one member template that serves both directions:
///
///     struct Pl031State {
///         static constexpr u32 kVersion = 1;
///         u32 match = 0;
///         template <typename Self, typename Archive>
///         static void transfer(Self &self, Archive &archive) { archive(self.match); }
///     };
#include "support/bits.h"
#include "support/result.h"

#include <array>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace tandem::devices {

class StateWriter {
public:
    void begin_section(std::string_view name, u32 version);
    void end_section();

    template <typename... Values>
    void operator()(const Values &...values) {
        (put(values), ...);
    }
    void bytes(std::span<const std::byte>);
    [[nodiscard]] std::span<const std::byte> data() const { return data_; }

private:
    template <typename T>
    void put(const T &value) {
        if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
            bytes(std::as_bytes(std::span(&value, 1)));
        } else {
            T::transfer(value, *this);
        }
    }
    template <typename T, std::size_t N>
    void put(const std::array<T, N> &values) {
        for (const T &value : values) put(value);
    }
    template <typename T>
    void put(const std::vector<T> &values) {
        put(static_cast<u32>(values.size()));
        if constexpr (std::is_integral_v<T> || std::is_enum_v<T>)
            bytes(std::as_bytes(std::span(values)));
        else
            for (const T &value : values) put(value);
    }

    std::vector<std::byte> data_;
    std::size_t section_length_at_ = 0;
};

/// Reads what StateWriter wrote. The data is not trusted: it never reads outside of it, a value
/// that is missing reads as 0 and marks the reader as failed. Devices check ranges of what they
/// restore.
class StateReader {
public:
    explicit StateReader(std::span<const std::byte> data) : data_(data) {}

    /// Enters the next section and returns its version; fails unless it has this name and a version
    /// of 1..newest.
    [[nodiscard]] Result<u32> begin_section(std::string_view name, u32 newest);
    /// Fails if the section was shorter or longer than what was read.
    [[nodiscard]] Result<> end_section();

    template <typename... Values>
    void operator()(Values &...values) {
        (get(values), ...);
    }
    void bytes(std::span<std::byte>);
    [[nodiscard]] bool failed() const { return failed_; }

private:
    /// A vector longer than this is a damaged file.
    static constexpr u32 kMaxElements = 1u << 26;

    template <typename T>
    void get(T &value) {
        if constexpr (std::is_same_v<T, bool>) {
            u8 byte = 0;
            get(byte);
            value = byte != 0;
        } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
            bytes(std::as_writable_bytes(std::span(&value, 1)));
        } else {
            T::transfer(value, *this);
        }
    }
    template <typename T, std::size_t N>
    void get(std::array<T, N> &values) {
        for (T &value : values) get(value);
    }
    template <typename T>
    void get(std::vector<T> &values) {
        u32 count = 0;
        get(count);
        values.clear();
        if (count > kMaxElements || count > section_end_ - position_) {
            failed_ = true;
            return;
        }
        values.resize(count);
        if constexpr (std::is_integral_v<T> || std::is_enum_v<T>)
            bytes(std::as_writable_bytes(std::span(values)));
        else
            for (T &value : values) get(value);
    }

    std::span<const std::byte> data_;
    std::size_t position_ = 0;
    std::size_t section_end_ = 0;
    bool failed_ = false;
};

/// Saves or restores a state struct as one section.
template <typename State>
void save_state(StateWriter &writer, std::string_view name, const State &state) {
    writer.begin_section(name, State::kVersion);
    writer(state);
    writer.end_section();
}
template <typename State>
[[nodiscard]] Result<> restore_state(StateReader &reader, std::string_view name, State &state) {
    auto version = reader.begin_section(name, State::kVersion);
    if (!version) return std::unexpected(version.error());
    reader(state);
    return reader.end_section();
}

} // namespace tandem::devices
