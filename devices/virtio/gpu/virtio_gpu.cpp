#include "devices/virtio/gpu/virtio_gpu.h"

#include "devices/virtio/core/config_space.h"
#include "devices/virtio/gpu/edid.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <numeric>
#include <utility>

namespace tandem::devices {

using namespace virtio_gpu;

VirtioGpu::VirtioGpu(Display &backend, std::span<const DisplayMode> modes) : backend_(backend) {
    for (const DisplayMode &mode : modes) {
        Output &output = outputs_.emplace_back();
        output.width = mode.width;
        output.height = mode.height;
        output.dpi = mode.dpi;
    }
}

VirtioGpu::~VirtioGpu() {
    clear();
}

// -------------------------------------------------------------------------------- configuration

void VirtioGpu::read_config(u32 offset, std::span<std::byte> target) {
    read_config_struct(Config{.events_read = events_, .outputs = static_cast<u32>(outputs_.size())},
                       offset, target);
}

void VirtioGpu::write_config(u32 offset, std::span<const std::byte> source) {
    // §5.7.4: writing a bit to events_clear clears it in events_read.
    for (std::size_t i = 0; i < source.size(); ++i) {
        const std::size_t byte = offset + i - offsetof(Config, events_clear);
        if (byte < sizeof(u32)) events_ &= ~(std::to_integer<u32>(source[i]) << byte * 8);
    }
}

void VirtioGpu::set_mode(u32 output, const DisplayMode &mode) {
    const std::scoped_lock lock(transport().mutex());
    if (output >= outputs_.size()) return;
    outputs_[output].width = mode.width;
    outputs_[output].height = mode.height;
    outputs_[output].dpi = mode.dpi;
    events_ |= kEventDisplay;
    transport().signal_config_change();
}

// ---------------------------------------------------------------------------------------- queues

struct VirtioGpu::Command {
    Type type;
    u32 queue;
    Type (VirtioGpu::*run)();
};

template <typename Request, Type (VirtioGpu::*Run)(const Request &)>
Type VirtioGpu::run() {
    Request request;
    // §5.7.6.7 has no answer for a request that is cut off.
    if (!chain_.read_object(sizeof(Header), request)) return Type::Unspecified;
    return (this->*Run)(request);
}

// clang-format off
const VirtioGpu::Command VirtioGpu::kCommands[] = {
    {Type::GetDisplayInfo,   kControlQueue, &VirtioGpu::get_display_info},
    {Type::CreateResource2d, kControlQueue, &VirtioGpu::run<CreateResource, &VirtioGpu::create_resource>},
    {Type::UnrefResource,    kControlQueue, &VirtioGpu::run<ResourceRequest, &VirtioGpu::unref_resource>},
    {Type::SetScanout,       kControlQueue, &VirtioGpu::run<SetScanout, &VirtioGpu::set_scanout>},
    {Type::FlushResource,    kControlQueue, &VirtioGpu::run<FlushResource, &VirtioGpu::flush_resource>},
    {Type::TransferToHost2d, kControlQueue, &VirtioGpu::run<TransferToHost, &VirtioGpu::transfer_to_host>},
    {Type::AttachBacking,    kControlQueue, &VirtioGpu::run<AttachBacking, &VirtioGpu::attach_backing>},
    {Type::DetachBacking,    kControlQueue, &VirtioGpu::run<ResourceRequest, &VirtioGpu::detach_backing>},
    {Type::GetEdid,          kControlQueue, &VirtioGpu::run<EdidRequest, &VirtioGpu::get_edid>},
    {Type::UpdateCursor,     kCursorQueue,  &VirtioGpu::run<CursorRequest, &VirtioGpu::update_cursor>},
    {Type::MoveCursor,       kCursorQueue,  &VirtioGpu::run<CursorRequest, &VirtioGpu::move_cursor>},
};
// clang-format on

void VirtioGpu::notify(u32 index) {
    const std::scoped_lock lock(transport().mutex());
    if (!transport().is_running()) return;
    Virtqueue &queue = transport().queue(index);
    for (;;) {
        const Virtqueue::Pop pop = queue.pop(chain_);
        if (pop == Virtqueue::Pop::Broken) transport().fail();
        if (pop != Virtqueue::Pop::Chain) break;
        const u32 length = answer();
        chain_.report_written(transport().memory(), length);
        queue.push(chain_, length);
    }
    transport().signal_used(index);
}

u32 VirtioGpu::answer() {
    Header header;
    if (!chain_.read_object(0, header)) return 0;
    response_.resize(sizeof header);
    // Which queue a command comes in makes no difference but for its order.
    const auto *command = std::ranges::find(kCommands, header.type, &Command::type);
    const Type type = command != std::end(kCommands) ? (this->*command->run)() : Type::Unspecified;
    // §5.7.6.7: a response to a request with a fence has the same fence.
    const bool is_fenced = (header.flags & kFlagFence) != 0;
    const Header answer{.type = type,
                        .flags = is_fenced ? kFlagFence : 0,
                        .fence = is_fenced ? header.fence : 0,
                        .context = is_fenced ? header.context : 0};
    std::memcpy(response_.data(), &answer, sizeof answer);
    const auto fits =
        std::span(response_).first(std::min<u64>(response_.size(), chain_.writable_bytes()));
    static_cast<void>(chain_.write(0, fits));
    return static_cast<u32>(fits.size());
}

template <typename Body>
void VirtioGpu::respond(const Body &body) {
    const auto bytes = std::as_bytes(std::span(&body, 1));
    response_.insert(response_.end(), bytes.begin(), bytes.end());
}

// --------------------------------------------------------------------------------------- outputs

Type VirtioGpu::get_display_info() {
    DisplayInfo info;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        info.outputs[i].rectangle = {0, 0, outputs_[i].width, outputs_[i].height};
        info.outputs[i].enabled = 1;
    }
    respond(info);
    return Type::OkDisplayInfo;
}

