#include "machine/control/qmp_session.h"

#include "machine/control/qmp_server.h"
#include "machine/debug/testing/fake_target.h"
#include "machine/host/unix_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <linux/input-event-codes.h>
#include <mutex>
#include <utility>

namespace tandem::machine {
namespace {

using nlohmann::json;

class FakeMachine final : public MachineControl {
public:
    RunState run_state() const override { return paused ? RunState::Paused : RunState::Running; }
    std::string machine_name() const override { return "fake"; }
    std::vector<int> cpu_threads() const override { return {11, 12}; }
    std::vector<ControlledDisk> disks() const override {
        return {{.name = "disk0", .path = "/a\xff", .format = "qcow2", .size = 4096}};
    }
    void pause() override { paused = true; }
    Result<> resume() override {
        paused = false;
        return {};
    }
    void press_power_key() override { ++presses; }
    void reset() override { ++resets; }
    void quit() override { ++quits; }
    DebugTarget &debug_target() override { return target; }
    Result<> serve_debugger(const std::optional<GdbAddress> &where) override {
        served = where;
        return {};
    }
    std::vector<ControlledSnapshot> snapshots() const override { return saved; }
    Result<SnapshotReport> save_snapshot(const std::string &tag, SameTag same) override {
        if (same == SameTag::Refuse && !saved.empty()) return failure(tag + ": there is one");
        saved = {{.tag = tag, .bytes = 4096}};
        return SnapshotReport{.bytes = 4096, .pause_ns = 7};
    }
    Result<> load_snapshot(const std::string &tag) override {
        if (saved.empty()) return failure(tag + ": no such snapshot");
        ++loads;
        return {};
    }
    Result<> delete_snapshot(const std::string &) override {
        saved.clear();
        return {};
    }

    Result<> add_disk(const BlockNode &node) override {
        nodes.push_back(node);
        return {};
    }
    Result<> remove_disk(const std::string &node) override {
        if (std::erase_if(nodes, [&](const auto &n) { return n.disk.node == node; }) == 0)
            return failure("Failed to find node with node-name='" + node + "'");
        return {};
    }
    Result<> add_net(const NetdevConfig &net) override {
        nets.push_back(net);
        return {};
    }
    Result<> remove_net(const std::string &id) override {
        std::erase_if(nets, [&](const auto &net) { return net.id == id; });
        return {};
    }
    Result<> add_forward(const std::string &netdev, const HostForward &forward) override {
        forwards.emplace_back(netdev, forward);
        return {};
    }
    Result<> remove_forward(const std::string &, const HostForward &) override {
        if (forwards.empty()) return failure("there is no such forward");
        forwards.pop_back();
        return {};
    }
    Result<> plug(const DeviceRequest &request) override {
        requests.push_back(request);
        plugged.push_back(request.device);
        return {};
    }
    Result<> unplug(const std::string &id) override {
        unplugged = id;
        return {};
    }
    std::vector<PluggedDevice> devices() const override { return plugged; }
    std::vector<devices::PciFunctionView> pci_functions() const override {
        return {{.name = "root", .vendor = 0x1b36, .class_code = 0x600},
                {.name = "port0",
                 .number = 31 << 3,
                 .interrupt_pin = 1,
                 .bars = {{.index = 0, .size = 4096}},
                 .bridge = {{1, 1, {{{{0x1000'0000, 0x100f'ffff}}, {}}}}}},
                {.name = "d",
                 .bus = 1,
                 .bars = {{.index = 4, .size = 16, .is_wide = true, .base = 32}}}};
    }
    std::optional<BalloonInfo> balloon() const override {
        if (kept == 0) return std::nullopt;
        return BalloonInfo{kept, {{"stat-free-memory", 5}}};
    }
    Result<> set_balloon(u64 bytes) override {
        kept = bytes;
        return {};
    }
    Result<> send_input(std::span<const InputAction> actions) override { return hub.send(actions); }
    Result<> press_keys(std::vector<u16> codes, u64 hold_ns) override {
        pressed.emplace_back(std::move(codes), hold_ns);
        return {};
    }
    std::vector<PointerInfo> pointers() const override { return hub.pointers(); }
    const Screen &screen() const override { return shown; }
    Result<> set_screen(u32 output, const devices::DisplayMode &mode) override {
        modes.emplace_back(output, mode);
        return {};
    }
    std::optional<devices::QuantityValues> sensors() const override { return world; }
    Result<> set_sensor(devices::Quantity quantity, const devices::QuantityValue &value) override {
        (*world)[quantity] = value;
        return {};
    }
    std::optional<devices::QuantityValues> world;
    std::optional<VncInfo> vnc() const override { return vnc_info; }
    Result<> set_vnc_password(const std::string &password) override {
        if (!vnc_info.has_value()) return failure("Could not set password");
        vnc_password = password;
        return {};
    }
    std::optional<VncInfo> vnc_info;
    std::string vnc_password;
    std::string link() const override { return link_settings; }
    Result<std::string> dump_recording() override {
        if (!records) return failure("record: no");
        return "run.tdr has it";
    }
    bool records = true;
    Result<> change_link(const std::string &settings) override {
        if (settings == "bad") return failure("bad: unknown");
        link_settings = settings;
        return {};
    }

    Result<> move(const std::string &where) override {
        moved_to = where;
        report.state = MoveState::Active;
        return {};
    }
    void cancel_move() override { report.state = MoveState::Cancelled; }
    MoveReport move_report() const override { return report; }
    MoveParameters move_parameters() const override { return parameters; }
    void set_move_parameters(const MoveParameters &wanted) override { parameters = wanted; }

