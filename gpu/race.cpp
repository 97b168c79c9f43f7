#include "gpu/race.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lathe::gpu {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

// A block should be long enough that asking for it does not matter, and short enough that both sides
// meet the same weather.
constexpr double block_seconds = 0.01;
constexpr double fewest_calls = 6;
constexpr double most_calls = 10;

// Outputs of so many timed calls are kept for comparison.
constexpr std::size_t most_kept = 6;

double since(clock::time_point begin) {
  return std::chrono::duration<double>(clock::now() - begin).count();
}

std::size_t calls_for(double seconds) {
  auto calls = seconds > 0 ? block_seconds / seconds : most_calls;
  return static_cast<std::size_t>(std::clamp(std::ceil(calls), fewest_calls, most_calls));
}

stopping_options options_for(double budget) {
  stopping_options result;
  result.budget = budget;
  return result;
}

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1e3)};
}

} // namespace

race::race(evaluation_site& site, task_oracle& oracle, worker_process& candidate, double budget)
  : site_(site),
    oracle_(oracle),
    candidate_(candidate),
    rule_(options_for(budget)),
    budget_(budget),
    random_(static_cast<std::uint64_t>(site.secret_seed())),
    calls_(calls_for(oracle.eager_seconds())) {
  for (auto& draw : oracle.timed())
    unseen_.push_back(&draw);
  auto last = oracle.weights().size() - 1;
  for (auto& draw : oracle.checked())
    if (draw.weights == last)
      seen_.push_back(&draw);
}

race_result race::run() {
  began_ = clock::now();
  if (warm_up())
    while (!is_finished() && pair_of_blocks())
      ;
  result_.wall = since(began_);
  if (!result_.failed && !result_.refused && result_.broken.empty())
    judge();
  return std::move(result_);
}

// -- blocks -------------------------------------------------------------------------------

// A random number of calls, so that a candidate cannot count its way to the clock.
bool race::warm_up() {
  plan x;
  x.sequence.assign(2 + random_() % 5, seen_.front());
  auto reference = run_block(oracle_.process(), x, nullptr);
  auto candidate = run_block(candidate_, x, nullptr);
  if (!accept(reference, candidate))
    return false;
  // The candidate may be much slower than the reference: then blocks get shorter.
  auto slowest = std::max(median(reference.seconds), median(candidate.seconds));
  calls_ = calls_for(slowest);
  return true;
}

bool race::pair_of_blocks() {
  auto x = next_plan();
  std::optional<shared_memory> output;
  if (result_.kept.size() < most_kept) {
    if (auto made = make_answer_file(*x.sequence[x.keep]))
      output = std::move(*made);
  }
  auto* kept = output ? &*output : nullptr;
  // The side that goes first changes, so that neither always meets a cold cache.
  std::optional<lap> reference;
  if (pairs_ % 2 == 0)
    reference = run_block(oracle_.process(), x, nullptr);
  auto candidate = run_block(candidate_, x, kept);
  if (!reference)
    reference = run_block(oracle_.process(), x, nullptr);
  if (!accept(*reference, candidate))
    return false;
  record(x, *reference, candidate);
  if (output)
    result_.kept.push_back({x.sequence[x.keep], std::move(*output)});
  return true;
}

race::plan race::next_plan() {
  plan result;
  for (std::size_t i = 0; i < calls_; ++i)
    result.sequence.push_back(seen_[random_() % seen_.size()]);
  result.keep = random_() % calls_;
  if (!unseen_.empty()) {
    result.fresh = random_() % calls_;
    result.sequence[*result.fresh] = unseen_.back();
    seen_.push_back(unseen_.back());
    unseen_.pop_back();
    if (random_() % 2 == 0)
      result.keep = *result.fresh;
  }
  return result;
}

race::lap race::run_block(worker_process& runner, const plan& x,
                          const shared_memory* output) const {
  boost::json::array names;
  for (auto* draw : x.sequence)
    names.emplace_back(draw->name);
  boost::json::object request{
    {"op", "time"}, {"sequence", std::move(names)}, {"flush", site_.flush_bytes()}};
  std::vector<int> fds;
  if (output != nullptr) {
    request["keep"] = boost::json::array{x.keep};
    fds.push_back(output->fd());
  }
  auto begin = clock::now();
  lap result{runner.call(std::move(request), fds, milliseconds(site_.config().run_limit)), {}, {}};
  result.clocks.wall = since(begin);
  for (auto ns : result.answer.integers("ns").value_or(std::vector<std::int64_t>{}))
    result.seconds.push_back(static_cast<double>(ns) * 1e-9);
  result.clocks.reported = std::accumulate(result.seconds.begin(), result.seconds.end(), 0.0);
  return result;
}

bool race::accept(const lap& reference, const lap& candidate) {
  if (!reference.answer.ok() || reference.seconds.empty()) {
    result_.broken = reference.answer.ok() ? "the reference reported no times"
                                           : reference.answer.problem().message;
    return false;
  }
  if (!candidate.answer.ok()) {
    result_.failed = candidate.answer.problem();
    return false;
  }
  if (candidate.seconds.size() != reference.seconds.size())
    result_.refused = refusal{"implausible-time", "the process reported times for another number "
                                                  "of calls than were asked for"};
  else if (candidate.answer.flag("inputs_changed").value_or(true))
    result_.refused = refusal{"input-mutation", "a timed call changed its inputs"};
  else
    result_.refused = check_plausible(candidate.seconds, candidate.clocks.wall);
  return !result_.refused;
}

void race::record(const plan& x, const lap& reference, const lap& candidate) {
  ++pairs_;
  for (std::size_t i = 0; i < x.sequence.size(); ++i) {
    candidate_calls_.push_back({candidate.seconds[i], x.fresh == i});
    result_.seconds.push_back(candidate.seconds[i]);
    reference_calls_.push_back({reference.seconds[i], x.fresh == i});
  }
  candidate_clocks_.push_back(candidate.clocks);
  reference_clocks_.push_back(reference.clocks);
  rule_.add(reference.seconds, candidate.seconds, since(began_));
}

// -- judgement ----------------------------------------------------------------------------

bool race::is_finished() const {
  if (!rule_.is_finished())
    return false;
  // The test for cached answers needs all unseen inputs. A hopeless candidate needs no test, nor
  // does one for which there is no time at all.
  return unseen_.empty() || rule_.reason() == stop_reason::hopeless || since(began_) > 3 * budget_;
}

void race::judge() {
  result_.refused = check_cached_output(candidate_calls_, reference_calls_);
  if (!result_.refused)
    result_.refused = check_clocks(candidate_clocks_, reference_clocks_);
  result_.timing = rule_.result();
}

} // namespace lathe::gpu