Type VirtioGpu::get_edid(const EdidRequest &request) {
    if (request.output >= outputs_.size()) return Type::InvalidScanout;
    const Output &output = outputs_[request.output];
    EdidResponse response;
    const auto edid = make_edid({output.width, output.height, output.dpi}, request.output + 1);
    response.size = edid.size();
    std::ranges::copy(edid, response.edid.begin());
    respond(response);
    return Type::OkEdid;
}

Type VirtioGpu::set_scanout(const SetScanout &request) {
    if (request.output >= outputs_.size()) return Type::InvalidScanout;
    Output &output = outputs_[request.output];
    if (request.resource == 0) {
        hide(request.output);
        return Type::Ok;
    }
    const GpuResource *resource = find(request.resource);
    if (resource == nullptr) return Type::InvalidResource;
    const Rectangle &part = request.rectangle;
    if (!lies_within(part, resource->width, resource->height)) return Type::InvalidParameter;
    output.resource = request.resource;
    output.x = part.x;
    output.y = part.y;
    output.shown_width = part.width;
    output.shown_height = part.height;
    show(request.output);
    return Type::Ok;
}

void VirtioGpu::show(u32 index) {
    const Output &output = outputs_[index];
    const GpuResource *resource = find(output.resource);
    if (resource == nullptr) return;
    backend_.show(index, output.shown_width, output.shown_height);
    backend_.update(index, {0, 0, output.shown_width, output.shown_height},
                    resource->rows_from(output.x, output.y));
}

void VirtioGpu::hide(u32 index) {
    Output &output = outputs_[index];
    if (output.resource != 0) backend_.show(index, 0, 0);
    output.resource = output.x = output.y = output.shown_width = output.shown_height = 0;
}

Type VirtioGpu::flush_resource(const FlushResource &request) {
    const GpuResource *resource = find(request.resource);
    if (resource == nullptr) return Type::InvalidResource;
    const Rectangle &part = request.rectangle;
    if (!lies_within(part, resource->width, resource->height)) return Type::InvalidParameter;
    for (u32 i = 0; i < outputs_.size(); ++i) {
        const Output &output = outputs_[i];
        if (output.resource != request.resource) continue;
        // What of it is on the screen. No sum wraps: all lies within the resource.
        const u32 left = std::max(part.x, output.x), top = std::max(part.y, output.y);
        const u32 right = std::min(part.x + part.width, output.x + output.shown_width);
        const u32 bottom = std::min(part.y + part.height, output.y + output.shown_height);
        if (left >= right || top >= bottom) continue;
        backend_.update(i, {left - output.x, top - output.y, right - left, bottom - top},
                        resource->rows_from(left, top));
    }
    return Type::Ok;
}

