#include "gpu/evaluation.hpp"

#include "gpu/forbidden_work.hpp"
#include "gpu/mean_timer.hpp"
#include "gpu/profile_digest.hpp"
#include "gpu/quiet_hold.hpp"
#include "gpu/screen.hpp"
#include "gpu/task_preparation.hpp"
#include "messages/error.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace lathe::gpu {

namespace {

// A winner is measured this many times longer before it is handed out.
constexpr double confirmation = 3;

// What two processes differ in that run the same code on the same core, as a share of the time in
// which the host works; nobody should win by being started once more. Speed-ups of a launch-bound
// model against itself, each in a process of its own, have a standard deviation of 1 % on a quiet
// host, and of 2 %, around 1.02 even, on GPU hosts whose cores are shared with others.
constexpr double process_spread = 0.04;
constexpr double launch_spread = 0.07;

// The same, of the time in which the device works: where its memory lies matters, too.
constexpr double device_spread = 0.01;

// A call on a GPU that is short [seconds] and does nothing but wait for the host is measured this
// many times longer: in one that is not, the host's noise comes to less.
constexpr double host_patience = 3;
constexpr double short_call = 1e-3;

// Shares of the budget before which nothing is decided: gusts of 0.1 s on one side alone were seen
// where kernels are launched.
constexpr double host_hesitation = 1.0 / 20;
constexpr double launch_hesitation = 1.0 / 3;

// Who is checked for longer lets those pass who wait to be timed: at once where somebody does, but
// not after every answer.
constexpr auto longest_turn = std::chrono::milliseconds{1000};
constexpr auto shortest_turn = std::chrono::milliseconds{200};

// One answer is compared while the next is made.
constexpr std::int64_t answers_at_once = 2;

// How often who is right and whose times are not to be believed is judged once more.
constexpr int most_repetitions = 2;

// A winner's times are not, nor those that neighbours had part in, where the reference's are so
// many times as long as they were.
constexpr double slowed = 1.1;

// Whoever calls for longer [seconds] is not called once more to see whether it folds its weights.
constexpr double longest_folding_call = 1;

// Shares of the device's time. Nothing where it took none: a task may move no data.
device_work read_work(const reply& x) {
  auto seconds = [&](std::string_view key) {
    return static_cast<double>(std::max<std::int64_t>(0, x.integer(key).value_or(0))) * 1e-9;
  };
  device_work result{x.integer("kernels").value_or(0), seconds("own_ns"), seconds("library_ns"),
                     seconds("framework_ns"), x.flag("graphs").value_or(false)};
  auto all = result.own + result.library + result.framework;
  for (auto* share : {&result.own, &result.library, &result.framework})
    *share = all > 0 ? *share / all : 0;
  return result;
}

} // namespace

evaluation::evaluation(const evaluation_request& request, judge_rules rules, oracle_source oracle,
                       evaluation_site& site, lease_source& leases)
  : request_(request),
    rules_(std::move(rules)),
    find_oracle_(std::move(oracle)),
    site_(site),
    leases_(leases),
    tag_(fmt::format("candidate:{}/{}/{}", request.session, request.subject.id, request.id)) {
  // nop
}

caf::expected<verdict> evaluation::run() {
  auto began = std::chrono::steady_clock::now();
  auto screened = screen(request_.subject.source, rules_.takes_model);
  auto hash = normalised_hash(request_.subject.source);
  if (!request_.confirm && !screened)
    screened = site_.known(request_.session, hash);
  if (screened) {
    auto wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    screened->stages = {{"screen", wall, wall, 0}}; // a verdict that is known cost this much
    return std::move(*screened);
  }
  attempt();
  // Others may have taken what was counted on. Whoever is alone waits for all of them.
  for (auto more : {room_for::twice, room_for::it_alone})
    if (ran_out_of_memory() && (more == room_for::it_alone || has_room_for_twice())) {
      room_ = more;
      attempt();
    }
  if (refused_by_clocks_)
    hear_again();
  // What noise hid may show in a fresh process, to which all inputs are new again.
  for (int again = 0; again < most_repetitions && verdict_.outcome == outcome::unstable; ++again)
    attempt();
  for (int again = 0; again < most_repetitions && was_slowed(); ++again)
    time_again();
  if (doubt_told_ || in_doubt() || ran_out_of_memory())
    confirm_device();
  if (broken_)
    return broken_;
  if (settled_ && request_.confirm)
    time_baselines();
  if (!request_.confirm)
    site_.remember(request_.session, hash, verdict_);
  return std::move(verdict_);
}

