#include "runtime/run.hpp"

#include "actors/session.hpp"
#include "actors/session_journal.hpp"
#include "gpu/device_health.hpp"
#include "gpu/screen.hpp"
#include "llm_clients/gateway.hpp"
#include "messages/error.hpp"
#include "messages/registration.hpp"
#include "runtime/agent_pools.hpp"
#include "runtime/device_router.hpp"
#include "runtime/evaluator.hpp"
#include "runtime/journal/atomic_file.hpp"
#include "runtime/journal/journal_actor.hpp"
#include "runtime/progress.hpp"
#include "runtime/recorded_verdicts.hpp"
#include "runtime/replay.hpp"
#include "runtime/report.hpp"
#include "runtime/spending.hpp"
#include "runtime/suspension.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <set>

namespace lathe::runtime {

namespace {

using clock = std::chrono::steady_clock;

// What is paid for has timeouts of its own; this is for a session that is lost.
constexpr auto stop_patience = std::chrono::hours{1};
constexpr auto journal_patience = std::chrono::seconds{10};

struct system_config : caf::actor_system_config {
  system_config() {
    // One queue for all workers answers requests in a seventh of the time and idles for free.
    set("caf.scheduler.policy", "sharing");
    set("caf.scheduler.max-threads", 4);
  }
};

// A replay takes milliseconds, and who has to wait for whom the recording says.
constexpr double replay_patience = 24 * 3600; // [seconds]
constexpr int replay_attempts = 1'000;

void wait_for_nothing(llm_clients::gateway_options& gateway, const replay_stage& stage) {
  constexpr auto no_limit = std::numeric_limits<std::int32_t>::max();
  gateway.providers = stage.providers;
  gateway.retries_when = stage.retries_when;
  gateway.retry = {replay_attempts, {}, {}, {}, {}};
  gateway.breaker.failures = no_limit;
  gateway.max_waiting = no_limit;
  for (auto& model : gateway.models) {
    model.in_flight = no_limit;
    model.requests_per_minute = 0;
    model.tokens_per_minute = 0;
  }
}

/// Returns the agents of a recorded run, as many of each as had something to do at once, since
/// which of them was free is not known.
std::vector<agent_config> agents_in(const recording& past) {
  auto result = past.plan().agents;
  auto busy = past.most_at_once();
  for (auto& agent : result) {
    agent.instances = std::max(agent.instances, busy[agent.name]);
    agent.timeout = replay_patience;
  }
  return result;
}

class node_run : public run {
public:
  node_run(run_directory directory, run_options options)
    : directory_(std::move(directory)),
      options_(std::move(options)),
      began_(clock::now()),
      system_(config_) {
    // nop
  }

  ~node_run() override {
    // Evaluations under way end here: a run that is taken up asks for them again.
    for (auto& x : evaluators_)
      x.site->close();
    for (auto& [name, session] : sessions_)
      caf::anon_send_exit(session, caf::exit_reason::kill);
    if (pools_)
      pools_->stop();
    caf::anon_send_exit(front_, caf::exit_reason::user_shutdown);
    for (auto& x : evaluators_) {
      caf::anon_send_exit(x.front, caf::exit_reason::user_shutdown);
      caf::anon_send_exit(x.judges, caf::exit_reason::user_shutdown);
      caf::anon_send_exit(x.preparers, caf::exit_reason::user_shutdown);
      caf::anon_send_exit(x.recipes, caf::exit_reason::user_shutdown);
    }
    end_gateway();
    if (stage_)
      caf::anon_send_exit(stage_->handle, caf::exit_reason::user_shutdown);
    // last: what others write on their way out still gets there
    caf::anon_send_exit(journal_, caf::exit_reason::user_shutdown);
  }

  caf::error begin() {
    auto store = journal_store::open_or_create(directory_.paths().journal());
    if (!store)
      return std::move(store.error());
    auto past = read_past(*store);
    if (!past)
      return std::move(past.error());
    if (past->sessions.empty() && options_.tasks.empty() && !options_.replay)
      return make_error(errc::user_error,
                        fmt::format("{} holds no task: its run ended before it began; delete the "
                                    "folder and start the run anew",
                                    directory_.paths().root.string()));
    journal_ = spawn_journal(system_, std::move(*store));
    writer_ = journal_;
    if (options_.replay)
      set_stage();
    else if (auto error = open_devices())
      return error;
    spawn_agents(std::move(past->answers));
    for (auto& [name, session] : past->sessions)
      for (auto& x : evaluators_)
        for (auto& [source, verdict] : recorded_verdicts(session, x.site->describe()))
          x.site->remember(name, gpu::normalised_hash(source), verdict);
    for (auto& [name, session] : past->sessions)
      add_session(name, std::move(session), false);
    if (stage_)
      add_recorded_sessions();
    else if (auto error = add_sessions(options_.tasks))
      return error;
    directory_.keep();
    for (auto& [name, session] : sessions_)
      caf::anon_send(session, start_atom_v);
    return {};
  }

