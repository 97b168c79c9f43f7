#include "gpu/mean_timer.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lathe::gpu {

namespace {

using clock = std::chrono::steady_clock;

constexpr double quantile_975 = 1.96; // of the normal distribution

// A request should come back in about this time [seconds], so that a time limit means something,
// and fit into one message.
constexpr double request_seconds = 1;
constexpr std::size_t most_calls = 1'000;

// What do_bench makes of a time, from so many calls.
constexpr std::size_t estimating_calls = 5;

double since(clock::time_point begin) {
  return std::chrono::duration<double>(clock::now() - begin).count();
}

// One side's calls, all with the same inputs.
class caller {
public:
  caller(worker_process& worker, const std::string& inputs, std::size_t flush, double limit)
    : worker_(worker), inputs_(inputs), flush_(flush), limit_(limit) {
    // nop
  }

  // False when one failed: `problem` says why.
  bool call(std::size_t count, std::vector<double>* times) {
    while (count > 0) {
      auto part = std::min(count, at_once());
      auto begin = clock::now();
      auto answer = worker_.call(request(part), {}, limit());
      auto wall = since(begin);
      each_ = wall / static_cast<double>(part);
      std::vector<double> seconds;
      for (auto ns : answer.integers("ns").value_or(std::vector<std::int64_t>{}))
        seconds.push_back(static_cast<double>(ns) * 1e-9);
      if (!is_usable(answer, seconds, part, wall))
        return false;
      if (times != nullptr)
        times->insert(times->end(), seconds.begin(), seconds.end());
      count -= part;
    }
    return true;
  }

  // Wall time of one of the latest calls [seconds], with all that belongs to it.
  double each() const {
    return each_;
  }

  const failure& problem() const {
    return problem_;
  }

  // Set where the call came back with times that cannot be.
  const std::optional<refusal>& refused() const {
    return refused_;
  }

private:
  bool is_usable(const reply& answer, const std::vector<double>& seconds, std::size_t calls,
                 double wall) {
    if (!answer.ok())
      problem_ = answer.problem();
    else if (seconds.size() != calls)
      refused_ = refusal{"implausible-time", "the process reported times for another number of "
                                             "calls than were asked for"};
    else if (answer.flag("compiled").value_or(false)) // all calls count here
      refused_ = refusal{"file-activity", "a timed call wrote files, as compilers do"};
    else
      refused_ = check_plausible(seconds, wall);
    return answer.ok() && !refused_;
  }

  std::size_t at_once() const {
    if (each_ == 0)
      return 1;
    return std::clamp<std::size_t>(static_cast<std::size_t>(request_seconds / each_), 1,
                                   most_calls);
  }

  boost::json::object request(std::size_t calls) const {
    return {{"op", "time"},
            {"sequence", boost::json::array(calls, boost::json::value(inputs_))},
            {"flush", flush_}};
  }

  std::chrono::milliseconds limit() const {
    return std::chrono::milliseconds{static_cast<std::int64_t>(limit_ * 1e3)};
  }

  worker_process& worker_;
  std::string inputs_;
  std::size_t flush_;
  double limit_;
  double each_ = 0;
  failure problem_;
  std::optional<refusal> refused_;
};

std::optional<std::vector<double>> time_one(caller& side, const mean_timing& rules) {
  std::vector<double> result;
  auto warm_ups = rules.warm_ups;
  auto calls = rules.calls + rules.discarded;
  if (rules.calls == 0) {
    if (!side.call(1, nullptr) || !side.call(estimating_calls, nullptr))
      return std::nullopt;
    auto fit = [&](double seconds) { return static_cast<std::size_t>(seconds / side.each()); };
    warm_ups = std::max<std::size_t>(1, fit(rules.warm_up_seconds));
    // One call would do for a mean, but not for its interval.
    calls = std::max<std::size_t>(2, fit(rules.seconds));
  }
  if (!side.call(warm_ups, nullptr) || !side.call(calls, &result))
    return std::nullopt;
  result.erase(result.begin(), result.begin() + static_cast<std::ptrdiff_t>(rules.discarded));
  return result;
}

struct mean_of {
  double value = 0;
  double variance = 0; // of the mean, relative to its square
};

std::optional<mean_of> mean(const std::vector<double>& times) {
  if (times.size() < 2 || std::ranges::any_of(times, [](double x) { return !(x > 0); }))
    return std::nullopt;
  auto count = static_cast<double>(times.size());
  mean_of result;
  result.value = std::accumulate(times.begin(), times.end(), 0.0) / count;
  for (auto x : times)
    result.variance += (x / result.value - 1) * (x / result.value - 1);
  result.variance /= count * (count - 1);
  return result;
}

} // namespace

std::optional<timing> ratio_of_means(const std::vector<double>& reference,
                                     const std::vector<double>& candidate) {
  auto r = mean(reference);
  auto c = mean(candidate);
  if (!r || !c)
    return std::nullopt;
  timing result;
  result.reference = r->value;
  result.candidate = c->value;
  result.speedup = r->value / c->value;
  auto half = quantile_975 * std::sqrt(r->variance + c->variance);
  result.low = result.speedup * std::exp(-half);
  result.high = result.speedup * std::exp(half);
  result.samples = static_cast<std::int32_t>(candidate.size());
  result.blocks = 1;
  return result;
}

race_result time_by_means(evaluation_site& site, task_oracle& oracle, worker_process& candidate,
                          const mean_timing& rules) {
  race_result result;
  auto begin = clock::now();
  auto& draw = oracle.timed().back();
  auto& inputs = draw.name;
  auto limit = site.config().run_limit;
  int fds[] = {draw.inputs.fd()};
  auto taken = candidate.call(request_to_keep(inputs, draw.key), fds,
                              std::chrono::milliseconds{static_cast<std::int64_t>(limit * 1e3)});
  if (!taken.ok()) {
    result.failed = taken.problem();
    return result;
  }
  if (auto given = oracle.give(draw, inputs); !given.ok()) {
    result.broken = given.problem();
    return result;
  }
  caller first{candidate, inputs, site.flush_bytes(), limit};
  if (auto times = time_one(first, rules)) {
    result.seconds = std::move(*times);
    caller second{oracle.process(), inputs, site.flush_bytes(), limit};
    if (auto reference = time_one(second, rules))
      result.timing = ratio_of_means(*reference, result.seconds);
    else
      result.broken = second.refused()
                        ? reply::failed(outcome::crashed, second.refused()->evidence).problem()
                        : second.problem();
  } else if (first.refused()) {
    result.refused = first.refused();
  } else {
    result.failed = first.problem();
  }
  oracle.end_timing();
  result.wall = since(begin);
  return result;
}

} // namespace lathe::gpu
