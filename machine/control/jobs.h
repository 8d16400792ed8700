#pragma once
/// QMP's background jobs (QEMU, qapi/job.json): work on a thread of its own that clients follow by
/// events, and dismiss when they have seen how it ended.
#include "support/result.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace tandem::machine {

class Jobs {
public:
    /// Any thread; returns at once.
    using Tell = std::function<void(const char *event, nlohmann::json data)>;
    explicit Jobs(Tell tell) : tell_(std::move(tell)) {}
    /// Waits for all.
    ~Jobs();
    Jobs(const Jobs &) = delete;
    Jobs &operator=(const Jobs &) = delete;

    /// What a job found out is added to what list() says of it.
    using Work = std::function<Result<nlohmann::json>()>;
    [[nodiscard]] Result<> start(const std::string &id, const char *type, Work work);
    /// As query-jobs has it.
    [[nodiscard]] nlohmann::json list() const;
    /// Fails unless the job has ended.
    [[nodiscard]] Result<> dismiss(const std::string &id);

private:
    struct Job {
        std::string id;
        const char *type;
        const char *status = "created";
        std::string error = {};
        nlohmann::json findings = nlohmann::json::object();
        std::thread thread = {};
    };

    void enter(Job &job, const char *status);
    void run(Job &job, const Work &work);

    Tell tell_;
    mutable std::mutex mutex_; ///< guards the list and what is in it
    std::list<Job> jobs_;
};

} // namespace tandem::machine
