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

// Blocks that begin with inputs seen before.
constexpr std::size_t fewest_repeats = 12;

// Outputs of so many timed calls are kept for comparison, drawn by lot from all of the race: who
// is wrong in half of the calls, which is what it takes to move a median, gets away with it in one
// race of four thousand.
constexpr std::size_t most_kept = 12;

/// Stops one side's processes while the other side is timed.
class still {
public:
  explicit still(worker_process& process) : process_(process) {
    process_.freeze();
  }

  still(const still&) = delete;
  still& operator=(const still&) = delete;

  ~still() {
    process_.thaw();
  }

private:
  worker_process& process_;
};

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
  auto cpu = candidate_.cpu_seconds();
  if (warm_up())
    while (!is_finished() && pair_of_blocks())
      ;
  result_.wall = since(began_);
  cpu = candidate_.cpu_seconds() - cpu;
  if (!result_.failed && !result_.refused && result_.broken.empty())
    judge(cpu);
  return std::move(result_);
}

// -- blocks -------------------------------------------------------------------------------

// A random number of calls, so that a candidate cannot count its way to the clock.
bool race::warm_up() {
  plan x;
  x.sequence.assign(2 + random_() % 5, seen_.front());
  auto reference = run_block(oracle_.process(), x);
  auto candidate = run_block(candidate_, x);
  if (!accept(reference, candidate))
    return false;
  // The candidate may be much slower than the reference: then blocks get shorter.
  auto slowest = std::max(median(reference.seconds), median(candidate.seconds));
  calls_ = calls_for(slowest);
  return true;
}

bool race::pair_of_blocks() {
  auto x = next_plan();
  if (x.fresh && !give(*x.sequence.front()))
    return false;
  // The side that goes first changes, so that neither always meets a cold cache.
  std::optional<lap> reference;
  if (pairs_ % 2 == 0)
    reference = run_block(oracle_.process(), x);
  auto candidate = run_block(candidate_, x);
  if (!reference)
    reference = run_block(oracle_.process(), x);
  if (!accept(*reference, candidate))
    return false;
  record(x, *reference, candidate);
  return keep(x, candidate);
}

// Just before its block: what a candidate does not have, it cannot work on ahead of the clock. The
// reference, which has it, is given it again, so that the block finds both in the same state.
bool race::give(const input_draw& draw) {
  int fds[] = {draw.inputs.fd()};
  boost::json::object request{{"op", "inputs"}, {"name", draw.name}};
  auto limit = milliseconds(site_.config().run_limit);
  auto ours = oracle_.process().call(request, fds, limit);
  auto theirs = candidate_.call(std::move(request), fds, limit);
  asked_ += theirs.wall;
  if (!theirs.ok())
    result_.failed = theirs.problem();
  else if (!ours.ok())
    result_.broken = ours.problem().message;
  return ours.ok() && theirs.ok();
}

// Each block comes with one output; which blocks count is drawn by lot, too, and afterwards.
bool race::keep(const plan& x, const lap& candidate) {
  auto& kept = result_.kept;
  auto place = kept.size() < most_kept ? kept.size() : random_() % pairs_;
  auto call = candidate.answer.integer("kept").value_or(-1);
  if (place >= most_kept || call < 0 || call >= static_cast<std::int64_t>(x.sequence.size()))
    return true;
  auto& draw = *x.sequence[static_cast<std::size_t>(call)];
  auto output = make_answer_file(draw);
  if (!output)
    return true;
  int fds[] = {output->fd()};
  auto fetched = candidate_.call({{"op", "fetch"}}, fds, milliseconds(site_.config().run_limit));
  asked_ += fetched.wall;
  if (!fetched.ok()) {
    result_.failed = fetched.problem();
    return false;
  }
  if (place == kept.size())
    kept.push_back({&draw, std::move(*output)});
  else
    kept[place] = {&draw, std::move(*output)};
  return true;
}

race::plan race::next_plan() {
  plan result;
  for (std::size_t i = 0; i < calls_; ++i)
    result.sequence.push_back(seen_[random_() % seen_.size()]);
  // First in its block, for the same reason that it is handed over only then.
  if (!unseen_.empty()) {
    result.fresh = true;
    result.sequence.front() = unseen_.back();
    seen_.push_back(unseen_.back());
    unseen_.pop_back();
  }
  return result;
}

race::lap race::run_block(worker_process& runner, const plan& x) const {
  boost::json::array names;
  for (auto* draw : x.sequence)
    names.emplace_back(draw->name);
  boost::json::object request{
    {"op", "time"}, {"sequence", std::move(names)}, {"flush", site_.flush_bytes()}};
  still other{&runner == &candidate_ ? oracle_.process() : candidate_};
  auto begin = clock::now();
  lap result{runner.call(std::move(request), {}, milliseconds(site_.config().run_limit)), {}, {}};
  result.clocks.wall = since(begin);
  for (auto ns : result.answer.integers("ns").value_or(std::vector<std::int64_t>{}))
    result.seconds.push_back(static_cast<double>(ns) * 1e-9);
  result.clocks.reported = std::accumulate(result.seconds.begin(), result.seconds.end(), 0.0);
  return result;
}

bool race::accept(const lap& reference, const lap& candidate) {
  asked_ += candidate.answer.wall;
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
    candidate_calls_.push_back({candidate.seconds[i], x.fresh && i == 0});
    reference_calls_.push_back({reference.seconds[i], x.fresh && i == 0});
  }
  candidate_leads_.push_back({candidate.seconds.front(), x.fresh});
  reference_leads_.push_back({reference.seconds.front(), x.fresh});
  candidate_clocks_.push_back(candidate.clocks);
  reference_clocks_.push_back(reference.clocks);
  rule_.add(reference.seconds, candidate.seconds, since(began_));
}

// -- judgement ----------------------------------------------------------------------------

bool race::is_finished() const {
  if (!rule_.is_finished())
    return false;
  // The test for cached answers needs all unseen inputs, and blocks without to compare them with. A
  // hopeless candidate needs no test, nor does one for which there is no time at all.
  return pairs_ >= oracle_.timed().size() + fewest_repeats
         || rule_.reason() == stop_reason::hopeless || since(began_) > 3 * budget_;
}

void race::judge(double cpu) {
  result_.refused = check_cached_output(candidate_calls_, reference_calls_);
  if (!result_.refused)
    result_.refused = check_leading_calls(candidate_leads_, reference_leads_);
  if (!result_.refused)
    result_.refused = check_clocks(candidate_clocks_, reference_clocks_);
  if (!result_.refused)
    result_.refused = check_background(cpu, asked_ * site_.config().threads, result_.wall);
  result_.timing = rule_.result();
}

} // namespace lathe::gpu
