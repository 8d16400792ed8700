#include "app/launch_report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tandem::app {
namespace {

constexpr std::string_view kKeys =
    "Ctrl-A x quits, Ctrl-A p presses the power key, Ctrl-A h shows help";

std::vector<std::string> command_of(const std::vector<std::string> &arguments) {
    std::vector<std::string> words{"tandem", "run"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return words;
}

std::string heading(const machine::ImageFacts &facts) {
    std::string line = fmt::format("{} is {}", facts.path, facts.description);
    if (facts.system.has_value() && !facts.system->name.empty()) line += ": " + facts.system->name;
    return line;
}

std::string row(std::string_view subject, std::string_view text) {
    return fmt::format("  {:<10} {}\n", subject, text);
}

std::string login_rows(const machine::SshAccess &ssh) {
    std::string rows = row("log in", shell_line(machine::ssh_command(ssh)));
    if (ssh.server_is_missing)
        rows += row("", "once the guest has an ssh server, which the image has not");
    return rows;
}

} // namespace

std::string shell_line(const std::vector<std::string> &words) {
    static constexpr std::string_view kPlain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "0123456789_@%+=:,./-";
    std::string line;
    for (const std::string &word : words) {
        if (!line.empty()) line += ' ';
        if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) {
            line += word;
            continue;
        }
        line += '\'';
        for (const char c : word) line += c == '\'' ? std::string{"'\\''"} : std::string{c};
        line += '\'';
    }
    return line;
}

std::string plan_as_screen(const machine::LaunchPlan &plan, const machine::MachineConfig &config) {
    std::string screen = fmt::format("tandem: {}\n", heading(plan.facts));
    for (const machine::Choice &choice : plan.choices)
        screen += row(choice.subject, fmt::format("{} ({})", choice.value, choice.reason));
    if (plan.ssh.has_value()) screen += login_rows(*plan.ssh);
    if (config.serial.kind == machine::SerialConfig::Kind::Stdio) screen += row("keys", kKeys);
    return screen;
}

std::string plan_as_text(const machine::LaunchPlan &plan,
                         const std::vector<std::string> &arguments) {
    std::string text = heading(plan.facts) + "\n";
    for (const machine::Choice &choice : plan.choices)
        text += row(choice.subject,
                    fmt::format("{} {} ({})", choice.option, choice.value, choice.reason));
    if (plan.ssh.has_value()) text += login_rows(*plan.ssh);
    return text + "The same, said in full:\n  " + shell_line(command_of(arguments)) + "\n";
}

std::string plan_as_json(const machine::LaunchPlan &plan,
                         const std::vector<std::string> &arguments) {
    using nlohmann::json;
    const machine::ImageFacts &facts = plan.facts;
    json image{{"path", facts.path}, {"description", facts.description}};
    if (facts.kind == machine::FileKind::Disk) {
        image["format"] = machine::format_name(facts.format);
        image["virtual-size"] = facts.size;
        image["iso"] = facts.is_iso;
        image["boot-file"] = facts.boot_file;
    }
    if (facts.system.has_value())
        image["system"] = {{"name", facts.system->name},
                           {"user", facts.system->user},
                           {"cloud-init", facts.system->has_cloud_init},
                           {"ssh-server", facts.system->has_ssh_server}};
    json choices = json::array();
    for (const machine::Choice &choice : plan.choices)
        choices.push_back({{"option", choice.option},
                           {"value", choice.value},
                           {"subject", choice.subject},
                           {"reason", choice.reason}});
    json report{{"image", image}, {"choices", choices}, {"command", command_of(arguments)}};
    if (plan.ssh.has_value())
        report["ssh"] = {{"port", plan.ssh->port},
                         {"user", plan.ssh->login},
                         {"command", machine::ssh_command(*plan.ssh)}};
    // Names of files need not be UTF-8.
    return report.dump(4, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace tandem::app