// Once more at most: whoever is killed again and again has a reason to be.
void evaluation::attempt() {
  attempt_once();
  if (interrupted_)
    attempt_once();
}

// Noise does not repeat itself. Who cheats does, or else has earned the time of the second race.
// Noise that hides it then acquits nobody.
void evaluation::hear_again() {
  auto refused = verdict_;
  attempt();
  if (verdict_.outcome == outcome::unstable && !broken_)
    verdict_ = std::move(refused);
}

// Measured on a GPU host whose cores others use, too: a model that launches many kernels may be 1.7
// times as slow for a whole race, and what a graph has captured of it is not. Among a session's
// races there are calm ones. Where a neighbour was noticed and there was no other processor to go
// to this is all that can be done.
bool evaluation::was_slowed() const {
  return site_.device().cuda && (request_.confirm || disturbed_) && settled_ && verdict_.timing
         && verdict_.timing->reference > slowed * oracle_->calmest_call();
}

// The calmest counts. Who is wrong in one of them is.
void evaluation::time_again() {
  auto before = std::move(verdict_);
  auto seconds = std::move(seconds_);
  auto profile = std::move(profile_);
  auto disturbed = disturbed_;
  spdlog::trace("{}: the reference took {:.4g} ms, {:.4g} before; timed once more", tag_,
                1e3 * before.timing->reference, 1e3 * oracle_->calmest_call());
  attempt();
  auto is_calmer = settled_ && verdict_.timing->reference < before.timing->reference;
  auto is_wrong = verdict_.outcome == outcome::incorrect
                  || (verdict_.outcome == outcome::refused && !refused_by_clocks_);
  if (is_calmer || (is_wrong && !broken_))
    return;
  verdict_ = std::move(before);
  seconds_ = std::move(seconds);
  profile_ = std::move(profile);
  disturbed_ = disturbed;
  broken_ = {};
  interrupted_ = reference_broke_ = refused_by_clocks_ = false;
  settled_ = true;
}

// Of the device's, and not of the host's while it was built.
bool evaluation::ran_out_of_memory() const {
  return site_.device().cuda && share_ && verdict_.outcome == outcome::out_of_memory;
}

bool evaluation::has_room_for_twice() {
  auto& all = site_.room();
  return 2 * oracle_->needed_memory() < all.size().device - all.kept().device;
}

void evaluation::attempt_once() {
  let_go();
  verdict_ = {};
  verdict_.outcome = outcome::correct;
  seconds_.clear();
  profile_.reset();
  broken_ = {};
  interrupted_ = reference_broke_ = refused_by_clocks_ = disturbed_ = false;
  doubt_told_ = settled_ = false;
  cpu_before_ = 0;
  agreed_ = 0;
  if (build() && meet_oracle() && warm() && take_place() && check() && time()) {
    if (request_.want_profile)
      profile();
    settled_ = fold();
  }
}

// -- stages -------------------------------------------------------------------------------

bool evaluation::build() {
  if (uses_compiler())
    site_.prepare_compiling();
  auto core =
    site_.room().take({.cores = 1}, std::exchange(is_new_, false) ? turn::later : turn::first);
  enter("build");
  auto source = shared_memory::holding(request_.subject.source);
  if (!source)
    return give_up(std::move(source.error()));
  if (!build_extensions(*source) || !begin_process())
    return false;
  verdict_.sandbox = fmt::format("{}", fmt::join(worker_.process->missing(), ", "));
  int fds[] = {source->fd()};
  boost::json::object request{{"op", "load"},
                              {"path", request_.subject.id},
                              {"class", "ModelNew"},
                              {"mode", rules_.mode}};
  if (rules_.takes_model)
    request["otherwise"] = "Model";
  auto loaded = call(std::move(request), fds, site_.config().build_limit);
  return loaded.ok() || fail(loaded.problem());
}

// From here on it may have a context and tensors on the device.
bool evaluation::meet_oracle() {
  auto oracle = find_oracle_();
  if (!oracle)
    return give_up(std::move(oracle.error()));
  oracle_ = std::move(*oracle);
  auto& room = site_.room();
  auto when = room_ == room_for::it_alone ? turn::last : turn::later;
  auto memory = room_ == room_for::a_call  ? oracle_->memory_of_call()
                : room_ == room_for::twice ? 2 * oracle_->needed_memory()
                                           : room.size().device;
  share_.emplace(room.take(site_.of_process(memory, 1), when));
  return true;
}