    InputHub hub{std::array{devices::InputKind::Keyboard, devices::InputKind::Tablet,
                            devices::InputKind::Touch}};
    std::vector<std::pair<std::vector<u16>, u64>> pressed;
    Screen shown{2};
    std::vector<std::pair<u32, devices::DisplayMode>> modes;

    std::vector<BlockNode> nodes;
    std::vector<NetdevConfig> nets;
    std::vector<std::pair<std::string, HostForward>> forwards;
    std::vector<DeviceRequest> requests;
    std::vector<PluggedDevice> plugged;
    std::string unplugged;

    std::vector<ControlledSnapshot> saved;
    int loads = 0;
    u64 kept = 0;
    std::string link_settings;
    std::string moved_to;
    MoveReport report;
    MoveParameters parameters;

    testing::FakeTarget target;
    std::optional<GdbAddress> served;
    bool paused = false;
    int presses = 0, resets = 0, quits = 0;
};

class QmpSessionTest : public ::testing::Test {
protected:
    /// The messages since the last call.
    std::vector<json> take() {
        std::vector<json> messages;
        std::string output;
        output.swap(session.output);
        for (std::size_t end = 0; (end = output.find("\r\n")) != std::string::npos;) {
            messages.push_back(json::parse(output.substr(0, end)));
            output.erase(0, end + 2);
        }
        EXPECT_TRUE(output.empty());
        return messages;
    }
    json ask(std::string_view text) {
        session.receive(text);
        const auto messages = take();
        EXPECT_EQ(messages.size(), 1u) << text;
        return messages.empty() ? json{} : messages.front();
    }
    void negotiate() {
        take();
        EXPECT_EQ(ask(R"({"execute": "qmp_capabilities"})"), R"({"return": {}})"_json);
    }
    std::string monitor(const char *line) {
        return ask(json{{"execute", "human-monitor-command"},
                        {"arguments", {{"command-line", line}}}}
                       .dump())["return"]
            .get<std::string>();
    }
    static json error(const char *error_class, const char *description) {
        return {{"error", {{"class", error_class}, {"desc", description}}}};
    }

    FakeMachine machine;
    std::mutex told_mutex;
    std::condition_variable told_more;
    std::vector<json> told; ///< of jobs
    Jobs jobs{[this](const char *event, json data) {
        const std::lock_guard lock(told_mutex);
        told.push_back({{"event", event}, {"data", std::move(data)}});
        told_more.notify_all();
    }};
    QmpSession session{{machine, jobs}};
};

TEST_F(QmpSessionTest, GreetsAndNegotiates) {
    const auto greeting = take();
    ASSERT_EQ(greeting.size(), 1u);
    EXPECT_TRUE(greeting[0]["QMP"]["version"]["qemu"]["major"].is_number());
    EXPECT_EQ(greeting[0]["QMP"]["capabilities"], json::array());
    EXPECT_EQ(ask(R"({"execute": "query-status", "id": 7})")["error"]["class"], "CommandNotFound");
    session.notify({{"event", "STOP"}});
    EXPECT_TRUE(take().empty()) << "no events before";
    EXPECT_EQ(ask(R"({"execute":"qmp_capabilities","arguments":{"enable":["oob"]}})"),
              error("GenericError", "QMP capability not available"));
    EXPECT_EQ(ask(R"({"execute": "qmp_capabilities"})"), R"({"return": {}})"_json);
    EXPECT_EQ(ask(R"({"execute": "qmp_capabilities"})")["error"]["class"], "CommandNotFound");
    session.notify({{"event", "STOP"}});
    EXPECT_EQ(take().size(), 1u);
}

TEST_F(QmpSessionTest, BackEndsComeAndGo) {
    negotiate();
    const auto add = [this](json arguments) {
        return ask(json{{"execute", "blockdev-add"}, {"arguments", std::move(arguments)}}.dump());
    };
    const json nothing = R"({"return":{}})"_json;
    const json file{{"driver", "file"}, {"filename", "/a"}};
    EXPECT_EQ(add({{"driver", "qcow2"},
                   {"node-name", "a"},
                   {"file", file},
                   {"read-only", true},
                   {"cache", {{"direct", true}}}}),
              nothing);
    ASSERT_EQ(machine.nodes.size(), 1u);
    EXPECT_EQ(machine.nodes[0].disk.path, "/a");
    EXPECT_EQ(machine.nodes[0].disk.format, ImageFormat::Qcow2);
    EXPECT_TRUE(machine.nodes[0].disk.readonly);
    EXPECT_EQ(machine.nodes[0].disk.cache, CacheMode::None);
    EXPECT_EQ(add({{"driver", "file"}, {"node-name", "f"}, {"filename", "/f"}}), nothing);
    EXPECT_TRUE(machine.nodes[1].is_file);
    EXPECT_EQ(add({{"driver", "raw"}, {"node-name", "r"}, {"file", "f"}}), nothing);
    EXPECT_EQ(machine.nodes[2].over, "f");
    for (const json &bad :
         {json{{"driver", "raw"}, {"file", file}}, json{{"driver", "vdi"}, {"node-name", "x"}},
          json{{"driver", "raw"}, {"node-name", "x"}},
          json{{"driver", "raw"}, {"node-name", "x"}, {"file", 7}},
          json{{"driver", "raw"},
               {"node-name", "x"},
               {"file", {{"driver", "nbd"}, {"filename", "x"}}}},
          json{{"driver", "raw"}, {"node-name", "x"}, {"file", file}, {"colour", 1}}})
        EXPECT_TRUE(add(bad).contains("error")) << bad;
    EXPECT_EQ(ask(R"({"execute":"blockdev-del","arguments":{"node-name":"x"}})"),
              error("GenericError", "Failed to find node with node-name='x'"));

    EXPECT_EQ(ask(R"({"execute":"netdev_add","arguments":{"type":"user","id":"n",
                      "hostfwd":[{"str":"tcp::2222-:22"}]}})"),
              nothing);
    ASSERT_EQ(machine.nets.size(), 1u);
    EXPECT_EQ(machine.nets[0].net.forwards.at(0).port, 2222);
    for (const char *bad : {R"({"type":"tap","id":"n"})", R"({"type":"user"})",
                            R"({"type":"user","id":"n","hostfwd":[{"str":"x"}]})",
                            R"({"type":"user","id":"n","hostfwd":[7]})",
                            R"({"type":"user","id":"n","colour":"red"})"})
        EXPECT_TRUE(ask(std::string(R"({"execute":"netdev_add","arguments":)") + bad + "}")
                        .contains("error"))
            << bad;
}

