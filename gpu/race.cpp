#include "gpu/race.hpp"

#include "gpu/processes/native_cuda.hpp"
#include "gpu/processes/process_group.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <iterator>
#include <numeric>
#include <thread>
#include <utility>

namespace lathe::gpu {

namespace {

using clock = std::chrono::steady_clock;

// A block should be long enough that asking for it does not matter, and short enough that both
// sides meet the same weather. What a GPU is held for is mostly blocks, and its weather is calm.
struct block_size {
  double seconds;
  double fewest_calls;
  double most_calls;
};

constexpr block_size host_blocks{0.01, 6, 6};
constexpr block_size device_blocks{0.003, 3, 8};
constexpr block_size long_device_blocks{0.003, 3, 3}; // of calls that are not short

// What is enough to tell who caches by. Calls beside those with new inputs count as well. Of short
// calls some blocks more are cheap.
constexpr race_blocks enough{10, 4};
constexpr race_blocks enough_of_long_calls{8, 0};
constexpr double short_call = 2e-3; // [seconds]

// A decision that is still open after so many time budgets, and so many seconds, stays open.
constexpr double most_budgets = 3;
constexpr double least_patience = 3;

// Who specialises its kernels on a number that changes meets a new case now and then. Blocks in
// which the candidate compiles do not count. There are fewer than any task has inputs that
// are new while it is timed: who writes down the answers to those is met with some that count.
constexpr std::size_t most_compilations = 4;

// The first call after the other side had the device finds neither its code nor its page tables in
// the device's caches, and not its Python in the processor's.
constexpr std::size_t calls_to_settle = 1;

// A GPU that idled needs so long under load to raise its clock [seconds].
constexpr double ramp_up = 0.05;

// A pair that takes longer counts even beside a neighbour [seconds].
constexpr double longest_spared = 0.3;

// Of what the reference hides in a block. Graph trees of torch.compile need 0.4 more, vmap 0.1.
constexpr double device_chores = 0.6;

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

std::vector<double> seconds_of(const std::vector<timed_call>& calls) {
  std::vector<double> result;
  for (auto& x : calls)
    result.push_back(x.seconds);
  return result;
}

std::vector<double> seconds_in(const reply& answer, const std::string& name) {
  std::vector<double> result;
  for (auto ns : answer.integers(name).value_or(std::vector<std::int64_t>{}))
    result.push_back(static_cast<double>(ns) * 1e-9);
  return result;
}

bool has_compiled(const reply& answer) {
  return answer.flag("compiled").value_or(false);
}

// The draws of the check under the weights that are timed.
std::vector<const input_draw*> known_to_both(const task_oracle& oracle) {
  std::vector<const input_draw*> result;
  for (auto& draw : oracle.checked())
    if (draw.weights + 1 == oracle.weights().size())
      result.push_back(&draw);
  return result;
}

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1e3)};
}

} // namespace

race::race(evaluation_site& site, task_oracle& oracle, worker_process& candidate, quiet_hold& quiet,
           const stopping_options& options)
  : site_(site), oracle_(oracle), candidate_(candidate), quiet_(quiet),
    memory_(oracle.memory_of_race()), rule_(options), budget_(options.budget),
    random_(static_cast<std::uint64_t>(site.secret_seed())),
    inputs_(known_to_both(oracle), oracle.timed(), memory_.inputs_held(), random_) {
  // nop
}

race_result race::run() {
  began_ = clock::now();
  reference_first_ = random_() % 2 == 0;
  auto cpu = candidate_.cpu_seconds();
  if (reserve() && warm_up())
    while (!is_finished() && pair_of_blocks())
      ;
  oracle_.end_timing();
  result_.wall = since(began_);
  result_.disturbed = result_.disturbed || quiet_.is_disturbed();
  cpu = candidate_.cpu_seconds() - cpu;
  if (throttle_.is_hopeless())
    result_.doubt = fmt::format("the GPU was throttled in {} pairs of blocks ({})",
                                throttle_.discarded(), throttle_.evidence());
  else if (!result_.failed && !result_.refused && !result_.broken)
    judge(cpu);
  return std::move(result_);
}

// -- blocks -------------------------------------------------------------------------------