  // -- run ------------------------------------------------------------------------------

  bool wait(std::chrono::milliseconds limit) override {
    std::unique_lock guard{mutex_};
    return changed_.wait_for(guard, limit, [this] {
      return failure_ || (options_.replay ? replay_is_over() : all_ended());
    });
  }

  void stop() override {
    caf::scoped_actor self{system_};
    auto ask = [&](const session_actor& x) {
      return self->request(x, stop_patience, stop_atom_v);
    };
    std::vector<decltype(ask(session_actor{}))> stopping; // all of them at once
    for (auto& [name, session] : sessions_)
      stopping.push_back(ask(session));
    for (auto& x : stopping)
      x.receive([] {}, [](const caf::error&) {});
  }

  caf::expected<std::vector<std::string>> apply(const topology& plan, bool dry) override {
    std::lock_guard guard{apply_mutex_};
    auto changes = describe_change(options_.plan, plan);
    if (!changes || dry || changes->empty())
      return changes;
    options_.plan = plan;
    pools_->adjust(plan.agents);
    caf::anon_send(gateway_, plan);
    for (auto& [name, session] : sessions_)
      caf::anon_send(session, session_update{plan, pools_->handles()});
    return changes;
  }

  std::vector<session_status> status() override {
    std::vector<session_status> result;
    for (auto& x : results())
      result.push_back(std::move(x.status));
    return result;
  }

  std::vector<pool_status> pools() override {
    std::lock_guard guard{apply_mutex_};
    auto result = pools_->status();
    caf::scoped_actor self{system_};
    for (auto& evaluator : evaluators_)
      self->request(evaluator.judges, std::chrono::seconds{2}, status_atom_v)
        .receive([&](pool_status& x) { result.push_back(std::move(x)); }, [](const caf::error&) {});
    return result;
  }

  std::vector<session_result> results() override {
    auto accounts = spending();
    std::lock_guard guard{mutex_};
    std::vector<session_result> list;
    for (auto& [name, x] : results_) {
      list.push_back(x);
      bill(list.back().status, accounts);
    }
    return list;
  }

  std::vector<account_status> spending() override {
    std::vector<account_status> result;
    caf::scoped_actor self{system_};
    self->request(gateway_, std::chrono::seconds{2}, status_atom_v)
      .receive([&](std::vector<account_status>& x) { result = std::move(x); },
               [](const caf::error&) {});
    return result;
  }

  std::vector<device_time> devices() override {
    // The owner answers behind all releases that were sent to it, the journal behind their spans.
    caf::scoped_actor self{system_};
    for (auto& x : evaluators_)
      self->request(x.owner, journal_patience, lease_release{})
        .receive([] {}, [](const caf::error&) {});
    self->request(journal_, journal_patience, flush_atom_v)
      .receive([] {}, [](const caf::error&) {});
    auto store = journal_store::open_read_only(directory_.paths().journal());
    if (!store)
      return {};
    auto leases = read_leases(*store);
    return leases ? leases->devices() : std::vector<device_time>{};
  }

  std::optional<replay_outcome> replayed() override {
    std::lock_guard guard{mutex_};
    return replayed_;
  }

  std::optional<caf::error> failure() override {
    std::lock_guard guard{mutex_};
    return failure_;
  }

  topology plan() const override {
    std::lock_guard guard{apply_mutex_};
    return options_.plan;
  }

  double elapsed() const override {
    return std::chrono::duration<double>(clock::now() - began_).count();
  }

private:
  // -- ending ---------------------------------------------------------------------------

  /// What it gives back on its way out has to be in the journal.
  void end_gateway() {
    if (!gateway_)
      return;
    caf::scoped_actor self{system_};
    self->send_exit(gateway_, caf::exit_reason::user_shutdown);
    self->wait_for(gateway_);
  }

  // -- starting -------------------------------------------------------------------------

  caf::error open_devices() {
    auto sites = gpu::evaluation_site::open_all(options_.paths, options_.plan.evaluator);
    if (!sites)
      return std::move(sites.error());
    std::vector<evaluator_actor> fronts;
    std::vector<std::string> devices;
    for (auto& site : *sites) {
      devices.push_back(site->device().name());
      evaluators_.push_back(
        spawn_evaluator(system_, std::move(site), journal_,
                        [this](const device_event& x) { warn(gpu::in_words(x)); }));
      fronts.push_back(evaluators_.back().front);
    }
    front_ = spawn_device_router(system_, std::move(fronts),
                                 [this, devices](const session_id& name, std::size_t place) {
                                   warn(fmt::format("{} goes on on {}", name, devices[place]));
                                 });
    return {};
  }

