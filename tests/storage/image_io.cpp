/// Works on a disk image as told on standard input, one line each:
///   w OFFSET LENGTH BYTE   write      d OFFSET LENGTH   discard     f   flush
///   z OFFSET LENGTH 0|1    zero (may unmap)             k   die of SIGKILL
/// The image is closed at the end of the input. Status 1 if anything fails.
#include "machine/storage/image/open_image.h"

#include <fmt/format.h>

#include <csignal>
#include <iostream>
#include <vector>

int main(int argc, char **argv) {
    using namespace tandem;
    using namespace tandem::machine;
    if (argc != 2) return 2;
    ImageOptions options;
    options.access = DiskAccess::ReadWrite;
    auto image = open_image(argv[1], options);
    if (!image.has_value()) {
        fmt::print(stderr, "{}\n", image.error().message);
        return 1;
    }
    DiskStore &disk = *image->store;
    char operation = 0;
    while (std::cin >> operation) {
        u64 offset = 0, length = 0, value = 0;
        bool fine = true;
        switch (operation) {
        case 'w': {
            std::cin >> offset >> length >> value;
            const std::vector<std::byte> data(length, static_cast<std::byte>(value));
            fine = write_bytes(disk, offset, data);
            break;
        }
        case 'd':
            std::cin >> offset >> length;
            fine = disk.discard(offset, length) == StoreStatus::Ok;
            break;
        case 'z':
            std::cin >> offset >> length >> value;
            fine = disk.write_zeroes(offset, length, value != 0) == StoreStatus::Ok;
            break;
        case 'f': fine = disk.flush() == StoreStatus::Ok; break;
        case 'k': std::raise(SIGKILL); break;
        default: fine = false;
        }
        if (!fine) {
            fmt::print(stderr, "operation {} at {} failed\n", operation, offset);
            return 1;
        }
    }
    return 0;
}