TEST_F(QmpSessionTest, DevicesArePluggedAndUnplugged) {
    negotiate();
    const auto add = [this](const char *arguments) {
        return ask(std::string(R"({"execute":"device_add","arguments":)") + arguments + "}");
    };
    EXPECT_EQ(add(R"({"driver":"virtio-blk-pci","id":"d","drive":"a","serial":"S","bus":"port2"})"),
              R"({"return":{}})"_json);
    ASSERT_EQ(machine.requests.size(), 1u);
    EXPECT_EQ(machine.requests[0].device.backend, "a");
    EXPECT_EQ(machine.requests[0].port, 2u);
    EXPECT_EQ(machine.requests[0].serial, "S");
    add(R"({"driver":"virtio-net-pci","id":"c0","netdev":"n"})");
    add(R"({"driver":"virtio-net-pci","id":"c1","netdev":"m"})");
    ASSERT_EQ(machine.requests.size(), 3u);
    EXPECT_FALSE(machine.requests[1].port.has_value());
    EXPECT_NE(machine.requests[1].device.mac, machine.requests[2].device.mac);
    EXPECT_NE(machine.requests[1].device.mac, kDefaultMac);
    add(R"({"driver":"virtio-net-pci","id":"c2","netdev":"m","mac":"52:54:00:aA:bb:01"})");
    EXPECT_EQ(machine.requests.back().device.mac,
              (std::array<u8, 6>{0x52, 0x54, 0, 0xaa, 0xbb, 1}));
    for (const char *bad :
         {R"({"id":"x"})", R"({"driver":"e1000","id":"x"})", R"({"driver":"virtio-rng-pci"})",
          R"({"driver":"virtio-rng-pci","id":"x","bus":"port4"})",
          R"({"driver":"virtio-rng-pci","id":"x","bus":"port"})",
          R"({"driver":"virtio-rng-pci","id":"x","addr":1})",
          R"({"driver":"virtio-rng-pci","id":"x","drive":"a"})",
          R"({"driver":"virtio-net-pci","id":"x","netdev":"n","mac":"52:54:00:aa:bb"})",
          R"({"driver":"virtio-net-pci","id":"x","netdev":"n","mac":"52:54:00:aa-bb:cc"})",
          R"({"driver":"virtio-blk-pci","id":"x"})"})
        EXPECT_TRUE(add(bad).contains("error")) << bad;
    EXPECT_EQ(ask(R"({"execute":"device_del","arguments":{"id":"/machine/peripheral/d"}})"),
              R"({"return":{}})"_json);
    EXPECT_EQ(machine.unplugged, "d");
    EXPECT_EQ(ask(R"({"execute":"device_del","arguments":{"id":"x"}})"),
              error("DeviceNotFound", "Device 'x' not found"));
    EXPECT_EQ(ask(R"({"execute":"device_del","arguments":{"id":"port0"}})"),
              error("GenericError", "Bus 'pcie.0' does not support hotplugging"));

    const json pci = ask(R"({"execute":"query-pci"})")["return"][0]["devices"];
    ASSERT_EQ(pci.size(), 2u);
    EXPECT_EQ(pci[1]["slot"], 31);
    EXPECT_EQ(pci[1]["regions"][0]["address"], -1);
    EXPECT_EQ(pci[1]["pci_bridge"]["bus"]["memory_range"]["limit"], 0x100f'ffff);
    EXPECT_EQ(pci[1]["pci_bridge"]["devices"][0]["qdev_id"], "d");
    EXPECT_EQ(pci[1]["pci_bridge"]["devices"][0]["regions"][0]["address"], 32);
}

TEST_F(QmpSessionTest, PeoplePlugToo) {
    negotiate();
    EXPECT_EQ(monitor("drive_add 0 if=none,file=/a,,b,id=a,format=qcow2,readonly=on"), "");
    ASSERT_EQ(machine.nodes.size(), 1u);
    EXPECT_EQ(machine.nodes[0].disk.path, "/a,b");
    EXPECT_TRUE(machine.nodes[0].disk.readonly);
    EXPECT_NE(monitor("drive_add if=ide,file=/a,id=b"), "");
    EXPECT_NE(monitor("drive_add file=/a,id=b,colour=red"), "");
    EXPECT_EQ(monitor("device_add virtio-blk-pci,drive=a,id=d"), "");
    EXPECT_EQ(machine.requests.at(0).device.id, "d");
    EXPECT_EQ(monitor("device_del d"), "");
    EXPECT_EQ(machine.unplugged, "d");
    EXPECT_EQ(monitor("device_del x"), "Error: Device 'x' not found\r\n");
    EXPECT_EQ(monitor("drive_del a"), "");
    EXPECT_TRUE(machine.nodes.empty());
    EXPECT_EQ(monitor("netdev_add user,id=n,hostfwd=udp::53-:5353"), "");
    EXPECT_EQ(machine.nets.at(0).net.forwards.at(0).guest_port, 5353);
    EXPECT_EQ(monitor("netdev_add user"), "Error: Parameter 'id' is missing\r\n");
    EXPECT_EQ(monitor("netdev_del n"), "");
    EXPECT_EQ(monitor("hostfwd_add tcp:127.0.0.1:1-:2"), "");
    EXPECT_EQ(monitor("hostfwd_add n tcp::1-:2"), "");
    ASSERT_EQ(machine.forwards.size(), 2u);
    EXPECT_EQ(machine.forwards[0].first, "");
    EXPECT_EQ(machine.forwards[1].first, "n");
    EXPECT_NE(monitor("hostfwd_add n tcp:1"), "");
    EXPECT_EQ(monitor("hostfwd_remove n tcp::1"), "host forwarding rule for tcp::1 removed\r\n");
    EXPECT_NE(monitor("info pci").find("prefetchable memory at 0x00000020"), std::string::npos);
}

TEST_F(QmpSessionTest, CarriesCommandsOut) {
    negotiate();
    ask(R"({"execute":"stop"})");
    EXPECT_EQ(ask(R"({"execute":"query-status","id":{"a":[1]}})"),
              R"({"return":{"running":false,"status":"paused"},"id":{"a":[1]}})"_json);
    ask(R"({"execute":"cont"})");
    EXPECT_FALSE(machine.paused);
    ask(R"({"execute":"system_powerdown"})");
    ask(R"({"execute":"system_reset"})");
    ask(R"({"execute":"quit"})");
    EXPECT_EQ(machine.presses + machine.resets + machine.quits, 3);
    const json cpus = ask(R"({"execute":"query-cpus-fast"})")["return"];
    ASSERT_EQ(cpus.size(), 2u);
    EXPECT_EQ(cpus[1]["thread-id"], 12);
    EXPECT_EQ(ask(R"({"execute":"query-name"})")["return"]["name"], "fake");
    EXPECT_EQ(ask(R"({"execute":"query-block"})")["return"][0]["inserted"]["image"]["virtual-size"],
              4096);
}

TEST_F(QmpSessionTest, EveryListedCommandExists) {
    negotiate();
    const json names = ask(R"({"execute":"query-commands"})")["return"];
    EXPECT_GT(names.size(), 10u);
    for (const json &entry : names) {
        const json answer = ask(json{{"execute", entry["name"]}, {"arguments", {{"x", 1}}}}.dump());
        if (entry["name"] == "qmp_capabilities") continue;
        EXPECT_EQ(answer["error"]["class"], "GenericError") << entry;
    }
}

TEST_F(QmpSessionTest, SnapshotsAreJobs) {
    negotiate();
    // Returns how the job goes, up to its end.
    const auto run = [this](const char *command) {
        const json arguments{
            {"job-id", "j"}, {"tag", "t"}, {"vmstate", "disk0"}, {"devices", {"disk0"}}};
        EXPECT_EQ(ask(json{{"execute", command}, {"arguments", arguments}}.dump()),
                  R"({"return": {}})"_json);
        std::unique_lock lock(told_mutex);
        std::string states;
        told_more.wait(
            lock, [this] { return !told.empty() && told.back()["data"]["status"] == "concluded"; });
        for (const json &message : std::exchange(told, {})) {
            EXPECT_EQ(message["event"], "JOB_STATUS_CHANGE");
            EXPECT_EQ(message["data"]["id"], "j");
            states += message["data"]["status"].get<std::string>() + " ";
        }
        return states;
    };
    const auto dismiss = [this] {
        json jobs_there = ask(R"({"execute":"query-jobs"})")["return"];
        EXPECT_EQ(jobs_there.size(), 1u);
        EXPECT_EQ(ask(R"({"execute":"job-dismiss","arguments":{"id":"j"}})"),
                  R"({"return": {}})"_json);
        EXPECT_EQ(std::exchange(told, {}).back()["data"]["status"], "null");
        EXPECT_EQ(ask(R"({"execute":"query-jobs"})")["return"].size(), 0u);
        return jobs_there[0];
    };
    static constexpr const char *kSuccess = "created running waiting pending concluded ";
    static constexpr const char *kFailure = "created running aborting concluded ";
    EXPECT_EQ(run("snapshot-load"), kFailure);
    EXPECT_EQ(ask(R"({"execute":"snapshot-load","arguments":{"job-id":"j","tag":"t"}})"),
              error("GenericError", "Job ID 'j' already in use"));
    EXPECT_EQ(dismiss()["error"], "t: no such snapshot");
    EXPECT_EQ(run("snapshot-save"), kSuccess);
    const json saved = dismiss();
    EXPECT_EQ(saved["type"], "snapshot-save");
    EXPECT_EQ(saved["x-pause-ns"], 7);
    EXPECT_FALSE(saved.contains("error"));
    EXPECT_EQ(run("snapshot-save"), kFailure) << "there is one of that tag";
    dismiss();
    EXPECT_EQ(run("snapshot-load"), kSuccess);
    dismiss();
    EXPECT_EQ(machine.loads, 1);
    EXPECT_EQ(run("snapshot-delete"), kSuccess);
    dismiss();
    EXPECT_TRUE(machine.saved.empty());
    EXPECT_EQ(ask(R"({"execute":"job-dismiss","arguments":{"id":"j"}})"),
              error("GenericError", "Job not found"));
    EXPECT_EQ(
        ask(R"({"execute":"snapshot-save","arguments":{"job-id":"j","tag":"t","devices":["disk7"]}})"),
        error("GenericError", "No block device node 'disk7'"));
}

TEST_F(QmpSessionTest, TheMonitorSavesAndRestores) {
    negotiate();
    EXPECT_EQ(monitor("info snapshots"), "There is no snapshot available.\r\n");
    EXPECT_EQ(monitor("loadvm t"), "Error: t: no such snapshot\r\n");
    EXPECT_EQ(monitor("savevm t"), "");
    EXPECT_EQ(monitor("savevm  t"), "") << "in its place";
    EXPECT_NE(monitor("info snapshots").find("t "), std::string::npos);
    EXPECT_EQ(monitor("loadvm t"), "");
    EXPECT_EQ(machine.loads, 1);
    EXPECT_EQ(monitor("delvm t"), "");
    EXPECT_TRUE(machine.saved.empty());
    EXPECT_EQ(monitor("loadvm"), "loadvm: TAG is missing\r\n");
}

TEST_F(QmpSessionTest, StartsWatchesAndCancelsAMove) {
    negotiate();
    EXPECT_EQ(ask(R"({"execute":"query-migrate"})"), R"({"return": {}})"_json);
    ask(R"({"execute":"migrate-set-parameters","arguments":{"downtime-limit":7}})");
    ask(R"({"execute":"migrate-set-capabilities","arguments":{"capabilities":
        [{"capability":"auto-converge","state":false}]}})");
    EXPECT_EQ(machine.parameters.pause_ms, 7u);
    EXPECT_FALSE(machine.parameters.slows_guest);
    EXPECT_EQ(ask(R"({"execute":"migrate-set-parameters","arguments":{"downtime-limit":-1}})"),
              error("GenericError",
                    "Parameter 'downtime-limit' expects an integer in the range of 0 to 2000000"));
    EXPECT_EQ(ask(R"({"execute":"migrate","arguments":{"uri":"unix:/a"}})"),
              R"({"return": {}})"_json);
    EXPECT_EQ(machine.moved_to, "unix:/a");
    machine.report.remaining_bytes = 4096;
    const json report = ask(R"({"execute":"query-migrate"})")["return"];
    EXPECT_EQ(report["status"], "active");
    EXPECT_EQ(report["ram"]["remaining"], 4096);
    ask(R"({"execute":"migrate_cancel"})");
    EXPECT_EQ(ask(R"({"execute":"query-migrate"})")["return"]["status"], "cancelled");
}

