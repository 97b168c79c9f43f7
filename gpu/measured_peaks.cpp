#include "gpu/measured_peaks.hpp"

#include "gpu/evaluation_site.hpp"
#include "gpu/processor.hpp"
#include "gpu/quiet_hold.hpp"
#include "messages/error.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <utility>

namespace lathe::gpu {

namespace {

using namespace std::chrono_literals;

namespace json = boost::json;

constexpr auto folder = "peaks";
constexpr auto tag = "peaks";
constexpr auto start_limit = 60s; // a first CUDA context, on a cold machine
constexpr auto measure_limit = 60s;

constexpr std::pair<const char*, double device_peaks::*> rates[] = {
  {"bandwidth", &device_peaks::bandwidth}, {"reading", &device_peaks::reading},
  {"cached", &device_peaks::cached},       {"float32", &device_peaks::float32},
  {"tf32", &device_peaks::tf32},           {"half", &device_peaks::half},
  {"cache", &device_peaks::cache}};

caf::error unmeasured(const failure& why) {
  return make_error(errc::evaluator_failed, "the device's peaks could not be measured: "
                                              + (why.summary.empty() ? why.message : why.summary));
}

} // namespace

json::object to_json(const device_peaks& x) {
  json::object result{{"flushed", x.flushed}};
  for (auto& [name, rate] : rates)
    result[name] = x.*rate;
  return result;
}

std::optional<device_peaks> peaks_from(const json::object& x) {
  device_peaks result;
  for (auto& [name, rate] : rates) {
    auto* found = x.if_contains(name);
    if (found == nullptr || !found->is_number())
      return std::nullopt;
    result.*rate = found->to_number<double>();
  }
  auto* flushed = x.if_contains("flushed");
  if (flushed == nullptr || !flushed->is_bool() || !is_plausible(result))
    return std::nullopt;
  result.flushed = flushed->as_bool();
  return result;
}

std::string measured_device(const device& where, std::int32_t threads) {
  return where.cuda
           ? where.visible()
           : fmt::format("{}, {} thread{}", processor_name(), threads, threads == 1 ? "" : "s");
}

std::optional<device_peaks> known_peaks(const std::filesystem::path& caches,
                                        const std::string& device) {
  measurement_cache cache{caches / folder};
  std::optional<device_peaks> result;
  for (auto& subject : cache.subjects()) {
    auto* of = subject.if_contains("device");
    if (of == nullptr || *of != json::value(device))
      continue;
    auto found = cache.find(subject);
    auto peaks = found ? peaks_from(*found) : std::nullopt;
    if (peaks)
      result = result ? best_of(*result, *peaks) : peaks;
  }
  return result;
}

measured_peaks::measured_peaks(evaluation_site& site)
  : site_(site),
    cache_(site.paths().cache.empty() ? std::filesystem::path{} : site.paths().cache / folder) {
  // nop
}

caf::expected<device_peaks> measured_peaks::get(lease_source& leases) {
  std::lock_guard guard{mutex_};
  if (!known_)
    if (auto found = cache_.find(subject()))
      known_ = peaks_from(*found);
  if (known_)
    return *known_;
  auto measured = measure(leases);
  if (measured)
    keep(*measured);
  return measured;
}

caf::expected<device_peaks> measured_peaks::get_again(lease_source& leases) {
  std::lock_guard guard{mutex_};
  if (known_ && repeated_)
    return *known_;
  auto measured = measure(leases);
  if (!measured)
    return measured;
  repeated_ = true;
  keep(known_ ? best_of(*known_, *measured) : *measured);
  return *known_;
}

caf::expected<device_peaks> measured_peaks::measure(lease_source& leases) const {
  auto probe = site_.spawn("probe", tag);
  if (!probe)
    return std::move(probe.error());
  auto& worker = *probe->process;
  // It makes its context now.
  if (auto woken = worker.call({{"op", "describe"}}, {}, start_limit); !woken.ok())
    return unmeasured(woken.problem());
  auto quiet = quiet_hold::take(site_, leases, worker, tag, 0);
  if (!quiet)
    return std::move(quiet.error());
  auto cache = site_.device().cuda ? site_.flush_bytes() / 2 : last_cache_size();
  auto found = worker.call({{"op", "peaks"}, {"cache", cache}}, {}, measure_limit);
  if (!found.ok())
    return unmeasured(found.problem());
  device_peaks result;
  for (auto& [name, rate] : rates)
    result.*rate = static_cast<double>(found.integer(name).value_or(0));
  result.cache = static_cast<double>(cache);
  result.flushed = site_.device().cuda;
  if (!is_plausible(result))
    return make_error(errc::evaluator_failed, "the device's peaks could not be measured: a rate is "
                                              "missing");
  return result;
}

json::object measured_peaks::subject() const {
  return {{"device", measured_device(site_.device(), site_.config().threads)},
          {"software", site_.describe().software}};
}

void measured_peaks::keep(const device_peaks& x) {
  known_ = x;
  cache_.keep(subject(), to_json(x));
}

} // namespace lathe::gpu
