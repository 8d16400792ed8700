#include "machine/named/guest_agent.h"

#include "machine/host/unix_socket.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <thread>

namespace tandem::machine {
namespace {

using nlohmann::json;

/// An agent that one client is served by; what the function returns is what it says.
class FakeAgent {
public:
    explicit FakeAgent(std::function<std::string(const json &request)> answer)
        : answer_(std::move(answer)) {
        std::string pattern = ::testing::TempDir() + "agent-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        listener_ = std::move(*listen_at(path(), "test"));
        thread_ = std::thread([this] { serve(); });
    }
    ~FakeAgent() {
        thread_.join();
        std::filesystem::remove_all(folder_);
    }
    [[nodiscard]] std::string path() const { return folder_ + "/agent"; }

private:
    void serve() {
        pollfd input{listener_.get(), POLLIN, 0};
        if (::poll(&input, 1, 10'000) != 1) return;
        const ScopedFd client{::accept(listener_.get(), nullptr, nullptr)};
        std::string line;
        for (char byte = 0; ::recv(client.get(), &byte, 1, 0) == 1;) {
            if (byte == '\xff') {
                line.clear();
            } else if (byte != '\n') {
                line += byte;
            } else {
                const std::string text = answer_(json::parse(line));
                if (::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) return;
            }
        }
    }

    std::function<std::string(const json &)> answer_;
    std::string folder_;
    ScopedFd listener_;
    std::thread thread_;
};

std::string sync_answer(const json &request) {
    return "\xff" + json{{"return", request["arguments"]["id"]}}.dump() + "\n";
}

TEST(GuestAgent, ShutsDownWhereItAnswers) {
    std::vector<json> heard;
    {
        FakeAgent agent([&](const json &request) -> std::string {
            heard.push_back(request);
            if (request["execute"] != "guest-sync-delimited") return "";
            return "{\"return\": 1}\nnot even JSON\n" + sync_answer(request); // others' answers
        });
        EXPECT_TRUE(shut_down_by_agent(agent.path()));
    }
    ASSERT_EQ(heard.size(), 2u);
    EXPECT_EQ(heard[1]["execute"], "guest-shutdown");
    EXPECT_EQ(heard[1]["arguments"]["mode"], "powerdown");
}

TEST(GuestAgent, SaysWhenItDoesNot) {
    EXPECT_FALSE(shut_down_by_agent("/no/such/socket"));
    std::vector<json> heard;
    {
        FakeAgent silent([&](const json &request) -> std::string {
            heard.push_back(request);
            return "";
        });
        EXPECT_FALSE(shut_down_by_agent(silent.path()));
    }
    EXPECT_EQ(heard.size(), 1u) << "a guest that does not answer is asked for nothing";
    FakeAgent refuses([](const json &request) -> std::string {
        if (request["execute"] == "guest-sync-delimited") return sync_answer(request);
        return "{\"error\": {\"class\": \"GenericError\", \"desc\": \"has been disabled\"}}\n";
    });
    EXPECT_FALSE(shut_down_by_agent(refuses.path()));
}

} // namespace
} // namespace tandem::machine
