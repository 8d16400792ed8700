/// libFuzzer: a driver whose rings are fine and whose requests are anything: FUSE to a file system
/// device, 9P to the other kind. The first byte picks the device; then each request has its length,
/// two bytes, before it. The length that the request itself tells is put right, mostly.
#include "devices/testing/fake_file_system.h"
#include "devices/testing/virtio_driver.h"
#include "devices/virtio/fs/virtio_fs.h"
#include "devices/virtio/p9/virtio_9p.h"

#include <algorithm>

namespace {

using namespace tandem;
using namespace tandem::devices;
using testing::VirtioDriver;

class Session {
public:
    Session(const Session &) = delete;
    explicit Session(bool is_fuse)
        : queue_(is_fuse ? 1 : 0), device_("virtio0", make(is_fuse), memory_, irq_.line()) {
        driver_.start(queue_ + 1);
        if (is_fuse) {
            struct {
                fuse_in_header header{};
                fuse_init_in init{};
            } request;
            request.header.len = sizeof(request);
            request.header.opcode = FUSE_INIT;
            request.init.major = 7;
            request.init.minor = 36;
            send(std::as_bytes(std::span(&request, 1)));
        } else {
            static constexpr unsigned char kVersion[] =
                "\x15\0\0\0\x64\0\0\0\x20\0\0\x08\09P2000.L";
            send(std::as_bytes(std::span(kVersion)).first(21));
        }
    }

    void send(std::span<const std::byte> request) {
        std::ranges::copy(request, memory_.bytes().begin() + VirtioDriver::kData);
        driver_.send(queue_, 0,
                     {{VirtioDriver::kData, static_cast<u32>(request.size()), false},
                      {VirtioDriver::kData + 0x4000, 0x1000, true}});
    }

private:
    std::unique_ptr<VirtioDevice> make(bool is_fuse) {
        files_.add_file("a", "content");
        if (is_fuse) return std::make_unique<VirtioFs>(files_, "share");
        return std::make_unique<Virtio9p>(files_, "share");
    }

    testing::FakeMemory memory_{0x20000};
    testing::FakeIrqSink irq_;
    testing::FakeFileSystem files_;
    u32 queue_;
    VirtioMmio device_;
    VirtioDriver driver_{device_, memory_};
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    if (size == 0) return 0;
    Session session((data[0] & 1) != 0);
    std::span<const u8> input(data + 1, size - 1);
    while (input.size() > 2) {
        const std::size_t wanted = (input[0] | input[1] << 8) & 0x3fff;
        input = input.subspan(2);
        std::vector<u8> request(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(
                                                                   std::min(wanted, input.size())));
        input = input.subspan(request.size());
        // Both protocols begin with the length.
        if (request.size() >= 4 && request[3] != 0xff) {
            const u32 length = static_cast<u32>(request.size());
            std::memcpy(request.data(), &length, sizeof(length));
        }
        session.send(std::as_bytes(std::span(request)));
    }
    return 0;
}
