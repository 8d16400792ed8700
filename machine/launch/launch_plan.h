#pragma once
/// Decides what `tandem run IMAGE` means: which options an image wants that nobody gave.
#include "machine/inspect/image_facts.h"

#include <set>
#include <string>
#include <vector>

namespace tandem::machine {

enum class SeedWish : u8 { Auto, Always, Never };

struct LaunchRequest {
    std::string image;
    std::set<std::string> given; ///< the names of the options that somebody gave: "--cpus"
    SeedWish seed = SeedWish::Auto;
    std::string host_name; ///< of the guest; empty: after the image
    std::string folder;    ///< for what is kept; empty: one that belongs to the image
};

/// One option, and why it is there.
struct Choice {
    enum class Place : u8 { Set, First, Last }; ///< First and Last: among the values of that option
    std::string option, value;
    Place place = Place::Set;
    std::string subject; ///< what it is about, in a word: "firmware"
    std::string reason;
};

struct SshAccess {
    u16 port = 0;
    std::string login;
    std::string identity; ///< the private key's path; empty: the user's own keys
    std::string known_hosts;
    bool server_is_missing = false; ///< the image is known to have none
};

struct SeedPlan {
    std::string path;
    std::string login;
    std::string host_name;
    std::string identity; ///< the key pair to be made, as for SshAccess
    std::vector<std::string> keys;
};

struct LaunchPlan {
    ImageFacts facts;
    std::string folder; ///< empty: nothing is kept
    std::vector<Choice> choices;
    std::optional<SshAccess> ssh;
    std::optional<SeedPlan> seed;
};

/// Looks at the image and chooses; changes nothing on the host.
[[nodiscard]] Result<LaunchPlan> plan_launch(const LaunchRequest &);
/// Makes what the choices refer to: the folder, the seed, the key.
[[nodiscard]] Result<> prepare_launch(const LaunchPlan &);

/// The command that logs in, as words for exec(3).
[[nodiscard]] std::vector<std::string> ssh_command(const SshAccess &);

} // namespace tandem::machine