// ------------------------------------------------------------------------------------- resources

GpuResource *VirtioGpu::find(u32 id) {
    const auto found = resources_.find(id);
    return found != resources_.end() ? &found->second : nullptr;
}

u64 VirtioGpu::pixel_bytes() const {
    return std::accumulate(
        resources_.begin(), resources_.end(), u64{0},
        [](u64 sum, const auto &each) { return sum + each.second.pixels.size(); });
}

u64 VirtioGpu::pieces() const {
    return std::accumulate(
        resources_.begin(), resources_.end(), u64{0},
        [](u64 sum, const auto &each) { return sum + each.second.backing.size(); });
}

Type VirtioGpu::create_resource(const CreateResource &request) {
    if (request.resource == 0 || find(request.resource) != nullptr) return Type::InvalidResource;
    const u64 bytes = GpuResource::bytes_of(request.format, request.width, request.height);
    if (bytes == 0) return Type::InvalidParameter;
    if (resources_.size() >= kMaxResources || pixel_bytes() + bytes > kMaxBytes)
        return Type::OutOfMemory;
    resources_[request.resource] = {.id = request.resource,
                                    .format = request.format,
                                    .width = request.width,
                                    .height = request.height,
                                    .backing = {},
                                    .pixels = std::vector<u8>(bytes)};
    return Type::Ok;
}

Type VirtioGpu::unref_resource(const ResourceRequest &request) {
    if (find(request.resource) == nullptr) return Type::InvalidResource;
    for (u32 i = 0; i < outputs_.size(); ++i) {
        if (outputs_[i].resource == request.resource) hide(i);
        // The pointer keeps the picture that it was given.
        if (outputs_[i].cursor == request.resource) outputs_[i].cursor = 0;
    }
    resources_.erase(request.resource);
    return Type::Ok;
}

Type VirtioGpu::attach_backing(const AttachBacking &request) {
    GpuResource *resource = find(request.resource);
    if (resource == nullptr) return Type::InvalidResource;
    if (!resource->backing.empty()) return Type::Unspecified;
    if (request.entries == 0 || request.entries > GpuResource::kMaxPieces)
        return Type::InvalidParameter;
    if (pieces() + request.entries > kMaxPieces) return Type::OutOfMemory;
    std::vector<MemoryEntry> entries(request.entries);
    if (!chain_.read(sizeof(Header) + sizeof request, std::as_writable_bytes(std::span(entries))))
        return Type::Unspecified;
    for (const MemoryEntry &entry : entries)
        resource->backing.push_back({.address = entry.address, .length = entry.length});
    return Type::Ok;
}

Type VirtioGpu::detach_backing(const ResourceRequest &request) {
    GpuResource *resource = find(request.resource);
    if (resource == nullptr) return Type::InvalidResource;
    resource->backing.clear();
    resource->backing.shrink_to_fit();
    return Type::Ok;
}

Type VirtioGpu::transfer_to_host(const TransferToHost &request) {
    GpuResource *resource = find(request.resource);
    if (resource == nullptr) return Type::InvalidResource;
    if (!lies_within(request.rectangle, resource->width, resource->height))
        return Type::InvalidParameter;
    return resource->fill(transport().memory(), request.rectangle, request.offset)
               ? Type::Ok
               : Type::InvalidParameter;
}

// ---------------------------------------------------------------------------------------- cursor

