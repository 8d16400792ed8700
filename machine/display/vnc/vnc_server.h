#pragma once
/// Lets VNC clients in, each of which gets a VncSession.
#include "machine/display/vnc/vnc_screens.h"
#include "machine/display/vnc/vnc_session.h"
#include "machine/display/vnc_service.h"

#include <list>
#include <memory>
#include <mutex>
#include <thread>

namespace tandem::machine {

class VncServer final : public VncService {
public:
    [[nodiscard]] static Result<std::unique_ptr<VncService>> create(VncStart,
                                                                    const DisplayWiring &);
    ~VncServer() override;

    [[nodiscard]] VncInfo info() const override;
    void set_password(const std::string &) override;

private:
    static constexpr std::size_t kMaxSessions = 64;

    VncServer(VncStart, const DisplayWiring &, ScopedFd wake);
    void run();
    void accept_client();
    /// Of those that have not been let in, the one that has tried longest goes.
    [[nodiscard]] bool make_room();

    const DisplayWiring wiring_;
    ScopedFd listener_, wake_;
    VncScreens screens_{kMaxSessions};
    mutable std::mutex mutex_; ///< guards what follows
    std::string password_;
    bool stops_ = false;
    VncSession::Server common_;
    std::list<std::unique_ptr<VncSession>> sessions_; ///< the oldest first
    std::thread thread_;
};

} // namespace tandem::machine
