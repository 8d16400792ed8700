#include "machine/control/jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace tandem::machine {

using nlohmann::json;

Jobs::~Jobs() {
    for (Job &job : jobs_) job.thread.join();
}

void Jobs::enter(Job &job, const char *status) {
    {
        const std::lock_guard lock(mutex_);
        job.status = status;
    }
    tell_("JOB_STATUS_CHANGE", {{"id", job.id}, {"status", status}});
}

void Jobs::run(Job &job, const Work &work) {
    enter(job, "running");
    Result<json> result = work();
    if (result.has_value()) {
        enter(job, "waiting");
        enter(job, "pending");
    } else {
        enter(job, "aborting");
    }
    {
        const std::lock_guard lock(mutex_);
        if (result.has_value())
            job.findings = std::move(*result);
        else
            job.error = std::move(result.error().message);
    }
    enter(job, "concluded");
}

Result<> Jobs::start(const std::string &id, const char *type, Work work) {
    Job *job = nullptr;
    {
        const std::lock_guard lock(mutex_);
        if (std::ranges::find(jobs_, id, &Job::id) != jobs_.end())
            return failure(fmt::format("Job ID '{}' already in use", id));
        job = &jobs_.emplace_back(Job{.id = id, .type = type});
    }
    enter(*job, job->status);
    job->thread = std::thread([this, job, work = std::move(work)] { run(*job, work); });
    return {};
}

json Jobs::list() const {
    const std::lock_guard lock(mutex_);
    json list = json::array();
    for (const Job &job : jobs_) {
        const bool is_over = std::string_view(job.status) == "concluded";
        json entry{{"id", job.id},
                   {"type", job.type},
                   {"status", job.status},
                   {"current-progress", is_over ? 1 : 0},
                   {"total-progress", 1}};
        if (!job.error.empty()) entry["error"] = job.error;
        entry.update(job.findings);
        list.push_back(std::move(entry));
    }
    return list;
}

Result<> Jobs::dismiss(const std::string &id) {
    std::list<Job> dismissed;
    {
        const std::lock_guard lock(mutex_);
        const auto job = std::ranges::find(jobs_, id, &Job::id);
        if (job == jobs_.end()) return failure("Job not found");
        if (std::string_view(job->status) != "concluded")
            return failure(fmt::format(
                "Job '{}' in state '{}' cannot accept command verb 'dismiss'", id, job->status));
        dismissed.splice(dismissed.begin(), jobs_, job);
    }
    dismissed.front().thread.join();
    tell_("JOB_STATUS_CHANGE", {{"id", id}, {"status", "null"}});
    return {};
}

} // namespace tandem::machine
