#include "app/option_values.h"

#include <gtest/gtest.h>

namespace tandem::app {
namespace {

using Kind = machine::SerialConfig::Kind;

TEST(OptionValues, Sizes) {
    EXPECT_EQ(parse_size("2G").value(), u64{2} << 30);
    EXPECT_EQ(parse_size("512M").value(), u64{512} << 20);
    EXPECT_EQ(parse_size("512MiB").value(), u64{512} << 20);
    EXPECT_EQ(parse_size("4096").value(), u64{4096} << 20);
    EXPECT_EQ(parse_size("0").value(), 0u);
    for (const char *bad : {"", "G", "-1", "1.5G", "1GB", "99999999999999999999", "99999999T"})
        EXPECT_FALSE(parse_size(bad).has_value()) << bad;
}

TEST(OptionValues, Disks) {
    const auto disk = parse_disk("a,b.img,snapshot,format=raw").value();
    EXPECT_EQ(disk.path, "a,b.img");
    EXPECT_TRUE(disk.snapshot);
    EXPECT_FALSE(disk.readonly);
    EXPECT_TRUE(parse_disk("x,readonly")->readonly);
    EXPECT_EQ(disk.bus, machine::DiskBus::Pci);
    EXPECT_EQ(parse_disk("x,bus=mmio")->bus, machine::DiskBus::Mmio);
    EXPECT_FALSE(parse_disk("x,bus=usb").has_value());
    EXPECT_EQ(parse_disk("x,bus=scsi")->bus, machine::DiskBus::Scsi);
    const auto cdrom = parse_disk("x.iso,media=cdrom").value();
    EXPECT_TRUE(cdrom.is_cdrom && cdrom.readonly);
    EXPECT_EQ(cdrom.bus, machine::DiskBus::Scsi);
    EXPECT_FALSE(parse_disk("x.iso,media=cdrom,bus=pci").has_value());
    EXPECT_FALSE(parse_disk("x.iso,media=tape").has_value());
    EXPECT_EQ(parse_disk("x,format=qcow2,cache=none")->format, machine::ImageFormat::Qcow2);
    EXPECT_EQ(parse_disk("x,cache=none")->cache, machine::CacheMode::None);
    EXPECT_FALSE(parse_disk("x,format=zip").has_value());
    EXPECT_FALSE(parse_disk(",snapshot").has_value());
}

TEST(OptionValues, Shares) {
    using Protocol = machine::ShareConfig::Protocol;
    const auto plain = parse_share("/srv/a,b").value();
    EXPECT_EQ(plain.path, "/srv/a,b");
    EXPECT_EQ(plain.tag, "share");
    EXPECT_FALSE(plain.readonly);
    EXPECT_EQ(plain.protocol, Protocol::VirtioFs);
    const auto full = parse_share("../x:y:home,readonly,type=9p").value();
    EXPECT_EQ(full.path, "../x:y");
    EXPECT_EQ(full.tag, "home");
    EXPECT_TRUE(full.readonly);
    EXPECT_EQ(full.protocol, Protocol::NineP);
    EXPECT_EQ(parse_share("/a:b/c")->path, "/a:b/c");
    for (const char *bad : {"", ":tag", "/a:", ",readonly", "/a,type=nfs"})
        EXPECT_FALSE(parse_share(bad).has_value()) << bad;
}

TEST(OptionValues, Serials) {
    EXPECT_EQ(parse_serial("--serial", "pty")->kind, Kind::Pty);
    EXPECT_EQ(parse_serial("--serial", "file:/tmp/x")->path, "/tmp/x");
    const auto tcp = parse_serial("--serial", "tcp:[::1]:4444").value();
    EXPECT_EQ(tcp.address, "::1");
    EXPECT_EQ(tcp.port, 4444);
    EXPECT_EQ(parse_serial("--serial", "tcp::80")->address, "");
    for (const char *bad : {"", "file:", "tcp:host", "tcp:host:99999", "vc"})
        EXPECT_FALSE(parse_serial("--serial", bad).has_value()) << bad;
}

TEST(OptionValues, Networks) {
    EXPECT_EQ(parse_net("none")->kind, machine::NetConfig::Kind::None);
    const auto net = parse_net("user,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp::53-:5353").value();
    EXPECT_EQ(net.kind, machine::NetConfig::Kind::User);
    ASSERT_EQ(net.forwards.size(), 2u);
    EXPECT_EQ(net.forwards[0].address, "127.0.0.1");
    EXPECT_EQ(net.forwards[0].port, 2222);
    EXPECT_EQ(net.forwards[0].guest_port, 22);
    EXPECT_EQ(net.forwards[1].address, "");
    EXPECT_EQ(net.forwards[1].protocol, machine::HostForward::Protocol::Udp);
    const auto boot = parse_net("user,tftp=/srv/net boot,bootfile=grub/core.efi,loss=1").value();
    EXPECT_EQ(boot.tftp, "/srv/net boot");
    EXPECT_EQ(boot.bootfile, "grub/core.efi");
    EXPECT_EQ(parse_net("user")->queues, 1u);
    EXPECT_EQ(parse_net("user,queues=4")->queues, 4u);
    EXPECT_EQ(parse_net("tap,ifname=tap7,mac=52:54:00:aa:bb:cc")->where, "tap7");
    EXPECT_EQ(parse_net("user,mac=52:54:00:aa:bb:cc")->mac[5], 0xcc);
    EXPECT_EQ(parse_net("stream,path=/run/n.sock,latency=5")->where, "/run/n.sock");
    EXPECT_EQ(parse_net("passt,hostfwd=tcp::1-:2")->forwards.size(), 1u);
    for (const char *bad : {"tap,ifname=", "tap,ifname=sixteen_letters__", "tap,hostfwd=tcp::1-:2",
                            "stream", "stream,path=", "passt,tftp=/srv", "user,ifname=a",
                            "user,mac=52:54", "user,mac=53:54:00:aa:bb:cc", "none,mac=x"})
        EXPECT_FALSE(parse_net(bad).has_value()) << bad;
    for (const char *bad : {"", "tap0", "none,x", "user,queues=", "user,queues=many", "user,x",
                            "user,hostfwd=tcp:1-:2", "user,tftp=", "user,tftp", "user,bootfile=",
                            "none,tftp=/", "user,hostfwd=tcp::1-:0", "user,hostfwd=icmp::1-:1",
                            "user,hostfwd=tcp::70000-:1", "user,hostfwd=-:", "user,hostfwd="})
        EXPECT_FALSE(parse_net(bad).has_value()) << bad;
}

TEST(OptionValues, Cpus) {
    machine::MachineConfig config;
    ASSERT_TRUE(parse_cpu("max,pauth=qarma5", config).has_value());
    EXPECT_EQ(config.cpu_model, "max");
    EXPECT_TRUE(config.architected_pauth);
    ASSERT_TRUE(parse_cpu("neoverse-n1", config).has_value());
    EXPECT_EQ(config.cpu_model, "neoverse-n1");
    EXPECT_FALSE(config.architected_pauth);
    EXPECT_FALSE(parse_cpu("max,pauth=qarma9", config).has_value());
    EXPECT_FALSE(parse_cpu("max,", config).has_value());
}

TEST(OptionValues, NumbersAndTimes) {
    EXPECT_EQ(parse_count("--cpus", "64").value(), 64u);
    EXPECT_FALSE(parse_count("--cpus", "two").has_value());
    EXPECT_FALSE(parse_count("--cpus", "-1").has_value());
    EXPECT_EQ(parse_seconds("--timeout", "1.5").value(), 1'500'000'000u);
    for (const char *bad : {"", "0", "-1", "nan", "inf", "1s"})
        EXPECT_FALSE(parse_seconds("--timeout", bad).has_value()) << bad;
}

TEST(OptionValues, Rings) {
    machine::MachineConfig config;
    DeterministicTexts texts;
    texts.record = "f";
    texts.record_ring = "1.5s";
    texts.record_when = "oops";
    ASSERT_TRUE(parse_deterministic(texts, config).has_value());
    EXPECT_EQ(config.deterministic->ring->time_ns, 1'500'000'000u);
    EXPECT_EQ(config.deterministic->ring->bytes, 0u);
    EXPECT_EQ(config.deterministic->ring->text, "oops");
    for (const char *size : {"64M", "65536K"}) {
        texts.record_ring = size;
        ASSERT_TRUE(parse_deterministic(texts, config).has_value());
        EXPECT_EQ(config.deterministic->ring->bytes, u64{64} << 20);
    }
    for (const char *bad : {"0", "-1s", "s", "M", "long"}) {
        texts.record_ring = bad;
        EXPECT_FALSE(parse_deterministic(texts, config).has_value()) << bad;
    }
    texts.record_ring = "";
    EXPECT_FALSE(parse_deterministic(texts, config).has_value());
    texts = {};
    texts.record_ring = "5s";
    EXPECT_FALSE(parse_deterministic(texts, config).has_value());
}

TEST(OptionValues, StopPoints) {
    EXPECT_EQ(parse_stop_point("--until", "1.5s")->moment, 1'500'000'000u);
    EXPECT_EQ(parse_stop_point("--until", "1500")->moment, 1500u);
    EXPECT_EQ(parse_stop_point("--until", "count:42")->position, 42u);
    EXPECT_EQ(parse_stop_point("--until", "text:login: ")->text, "login: ");
    EXPECT_EQ(parse_stop_point("--until", "text:7")->moment, machine::replay::StopPoint::kNever);
    for (const char *bad :
         {"", "0", "-1", "1.5", "s", "count:", "count:0", "count:1s", "text:", "x"})
        EXPECT_FALSE(parse_stop_point("--until", bad).has_value()) << bad;
}

TEST(OptionValues, PortsByName) {
    machine::MachineConfig config;
    config.ports = {{"a", {.kind = Kind::None}}, {"b", {.kind = Kind::None}}};
    ASSERT_TRUE(parse_ports({"b=pty", "c=pty"}, "unix:/tmp/agent", config).has_value());
    ASSERT_EQ(config.ports.size(), 4u);
    EXPECT_EQ(config.ports[0].line.kind, Kind::None);
    EXPECT_EQ(config.ports[1].line.kind, Kind::Pty);
    EXPECT_EQ(config.ports[2].name, "c");
    EXPECT_EQ(config.ports[3].name, machine::kGuestAgentPort);
    EXPECT_FALSE(parse_ports({"d"}, "", config).has_value());
}

TEST(OptionValues, Traces) {
    machine::TraceConfig trace;
    ASSERT_TRUE(parse_trace("ir,asm", trace).has_value());
    EXPECT_TRUE(trace.ir && trace.assembly && !trace.decode && !trace.optimised);
    EXPECT_FALSE(parse_trace("irr", trace).has_value());
    ASSERT_TRUE(parse_trace_filter("0x1000+0x10", trace).has_value());
    EXPECT_EQ(trace.first, 0x1000u);
    EXPECT_EQ(trace.last, 0x100fu);
    ASSERT_TRUE(parse_trace_filter("16..32", trace).has_value());
    EXPECT_EQ(trace.last, 32u);
    EXPECT_FALSE(parse_trace_filter("0x1000", trace).has_value());
}

TEST(OptionValues, Ports) {
    const auto port = parse_port("org.qemu.guest_agent.0=unix:/tmp/a=b").value();
    EXPECT_EQ(port.name, "org.qemu.guest_agent.0");
    EXPECT_EQ(port.line.kind, Kind::Unix);
    EXPECT_EQ(port.line.path, "/tmp/a=b");
    for (const char *bad : {"", "x", "=pty", "a b=pty", "a/b=pty", "x=", "x=fax"})
        EXPECT_FALSE(parse_port(bad).has_value()) << bad;
}

TEST(OptionValues, Vsock) {
    EXPECT_EQ(parse_vsock("path=/tmp/a,b")->path, "/tmp/a,b");
    EXPECT_EQ(parse_vsock("path=/tmp/a")->cid, 3u);
    EXPECT_EQ(parse_vsock("cid=42,path=/tmp/a")->cid, 42u);
    for (const char *bad : {"", "cid=42", "cid=,path=x", "path=", "/tmp/a", "path"})
        EXPECT_FALSE(parse_vsock(bad).has_value()) << bad;
}

TEST(OptionValues, Screen) {
    EXPECT_EQ(parse_screen_option("1280x800@120").value().dpi, 120u);
    const auto bad = parse_screen_option("1280");
    ASSERT_FALSE(bad.has_value());
    EXPECT_TRUE(bad.error().message.starts_with("--screen 1280: "));
}

TEST(OptionValues, Input) {
    EXPECT_EQ(parse_input("touch").value(), devices::InputKind::Touch);
    for (const auto *bad : {"", "Keyboard", "pen", "keyboard,"})
        EXPECT_FALSE(parse_input(bad).has_value()) << bad;
}

TEST(OptionValues, Audio) {
    using Kind = machine::SoundConfig::Kind;
    EXPECT_EQ(parse_audio("none").value().kind, Kind::None);
    EXPECT_EQ(parse_audio("sdl").value().kind, Kind::Sdl);
    EXPECT_FALSE(parse_audio("sdl").value().hears);
    EXPECT_TRUE(parse_audio("sdl,in=on").value().hears);
    const auto played = parse_audio("wav=a,b.wav").value();
    EXPECT_EQ(played.kind, Kind::Wav);
    EXPECT_EQ(played.out, "a,b.wav");
    EXPECT_EQ(played.in, "");
    const auto both = parse_audio("wav=a,in=b.wav,in=c.wav").value();
    EXPECT_EQ(both.out, "a,in=b.wav");
    EXPECT_EQ(both.in, "c.wav");
    for (const char *bad :
         {"", "wav", "wav=", "wav=,in=a.wav", "wav=a.wav,in=", "speaker", "sdl,", "sdl,in=off"})
        EXPECT_FALSE(parse_audio(bad).has_value()) << bad;
}

TEST(OptionValues, Balloon) {
    EXPECT_FALSE(parse_balloon("none").value().has_value());
    EXPECT_EQ(parse_balloon("on").value()->statistics_ns, 0u);
    EXPECT_EQ(parse_balloon("on,stats=0.5").value()->statistics_ns, 500'000'000u);
    for (const char *bad : {"", "off", "on,", "on,stats=0", "2G"})
        EXPECT_FALSE(parse_balloon(bad).has_value()) << bad;
}

TEST(OptionValues, ShapedNetworks) {
    const auto net = parse_net("user,profile=3g,hostfwd=tcp::8080-:80,down-rate=2").value();
    EXPECT_EQ(net.forwards.size(), 1u);
    EXPECT_EQ(net.link.down.bits_per_second, 2'000'000u);
    EXPECT_EQ(net.link.up.bits_per_second, 750'000u);
    EXPECT_FALSE(parse_net("user,loss=200").has_value());
    EXPECT_FALSE(parse_net("none,latency=1").has_value());
}

} // namespace
} // namespace tandem::app
