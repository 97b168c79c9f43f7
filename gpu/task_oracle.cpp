#include "gpu/task_oracle.hpp"

#include "gpu/processor.hpp"
#include "messages/content_hash.hpp"
#include "messages/error.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace lathe::gpu {

namespace {

using namespace std::chrono_literals;

// Draws that no candidate sees before it is timed: the more there are, the surer is the test for
// cached answers. Large ones have to do with fewer; inputs and answers of all of them together
// should fit this [bytes].
constexpr std::size_t most_timed_draws = 16;
constexpr std::size_t fewest_timed_draws = 6;
constexpr std::size_t timed_bytes = 256 << 20;

// Until it is known how much a task's draws take, they have such a part of what there is for all.
constexpr std::int64_t first_share_of_draws = 32;

// No values file may be larger [bytes].
constexpr std::size_t max_values = std::size_t{16} << 30;

// What a header may be longer than the right one's [bytes].
constexpr std::size_t header_slack = 64 * 1024;

// Draws that take longer [seconds] are made ahead, by so many processes at most.
constexpr double slow_draw = 0.3;
constexpr std::size_t most_drawing = 3;

constexpr auto load_limit = 120s;
constexpr auto call_limit = 120s;

// A message carries few descriptors.
constexpr std::size_t most_audited = 4;

// Draws for the audit alone, where those of the check are known beforehand.
constexpr std::size_t own_audited = 2;

std::string count_of(std::int64_t number, const std::string& noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

std::string size_of(std::size_t bytes) {
  return bytes < 10'000 ? fmt::format("{} B", bytes) : fmt::format("{:.3g} MB", static_cast<double>(bytes) / 1e6);
}

double gigabytes(std::uint64_t bytes) {
  return static_cast<double>(bytes) / 1e9;
}

} // namespace

std::size_t size_of_answer(const input_draw& draw) {
  return draw.expected.size() + header_slack;
}

verifier::comparison_request compared(const input_draw& draw, const std::string& policy, double k,
                                      const shared_memory& answer) {
  return {policy, k, draw.expected.fd(), draw.correction ? draw.correction->fd() : -1, answer.fd(),
          true};
}

boost::json::object request_to_keep(const std::string& name, const std::optional<input_key>& key) {
  boost::json::object result{{"op", "inputs"}, {"name", name}};
  if (key)
    result["key"] = key->text();
  return result;
}

caf::expected<std::shared_ptr<task_oracle>> task_oracle::prepare(const task& subject,
                                                                 evaluation_site& site,
                                                                 judge_rules rules,
                                                                 lease_source& leases) {
  std::shared_ptr<task_oracle> result;
  resources draws{.host = site.draws().size().host / first_share_of_draws};
  auto when = turn::first;
  auto attempt = [&](void (reference_memory::*begin)()) {
    result.reset(); // what it held is for others
    result.reset(new task_oracle(subject, site, rules, site.draws().take(draws, when)));
    (result->memory_.*begin)();
    return result->prepare(leases);
  };
  // Who knows how much is drawn waits for that, and lets those pass who need little.
  auto attempt_with_draws = [&](void (reference_memory::*begin)()) {
    auto error = attempt(begin);
    while (result->waits_for_draws_) {
      draws.host = result->draws_needed_;
      when = turn::later;
      error = attempt(begin);
    }
    return error;
  };
  auto error = attempt_with_draws(&reference_memory::begin);
  // A float64 run that found no room is no error, but others may have taken it.
  auto is_full = site.device().cuda && result->ran_out_of_memory_;
  auto was_killed = error && result->worker_.process && !result->worker_.process->usable();
  if (is_full || was_killed)
    error = attempt_with_draws(is_full ? &reference_memory::begin_alone : &reference_memory::begin);
  if (error)
    return error;
  result->memory_.keep(result->memory_of_race());
  return result;
}

caf::error task_oracle::prepare(lease_source& leases) {
  auto worker = site_.spawn("oracle", tag_);
  if (!worker)
    return std::move(worker.error());
  worker_ = std::move(*worker);
  if (auto error = load(*worker_.process))
    return error;
  if (auto error = draw_checked())
    return error;
  if (auto error = draw_timed())
    return error;
  if (auto error = audit(leases))
    return error;
  if (auto error = trim())
    return error;
  for (auto* draw : {&timed_.front(), &timed_.back()})
    if (auto given = give(*draw, draw->name); !given.ok())
      return refused(given.problem());
  caf::expected<bool> spoilt = false;
  if (site_.device().cuda && rules_.watches_conduct)
    spoilt = trace();
  if (!spoilt)
    return std::move(spoilt.error());
  count_work();
  if (*spoilt || !worker_.process->usable())
    if (auto error = revive())
      return error;
  return trim();
}

caf::error task_oracle::trim() {
  auto done = forget();
  return done.ok() ? look_at_memory() : refused(done.problem());
}

reply task_oracle::forget() {
  boost::json::array names;
  for (auto& draw : checked_)
    if (draw.weights + 1 == weights_.size())
      names.emplace_back(draw.name);
  return worker_.process->call({{"op", "trim"}, {"inputs", std::move(names)}}, {}, call_limit);
}

void task_oracle::end_timing() {
  if (site_.device().cuda || memory_of_race().is_large())
    forget();
}

reply task_oracle::give(const input_draw& draw, const std::string& name) {
  return give(*worker_.process, draw, name);
}

reply task_oracle::give(worker_process& worker, const input_draw& draw, const std::string& name) {
  int fds[] = {draw.inputs.fd()};
  return worker.call(request_to_keep(name, draw.key), fds, call_limit);
}

caf::expected<memory_use> task_oracle::ask_for_memory(bool trim) {
  auto found = worker_.process->call({{"op", "memory"}, {"trim", trim}}, {}, call_limit);
  if (!found.ok())
    return refused(found.problem());
  return memory_use{found.integer("held").value_or(0), found.integer("peak").value_or(0),
                    found.integer("needed").value_or(0)};
}

caf::error task_oracle::look_at_memory() {
  auto found = ask_for_memory();
  if (!found)
    return std::move(found.error());
  memory_.look(*found);
  return {};
}

// Without what torch keeps for the next call: others would run out of memory for it.
caf::error task_oracle::make_room_for_exact() {
  if (auto error = look_at_memory(); error || !memory_.has_to_wait_for_exact())
    return error;
  auto found = ask_for_memory(true);
  if (!found)
    return std::move(found.error());
  memory_.wait_for_exact(found->held);
  return {};
}

caf::error task_oracle::refused(const failure& why) const {
  ran_out_of_memory_ = ran_out_of_memory_ || why.how == outcome::out_of_memory;
  if (why.how == outcome::timed_out)
    return make_error(errc::bad_task, fmt::format("{}: {}", path_, why.message));
  return make_error(errc::bad_task, why.summary.empty() ? why.message : why.summary);
}

caf::error task_oracle::revive() {
  worker_.process->kill(); // the new one needs the memory
  auto fresh = site_.spawn("oracle", tag_);
  if (!fresh)
    return std::move(fresh.error());
  auto& worker = *fresh->process;
  if (auto error = load(worker))
    return error;
  auto last = weights_.size() - 1;
  int arguments[] = {weights_[last].arguments.fd()};
  auto done =
    worker.call({{"op", "construct"}, {"seed", weights_[last].seed}}, arguments, call_limit);
  for (auto& draw : checked_)
    if (done.ok() && draw.weights == last)
      done = give(worker, draw, draw.name);
  if (done.ok() && !checked_.empty() && checked_.back().weights == last)
    done = worker.call({{"op", "run"}, {"inputs", checked_.back().name}}, {}, call_limit);
  if (!done.ok())
    return make_error(errc::evaluator_failed,
                      "the reference could not be started again: " + done.problem().message);
  worker_.end();
  worker_ = std::move(*fresh);
  return {};
}

task_oracle::task_oracle(const task& subject, evaluation_site& site, judge_rules rules,
                         room::share draws)
  : site_(site), subject_(subject), rules_(std::move(rules)), tag_("oracle:" + subject.name),
    path_(subject.path), draws_(std::move(draws)),
    memory_(site.device().cuda ? &site.room() : nullptr,
            site.device().cuda ? &site.timing_memory() : nullptr),
    draws_on_device_(site.device().cuda && !rules_.seeds) {
  // nop
}

caf::error task_oracle::load(worker_process& worker) const {
  auto source = shared_memory::holding(subject_.source);
  if (!source)
    return source.error();
  int fds[] = {source->fd()};
  // Some tasks have kernels of their own.
  auto subject = "task " + content_hash(subject_.source);
  if (!site_.give_compiled(worker, subject, author::rules))
    return make_error(errc::evaluator_failed, "the reference's process died before it was used");
  auto loaded = worker.call(
    {{"op", "load"}, {"path", path_}, {"class", "Model"}, {"mode", rules_.mode}}, fds, load_limit);
  if (!loaded.ok())
    return refused(loaded.problem());
  site_.keep_compiled(worker, subject, author::rules);
  if (!site_.device().cuda)
    return {};
  auto ready = site_.make_context(worker);
  return ready.ok() ? caf::error{} : refused(ready.problem());
}

race_memory task_oracle::memory_of_race() const {
  return {input_bytes_, output_bytes_, timed_.size()};
}

caf::expected<site_worker> task_oracle::spawn_twin(const std::string& role, const std::string& tag,
                                                   const std::vector<std::string>& preload) const {
  auto result = site_.spawn(role, tag, preload);
  if (!result)
    return result;
  auto& worker = *result->process;
  if (auto error = load(worker))
    return error;
  auto& weights = weights_.back();
  int arguments[] = {weights.arguments.fd()};
  auto done = worker.call({{"op", "construct"}, {"seed", weights.seed}}, arguments, call_limit);
  for (auto* draw : {&timed_.front(), &timed_.back()})
    if (done.ok())
      done = give(worker, *draw, draw->name);
  if (!done.ok())
    return refused(done.problem());
  return result;
}

caf::error task_oracle::construct() {
  auto seed = rules_.seeds ? rules_.seeds->weights : site_.secret_seed();
  auto given = worker_.process->call(
    {{"op", "arguments"}, {"seed", rules_.seeds ? rules_.seeds->arguments : seed}}, {}, call_limit);
  auto arguments = file_in(std::move(given), "get_init_inputs");
  if (!arguments)
    return arguments.error();
  int fds[] = {arguments->fd()};
  auto built = worker_.process->call({{"op", "construct"}, {"seed", seed}}, fds, call_limit);
  if (!built.ok())
    return refused(built.problem());
  parameters_ = built.integer("parameters").value_or(0);
  weights_.push_back({seed, std::move(*arguments)});
  return {};
}

caf::error task_oracle::draw_checked() {
  auto seeds = trial_seeds();
  if (!seeds)
    return std::move(seeds.error());
  for (std::size_t i = 0; i < rules_.input_draws.size(); ++i) {
    if (auto error = construct())
      return error;
    for (std::size_t j = 0; j < rules_.input_draws[i]; ++j) {
      auto number = checked_.size();
      auto x = draw(fmt::format("c{}", number), i, {(*seeds)[number]});
      if (!x)
        return std::move(x.error());
      checked_.push_back(std::move(*x));
      if (number > 0)
        continue;
      // The first draw shows what the others will take.
      if (auto error = look_at_memory())
        return error;
      memory_.know_call(static_cast<std::int64_t>(output_bytes_));
      plan_timed();
      if (auto error = make_room_for_draws())
        return error;
      std::vector<planned_draw> others;
      for (auto seed : std::span{*seeds}.subspan(1))
        others.push_back({seed});
      others.insert(others.end(), timed_plans_.begin(), timed_plans_.end());
      draw_ahead(std::move(others));
    }
  }
  return {};
}

// Who times the same inputs again and again needs no more than them.
void task_oracle::plan_timed() {
  auto count = rules_.timing ? 1
                             : std::clamp(timed_bytes / std::max<std::size_t>(1, draw_bytes_),
                                          fewest_timed_draws, most_timed_draws);
  while (timed_plans_.size() < count)
    timed_plans_.push_back(
      {rules_.seeds ? rules_.seeds->timed : site_.secret_seed(), input_key::random()});
}

// Who holds memory of the device does not wait here: those who could make room may need that.
caf::error task_oracle::make_room_for_draws() {
  auto count = rules_.all_input_draws() + timed_plans_.size();
  draws_needed_ = static_cast<std::int64_t>(count * draw_bytes_);
  if (auto host = site_.host_memory(); !host.can_hold(count * draw_bytes_))
    return make_error(errc::bad_task,
                      fmt::format("{}: its {} draws of inputs and answers take {:.3g} GB, too much "
                                  "for the {:.3g} GB of memory here; use a larger machine, or say "
                                  "with LATHE_HOST_MEMORY what the kernel does not show",
                                  path_, count, gigabytes(count * draw_bytes_),
                                  gigabytes(host.total)));
  waits_for_draws_ = !draws_.try_resize({.host = draws_needed_});
  if (waits_for_draws_)
    return make_error(errc::overloaded, "no room for what is drawn for the task");
  return {};
}

// Each takes the last one's place: who needs them is given them then.
caf::error task_oracle::draw_timed() {
  for (auto& plan : timed_plans_) {
    auto x = draw("timed", weights_.size() - 1, plan);
    if (!x)
      return std::move(x.error());
    x->name = fmt::format("t{}", timed_.size());
    timed_.push_back(std::move(*x));
  }
  ahead_.reset();
  return {};
}

// One for each checked draw.
caf::expected<std::vector<std::int64_t>> task_oracle::trial_seeds() {
  std::vector<std::int64_t> result(rules_.all_input_draws());
  if (!rules_.seeds || !rules_.seeds->derives_trials) {
    for (auto& x : result)
      x = rules_.seeds ? rules_.seeds->inputs : site_.secret_seed();
    return result;
  }
  auto drawn = worker_.process->call(
    {{"op", "seeds"}, {"seed", rules_.seeds->inputs}, {"count", result.size()}}, {}, call_limit);
  auto seeds = drawn.integers("seeds");
  if (!drawn.ok() || !seeds || seeds->size() != result.size())
    return make_error(errc::evaluator_failed, "the seeds of the trials could not be drawn");
  return std::move(*seeds);
}

caf::expected<input_draw> task_oracle::draw(std::string name, std::size_t weights,
                                            const planned_draw& plan) {
  auto inputs = draw_inputs(name, plan);
  if (!inputs)
    return std::move(inputs.error());
  input_bytes_ = inputs->size();
  auto ran =
    worker_.process->call({{"op", "run"}, {"inputs", name}, {"remember", true}}, {}, call_limit);
  changes_inputs_ = changes_inputs_ || ran.flag("inputs_changed").value_or(false);
  auto expected = file_in(std::move(ran), "the model");
  if (!expected)
    return std::move(expected.error());
  output_bytes_ = expected->size();
  if (checked_.empty())
    if (auto error = make_room_for_exact())
      return error;
  input_draw result{std::move(name),      weights, std::move(*inputs),
                    std::move(*expected), {},      plan.key};
  if (auto correction = answer({{"op", "correct"}, {"inputs", result.name}}))
    result.correction = std::move(*correction);
  draw_bytes_ = input_bytes_ + output_bytes_ + (result.correction ? result.correction->size() : 0);
  return result;
}

caf::expected<shared_memory> task_oracle::draw_inputs(const std::string& name,
                                                      const planned_draw& plan) {
  if (ahead_)
    if (auto given = ahead_->next(); given.ok())
      return keep_inputs(name, file_in(std::move(given), "get_inputs"), plan.key);
  auto request = request_for(plan);
  request["name"] = name;
  request["on_device"] = draws_on_device_;
  auto given = worker_.process->call(std::move(request), {}, call_limit);
  draws_on_device_ = given.flag("on_device").value_or(false);
  draw_seconds_ = given.wall;
  return file_in(std::move(given), "get_inputs");
}

caf::expected<shared_memory> task_oracle::keep_inputs(const std::string& name,
                                                      caf::expected<shared_memory> inputs,
                                                      const std::optional<input_key>& key) {
  if (!inputs)
    return inputs;
  int fds[] = {inputs->fd()};
  auto kept = worker_.process->call(request_to_keep(name, key), fds, call_limit);
  if (!kept.ok())
    return refused(kept.problem());
  return inputs;
}

// Without them everything goes on, and takes longer.
void task_oracle::draw_ahead(std::vector<planned_draw> plans) {
  if (draws_on_device_ || draw_seconds_ < slow_draw || plans.empty())
    return;
  std::vector<site_worker> workers;
  while (workers.size() < std::clamp<std::size_t>(site_.cores() / 4, 1, most_drawing)) {
    auto worker = site_.spawn("drawing", tag_);
    if (!worker || load(*worker->process))
      break;
    workers.push_back(std::move(*worker));
  }
  if (!workers.empty())
    ahead_ = std::make_unique<inputs_ahead>(std::move(workers), std::move(plans), call_limit);
}

caf::expected<shared_memory> task_oracle::answer(boost::json::object request) {
  return file_in(worker_.process->call(std::move(request), {}, call_limit), "the model");
}

caf::expected<shared_memory> task_oracle::file_in(reply given, const std::string& giver) const {
  if (!given.ok())
    return refused(given.problem());
  if (given.fds.size() != 1)
    return make_error(errc::bad_task, fmt::format("{}: {} gave nothing", path_, giver));
  return shared_memory::adopt(std::move(given.fds.front()), max_values);
}

caf::error task_oracle::audit(lease_source& leases) {
  std::vector<input_draw> own; // published draws may all be the same one
  while (rules_.seeds && own.size() < own_audited) {
    auto x = draw(fmt::format("a{}", own.size()), weights_.size() - 1, {site_.secret_seed()});
    if (!x)
      return std::move(x.error());
    own.push_back(std::move(*x));
  }
  std::function<caf::expected<std::string>()> looks[] = {
    [&] { return why_trivial(own.empty() ? timed_ : own); },
    [&] { return why_weightless(); },
    [&] { return why_unfair(); },
  };
  for (auto& look : looks) {
    auto held = hold(leases, lease_kind::shared, preparing); // nobody freezes the verifier
    if (!held)
      return std::move(held.error());
    auto reason = look();
    if (!reason)
      return std::move(reason.error());
    if (degenerate_ = std::move(*reason); !degenerate_.empty())
      return {};
  }
  return {};
}

caf::expected<std::string> task_oracle::why_trivial(const std::vector<input_draw>& draws) {
  std::vector<int> outputs;
  for (auto& x : draws)
    if (outputs.size() < most_audited)
      outputs.push_back(x.expected.fd());
  return site_.verifier().audit(rules_.tolerance, outputs,
                                std::chrono::steady_clock::now() + call_limit);
}

std::string task_oracle::why_weightless() {
  return parameters_ > 0 && !depends_on_weights() ? "an answer under other weights passes" : "";
}

// A candidate is called otherwise, and more often; the very same model would be found wrong.
std::string task_oracle::why_unfair() {
  if (!rules_.watches_conduct)
    return {};
  if (changes_inputs_)
    return "the model changes its inputs, which no candidate may";
  auto& draw = checked_.back();
  if (!give(draw, draw.name).ok())
    return {};
  auto again = answer({{"op", "run"}, {"inputs", draw.name}});
  if (!again)
    return {};
  auto question = compared(draw, rules_.tolerance, allowed_error, *again);
  question.evidence = false;
  auto same = site_.verifier().compare(question, std::chrono::steady_clock::now() + call_limit);
  return same && !same->agrees ? "the same inputs give other answers the second time" : "";
}

// Where CUPTI stays in the process, another one is timed: it launches kernels more slowly.
caf::expected<bool> task_oracle::trace() {
  auto found = worker_.process->call(
    {{"op", "trace"}, {"inputs", timed_.front().name}, {"detach", true}}, {}, call_limit);
  if (!found.ok() && found.problem().how == outcome::out_of_memory)
    return refused(found.problem());
  if (!found.ok())
    return make_error(errc::environment_error,
                      fmt::format("device work cannot be traced: {}; lathe doctor says more",
                                  found.problem().message));
  kernels_ = found.integer("kernels").value_or(0);
  busy_ = static_cast<double>(found.integer("busy_ns").value_or(0)) * 1e-9;
  return found.flag("attached").value_or(false);
}

// A task whose work cannot be counted has no floor, and is as good as any other: also where a
// process did not survive that.
void task_oracle::count_work() {
  auto& inputs = timed_.front().name;
  auto counted = worker_.process->call({{"op", "count"}, {"inputs", inputs}}, {}, call_limit);
  if (!counted.ok())
    return;
  auto number = [](const reply& x, const char* key) {
    return static_cast<double>(x.integer(key).value_or(0));
  };
  auto& work = work_.emplace();
  work.inputs = number(counted, "input_bytes");
  work.parameters = number(counted, "parameter_bytes");
  work.outputs = number(counted, "output_bytes");
  work.operations = number(counted, "operations");
  work.narrow = counted.flag("narrow").value_or(false);
  // What has to be moved is found out only where it may be more than a cache holds.
  auto cuda = site_.device().cuda;
  auto spared =
    spared_bytes(static_cast<double>(cuda ? site_.flush_bytes() / 2 : last_cache_size()), cuda);
  if (!rules_.watches_conduct || !degenerate_.empty()
      || std::max(work.inputs / 2, work.outputs) <= spared)
    return;
  auto needs = worker_.process->call(
    {{"op", "needs"}, {"inputs", inputs}, {"others", timed_.back().name}}, {}, call_limit);
  if (!needs.ok())
    return;
  work.read = number(needs, "read");
  work.written = number(needs, "written");
}

std::optional<roofline> task_oracle::limit() const {
  if (!work_ || !peaks_)
    return std::nullopt;
  return stated_floor(*work_, *peaks_, rules_.tolerance);
}

double task_oracle::host_share() const {
  return busy_ > 0 && eager() > 0 ? 1 - std::min(1.0, busy_ / eager()) : 1;
}

// The process has the last weights; the first draw was answered under the first ones.
bool task_oracle::depends_on_weights() {
  std::lock_guard guard{mutex_};
  if (depends_on_weights_ || weights_.size() < 2)
    return depends_on_weights_.value_or(true);
  auto& draw = checked_.front();
  if (!give(draw, draw.name).ok())
    return true;
  auto other = answer({{"op", "run"}, {"inputs", draw.name}});
  if (!other)
    return true;
  auto question = compared(draw, rules_.tolerance, 1, *other);
  question.evidence = false;
  auto unmoved =
    site_.verifier().compare(question, std::chrono::steady_clock::now() + call_limit);
  depends_on_weights_ = !unmoved || !unmoved->agrees;
  return *depends_on_weights_;
}

task_profile task_oracle::profile() const {
  task_profile result;
  result.where = site_.describe();
  result.where.judge = rules_.describe();
  if (!timed_.empty() && !timed_.front().correction)
    result.where.judge += ", no float64 reference (the model does not run in float64)";
  result.baselines = baselines_;
  result.shapes = fmt::format("inputs {}, outputs {}, {}", size_of(input_bytes_),
                              size_of(output_bytes_), count_of(parameters_, "parameter"));
  result.degenerate = degenerate_;
  result.limit = limit();
  return result;
}

} // namespace lathe::gpu