  /// A recording takes the place of all that is outside.
  void set_stage() {
    replay_options stage;
    stage.past = options_.replay->past;
    stage.texts = std::move(options_.replay->texts);
    stage.journal = journal_;
    stage.finished = [this](replay_outcome x) {
      std::lock_guard guard{mutex_};
      replayed_ = std::move(x);
      changed_.notify_all();
    };
    stage_ = spawn_replay_stage(system_, std::move(stage));
    writer_ = stage_->handle;
    front_ = stage_->handle;
    options_.plan = options_.replay->past->plan();
    options_.tasks = options_.replay->past->tasks();
  }

  void spawn_agents(llm_clients::earlier_run earlier) {
    llm_clients::gateway_options gateway;
    gateway.models = options_.plan.models;
    for (auto& model : gateway.models)
      if (model.provider == provider_kind::mailbox)
        model.folder = mailbox_folder(model, directory_.paths()).string();
    gateway.limits = llm_clients::spending_limits{options_.plan};
    gateway.journal = writer_;
    gateway.earlier = std::move(earlier);
    gateway.time = seconds_since_epoch();
    gateway.seed = options_.seed;
    gateway.warn = [this](const std::string& line) { warn(line); };
    gateway.providers = options_.providers;
    if (stage_)
      wait_for_nothing(gateway, *stage_);
    gateway_ = llm_clients::spawn_gateway(system_, std::move(gateway));
    pools_.emplace(system_, stage_ ? gateway_actor{stage_->handle} : gateway_actor{gateway_},
                   front_);
    if (!stage_)
      return pools_->adjust(options_.plan.agents);
    pools_->adjust(agents_in(*options_.replay->past));
    stage_->connect(gateway_, profilers_without_model());
  }

  std::map<std::string, caf::strong_actor_ptr> profilers_without_model() const {
    auto result = pools_->handles();
    std::erase_if(result, [this](const auto& x) {
      auto* agent = options_.plan.agent(x.first);
      return agent == nullptr || agent->role != role::profiler || !agent->model.empty();
    });
    return result;
  }

  /// Whom a session asks.
  std::map<std::string, caf::strong_actor_ptr> agents() const {
    auto result = pools_->handles();
    if (stage_)
      for (auto& [name, pool] : profilers_without_model())
        result[name] = caf::actor_cast<caf::strong_actor_ptr>(stage_->handle);
    return result;
  }

  /// All tasks are in the journal before one is worked on: whatever happens, none is forgotten.
  caf::error add_sessions(const std::vector<task>& subjects) {
    journal_append openings;
    std::map<session_id, session_past> fresh;
    for (auto& subject : subjects) {
      auto& events = fresh[subject.name].events;
      events = actors::opening_of({subject, options_.plan});
      for (auto& event : events)
        openings.records.push_back(actors::to_record(subject.name, event));
    }
    if (auto error = write(std::move(openings)))
      return error;
    for (auto& [name, past] : fresh)
      add_session(name, std::move(past), false);
    return {};
  }

  /// What comes of it has to be in the order of the recording, so they write it themselves.
  void add_recorded_sessions() {
    for (auto& subject : options_.tasks)
      add_session(subject.name, {{actors::session_started{subject, options_.plan}}, {}}, true);
  }

  caf::error write(journal_append x) {
    if (x.records.empty())
      return {};
    caf::error result;
    caf::scoped_actor self{system_};
    self->request(journal_, journal_patience, std::move(x))
      .receive([](std::int64_t) {}, [&](caf::error& reason) { result = std::move(reason); });
    return result;
  }

  void add_session(const session_id& name, session_past past, bool fresh) {
    actors::session_options session;
    session.name = name;
    session.past = past.events;
    session.texts = past.texts;
    session.fresh = fresh;
    session.peers = {writer_, front_, agents()};
    if (stage_)
      session.clock = [clock = stage_->clocks.at(name)] { return (*clock)(); };
    else
      session.clock = [this] { return elapsed(); };
    if (!stage_) // whose recording knows what did not go out
      session.drain = [gateway = gateway_, name](const caf::error& why) {
        caf::anon_send(gateway, drain_atom_v, name, why);
      };
    for (auto& model : options_.plan.models)
      session.linger = std::max(session.linger, model.wait);
    session.observe = [this](const actors::session_state& state,
                             const actors::session_event& event) { observe(state, event); };
    note(name, make_result(fold(std::move(past))));
    auto handle = actors::spawn_session(system_, std::move(session));
    handle->attach_functor([this, name](const caf::error& reason) { lost(name, reason); });
    sessions_.emplace(name, std::move(handle));
  }