TEST_F(QmpSessionTest, RefusesWhatIsWrong) {
    negotiate();
    const auto wrong = [this](std::string_view text, const char *description) {
        EXPECT_EQ(ask(text), error("GenericError", description)) << text;
    };
    wrong("[]", "QMP input must be a JSON object");
    wrong("17\n", "QMP input must be a JSON object");
    wrong("{}", "QMP input lacks member 'execute'");
    wrong(R"({"execute":1})", "QMP input member 'execute' must be a string");
    wrong(R"({"execute":"stop","arguments":[]})", "QMP input member 'arguments' must be an object");
    wrong(R"({"execute":"stop","more":1})", "QMP input member 'more' is unexpected");
    wrong(R"({"execute":"stop","arguments":{"x":1}})", "Parameter 'x' is unexpected");
    wrong(R"({"execute":"human-monitor-command"})", "Parameter 'command-line' is missing");
    wrong(R"({"execute":"human-monitor-command","arguments":{"command-line":1}})",
          "Invalid parameter type for 'command-line', expected: string");
    wrong("{nonsense}", "JSON parse error");
    wrong("nonsense\n", "JSON parse error");
    wrong("}", "JSON parse error");
    EXPECT_EQ(ask(R"({"execute":"explode"})"),
              error("CommandNotFound", "The command explode has not been found"));
    EXPECT_FALSE(machine.paused);
}

