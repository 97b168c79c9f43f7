#include "gpu/baseline_timer.hpp"

#include "messages/content_hash.hpp"
#include "messages/error.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cmath>

namespace lathe::gpu {

namespace {

using clock = std::chrono::steady_clock;

// Blocks as in a race between candidate and reference, but shorter where a call takes long: nobody
// hides anything here.
constexpr double block_seconds = 0.01;
constexpr double fewest_calls = 2;
constexpr double most_calls = 20;

// The first call of a block pays for what the last block left in the caches of a GPU.
constexpr std::size_t calls_to_settle = 1;

// A GPU that idled needs so long under load to raise its clock [seconds].
constexpr double ramp_up = 0.05;

// A ratio that is less certain is not told.
constexpr double most_half_width = 0.1;

stopping_options options() {
  stopping_options result;
  result.half_width = result.clear_half_width = 0.01;
  result.budget = 2;
  result.hopeless = 0; // a baseline that is slower than eager is worth as much as any other
  return result;
}

// Not what recipes leave: they tune while others work.
std::string compiled_of(const task_oracle& oracle) {
  return "baselines " + content_hash(oracle.subject().source);
}

double since(clock::time_point begin) {
  return std::chrono::duration<double>(clock::now() - begin).count();
}

} // namespace

baseline_timer::baseline_timer(task_oracle& oracle, evaluation_site& site, lease_source& leases)
  : oracle_(oracle), site_(site), leases_(leases), tag_("baselines of " + oracle.tag()) {
  // nop
}

caf::expected<std::optional<timing>> baseline_timer::against_eager(const std::string& name) {
  auto compiled = compile(name);
  if (!compiled)
    return std::move(compiled.error());
  std::optional<timing> result;
  if (*compiled) {
    auto quiet = quiet_hold::take(site_, leases_, *worker_->process, tag_, 0);
    if (!quiet)
      return std::move(quiet.error());
    result = race(name, **quiet);
    disturbed_ = (*quiet)->is_disturbed();
  }
  // Who was killed for taking too long, or broke, is of no use for the next baseline.
  if (!worker_->process->usable())
    worker_.reset();
  return result;
}

caf::error baseline_timer::start() {
  if (worker_)
    return {};
  site_.prepare_compiling();
  if (!share_)
    share_.emplace(site_.room().take(site_.of_process(oracle_.needed_memory(), 1), turn::later));
  auto twin = oracle_.spawn_twin("baselines", tag_, site_.compiler());
  if (!twin)
    return std::move(twin.error());
  worker_.emplace(std::move(*twin));
  if (!site_.give_compiled(*worker_->process, compiled_of(oracle_), author::rules))
    return make_error(errc::evaluator_failed, "the baselines' process died before it was used");
  return {};
}

caf::expected<bool> baseline_timer::compile(const std::string& name) {
  if (auto error = start())
    return error;
  auto limit =
    std::chrono::milliseconds{static_cast<std::int64_t>(site_.config().build_limit * 1e3)};
  auto inputs = oracle_.timed().back().name;
  auto compiled = worker_->process->call(
    {{"op", "baseline"}, {"name", name}, {"inputs", std::move(inputs)}}, {}, limit);
  if (compiled.ok())
    site_.keep_compiled(*worker_->process, compiled_of(oracle_), author::rules);
  return compiled.ok();
}

std::optional<timing> baseline_timer::race(const std::string& name, quiet_hold& quiet) {
  auto begin = clock::now();
  auto calls = static_cast<std::size_t>(fewest_calls);
  do {
    auto eager = time("eager", calls);
    if (!eager || !time(name, calls))
      return std::nullopt;
    calls = static_cast<std::size_t>(
      std::clamp(std::ceil(block_seconds / median(*eager)), fewest_calls, most_calls));
  } while (site_.device().cuda && since(begin) < ramp_up);
  quiet.counts(); // where not, both are elsewhere from now on
  stopping_rule rule{options()};
  begin = clock::now();
  for (std::size_t pairs = 0; !rule.is_finished(); ++pairs) {
    std::optional<block> sides[2]; // eager, compiled; who goes first changes
    for (auto side : {pairs % 2, 1 - pairs % 2}) {
      sides[side] = time(side == 0 ? "eager" : name, calls);
      if (!sides[side])
        return std::nullopt;
    }
    if (quiet.counts())
      rule.add(std::move(*sides[0]), std::move(*sides[1]), since(begin));
  }
  auto result = rule.result();
  return result && relative_half_width(*result) <= most_half_width ? result : std::nullopt;
}

// Nothing when a call failed.
std::optional<block> baseline_timer::time(const std::string& name, std::size_t calls) {
  auto& worker = *worker_->process;
  auto limit = std::chrono::milliseconds{static_cast<std::int64_t>(site_.config().run_limit * 1e3)};
  if (!worker.call({{"op", "baseline"}, {"name", name}}, {}, limit).ok())
    return std::nullopt;
  auto skipped = site_.device().cuda ? calls_to_settle : 0;
  boost::json::array sequence(calls + skipped, boost::json::value(oracle_.timed().back().name));
  auto timed = worker.call(
    {{"op", "time"}, {"sequence", std::move(sequence)}, {"flush", site_.flush_bytes()}}, {}, limit);
  auto times = timed.integers("ns");
  if (!timed.ok() || !times || times->size() != calls + skipped)
    return std::nullopt;
  block result;
  for (auto ns : std::span{*times}.subspan(skipped))
    result.push_back(static_cast<double>(ns) * 1e-9);
  return result;
}

} // namespace lathe::gpu