std::size_t race::calls_for(double seconds) const {
  auto size = !site_.device().cuda ? host_blocks
              : calls_are_short_   ? device_blocks
                                   : long_device_blocks;
  auto calls = seconds > 0 ? size.seconds / seconds : size.most_calls;
  return static_cast<std::size_t>(std::clamp(std::ceil(calls), size.fewest_calls, size.most_calls));
}

// Who is timed first is asked last, and finds the processor's caches as it left them. The candidate
// stands still while the reference is asked: it has nothing to do meanwhile.
bool race::ask(const boost::json::object& request, std::span<const int> fds) {
  auto candidate_first = reference_first_;
  if (candidate_first && !ask_candidate(request, fds))
    return false;
  {
    still waiting{candidate_};
    if (!ask_reference(request, fds))
      return false;
  }
  return candidate_first || ask_candidate(request, fds);
}

bool race::ask_candidate(const boost::json::object& request, std::span<const int> fds) {
  auto answer = candidate_.call(request, fds, milliseconds(site_.config().run_limit));
  asked_ += answer.wall;
  if (!answer.ok())
    result_.failed = answer.problem();
  return answer.ok();
}

bool race::ask_reference(const boost::json::object& request, std::span<const int> fds) {
  auto answer = oracle_.process().call(request, fds, milliseconds(site_.config().run_limit));
  asked_reference_ += answer.wall;
  if (!answer.ok())
    result_.broken = answer.problem();
  return answer.ok();
}

// Room for the inputs to come. Without it, whoever gets some has other memory for its next call,
// which may take half as long again because of that.
bool race::reserve() {
  return ask({{"op", "reserve"},
              {"inputs", inputs_.familiar().name},
              {"names", boost::json::value_from(inputs_.places())}},
             {});
}

// A random number of calls, so that a candidate cannot count its way to the clock.
bool race::warm_up() {
  auto x = inputs_.repeat(2 + random_() % 5);
  std::optional<lap> reference;
  std::optional<lap> candidate;
  do {
    reference = run_block(oracle_.process(), x);
    candidate = run_block(candidate_, x);
    if (!accept(x, *reference, *candidate))
      return false;
  } while (site_.device().cuda && since(began_) < ramp_up);
  calls_are_short_ = median(reference->seconds) < short_call;
  // The candidate may be much slower than the reference: then blocks get shorter.
  calls_ = calls_for(std::max(median(reference->seconds), median(candidate->seconds)));
  is_calm(); // or else it is from now on
  return true;
}

bool race::pair_of_blocks() {
  if (!hand_over())
    return false;
  if (!reading_)
    reading_ = read_clock();
  auto begin = clock::now();
  auto x = inputs_.next(calls_, skipped(), missing_blocks());
  std::optional<lap> reference;
  std::optional<lap> candidate;
  auto calm = true;
  for (auto is_reference : {reference_first_, !reference_first_}) {
    if (is_reference)
      reference = run_block(oracle_.process(), x);
    else
      candidate = run_block(candidate_, x);
    calm = is_calm() && calm; // whoever is second could wait for a neighbour to go
  }
  if (!accept(x, *reference, *candidate))
    return false;
  if (has_compiled(candidate->answer))
    return run_up();
  auto before = std::exchange(reading_, read_clock());
  spdlog::trace("race of worker {}: pair {}, {} calls{}, {:.2f} us and {:.2f} us, {} MHz",
                candidate_.group(), pairs_, x.calls.size(), x.fresh ? ", fresh" : "",
                1e6 * median(reference->seconds), 1e6 * median(candidate->seconds),
                reading_ ? reading_->clock : 0);
  if (!throttle_.counts(before, reading_))
    return rest();
  if (!calm && can_be_spared(x, since(begin))) {
    auto going = settle_elsewhere();
    aside_ += since(begin);
    return going;
  }
  result_.disturbed = result_.disturbed || !calm;
  record(x, *reference, *candidate);
  return keep(x, *candidate);
}

// Nothing on the CPU, whose clock its host minds.
std::optional<clock_reading> race::read_clock() const {
  auto& where = site_.device();
  return where.cuda ? where.driver->clock_of(where.card) : std::nullopt;
}