TEST_F(QmpSessionTest, TakesValuesInAnyPieces) {
    negotiate();
    const std::string text = R"({"execute":"query-name","id":"a}\"{"}{"execute":"query-name"}  )";
    for (const char c : text) session.receive({&c, 1});
    const auto answers = take();
    ASSERT_EQ(answers.size(), 2u);
    EXPECT_EQ(answers[0]["id"], "a}\"{");
}

TEST_F(QmpSessionTest, GivesUpWhatIsTooLarge) {
    negotiate();
    session.receive(std::string(2 * JsonSplitter::kMaxLength, 'x'));
    session.receive("\n" + std::string(JsonSplitter::kMaxDepth + 1, '[') + "\n");
    session.receive(R"({"execute":"query-name"})");
    const auto answers = take();
    ASSERT_EQ(answers.size(), 3u);
    EXPECT_TRUE(answers[0].contains("error"));
    EXPECT_TRUE(answers[1].contains("error"));
    EXPECT_TRUE(answers[2].contains("return"));
}

TEST_F(QmpSessionTest, MonitorForPeople) {
    negotiate();
    EXPECT_EQ(monitor(" info   status "), "VM status: running\r\n");
    EXPECT_EQ(monitor("stop"), "");
    EXPECT_TRUE(machine.paused);
    EXPECT_NE(monitor("help").find("system_reset"), std::string::npos);
    EXPECT_EQ(monitor("info sense"), "unknown command: 'info sense'\r\n");
    machine.target.values[0][1] = {0x1234, 0};
    EXPECT_NE(monitor("info registers").find("b = 0000000000001234"), std::string::npos);
    EXPECT_EQ(monitor("info registers").find("f = "), std::string::npos);
    EXPECT_NE(monitor("info registers -a").find("f = 00000000"), std::string::npos);
    EXPECT_EQ(monitor("info mtree"), "0000000000001000-0000000000003fff ram\r\n");
    machine.target.memory[4] = std::byte{0xfe};
    EXPECT_EQ(monitor("x/2xw 0x11000"), "0000000000011000: 0x00000000 0x000000fe\r\n");
    EXPECT_EQ(monitor("xp/1db 4100"), "0000000000001004: -2\r\n");
    EXPECT_EQ(monitor("xp /1xh 0x9000"), "0000000000009000: 0x0011\r\n");
    EXPECT_EQ(monitor("x/1xh 0x9000"), "0000000000009000: nothing can be read at 0x9000\r\n");
    EXPECT_EQ(monitor("gva2gpa 0x11000"), "gpa: 0x1000\r\n");
    EXPECT_TRUE(monitor("x").ends_with(" is missing\r\n"));
    for (const char *wrong : {"x/", "x/1q 0", "x/0 0", "x/9999999999999999999999 0", "xp/1xw zero"})
        EXPECT_TRUE(monitor(wrong).starts_with("not /COUNT")) << wrong;
    EXPECT_EQ(monitor("gdbserver"), "Waiting for gdb connection on device 'tcp::1234'\r\n");
    EXPECT_EQ(machine.served, (GdbAddress{"127.0.0.1", 1234, ""}));
    EXPECT_EQ(monitor("gdbserver none"), "Disabled gdbserver\r\n");
    EXPECT_FALSE(machine.served.has_value());
    EXPECT_TRUE(monitor("gdbserver 7").starts_with("gdbserver 7: no port"));
}