// First calls compile and tune, which may take minutes: no lease, but frozen while others are timed.
bool evaluation::warm() {
  enter("warm");
  auto& first = oracle_->checked().front();
  if (!make_context() || !construct(first.weights) || !give(first) || !call_model(first))
    return false;
  if (keeps_compiled())
    site_.keep_compiled(*worker_.process, compiled_subject(), author_of_compiled());
  return true;
}

// Those whose first call takes minutes do not wait for room that only a race needs, nor keep others
// from it; and those who are ready for a race go before all who are not.
bool evaluation::take_place() {
  auto held = share_->amount();
  held.cores = 0;
  auto needed = held;
  needed.places = 1;
  if (site_.device().cuda) {
    needed.host += answers_at_once * oracle_->answer_bytes();
    auto trimmed =
      call({{"op", "trim"}, {"inputs", boost::json::array{}}}, {}, site_.config().run_limit);
    if (!trimmed.ok())
      return fail(trimmed.problem());
    if (room_ == room_for::a_call) {
      auto least = oracle_->memory_between_calls();
      auto most = std::max(least, site_.room().size().device); // it may say anything
      held.device = std::clamp(trimmed.integer("held").value_or(0), least, most);
      needed.device = oracle_->needed_memory(held.device);
    }
  }
  share_->resize(held);
  share_->grow(needed, turn::later);
  return true;
}

template <class Step>
bool evaluation::take_turns(std::size_t steps, Step step) {
  using clock = std::chrono::steady_clock;
  auto right = true;
  for (std::size_t next = 0; right && next < steps;) {
    auto held = hold(leases_, lease_kind::shared, request_.priority);
    if (!held)
      return give_up(std::move(held.error()));
    stage_end end{*this, *held};
    auto is_over = [&, begun = clock::now()] {
      auto time = clock::now() - begun;
      return time >= longest_turn || (time >= shortest_turn && leases_.is_wanted_alone());
    };
    do
      right = step(next++);
    while (right && next < steps && !is_over());
    right = finish_comparing() && right; // who is wrong first and breaks then is wrong
  }
  return right;
}

bool evaluation::check() {
  enter("check");
  verdict_.correctness.emplace();
  verdict_.correctness->policy = rules_.tolerance;
  auto draws = oracle_->checked();
  std::size_t weights = 0;
  auto right = take_turns(draws.size(), [&](std::size_t i) {
    auto& draw = draws[i];
    if (draw.weights != weights && !construct(weights = draw.weights))
      return false;
    return give(draw) && answer(draw);
  });
  verdict_.correctness->input_draws = agreed_;
  if (!right)
    return false;
  verdict_.correctness->weight_draws = static_cast<std::int32_t>(oracle_->weights().size());
  return true;
}

bool evaluation::time() {
  race_result found;
  {
    std::unique_lock renewal{oracle_->renewal(), std::defer_lock};
    if (renews_reference_)
      renewal.lock();
    if (!revive_oracle())
      return false;
    auto quiet = quiet_hold::take(site_, leases_, *oracle_, request_.priority,
                                  worker_.process.get(), tag_);
    if (!quiet)
      return give_up(std::move(quiet.error()));
    stage_end end{*this, (*quiet)->lease()};
    enter("time");
    auto& by_means = rules_.timing;
    found = by_means ? time_by_means(site_, *oracle_, *worker_.process, *by_means)
                     : race{site_, *oracle_, *worker_.process, **quiet, precision()}.run();
    if (!survived(found))
      return false;
  }
  return audit(found) && is_possible() && is_steady(found);
}

// Writes down what the race cost, and what it says of who did not get through it.
bool evaluation::survived(race_result& found) {
  auto& cost = verdict_.stages.back();
  auto cpu = worker_.process->cpu_seconds();
  cost.wall = found.wall;
  cost.cpu = std::max(0.0, cpu - cpu_before_);
  cpu_before_ = cpu;
  seconds_ = std::move(found.seconds);
  if (found.broken && found.broken->how == outcome::out_of_memory)
    return fail(
      reply::failed(outcome::out_of_memory, "the reference finds no room beside it on the device")
        .problem());
  reference_broke_ = found.broken.has_value();
  interrupted_ = reference_broke_ && !oracle_->process().usable();
  if (reference_broke_)
    return give_up(make_error(errc::evaluator_failed,
                              "the reference broke while it was timed: " + found.broken->message));
  if (found.failed)
    return fail(*found.failed);
  disturbed_ = found.disturbed;
  if (found.timing)
    oracle_->saw_call(found.timing->reference);
  refused_by_clocks_ = found.refused && found.may_be_noise;
  return !found.refused || refuse(found.refused->rule, found.refused->evidence);
}

