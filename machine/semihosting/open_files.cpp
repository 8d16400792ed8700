#include "machine/semihosting/open_files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace tandem::machine {
namespace {

using Errno = std::unexpected<int>;

/// Names that mean no file (section 7.3, SYS_OPEN, and section 6, feature bits).
constexpr std::string_view kConsoleName = ":tt";
constexpr std::string_view kFeaturesName = ":semihosting-features";

/// "SHFB", then a byte: SYS_EXIT_EXTENDED is there, and ":tt" opened for output and for errors.
constexpr std::array<std::byte, 5> kFeatures{std::byte{'S'}, std::byte{'H'}, std::byte{'F'},
                                             std::byte{'B'}, std::byte{0b11}};

enum class Verb : u8 { Read, Write, Append };
struct FileMode {
    Verb verb;
    bool updates; ///< "+"
};
FileMode file_mode(unsigned mode) {
    static constexpr std::array kVerbs{Verb::Read, Verb::Write, Verb::Append};
    return {kVerbs[mode / 4], (mode & 2) != 0};
}

struct FileState {
    u8 kind = 0, mode = 0;
    u64 position = 0;
    std::vector<u8> name;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.kind, self.mode, self.position, self.name);
    }
};

struct FilesState {
    static constexpr u32 kVersion = 1;
    std::vector<FileState> files;

    template <typename Self, typename Archive>
    static void transfer(Self &self, Archive &archive) {
        archive(self.files);
    }
};

} // namespace

OpenFiles::Answer<u64> OpenFiles::open(const std::string &name, unsigned mode) {
    auto place = std::ranges::find(files_, Kind::Free, &OpenFile::kind);
    if (place == files_.end() && files_.size() == kMaxOpen) return Errno(EMFILE);
    auto opened = open_named(name, mode);
    if (!opened.has_value()) return Errno(opened.error());
    if (place == files_.end()) place = files_.emplace(place);
    *place = std::move(*opened);
    return static_cast<u64>(place - files_.begin()) + 1;
}

OpenFiles::Answer<OpenFiles::OpenFile> OpenFiles::open_named(const std::string &name,
                                                             unsigned mode) const {
    OpenFile file;
    file.mode = static_cast<u8>(mode);
    file.name = name;
    const Verb verb = file_mode(mode).verb;
    if (name == kConsoleName) {
        file.kind = verb == Verb::Read ? Kind::ConsoleInput : Kind::ConsoleOutput;
    } else if (name == kFeaturesName) {
        if (verb != Verb::Read) return Errno(EACCES);
        file.kind = Kind::Features;
    } else {
        file.kind = Kind::File;
        auto opened = open_file(name, mode, false);
        if (!opened.has_value()) return Errno(opened.error());
        file.file = std::move(*opened);
    }
    return file;
}

OpenFiles::Answer<ScopedFd> OpenFiles::open_file(const std::string &name, unsigned mode,
                                                 bool again) const {
    if (folder_ == nullptr) return Errno(ENOENT);
    const auto [verb, updates] = file_mode(mode);
    return folder_->open_file(name, {.read = verb == Verb::Read || updates,
                                     .write = verb != Verb::Read || updates,
                                     .create = verb != Verb::Read && !again,
                                     .truncate = verb == Verb::Write && !again});
}

OpenFiles::OpenFile *OpenFiles::find(u64 handle) {
    return const_cast<OpenFile *>(std::as_const(*this).find(handle));
}

const OpenFiles::OpenFile *OpenFiles::find(u64 handle) const {
    if (handle == 0 || handle > files_.size()) return nullptr;
    const OpenFile &file = files_[handle - 1];
    return file.kind != Kind::Free ? &file : nullptr;
}

OpenFiles::Answer<> OpenFiles::close(u64 handle) {
    OpenFile *file = find(handle);
    if (file == nullptr) return Errno(EBADF);
    *file = OpenFile{};
    return {};
}

OpenFiles::Answer<bool> OpenFiles::is_console(u64 handle) const {
    const OpenFile *file = find(handle);
    if (file == nullptr) return Errno(EBADF);
    return file->kind == Kind::ConsoleInput || file->kind == Kind::ConsoleOutput;
}

OpenFiles::Answer<u64> OpenFiles::size(u64 handle) const {
    const OpenFile *file = find(handle);
    if (file == nullptr) return Errno(EBADF);
    if (file->kind == Kind::Features) return kFeatures.size();
    if (file->kind != Kind::File) return 0;
    struct stat status{};
    if (::fstat(file->file.get(), &status) != 0) return Errno(errno);
    return static_cast<u64>(status.st_size);
}