TEST(QmpServer, ServesAndSaysFarewell) {
    const std::string path = ::testing::TempDir() + "qmp-" + std::to_string(::getpid());
    FakeMachine machine;
    const auto ask = [](int fd, std::string_view text) {
        if (!text.empty()) {
            EXPECT_GT(::send(fd, text.data(), text.size(), MSG_NOSIGNAL), 0);
        }
        std::string answer(4096, '\0');
        const ssize_t got = ::recv(fd, answer.data(), answer.size(), 0);
        answer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return answer;
    };
    ScopedFd first, second;
    {
        const auto server = QmpServer::create(path, machine);
        ASSERT_TRUE(server.has_value());
        const auto again = QmpServer::create(path, machine);
        ASSERT_FALSE(again.has_value());
        EXPECT_NE(again.error().message.find("in use"), std::string::npos);
        first = connect_to(path);
        second = connect_to(path);
        for (const ScopedFd *client : {&first, &second}) {
            EXPECT_NE(ask(client->get(), "").find("QMP"), std::string::npos);
            EXPECT_NE(ask(client->get(), R"({"execute":"qmp_capabilities"})").find("return"),
                      std::string::npos);
        }
        (*server)->machine_event(MachineEvent::Shutdown, EventCause::GuestShutdown);
    }
    for (const ScopedFd *client : {&first, &second}) {
        const json event = json::parse(ask(client->get(), ""), nullptr, false);
        ASSERT_FALSE(event.is_discarded());
        EXPECT_EQ(event["event"], "SHUTDOWN");
        EXPECT_EQ(event["data"], R"({"guest":true,"reason":"guest-shutdown"})"_json);
    }
    EXPECT_FALSE(std::filesystem::exists(path));
    std::ofstream(path) << "a file";
    EXPECT_FALSE(QmpServer::create(path, machine).has_value());
    EXPECT_TRUE(std::filesystem::exists(path)) << "it is not ours to remove";
    std::filesystem::remove(path);
}