bool evaluation::audit(const race_result& found) {
  enter("audit");
  if (!compare_kept(found)) {
    if (verdict_.outcome == outcome::incorrect)
      tell_wrong_when_timed();
    return false;
  }
  verdict_.timing = found.timing;
  if (!rules_.watches_conduct || !found.timing)
    return true; // judges of papers publish what they measured
  if (!site_.device().cuda) {
    allow_for_processes(1);
    return true;
  }
  if (take_turns(1, [&](std::size_t) { return trace(); }))
    return true;
  verdict_.timing.reset();
  return false;
}

// Whoever rounds may be precise enough for the inputs of the check, and not for others.
void evaluation::tell_wrong_when_timed() {
  if (is_rounded_)
    verdict_.evidence =
      "precise enough in the check, but not for all inputs that it was timed with: "
      + verdict_.evidence;
  else
    refuse("wrong-when-timed",
           "right in the check, wrong while it was timed: " + verdict_.evidence);
}

// What only the race needed goes first: the verifier may need the room.
bool evaluation::compare_kept(const race_result& found) {
  auto kept = found.kept.begin();
  return take_turns(1 + found.kept.size(), [&](std::size_t step) {
    if (step > 0) {
      auto& [slot, draw] = *kept++;
      return fetch(slot, *draw);
    }
    auto& last = oracle_->checked().back();
    auto trimmed = call({{"op", "trim"}, {"inputs", {last.name}}}, {}, site_.config().run_limit);
    return trimmed.ok() || fail(trimmed.problem());
  });
}

bool evaluation::fetch(std::size_t slot, const input_draw& draw) {
  spare_files_.clear(); // its process has had those in its hands since before the race
  auto output = shared_memory::make(size_of_answer(draw));
  if (!output)
    return give_up(std::move(output.error()));
  int fds[] = {output->fd()};
  auto handed_over = call({{"op", "fetch"}, {"slot", slot}}, fds, site_.config().run_limit);
  if (!handed_over.ok())
    return fail(handed_over.problem());
  return compare(draw, std::move(*output));
}

// An interval that will be widened by what two processes differ in need not be much narrower. Who is
// to be handed out is measured as if it would not.
stopping_options evaluation::precision() const {
  stopping_options result;
  auto host_share = oracle_->host_share();
  result.budget = site_.config().time_budget;
  if (!site_.device().cuda) {
    result.patience = host_hesitation * result.budget;
  } else if (oracle_->eager() < short_call) {
    result.budget *= 1 + host_share * (host_patience - 1);
    result.patience = launch_hesitation * host_share * result.budget;
  }
  auto spread = host_spread() * host_share;
  result.clear_distance += spread; // what is left of it is still clear
  if (request_.confirm) {
    result.budget *= confirmation;
    return result;
  }
  result.half_width = std::max(result.half_width, spread / 4);
  result.clear_half_width = std::max(result.clear_half_width, spread);
  return result;
}

double evaluation::host_spread() const {
  return site_.device().cuda ? launch_spread : process_spread;
}

void evaluation::allow_for_processes(double host_share) {
  auto spread = device_spread + host_share * (host_spread() - device_spread);
  verdict_.timing = widened(*verdict_.timing, spread);
}

// Records one more call: what the device did for it, on which streams, who wrote what ran, and
// whether all of it was done when the call said so.
bool evaluation::trace() {
  auto& draw = oracle_->checked().back();
  auto found = call(
    {{"op", "trace"}, {"inputs", draw.name}, {"events", request_.want_profile ? most_events : 0}},
    {}, site_.config().run_limit);
  if (!found.ok())
    return fail(found.problem());
  device_trace x;
  x.kernels = found.integer("kernels").value_or(0);
  x.late = static_cast<double>(found.integer("late_ns").value_or(0)) * 1e-9;
  x.busy = static_cast<double>(found.integer("busy_ns").value_or(0)) * 1e-9;
  if (auto refused = check_trace(x, oracle_->kernels())) {
    refused_by_clocks_ = x.late > 0; // the device's and the host's, which may have drifted apart
    return refuse(refused->rule, refused->evidence);
  }
  verdict_.work = read_work(found);
  allow_for_processes(1 - std::min(1.0, x.busy / verdict_.timing->candidate));
  return obeys();
}