// After a pair that does not count.
bool race::rest() {
  if (throttle_.is_hopeless())
    return false;
  auto begin = clock::now();
  std::this_thread::sleep_for(std::chrono::duration<double>(throttle_.rest()));
  auto going = run_up();
  reading_.reset();
  aside_ += since(begin);
  return going;
}

// The candidate stands still: whatever it has going on would look like a neighbour.
bool race::is_calm() {
  if (!site_.device().cuda)
    return true; // by `quiet_hold`, which need not be asked twice a pair
  still waiting{candidate_};
  return quiet_.counts();
}

// Whether a pair beside a neighbour may be left out. What was new in it is new no more: where just
// enough is left it counts, and so does what takes so long that a probe says little of it.
bool race::can_be_spared(const block_plan& x, double seconds) const {
  return seconds < longest_spared && (!x.fresh || inputs_.unseen() >= missing_blocks().fresh);
}

// Another processor's caches hold nothing of either side's. Longer calls make up for that in the
// one that does not count.
bool race::settle_elsewhere() {
  return !calls_are_short_ || run_aside();
}

// A GPU that has rested needs to be busy for a while again.
bool race::run_up() {
  auto going = true;
  for (auto begin = clock::now(); going && since(begin) < ramp_up;)
    going = run_aside();
  return going;
}

// A pair that does not count, with inputs that both sides know.
bool race::run_aside() {
  auto x = inputs_.repeat(calls_);
  auto reference = run_block(oracle_.process(), x);
  return accept(x, reference, run_block(candidate_, x));
}

bool race::hand_over() {
  while (auto* draw = inputs_.hand_over())
    if (!give(*draw))
      return false;
  return true;
}

// Locked: what a candidate cannot read, it cannot work on ahead of the clock. The reference is
// given it just then, too, so that the next block finds both in the same state.
bool race::give(const input_draw& draw) {
  auto begin = clock::now();
  // Several threads copy what is large, and would have one processor between them.
  auto shares = (memory_.input + native::least_share - 1) / native::least_share;
  auto threads = site_.device().cuda ? std::clamp<std::size_t>(shares, 1, native::most_copying) : 1;
  auto cpus = claimed_cpus::unused(site_.timing_cpus(), threads > 1 ? threads : 0);
  std::deque<unbound_thread> copying;
  if (!cpus.numbers().empty())
    for (auto* side : {&candidate_, &oracle_.process()})
      copying.emplace_back(side->group(), cpus.numbers());
  auto asked = asked_;
  auto asked_reference = asked_reference_;
  int fds[] = {draw.inputs.fd()};
  auto done = ask({{"op", "inputs"}, {"name", inputs_.name_of(draw)}}, fds);
  // As long as the reference takes: the candidate could take as long as it likes.
  copying_ +=
    static_cast<double>(threads - 1) * std::min(asked_ - asked, asked_reference_ - asked_reference);
  aside_ += since(begin);
  return done;
}

// Each block comes with one output: that of the call with new inputs, on which the test for cached
// answers rests, or of one that is drawn by lot when it is over. Of either kind as many blocks
// count as there is room for, drawn by lot, too. The worker keeps them: to hand them over takes
// time in which nobody else may use the device.
bool race::keep(const block_plan& x, const lap& candidate) {
  auto call = candidate.answer.integer("kept").value_or(-1);
  if (call < 0 || call >= static_cast<std::int64_t>(x.calls.size())
      || (x.fresh && *x.fresh != static_cast<std::size_t>(call))) {
    result_.refused =
      refusal{"forged-reply", "a block came back without the output that has to be kept"};
    return false;
  }
  auto slots_of_fresh = memory_.outputs_of_new_inputs();
  auto slots = x.fresh ? slots_of_fresh : memory_.outputs_kept() - slots_of_fresh;
  auto blocks = x.fresh ? seen_.fresh : seen_.repeated;
  auto place = blocks <= slots ? blocks - 1 : random_() % blocks;
  if (place >= slots)
    return true;
  auto slot = x.fresh ? place : slots_of_fresh + place;
  boost::json::object request{{"op", "keep"}, {"slot", slot}};
  // The reference does, too, so that memory is used alike, where there is enough of it.
  if (!(memory_.is_large() ? ask_candidate(request, {}) : ask(request, {})))
    return false;
  result_.kept[slot] = x.calls[static_cast<std::size_t>(call)];
  return true;
}