TEST_F(QmpSessionTest, Input) {
    negotiate();
    const auto next = [&](std::size_t device) {
        devices::InputReport report;
        return machine.hub.device(device).receive(report) ? report.size() : 0;
    };
    const auto send = [&](const std::string &events) {
        return ask(R"({"execute": "input-send-event", "arguments": {"events": [)" + events + "]}}");
    };
    EXPECT_TRUE(
        send(R"({"type": "key", "data": {"down": true, "key": {"type": "qcode", "data": "a"}}},
                        {"type": "key", "data": {"down": false, "key": {"type": "number", "data": 30}}},
                        {"type": "abs", "data": {"axis": "x", "value": 5}},
                        {"type": "btn", "data": {"button": "left", "down": true}},
                        {"type": "mtt", "data": {"type": "begin", "slot": 0, "tracking-id": 3, "axis": "x", "value": 0}},
                        {"type": "mtt", "data": {"type": "data", "slot": 0, "tracking-id": 3, "axis": "y", "value": 9}})")
            .contains("return"));
    EXPECT_EQ(next(0), 3u);
    EXPECT_EQ(next(1), 3u);
    EXPECT_EQ(next(2), 7u);
    for (const char *bad :
         {R"({"type": "key", "data": {"down": true, "key": {"type": "qcode", "data": "any"}}})",
          R"({"type": "key", "data": {"down": 1, "key": {"type": "qcode", "data": "a"}}})",
          R"({"type": "key", "data": {"down": true, "key": "a"}})", R"({"type": "key"})", R"(7)",
          R"({"type": "abs", "data": {"axis": "z", "value": 5}})",
          R"({"type": "abs", "data": {"axis": "x", "value": -1}})",
          R"({"type": "abs", "data": {"axis": "x", "value": 18446744073709551615}})",
          R"({"type": "rel", "data": {"axis": "x", "value": 5}})",
          R"({"type": "btn", "data": {"button": "nose", "down": true}})",
          R"({"type": "mtt", "data": {"type": "begin", "slot": 10, "tracking-id": 1}})",
          R"({"type": "mtt", "data": {"type": "begin", "slot": 1}})"})
        EXPECT_TRUE(send(bad).contains("error")) << bad;
    EXPECT_EQ(next(0) + next(1) + next(2), 0u);
    EXPECT_EQ(ask(R"({"execute": "input-send-event", "arguments": {"device": "d", "events": []}})")
                  ["error"]["class"],
              "DeviceNotFound");
    const auto keys = [&](const std::string &rest) {
        return ask(R"({"execute": "send-key", "arguments": {"keys": )" + rest + "}}");
    };
    EXPECT_TRUE(keys(R"([{"type": "qcode", "data": "ctrl"}, {"type": "qcode", "data": "c"}],
                        "hold-time": 20)")
                    .contains("return"));
    ASSERT_EQ(machine.pressed.size(), 1u);
    EXPECT_EQ(machine.pressed[0].first, (std::vector<u16>{KEY_LEFTCTRL, KEY_C}));
    EXPECT_EQ(machine.pressed[0].second, 20'000'000u);
    EXPECT_TRUE(keys(R"([{"type": "qcode", "data": "c"}], "hold-time": -1)").contains("error"));
    EXPECT_TRUE(keys(R"(["c"])").contains("error"));
    EXPECT_EQ(monitor("sendkey alt-0x1c 5"), "");
    ASSERT_EQ(machine.pressed.size(), 2u);
    EXPECT_EQ(machine.pressed[1].first, (std::vector<u16>{KEY_LEFTALT, KEY_ENTER}));
    EXPECT_TRUE(monitor("sendkey alt-any").starts_with("Error: "));
    EXPECT_NE(monitor("sendkey"), "");
    EXPECT_TRUE(monitor("sendkey a soon").starts_with("Error: "));
    const json mice = ask(R"({"execute": "query-mice"})")["return"];
    ASSERT_EQ(mice.size(), 2u);
    EXPECT_EQ(mice[0]["current"], true);
    EXPECT_EQ(mice[0]["absolute"], true);
    EXPECT_EQ(monitor("info mice"), "* Mouse #1: Tandem Virtio Tablet (absolute)\r\n"
                                    "  Mouse #2: Tandem Virtio MultiTouch (absolute)\r\n");
}

TEST_F(QmpSessionTest, SensorsMeasureWhatTheyAreTold) {
    negotiate();
    const auto set = [this](const std::string &arguments) {
        return ask(R"({"execute": "x-set-sensor", "arguments": {)" + arguments + "}}");
    };
    const auto error = [](const json &answer) { return answer["error"].value("desc", ""); };
    EXPECT_EQ(ask(R"({"execute": "x-query-sensors"})")["error"].value("class", ""),
              "DeviceNotActive");
    EXPECT_NE(error(set(R"("sensor": "light", "values": [1])")).find("--sensors"),
              std::string::npos);
    machine.world.emplace();
    EXPECT_TRUE(set(R"("sensor": "acceleration", "values": [0, -9.81, 1])").contains("return"));
    const json sensors = ask(R"({"execute": "x-query-sensors"})")["return"];
    EXPECT_EQ(sensors.size(), std::size(devices::kQuantities));
    EXPECT_EQ(
        sensors[0],
        json::parse(R"({"sensor": "acceleration", "unit": "m/s2", "values": [0, -9.81, 1]})"));
    EXPECT_NE(error(set(R"("sensor": "light", "values": ["x"])")).find("numbers"),
              std::string::npos);
    for (const auto *bad :
         {R"("sensor": "speed", "values": [1])", R"("sensor": "light", "values": [])",
          R"("sensor": "light", "values": [-1])", R"("sensor": "light")",
          R"("sensor": "light", "values": [1, 2])"})
        EXPECT_TRUE(set(bad).contains("error")) << bad;
}