// Who is faster than the device seems to allow, has it measured once more.
bool evaluation::is_possible() {
  if (!verdict_.timing)
    return true;
  auto& work = oracle_->work();
  auto& time = *verdict_.timing;
  auto peaks = work ? site_.peaks().get(leases_) : caf::expected<device_peaks>{caf::error{}};
  std::optional<refusal> refused;
  auto look = [&] {
    time.floor = stated_floor(*work, *peaks, rules_.tolerance).floor;
    if (rules_.watches_conduct)
      refused =
        check_roofline(time.candidate, sure_floor(*work, *peaks), work->read + work->written);
    return !refused && time.candidate >= time.floor;
  };
  if (peaks && !look() && (peaks = site_.peaks().get_again(leases_)))
    look();
  if (!peaks || !refused)
    return true;
  verdict_.timing.reset();
  return refuse(refused->rule, refused->evidence);
}

bool evaluation::is_steady(const race_result& found) {
  if (found.timing && found.doubt.empty())
    return true;
  verdict_.timing.reset();
  verdict_.outcome = outcome::unstable;
  verdict_.evidence =
    "correct, but " + (found.doubt.empty() ? "its times allow no interval" : found.doubt);
  return false;
}

// Who asks for peaks holds no lease: they may have to be measured. On a GPU the call was traced in
// the audit, but for judges of papers; code is read without a lease, too.
void evaluation::profile() {
  auto peaks = site_.peaks().get(leases_);
  auto seen = recorded_call();
  if (!seen) {
    spdlog::warn("what {} does could not be recorded: {}", request_.subject.id,
                 describe(seen.error()));
    return;
  }
  enter("code");
  if (auto code = call_for_file({{"op", "code"}}))
    seen->code = parse_code(*code);
  seen->seconds = verdict_.timing->candidate;
  seen->work = oracle_->work().value_or(call_work{});
  seen->floor = verdict_.timing->floor;
  if (peaks)
    seen->peaks = *peaks;
  verdict_.profile = digest(*seen);
  profile_ = std::move(*seen);
}

// Changes the candidate's weights and calls it: an answer that is still right for the old ones
// comes from copies. The last that its process does, since nothing is put back.
bool evaluation::fold() {
  if (!rules_.watches_conduct || verdict_.timing->candidate > longest_folding_call
      || !oracle_->profile().degenerate.empty())
    return true;
  auto held = hold(leases_, lease_kind::shared, request_.priority);
  if (!held)
    return give_up(std::move(held.error()));
  enter("fold");
  auto& draw = oracle_->checked().back();
  auto output = shared_memory::make(size_of_answer(draw));
  if (!output)
    return give_up(std::move(output.error()));
  int fds[] = {output->fd()};
  auto called = call({{"op", "perturb"}, {"inputs", draw.name}}, fds, site_.config().run_limit);
  if (!called.ok() && called.problem().how == outcome::refused) {
    verdict_.timing.reset();
    return fail(called.problem());
  }
  // What breaks under weights that nobody asked for is no fault.
  if (!called.ok() || called.integer("changed").value_or(0) == 0)
    return true;
  auto unmoved = ask_verifier(draw, *output, false);
  if (!unmoved)
    return give_up(std::move(unmoved.error()));
  // Nothing can be told where weights do not matter to the reference either.
  if (!unmoved->agrees || oracle_->depends_on_weights())
    verdict_.folds = unmoved->agrees;
  return obeys();
}

// Beside a winner stands what was measured now, not what once was.
void evaluation::time_baselines() {
  auto eager = verdict_.timing->reference;
  let_go(); // who waits for memory while it holds some may wait for ever
  auto begin = std::chrono::steady_clock::now();
  auto compiled =
    time_compiled(*oracle_, site_, leases_, site_.config().baselines, eager, known::ignored);
  if (!compiled || compiled->empty())
    return;
  enter("baselines");
  verdict_.stages.back().wall =
    std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  verdict_.baselines = std::move(*compiled);
  verdict_.baselines.insert(verdict_.baselines.begin(), {"eager", eager});
}

} // namespace lathe::gpu