// How many calls of a block do not count.
std::size_t race::skipped() const {
  return site_.device().cuda ? calls_to_settle : 0;
}

race::lap race::run_block(worker_process& runner, const block_plan& x) const {
  boost::json::array names;
  std::vector<call_guidance> calls;
  for (auto* draw : x.calls) {
    names.emplace_back(inputs_.name_of(*draw));
    auto use = x.fresh == calls.size()     ? output_use::kept
               : x.control == calls.size() ? output_use::copied
                                           : output_use::drawn;
    calls.push_back({draw->key, use});
  }
  boost::json::object request{
    {"op", "time"}, {"sequence", std::move(names)}, {"flush", site_.flush_bytes()}};
  still other{&runner == &candidate_ ? oracle_.process() : candidate_};
  auto begin = clock::now();
  lap result{
    runner.time(std::move(request), calls, milliseconds(site_.config().run_limit)), {}, {}, {}, {}};
  result.clocks.wall = since(begin);
  result.seconds = seconds_in(result.answer, "ns");
  result.after = seconds_in(result.answer, "after_ns");
  // Whose work goes on beside the mark is not faster for that.
  for (std::size_t i = 0; i < std::min(result.seconds.size(), result.after.size()); ++i)
    result.seconds[i] += result.after[i];
  for (std::size_t i = 0; i < std::min(result.seconds.size(), result.answer.questions.size());
       ++i) {
    auto is_last = i + 1 == result.answer.questions.size();
    auto end = is_last ? result.clocks.wall : result.answer.questions[i + 1];
    result.hidden.push_back(end - result.answer.questions[i] - result.seconds[i]);
  }
  result.clocks.reported = std::accumulate(result.seconds.begin(), result.seconds.end(), 0.0);
  return result;
}

bool race::accept(const block_plan& x, const lap& reference, const lap& candidate) {
  asked_ += candidate.answer.wall;
  auto calls = x.calls.size();
  auto complete = [&](const lap& side) {
    return side.seconds.size() == calls && side.after.size() == calls;
  };
  if (!reference.answer.ok() || !complete(reference)) {
    auto miscounted = reply::failed(
      outcome::crashed, "it reported times for another number of calls than were asked for");
    result_.broken = (reference.answer.ok() ? miscounted : reference.answer).problem();
    return false;
  }
  if (!candidate.answer.ok()) {
    result_.failed = candidate.answer.problem();
    return false;
  }
  compilations_ += has_compiled(candidate.answer) ? 1 : 0;
  if (!complete(candidate))
    result_.refused = refusal{"implausible-time", "the process reported times for another number "
                                                  "of calls than were asked for"};
  else if (candidate.answer.flag("inputs_changed").value_or(true))
    result_.refused = refusal{"input-mutation", "a timed call changed its inputs"};
  else if (compilations_ > most_compilations)
    result_.refused =
      refusal{"file-activity", fmt::format("{} blocks of timed calls wrote files, as compilers do",
                                           compilations_)};
  else
    result_.refused = check_plausible(candidate.seconds, candidate.clocks.wall);
  return !result_.refused;
}

// Each side is first in one of two pairs, so that neither meets a colder cache than the other; in
// which of them is drawn by lot, so that nothing else on the host keeps time with one side.
void race::choose_first() {
  reference_first_ = pairs_ % 2 == 0 ? !reference_first_ : random_() % 2 == 0;
}

void race::record(const block_plan& x, const lap& reference, const lap& candidate) {
  choose_first();
  ++pairs_;
  ++(x.fresh ? seen_.fresh : seen_.repeated);
  for (auto i = skipped(); i < x.calls.size(); ++i) {
    candidate_calls_.push_back({candidate.seconds[i], x.fresh == i});
    reference_calls_.push_back({reference.seconds[i], x.fresh == i});
    result_.seconds.push_back(candidate.seconds[i]);
    candidate_after_.push_back(candidate.after[i]);
    reference_after_.push_back(reference.after[i]);
  }
  auto note_hidden = [&](std::size_t i) {
    if (i < std::min(candidate.hidden.size(), reference.hidden.size()))
      hidden_more_.push_back({candidate.hidden[i] - reference.hidden[i], x.fresh == i});
  };
  note_hidden(x.control);
  if (x.fresh)
    note_hidden(*x.fresh);
  candidate_clocks_.push_back(candidate.clocks);
  reference_clocks_.push_back(reference.clocks);
  auto settled = [&](const std::vector<double>& seconds) {
    return block{seconds.begin() + static_cast<std::ptrdiff_t>(skipped()), seconds.end()};
  };
  rule_.add(settled(reference.seconds), settled(candidate.seconds), since(began_) - aside_);
}