TEST_F(QmpSessionTest, Screens) {
    negotiate();
    const std::string path =
        (std::filesystem::temp_directory_path() / ("screendump-" + std::to_string(::getpid())))
            .string();
    const auto dump = [&](const std::string &more) {
        return ask(R"({"execute": "screendump", "arguments": {"filename": ")" + path + "\"" + more +
                   "}}");
    };
    EXPECT_TRUE(dump("").contains("error")) << "nothing is shown";
    EXPECT_FALSE(std::filesystem::exists(path));
    machine.shown.show(1, 2, 1);
    EXPECT_TRUE(dump(R"(, "head": 1)").contains("return"));
    EXPECT_EQ(std::filesystem::file_size(path), 11u + 6);
    EXPECT_TRUE(dump(R"(, "head": 1, "format": "png")").contains("return"));
    EXPECT_GT(std::filesystem::file_size(path), 40u);
    std::filesystem::remove(path);
    for (const char *bad : {R"(, "head": 2)", R"(, "head": -1)", R"(, "format": "gif")"})
        EXPECT_TRUE(dump(bad).contains("error")) << bad;
    EXPECT_EQ(dump(R"(, "device": "d")")["error"]["class"], "DeviceNotFound");
    const json screens = ask(R"({"execute": "x-query-screens"})")["return"];
    ASSERT_EQ(screens.size(), 2u);
    EXPECT_EQ(screens[1]["width"], 2);
    EXPECT_NE(screens[0]["hash"], screens[1]["hash"]);
    EXPECT_TRUE(
        ask(R"({"execute": "x-set-screen", "arguments": {"head": 1, "size": "640x480@120"}})")
            .contains("return"));
    ASSERT_EQ(machine.modes.size(), 1u);
    EXPECT_EQ(machine.modes[0].second, (devices::DisplayMode{640, 480, 120}));
    EXPECT_TRUE(
        ask(R"({"execute": "x-set-screen", "arguments": {"size": "1x1"}})").contains("error"));
}

TEST_F(QmpSessionTest, Vnc) {
    negotiate();
    const auto set = [&](const std::string &command, const std::string &arguments) {
        return ask(R"({"execute": ")" + command + R"(", "arguments": {)" + arguments + "}}");
    };
    EXPECT_EQ(ask(R"({"execute": "query-vnc"})")["return"], R"({"enabled": false})"_json);
    EXPECT_EQ(set("change-vnc-password", R"("password": "a")")["error"]["desc"],
              "Could not set password");
    machine.vnc_info = {.server = {"127.0.0.1", "5901", "ipv4"},
                        .has_password = true,
                        .clients = {{"::1", "4711", "ipv6"}}};
    EXPECT_EQ(ask(R"({"execute": "query-vnc"})")["return"],
              R"({"enabled": true, "host": "127.0.0.1", "service": "5901", "family": "ipv4",
                  "auth": "vnc", "clients": [{"host": "::1", "service": "4711", "family": "ipv6",
                                              "websocket": false}]})"_json);
    EXPECT_TRUE(set("change-vnc-password", R"("password": "a")").contains("return"));
    EXPECT_EQ(machine.vnc_password, "a");
    EXPECT_TRUE(set("set_password", R"("protocol": "vnc", "password": "b")").contains("return"));
    EXPECT_EQ(machine.vnc_password, "b");
    EXPECT_TRUE(set("set_password", R"("protocol": "spice", "password": "c")").contains("error"));
    EXPECT_TRUE(set("set_password", R"("protocol": "vnc", "password": "c", "connected": "fail")")
                    .contains("error"));
    EXPECT_EQ(machine.vnc_password, "b");
}

TEST_F(QmpSessionTest, BalloonAndLink) {
    negotiate();
    EXPECT_EQ(ask(R"({"execute": "query-balloon"})")["error"]["class"], "DeviceNotActive");
    EXPECT_EQ(ask(R"({"execute": "balloon", "arguments": {"value": 4096}})")["error"]["class"],
              "DeviceNotActive");
    EXPECT_EQ(monitor("info balloon"), "Error: No balloon device has been activated\r\n");
    machine.kept = 1 << 20;
    EXPECT_EQ(ask(R"({"execute": "query-balloon"})")["return"],
              R"({"actual": 1048576, "x-stats": {"stat-free-memory": 5}})"_json);
    EXPECT_TRUE(ask(R"({"execute": "balloon", "arguments": {"value": 0}})").contains("error"));
    EXPECT_TRUE(
        ask(R"({"execute": "balloon", "arguments": {"value": 2097152}})").contains("return"));
    EXPECT_EQ(monitor("info balloon"), "balloon: actual=2 stat-free-memory=5\r\n");
    EXPECT_EQ(monitor("balloon 3"), "");
    EXPECT_EQ(machine.kept, 3u << 20);
    EXPECT_EQ(monitor("balloon much"), "Error: balloon expects MiB\r\n");
    EXPECT_EQ(monitor("info link"), "not shaped\r\n");
    EXPECT_EQ(monitor("link latency=5"), "");
    EXPECT_EQ(ask(R"({"execute": "x-query-link"})")["return"], R"({"settings": "latency=5"})"_json);
    EXPECT_TRUE(
        ask(R"({"execute": "x-set-link", "arguments": {"settings": "bad"}})").contains("error"));
    EXPECT_EQ(ask(R"({"execute": "x-record-dump"})")["return"],
              R"({"text": "run.tdr has it"})"_json);
    EXPECT_EQ(monitor("record_dump"), "run.tdr has it\r\n");
    machine.records = false;
    EXPECT_TRUE(ask(R"({"execute": "x-record-dump"})").contains("error"));
    EXPECT_EQ(monitor("record_dump"), "Error: record: no\r\n");
}

} // namespace
} // namespace tandem::machine
