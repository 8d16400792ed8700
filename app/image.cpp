#include "app/image.h"

#include "app/option_values.h"
#include "app/progress.h"
#include "app/run.h"
#include "app/verb.h"
#include "machine/boot/file_bytes.h"
#include "machine/storage/image/administration.h"
#include "machine/storage/qcow2/image.h"
#include "support/local_time.h"

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>

namespace tandem::app {
namespace {

using namespace machine;

/// Exit statuses of `check`, those of qemu-img.
constexpr int kExitDamaged = 2, kExitLeaks = 3;

Result<std::optional<ImageFormat>> parse_format(const std::string &name) {
    if (name.empty()) return std::optional<ImageFormat>{};
    const auto format = format_named(name);
    if (!format.has_value())
        return failure(fmt::format("{}: unknown image format; use raw or qcow2", name));
    return format;
}

std::string time_text(const qcow2::Snapshot &snapshot) {
    return fmt::format("{:%Y-%m-%d %H:%M:%S}", local_time(snapshot.seconds));
}

nlohmann::json json_of(const ImageInfo &info) {
    nlohmann::json json{{"filename", info.path},
                        {"format", format_name(info.format)},
                        {"virtual-size", info.size},
                        {"actual-size", info.allocated}};
    if (!info.header.has_value()) return json;
    const qcow2::Header &header = *info.header;
    json["cluster-size"] = header.cluster_size();
    json["dirty-flag"] = header.has(qcow2::kDirty);
    if (!header.backing_file.empty()) {
        json["backing-filename"] = header.backing_file;
        if (!header.backing_format.empty()) json["backing-filename-format"] = header.backing_format;
    }
    json["format-specific"] = {
        {"type", "qcow2"},
        {"data",
         {{"compat", header.version == 2 ? "0.10" : "1.1"},
          {"compression-type",
           header.compression == qcow2::CompressionType::Zstd ? "zstd" : "zlib"},
          {"refcount-bits", header.refcount_bits()},
          {"lazy-refcounts", (header.compatible & qcow2::kLazyRefcounts) != 0},
          {"corrupt", header.has(qcow2::kCorrupt)},
          {"extended-l2", header.has(qcow2::kExtendedL2)}}}};
    for (const qcow2::Snapshot &snapshot : info.snapshots)
        json["snapshots"].push_back({{"id", snapshot.id},
                                     {"name", snapshot.name},
                                     {"date-sec", snapshot.seconds},
                                     {"date-nsec", snapshot.nanoseconds},
                                     {"vm-state-size", snapshot.vm_state_bytes}});
    return json;
}

void print_snapshots(std::span<const qcow2::Snapshot> snapshots) {
    if (snapshots.empty()) return;
    fmt::print("{:<4} {:<24} {:>10} {}\n", "id", "name", "disk", "taken");
    for (const qcow2::Snapshot &snapshot : snapshots)
        fmt::print("{:<4} {:<24} {:>10} {}\n", snapshot.id, snapshot.name,
                   human_size(snapshot.disk_size), time_text(snapshot));
}

void print_info(const ImageInfo &info) {
    fmt::print("image:      {}\nformat:     {}\ndisk:       {} ({} bytes)\non host:    {}\n",
               info.path, format_name(info.format), human_size(info.size), info.size,
               human_size(info.allocated));
    if (!info.header.has_value()) return;
    const qcow2::Header &header = *info.header;
    fmt::print("clusters:   {}\nversion:    {}\nrefcounts:  {} bits{}\ncompressor: {}\n",
               human_size(header.cluster_size()), header.version, header.refcount_bits(),
               (header.compatible & qcow2::kLazyRefcounts) != 0 ? ", lazy" : "",
               header.compression == qcow2::CompressionType::Zstd ? "zstd" : "zlib");
    if (header.has(qcow2::kExtendedL2)) fmt::print("L2 entries: extended\n");
    if (header.has(qcow2::kDirty)) fmt::print("state:      not closed\n");
    if (header.has(qcow2::kCorrupt)) fmt::print("state:      damaged\n");
    if (!header.backing_file.empty())
        fmt::print("backing:    {}{}\n", header.backing_file,
                   header.backing_format.empty() ? "" : " (" + header.backing_format + ")");
    print_snapshots(info.snapshots);
}

} // namespace

/// The options as typed, and which action they are for.
struct ImageCommand::Options {
    std::string file, target, size, name, format, backing, backing_format, cluster_size = "64K";
    std::string compression = "zlib", repair = "none";
    unsigned version = 3, refcount_bits = 16;
    bool lazy_refcounts = false, compress = false, json = false, shrink = false;
    std::function<Result<int>()> action;