// -- judgement ----------------------------------------------------------------------------

bool race::is_finished() const {
  if (!rule_.is_finished())
    return false;
  if (is_hopeless() || since(began_) - aside_ > std::max(least_patience, most_budgets * budget_))
    return true;
  // What noise hides of who caches may show after more calls.
  auto missing = missing_blocks();
  if (missing.repeated > 0 || (missing.fresh > 0 && inputs_.unseen() > 0))
    return false;
  return !why_doubtful() || check_cached_output(candidate_calls_, reference_calls_)
         || check_speedup(speedup(), candidate_calls_, reference_calls_);
}

// What the pairs say so far; 0 where they allow no interval.
double race::speedup() const {
  return rule_.result() ? rule_.result()->speedup : 0;
}

// Why the times are not to be believed, if so.
const char* race::why_doubtful() const {
  if (!is_cleared_of_caching(candidate_calls_, reference_calls_))
    return "the host is too busy to tell whether never-seen inputs are answered as fast as "
           "repeated ones";
  if (!is_speedup_steady(speedup(), candidate_calls_, reference_calls_))
    return "too few of its calls are as fast as its speed-up says: it is fast for a while and slow "
           "for a while";
  return nullptr;
}

// Pairs that do not count have not been there.
race_blocks race::missing_blocks() const {
  auto wanted = calls_are_short_ ? enough : enough_of_long_calls;
  return {wanted.fresh - std::min(seen_.fresh, wanted.fresh),
          wanted.repeated - std::min(seen_.repeated, wanted.repeated)};
}

// Who is slower than the reference gains nothing by what it caches.
bool race::is_hopeless() const {
  return rule_.reason() == stop_reason::hopeless;
}

// What new inputs cost a call, and what goes on beside the mark: for those who set the limits.
void race::trace_calls() const {
  auto told = [](const std::vector<timed_call>& calls, const std::vector<double>& after) {
    std::vector<timed_call> fresh;
    std::ranges::copy_if(calls, std::back_inserter(fresh), &timed_call::first_visit);
    return fmt::format("{:.1f} us ({:.1f} us with new inputs, {:.1f} us after the mark)",
                       1e6 * median(seconds_of(calls)),
                       fresh.empty() ? 0 : 1e6 * median(seconds_of(fresh)), 1e6 * median(after));
  };
  spdlog::trace("race of worker {} against worker {}: calls take {}, the reference's {}",
                candidate_.group(), oracle_.process().group(),
                told(candidate_calls_, candidate_after_), told(reference_calls_, reference_after_));
}

void race::judge(double cpu) {
  trace_calls();
  auto& refused = result_.refused;
  refused = check_cached_output(candidate_calls_, reference_calls_);
  if (!refused)
    refused = check_small_savings(candidate_calls_, reference_calls_);
  if (!refused)
    refused = check_speedup(speedup(), candidate_calls_, reference_calls_);
  if (!refused && site_.device().cuda)
    refused =
      check_joined(candidate_after_, reference_after_, median(seconds_of(candidate_calls_)));
  if (!refused)
    refused =
      check_clocks(candidate_clocks_, reference_clocks_, site_.device().cuda ? device_chores : 0);
  if (!refused)
    refused = check_hidden_work(hidden_more_, median(seconds_of(reference_calls_)));
  if (!refused)
    refused = check_background(cpu, asked_ * site_.config().threads + copying_, result_.wall);
  result_.may_be_noise = refused.has_value();
  if (auto* why = why_doubtful(); why != nullptr && !is_hopeless())
    result_.doubt = why;
  result_.timing = rule_.result();
  if (result_.timing)
    result_.timing->throttled = static_cast<std::int32_t>(throttle_.discarded());
}

} // namespace lathe::gpu