Type VirtioGpu::update_cursor(const CursorRequest &request) {
    if (request.output >= outputs_.size()) return Type::InvalidScanout;
    Output &output = outputs_[request.output];
    if (request.resource != 0) {
        const GpuResource *resource = find(request.resource);
        if (resource == nullptr) return Type::InvalidResource;
        // §5.7.6.10: a pointer's picture is 64 x 64.
        if (resource->width != kCursorSide || resource->height != kCursorSide)
            return Type::InvalidParameter;
    }
    output.cursor = request.resource;
    output.hot_x = std::min(request.hot_x, kCursorSide - 1);
    output.hot_y = std::min(request.hot_y, kCursorSide - 1);
    output.cursor_x = request.x;
    output.cursor_y = request.y;
    show_cursor(request.output);
    return Type::Ok;
}

Type VirtioGpu::move_cursor(const CursorRequest &request) {
    if (request.output >= outputs_.size()) return Type::InvalidScanout;
    outputs_[request.output].cursor_x = request.x;
    outputs_[request.output].cursor_y = request.y;
    backend_.move_cursor(request.output, request.x, request.y);
    return Type::Ok;
}

void VirtioGpu::show_cursor(u32 index) {
    const Output &output = outputs_[index];
    const GpuResource *resource = find(output.cursor);
    backend_.set_cursor(index, output.hot_x, output.hot_y,
                        resource != nullptr ? resource->rows_from(0, 0) : PixelRows{});
    backend_.move_cursor(index, output.cursor_x, output.cursor_y);
}

// ----------------------------------------------------------------------------------------- state

void VirtioGpu::reset() {
    clear();
    events_ = 0;
}

void VirtioGpu::clear() {
    for (u32 i = 0; i < outputs_.size(); ++i) {
        hide(i);
        backend_.set_cursor(i, 0, 0, {});
        Output &output = outputs_[i];
        output.cursor = output.cursor_x = output.cursor_y = output.hot_x = output.hot_y = 0;
    }
    resources_.clear();
}

void VirtioGpu::save(StateWriter &writer) const {
    writer.begin_section("virtio-gpu", State::kVersion);
    // As State, without a copy of all pixels.
    writer(events_, outputs_, static_cast<u32>(resources_.size()));
    for (const auto &[id, resource] : resources_) writer(resource);
    writer.end_section();
}

Result<> VirtioGpu::restore(StateReader &reader) {
    State state;
    if (auto result = restore_state(reader, "virtio-gpu", state); !result) return result;
    if (state.outputs.size() != outputs_.size())
        return failure("snapshot: virtio-gpu has another number of screens");
    const auto damaged = [] {
        return failure("snapshot: virtio-gpu has pictures that cannot be; the file is damaged");
    };
    resources_.clear();
    if (state.resources.size() > kMaxResources) return damaged();
    for (GpuResource &resource : state.resources) {
        const u64 bytes = GpuResource::bytes_of(resource.format, resource.width, resource.height);
        if (resource.id == 0 || find(resource.id) != nullptr || bytes == 0 ||
            resource.pixels.size() != bytes || resource.backing.size() > GpuResource::kMaxPieces)
            return damaged();
        resources_[resource.id] = std::move(resource);
    }
    if (pixel_bytes() > kMaxBytes || pieces() > kMaxPieces) return damaged();
    for (Output &output : state.outputs) {
        const GpuResource *shown = find(output.resource), *cursor = find(output.cursor);
        const auto is_side = [](u32 side) {
            return side >= kMinScreenSide && side <= kMaxScreenSide;
        };
        const bool is_sound =
            is_side(output.width) && is_side(output.height) && output.dpi != 0 &&
            (output.resource == 0 ||
             (shown != nullptr && lies_within(output.shown(), shown->width, shown->height))) &&
            (output.cursor == 0 || (cursor != nullptr && cursor->width == kCursorSide &&
                                    cursor->height == kCursorSide)) &&
            output.hot_x < kCursorSide && output.hot_y < kCursorSide;
        if (!is_sound) return damaged();
    }
    events_ = state.events;
    outputs_ = std::move(state.outputs);
    for (u32 i = 0; i < outputs_.size(); ++i) {
        if (outputs_[i].resource == 0)
            backend_.show(i, 0, 0);
        else
            show(i);
        show_cursor(i);
    }
    return {};
}

} // namespace tandem::devices