OpenFiles::Answer<> OpenFiles::seek(u64 handle, u64 position) {
    OpenFile *file = find(handle);
    if (file == nullptr) return Errno(EBADF);
    if (file->kind != Kind::File && file->kind != Kind::Features) return Errno(ESPIPE);
    // What a file's offset may be on the host.
    if (position >> 63 != 0) return Errno(EINVAL);
    file->position = position;
    return {};
}

OpenFiles::Answer<OpenFiles::Moved> OpenFiles::read(u64 handle, std::span<std::byte> out) {
    OpenFile *file = find(handle);
    if (file == nullptr || file->kind == Kind::ConsoleOutput) return Errno(EBADF);
    if (file->kind == Kind::ConsoleInput) return read_console(out);
    Moved moved;
    if (file->kind == Kind::Features) {
        const u64 start = std::min<u64>(file->position, kFeatures.size());
        moved.bytes = std::min<std::size_t>(out.size(), kFeatures.size() - start);
        std::copy_n(kFeatures.begin() + start, moved.bytes, out.begin());
    } else {
        const ssize_t bytes =
            ::pread(file->file.get(), out.data(), out.size(), static_cast<off_t>(file->position));
        if (bytes < 0) return Errno(errno);
        moved.bytes = static_cast<std::size_t>(bytes);
    }
    file->position += moved.bytes;
    if (moved.bytes < out.size()) moved.end = Ended::Yes;
    return moved;
}

OpenFiles::Answer<OpenFiles::Moved> OpenFiles::write(u64 handle, std::span<const std::byte> in) {
    OpenFile *file = find(handle);
    if (file == nullptr || file->kind == Kind::ConsoleInput || file->kind == Kind::Features)
        return Errno(EBADF);
    if (file->kind == Kind::ConsoleOutput) return write_console(in);
    if (file_mode(file->mode).verb == Verb::Append) {
        const auto end = size(handle);
        if (!end.has_value()) return Errno(end.error());
        file->position = *end;
    }
    const ssize_t bytes =
        ::pwrite(file->file.get(), in.data(), in.size(), static_cast<off_t>(file->position));
    if (bytes < 0) return Errno(errno);
    file->position += static_cast<u64>(bytes);
    return Moved{.bytes = static_cast<std::size_t>(bytes)};
}

OpenFiles::Moved OpenFiles::read_console(std::span<std::byte> out) {
    if (!console_.has_input) return {.end = Ended::Yes};
    const std::size_t bytes = console_.line->read(out);
    return {.bytes = bytes, .end = bytes == 0 && !out.empty() ? Ended::Waits : Ended::No};
}

OpenFiles::Moved OpenFiles::write_console(std::span<const std::byte> in) {
    const std::size_t bytes = console_.line->write(in);
    return {.bytes = bytes, .end = bytes < in.size() ? Ended::Waits : Ended::No};
}

void OpenFiles::save(devices::StateWriter &writer) const {
    FilesState state;
    for (const OpenFile &file : files_)
        state.files.push_back({static_cast<u8>(file.kind), file.mode, file.position,
                               std::vector<u8>(file.name.begin(), file.name.end())});
    devices::save_state(writer, "semihosting-files", state);
}

Result<> OpenFiles::restore(devices::StateReader &reader) {
    FilesState state;
    TRY(devices::restore_state(reader, "semihosting-files", state));
    const bool is_sound =
        state.files.size() <= kMaxOpen && std::ranges::all_of(state.files, [](const FileState &f) {
            return f.kind <= static_cast<u8>(Kind::File) && f.mode < kModes &&
                   f.position >> 63 == 0 && std::ranges::find(f.name, 0) == f.name.end();
        });
    if (!is_sound) return failure("semihosting: what is said of its files makes no sense");
    files_.clear();
    for (const FileState &saved : state.files) {
        OpenFile &file = files_.emplace_back();
        file.kind = static_cast<Kind>(saved.kind);
        file.mode = saved.mode;
        file.position = saved.position;
        file.name.assign(saved.name.begin(), saved.name.end());
        if (file.kind != Kind::File) continue;
        if (auto opened = open_file(file.name, file.mode, true); opened.has_value())
            file.file = std::move(*opened);
    }
    return {};
}

} // namespace tandem::machine