    [[nodiscard]] Result<NewImage> new_image(const std::string &path) const;
    Result<int> create() const;
    Result<int> info() const;
    Result<int> convert() const;
    Result<int> check() const;
    Result<int> resize() const;
    /// Opens the image to change its snapshots.
    template <typename Action>
    Result<int> with_qcow2(DiskAccess access, Action) const;
};

Result<NewImage> ImageCommand::Options::new_image(const std::string &path) const {
    NewImage image;
    image.path = path;
    image.format = TRY(parse_format(format)).value_or(ImageFormat::Qcow2);
    if (image.format != ImageFormat::Raw && image.format != ImageFormat::Qcow2)
        return failure(fmt::format("{}: can only be read; use raw or qcow2", format));
    const u64 cluster = TRY(parse_bytes("--cluster-size", cluster_size));
    if (!std::has_single_bit(cluster))
        return failure(fmt::format("--cluster-size {}: no power of two; use 64K", cluster_size));
    if (!std::has_single_bit(refcount_bits))
        return failure(fmt::format("--refcount-bits {}: no power of two; use 16", refcount_bits));
    image.qcow2.cluster_bits = static_cast<u32>(std::countr_zero(cluster));
    image.qcow2.refcount_order = static_cast<u32>(std::countr_zero(refcount_bits));
    image.qcow2.version = version;
    image.qcow2.lazy_refcounts = lazy_refcounts;
    if (compression == "zstd") {
        image.qcow2.compression = qcow2::CompressionType::Zstd;
    } else if (compression != "zlib") {
        return failure(fmt::format("--compression {}: unknown; use zlib or zstd", compression));
    }
    return image;
}

Result<int> ImageCommand::Options::create() const {
    NewImage image = TRY(new_image(file));
    image.qcow2.backing_file = backing;
    image.qcow2.backing_format = backing_format;
    if (!size.empty()) image.qcow2.size = TRY(parse_bytes("size", size));
    TRY(create_image(std::move(image)));
    return 0;
}

Result<int> ImageCommand::Options::info() const {
    const auto chain = TRY(image_chain(file, TRY(parse_format(format))));
    if (json) {
        nlohmann::json all = nlohmann::json::array();
        for (const ImageInfo &info : chain) all.push_back(json_of(info));
        fmt::print("{}\n", all.dump(4));
        return 0;
    }
    for (const ImageInfo &info : chain) {
        if (&info != &chain.front()) fmt::print("\n");
        print_info(info);
    }
    return 0;
}

Result<int> ImageCommand::Options::convert() const {
    ImageCopy copy;
    copy.source = file;
    copy.source_format = TRY(parse_format(backing_format));
    copy.target = TRY(new_image(target));
    copy.compress = compress;
    ProgressBar bar("convert");
    TRY(convert_image(std::move(copy), [&](u64 done, u64 total) { bar.show(done, total); }));
    return 0;
}

Result<int> ImageCommand::Options::check() const {
    using qcow2::Repair;
    Repair wanted = Repair::None;
    if (repair == "leaks") {
        wanted = Repair::Leaks;
    } else if (repair == "all") {
        wanted = Repair::All;
    } else if (repair != "none") {
        return failure(fmt::format("--repair {}: unknown; use leaks or all", repair));
    }
    qcow2::CheckReport report;
    {
        ProgressBar bar("check");
        report =
            TRY(check_image(file, wanted, [&](u64 done, u64 total) { bar.show(done, total); }));
    }
    if (report.errors != 0 || report.leaks != 0)
        for (const std::string &finding : report.findings) fmt::print("{}\n", finding);
    if (report.repaired_errors != 0) fmt::print("{} errors repaired\n", report.repaired_errors);
    if (report.repaired_leaks != 0)
        fmt::print("{} leaked clusters given back\n", report.repaired_leaks);
    fmt::print("{}: {} errors, {} leaked clusters; {} of {} clusters allocated, {} compressed, {} "
               "fragmented\n",
               file, report.errors, report.leaks, report.allocated_clusters, report.clusters,
               report.compressed_clusters, report.fragmented_clusters);
    return report.errors != 0 ? kExitDamaged : report.leaks != 0 ? kExitLeaks : 0;
}

Result<int> ImageCommand::Options::resize() const {
    const char sign = size.starts_with('+') || size.starts_with('-') ? size.front() : '=';
    const u64 bytes = TRY(parse_bytes("size", sign == '=' ? size : size.substr(1)));
    TRY(resize_image(file, TRY(parse_format(format)), sign, bytes,
                     shrink ? Shrink::Allow : Shrink::Refuse));
    return 0;
}

template <typename Action>
Result<int> ImageCommand::Options::with_qcow2(DiskAccess access, Action act) const {
    ImageOptions options;
    options.access = access;
    const OpenedImage image = TRY(open_image(file, options));
    if (image.qcow2 == nullptr)
        return failure(fmt::format("{}: {} images have no snapshots; convert it: tandem image "
                                   "convert",
                                   file, format_name(image.format)));
    TRY(act(*image.qcow2));
    return 0;
}

ImageCommand::ImageCommand(CLI::App &program)
    : options_(std::make_unique<Options>()),
      verb_(add_verb(program, "image", "Make, copy and check disk images")) {
    Options &o = *options_;
    verb_->require_subcommand(1);
    const auto verb = [&o](CLI::App *parent, const char *name, const char *help,
                           std::function<Result<int>()> action) {
        CLI::App *added = add_verb(*parent, name, help);
        added->callback([&o, action = std::move(action)] { o.action = action; });
        return added;
    };
    const auto file = [&o](CLI::App *to) {
        to->add_option("FILE", o.file, "the image")->required()->option_text(" ");
    };
    const auto layout = [&o](CLI::App *to, const char *format_name) {
        to->add_option(format_name, o.format, "qcow2 (default) or raw")->option_text("FORMAT");
        to->add_option("--cluster-size", o.cluster_size, "512 to 2M (default 64K)")
            ->option_text("SIZE");
        to->add_option("--qcow2-version", o.version, "2 or 3 (default)")->option_text("N");
        to->add_option("--refcount-bits", o.refcount_bits, "1 to 64 (default 16)")
            ->option_text("N");
        to->add_option("--compression", o.compression, "zlib (default) or zstd")
            ->option_text("KIND");
        to->add_flag("--lazy-refcounts", o.lazy_refcounts, "allow other programs to delay them");
    };

    CLI::App *create = verb(verb_, "create", "Make an empty image", [&o] { return o.create(); });
    file(create);
    create->add_option("SIZE", o.size, "of the disk, such as 10G")->option_text(" ");
    create->add_option("--backing", o.backing, "image that the new one is based on")
        ->option_text("FILE");
    create->add_option("--backing-format", o.backing_format, "its format, if not by content")
        ->option_text("FORMAT");
    layout(create, "--format");

    CLI::App *info = verb(verb_, "info", "Describe an image", [&o] { return o.info(); });
    file(info);
    info->add_option("--format", o.format, "its format, if not by content")->option_text("FORMAT");
    info->add_flag("--json", o.json, "for programs");

    CLI::App *convert =
        verb(verb_, "convert", "Copy a disk into a new image", [&o] { return o.convert(); });
    file(convert);
    convert->add_option("TARGET", o.target, "the new image")->required()->option_text(" ");
    convert->add_option("--from", o.backing_format, "the source's format, if not by content")
        ->option_text("FORMAT");
    convert->add_flag("--compress", o.compress, "compress clusters");
    layout(convert, "--to");

    CLI::App *check = verb(verb_, "check", "Check a qcow2 image", [&o] { return o.check(); });
    file(check);
    check->add_option("--repair", o.repair, "leaks, or all")->option_text("WHAT");

    CLI::App *resize =
        verb(verb_, "resize", "Change the size of a disk", [&o] { return o.resize(); });
    file(resize);
    resize->add_option("SIZE", o.size, "the new size, or +SIZE or -SIZE")
        ->required()
        ->option_text(" ");
    resize->add_option("--format", o.format, "its format, if not by content")
        ->option_text("FORMAT");
    resize->add_flag("--shrink", o.shrink, "the rest may be lost");

    CLI::App *snapshot = add_verb(*verb_, "snapshot", "Internal snapshots of a qcow2 image");
    snapshot->require_subcommand(1);
    const auto named = [&](const char *name, const char *help, std::function<Result<int>()> act) {
        CLI::App *added = verb(snapshot, name, help, std::move(act));
        file(added);
        added->add_option("NAME", o.name, "of the snapshot")->required()->option_text(" ");
    };
    named("create", "Keep the disk as it is now", [&o] {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
        return o.with_qcow2(DiskAccess::ReadWrite, [&](qcow2::Image &image) {
            return image.create_snapshot(o.name, static_cast<u64>(nanoseconds / 1'000'000'000),
                                         static_cast<u32>(nanoseconds % 1'000'000'000));
        });
    });
    named("apply", "Make the disk as it was then", [&o] {
        return o.with_qcow2(DiskAccess::ReadWrite,
                            [&](qcow2::Image &image) { return image.apply_snapshot(o.name); });
    });
    named("delete", "Forget a snapshot", [&o] {
        return o.with_qcow2(DiskAccess::ReadWrite,
                            [&](qcow2::Image &image) { return image.delete_snapshot(o.name); });
    });
    file(verb(snapshot, "list", "Show them", [&o] {
        return o.with_qcow2(DiskAccess::ReadOnly, [](qcow2::Image &image) -> Result<> {
            print_snapshots(TRY(image.snapshots()));
            return {};
        });
    }));
}

ImageCommand::~ImageCommand() = default;

bool ImageCommand::is_chosen() const {
    return verb_->parsed();
}

int ImageCommand::run() {
    const Result<int> status = options_->action();
    if (status.has_value()) return *status;
    fmt::print(stderr, "tandem: {}\n", status.error().message);
    return kExitFailure;
}

} // namespace tandem::app
