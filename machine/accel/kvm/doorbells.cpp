#include "machine/accel/kvm/doorbells.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>

namespace tandem::machine {

Result<std::unique_ptr<Doorbells>> Doorbells::create(KvmVm &vm) {
    ScopedFd poll{::epoll_create1(EPOLL_CLOEXEC)}, stop{::eventfd(0, EFD_CLOEXEC)};
    epoll_event event{};
    event.events = EPOLLIN;
    if (!poll.is_open() || !stop.is_open() ||
        ::epoll_ctl(poll.get(), EPOLL_CTL_ADD, stop.get(), &event) != 0)
        return kvm_failure("no doorbells", errno);
    return std::unique_ptr<Doorbells>{new Doorbells(vm, std::move(poll), std::move(stop))};
}

Doorbells::~Doorbells() {
    if (!thread_.joinable()) return;
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
}

Result<> Doorbells::add(devices::MmioDevice &device, u64 base, u32 offset, u32 value) {
    auto bell = std::make_unique<Bell>(
        Bell{ScopedFd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)}, &device, offset, value});
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = bell.get();
    if (!bell->event.is_open() ||
        ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, bell->event.get(), &event) != 0)
        return kvm_failure("no doorbells", errno);
    TRY(vm_.ring(bell->event.get(), base + offset, value));
    bells_.push_back(std::move(bell));
    return {};
}

void Doorbells::start() {
    thread_ = std::thread([this] { run(); });
}

void Doorbells::run() {
    std::array<epoll_event, 16> events;
    for (;;) {
        const int count =
            ::epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            const auto *bell = static_cast<const Bell *>(events[static_cast<u32>(i)].data.ptr);
            if (bell == nullptr) return;
            eventfd_t rings = 0;
            ::eventfd_read(bell->event.get(), &rings);
            static_cast<void>(bell->device->write(bell->offset, 2, bell->value));
        }
    }
}

} // namespace tandem::machine
