#include "gpu/lease_log.hpp"

#include <utility>

namespace lathe::gpu {

lease_log::lease_log(std::string device) : device_(std::move(device)) {
  // nop
}

void lease_log::ask(std::uint64_t ticket, const lease_request& request, double now) {
  lease_span span;
  span.device = device_;
  span.kind = request.kind;
  span.priority = request.priority;
  span.asked = now;
  waiting_.insert_or_assign(ticket, ended_lease{request.session, std::move(span)});
}

void lease_log::grant(std::uint64_t ticket, std::uint64_t fence, double now) {
  auto node = waiting_.extract(ticket);
  if (node.empty())
    return;
  auto& x = node.mapped();
  x.span.fence = fence;
  x.span.granted = now;
  out_.insert_or_assign(fence, std::move(x));
}

void lease_log::drop(std::uint64_t ticket) {
  waiting_.erase(ticket);
}

std::optional<lease_log::ended_lease> lease_log::end(std::uint64_t fence, double now,
                                                     bool reclaimed) {
  auto node = out_.extract(fence);
  if (node.empty())
    return std::nullopt;
  auto& x = node.mapped();
  x.span.released = now;
  x.span.reclaimed = reclaimed;
  return std::move(x);
}

} // namespace lathe::gpu