  /// An event is in the journal.
  void observe(const actors::session_state& state, const actors::session_event& event) {
    auto& name = state.subject().name;
    if (options_.tell)
      if (auto line = format_event(state, event, elapsed()))
        options_.tell(*line);
    if (std::holds_alternative<actors::request_issued>(event)) {
      std::lock_guard guard{mutex_};
      results_[name].status = state.status();
      return;
    }
    auto result = make_result(state);
    if (std::holds_alternative<actors::verdict_received>(event))
      keep_best(result);
    if (std::holds_alternative<actors::session_suspended>(event)) {
      std::lock_guard guard{mutex_};
      suspended_.insert(name);
    }
    note(name, std::move(result));
  }

  void warn(const std::string& line) {
    if (options_.warn)
      options_.warn(fmt::format("{}  {}", format_clock(elapsed()), line));
  }

  void note(const session_id& name, session_result result) {
    std::lock_guard guard{mutex_};
    results_[name] = std::move(result);
    changed_.notify_all();
  }

  /// Writes the best candidate when it changed, so that it is there whatever happens to the run.
  void keep_best(const session_result& x) {
    auto* best = x.best_row();
    if (best == nullptr || !best->verdict.wins())
      return;
    auto written = write_atomically(directory_.paths().best(x.status.name), format_best_file(x));
    if (!written)
      give_up(until(errc::environment_error, "that is mended", written.error()));
  }

  /// A session actor is gone. At the end of a run that is as it should be.
  void lost(const session_id& name, const caf::error& reason) {
    if (!reason || reason == caf::exit_reason::kill || reason == caf::exit_reason::unreachable)
      return;
    if (reason == errc::provider_unreachable)
      return give_up(until(errc::provider_unreachable, "it can be reached", reason));
    if (reason == errc::device_lost)
      return give_up(until(errc::device_lost, "it works again", reason));
    for (auto code : {errc::provider_refused, errc::environment_error, errc::journal_failed})
      if (reason == code)
        return give_up(until(code, "that is mended", reason));
    give_up(reason.category() == caf::type_id_v<errc>
              ? reason
              : make_error(errc::journal_failed,
                           "session " + name + " broke: " + caf::to_string(reason)));
  }

  caf::error until(errc code, std::string_view mended, const caf::error& reason) const {
    return make_error(code,
                      fmt::format("{}; when {}, go on with: lathe run --resume {}",
                                  describe(reason), mended, directory_.paths().root.string()));
  }

  void give_up(caf::error reason) {
    std::lock_guard guard{mutex_};
    if (!failure_)
      failure_ = std::move(reason);
    changed_.notify_all();
  }

  bool all_ended() const {
    return std::all_of(results_.begin(), results_.end(), [this](const auto& x) {
      return x.second.status.finished || suspended_.contains(x.first);
    });
  }

  /// The session may hear of its last event a little later than the recording is over.
  bool replay_is_over() const {
    if (!replayed_)
      return false;
    auto all_end = replayed_->parting.empty() && options_.replay->past->is_whole();
    return !all_end || all_ended();
  }

  run_directory directory_;
  run_options options_;
  clock::time_point began_;

  std::mutex mutex_; // guards the next five
  std::condition_variable changed_;
  std::map<session_id, session_result> results_;
  std::set<session_id> suspended_; // by this process
  std::optional<caf::error> failure_;
  std::optional<replay_outcome> replayed_;

  mutable std::mutex apply_mutex_; // guards pools_ and the plan
  system_config config_;
  caf::actor_system system_;
  // The handles go first: actors that nobody knows any more end.
  journal_actor journal_;
  std::optional<replay_stage> stage_; // a replay's
  journal_actor writer_;              // who takes what is to be journaled
  std::vector<evaluator> evaluators_; // one a device
  evaluator_actor front_;             // of them all
  llm_clients::drainable_gateway_actor gateway_;
  std::optional<agent_pools> pools_;
  std::map<session_id, session_actor> sessions_;
};

} // namespace

caf::expected<std::unique_ptr<run>> run::start(run_directory directory, run_options options) {
  register_messages();
  auto result = std::make_unique<node_run>(std::move(directory), std::move(options));
  if (auto error = result->begin())
    return error;
  return std::unique_ptr<run>{std::move(result)};
}

} // namespace lathe::runtime
