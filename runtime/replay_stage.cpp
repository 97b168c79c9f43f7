#include "runtime/replay_stage.hpp"

#include "llm_clients/exchange.hpp"
#include "llm_clients/text_difference.hpp"
#include "messages/content_hash.hpp"
#include "messages/error.hpp"
#include "runtime/record_difference.hpp"
#include "runtime/replay_order.hpp"

#include <caf/action.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_clock.hpp>
#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <utility>

namespace lathe::runtime {

namespace {

using namespace actors;
using llm_clients::failure;
using llm_clients::failure_kind;

using gateway_promise = caf::typed_response_promise<llm_answer>;

constexpr auto never = std::numeric_limits<std::size_t>::max();

// Says how a question differs from the one that was recorded.
std::string question_difference(const llm_request& asked, std::string recorded) {
  auto now = llm_clients::prompt_text(asked);
  if (now.starts_with("\n\n") && recorded.starts_with("\n\n")) { // neither has a system message
    now.erase(0, 2);
    recorded.erase(0, 2);
  }
  return fmt::format("the prompt of agent '{}' differs first in {}", asked.agent,
                     llm_clients::first_difference(recorded, now, {"recorded", "now"}));
}

struct replay_state {
  static inline const char* name = "replay.stage";

  // What somebody wants to write, and is not answered before it is written.
  struct pending_append {
    journal_append append;
    caf::typed_response_promise<std::int64_t> promise;
  };

  explicit replay_state(replay_actor::pointer selfptr) : self(selfptr) {
    // nop
  }

  void init(replay_options x) {
    options = std::move(x);
    order.emplace(options.past->events());
    moved = self->clock().now();
    watch();
    go_on();
  }

  // -- callbacks for the behavior ---------------------------------------------------------

  caf::result<std::int64_t> append(journal_append& x) {
    auto promise = self->make_response_promise<std::int64_t>();
    take({std::move(x), promise});
    go_on();
    return promise;
  }

  caf::result<task_profile> prepare(const prepare_request& x) {
    auto key = options.past->preparation_of(x.subject.name).value_or(request_key{});
    return recorded<task_profile, task_prepared>(
      key, [](const task_prepared& found) { return found.profile; });
  }

  caf::result<verdict> evaluate(const evaluation_request& x) {
    return recorded<verdict, verdict_received>(
      {x.session, x.id}, [](const verdict_received& found) { return found.answer; });
  }

  caf::result<recipe_book> run_recipes(const recipe_request& x) {
    return recorded<recipe_book, drafts_received>(
      {x.session, x.id}, [this](const drafts_received& found) { return book_of(found); });
  }

  caf::result<insight> profile(profile_request& x) {
    auto promise = self->make_response_promise<insight>();
    request_key key{x.session, x.id};
    auto agent = profilers.find(options.past->target_of(key));
    if (agent == profilers.end())
      return make_error(errc::evaluator_failed, "the recording has no such request to a profiler");
    self->request(caf::actor_cast<profiler_actor>(agent->second), caf::infinite, std::move(x))
      .then(
        [this, key, promise](insight& found) {
          at_outcome(key, [promise, found]() mutable { promise.deliver(std::move(found)); });
        },
        [this, key, promise](const caf::error& why) {
          at_outcome(key, [promise, why]() mutable { promise.deliver(why); });
        });
    return promise;
  }

  caf::result<llm_answer> ask(llm_request& x) {
    auto promise = self->make_response_promise<llm_answer>();
    auto place = place_of(x);
    at(place, [this, place, promise, question = std::move(x)]() mutable {
      enter(*place, std::move(question), promise);
    });
    return promise;
  }

  // A question that goes on with an answer may have found no money, and never went out.
  std::optional<std::size_t> place_of(const llm_request& x) const {
    request_key key{x.session, x.request};
    auto hash = content_hash(llm_clients::prompt_text(x));
    if (auto place = options.past->question_of(key, hash))
      return place;
    return x.follow_ups.empty() ? options.past->begin_of(key) : options.past->outcome_of(key);
  }

  // -- what comes next ----------------------------------------------------------------------

  // Does `f` when the recording has got to `place`. Nothing is forgotten: whoever waits for what
  // was not recorded waits until the end.
  void at(std::optional<std::size_t> place, std::function<void()> f) {
    turns.emplace(place.value_or(never), std::move(f));
    go_on();
  }

  void at_outcome(const request_key& key, std::function<void()> f) {
    at(options.past->outcome_of(key), [this, key, f = std::move(f)] {
      if (heard.insert(key).second) // it may get there in two parts
        clocks.at(key.first)->next_turn();
      f();
    });
  }

  void go_on() {
    if (std::exchange(going, true))
      return;
    while (!over && !order->is_over() && (write_devices() || take_held() || call_up())) {
      // nop
    }
    going = false;
    if (std::exchange(stands_at, order->due()) != order->due())
      moved = self->clock().now();
    if (order->is_over())
      finish({});
  }

  bool write_devices() {
    auto records = order->pass_devices();
    if (records.empty())
      return false;
    self->request(options.journal, caf::infinite, journal_append{std::move(records), {}})
      .then([](std::int64_t) {}, [](const caf::error&) {}); // whoever writes next hears of it
    return true;
  }

  bool take_held() {
    auto i = std::ranges::find_if(
      held, [this](const pending_append& x) { return order->is_due(x.append.records); });
    if (i == held.end())
      return false;
    auto next = std::move(*i);
    held.erase(i);
    take(std::move(next));
    return true;
  }

  bool call_up() {
    auto next = turns.begin();
    if (next == turns.end() || next->first > order->due())
      return false;
    auto f = std::move(next->second);
    turns.erase(next);
    f();
    return true;
  }

  // -- the journal --------------------------------------------------------------------------

  void take(pending_append x) {
    if (over)
      return held.push_back(std::move(x));
    auto ruling = order->offer(x.append.records);
    switch (ruling.what) {
      case replay_order::decision::write:
        return write(std::move(x));
      case replay_order::decision::parts: {
        auto how = difference_of(ruling, x.append);
        write(std::move(x)); // so that people can look at it
        return part(ruling.place, std::move(how));
      }
      case replay_order::decision::hold:
      case replay_order::decision::late:
        held.push_back(std::move(x));
    }
  }

  void write(pending_append x) {
    auto promise = x.promise;
    self->request(options.journal, caf::infinite, std::move(x.append))
      .then([promise](std::int64_t seq) mutable { promise.deliver(seq); },
            [promise](caf::error& why) mutable { promise.deliver(std::move(why)); });
  }

  // -- the evaluator ------------------------------------------------------------------------

  template <class Answer, class Event, class Read>
  caf::result<Answer> recorded(const request_key& key, Read read) {
    auto promise = self->template make_response_promise<Answer>();
    at_outcome(key, [this, key, read, promise]() mutable {
      const auto& event = *event_at(*options.past->outcome_of(key)).event;
      if (auto* failed = std::get_if<request_failed>(&event))
        return promise.deliver(make_error(failed->code, failed->reason));
      if (auto* found = std::get_if<Event>(&event))
        return promise.deliver(read(*found));
      promise.deliver(make_error(errc::evaluator_failed, "something else was recorded for it"));
    });
    return promise;
  }

  caf::expected<recipe_book> book_of(const drafts_received& x) {
    recipe_book result;
    result.declined = x.declined;
    result.usable = x.usable;
    for (const auto& each : x.drafts) {
      auto source = text_of(each.hash);
      if (!source)
        return make_error(errc::journal_failed, "the recording lacks the text of " + each.id);
      result.drafts.push_back({std::move(*source), each.label, each.problem, {}});
    }
    return result;
  }

  // -- in front of the gateway ----------------------------------------------------------------

  void enter(std::size_t place, llm_request question, gateway_promise promise) {
    const auto& next = event_at(place);
    auto asks = next.source == record_source::gateway;
    if (asks && !next.prompt.empty()
        && next.prompt != content_hash(llm_clients::prompt_text(question)))
      return part(place, question_difference(question, text_of(next.prompt).value_or("")));
    auto key = next.key();
    auto* failed = failure_of(key);
    if (!asks && failed != nullptr && failed->code != errc::budget_exhausted)
      return fail(key, make_error(failed->code, failed->reason), promise);
    auto turned = question;
    if (asks)
      turn_to_stand_in(turned, next.model);
    self->request(gateway, caf::infinite, std::move(turned))
      .then([this, key, promise](llm_answer& x) { answered(key, std::move(x), promise); },
            [this, place, question = std::move(question), promise](caf::error& why) mutable {
              refused(place, std::move(question), std::move(why), promise);
            });
  }

  // Which model was left alone, or closed, depends on when it was asked.
  void turn_to_stand_in(llm_request& question, const std::string& asked) const {
    auto* model = options.past->plan().model(question.model);
    if (model != nullptr && std::ranges::count(model->fallback, asked) > 0)
      question.model = asked;
  }

  void answered(const request_key& key, llm_answer x, gateway_promise promise) {
    if (options.past->next_of(key, order->due())) // it was cut, and the agent has it go on
      return promise.deliver(std::move(x));
    auto* failed = failure_of(key);
    if (failed != nullptr && failed->code != errc::budget_exhausted) // its agent broke, say
      return fail(key, make_error(failed->code, failed->reason), promise);
    at_outcome(key, [promise, x = std::move(x)]() mutable { promise.deliver(std::move(x)); });
  }

  // Whoever took the run up after a crash asked again what had been under way.
  void refused(std::size_t place, llm_request question, caf::error why, gateway_promise promise) {
    request_key key{question.session, question.request};
    auto missing = options.past->next_of(key, order->due());
    if (!missing)
      return fail(key, std::move(why), promise);
    if (*missing <= place || !options.past->begins_anew(*missing))
      return part(*missing, "it is not written now: " + describe(why));
    at(missing, [this, missing, question = std::move(question), promise]() mutable {
      enter(*missing, std::move(question), promise);
    });
  }

  // That there is no budget the gateway has to find out by itself; how much was spent until then
  // depends on the moment.
  void fail(const request_key& key, caf::error why, gateway_promise promise) {
    auto* failed = failure_of(key);
    auto is_recorded =
      failed != nullptr
      && (failed->code == errc::budget_exhausted) == (why == errc::budget_exhausted);
    if (is_recorded)
      why = make_error(failed->code, failed->reason);
    at_outcome(key, [promise, why]() mutable { promise.deliver(why); });
  }

  // -- behind the gateway -----------------------------------------------------------------------

  void reply(const llm_request& question, const llm_clients::completion& done) {
    auto next = options.past->next_of({question.session, question.request}, order->due());
    at(next, [this, next, done] { done(reply_at(*next)); });
  }

  // Money that is reserved too early others do not have.
  void try_again(const llm_request& question, const std::function<void()>& again) {
    request_key key{question.session, question.request};
    auto next = options.past->next_of(key, order->due());
    at(next ? next : options.past->outcome_of(key), again);
  }

  llm_clients::reply reply_at(std::size_t place) {
    const auto& x = event_at(place);
    if (x.record.kind == llm_clients::exchange_kind)
      return answer_in(x.record);
    failure result;
    result.may_be_charged = x.record.kind == llm_clients::lost_kind;
    auto next = options.past->next_of(x.key(), place + 1);
    auto* failed = failure_of(x.key());
    auto ends = !next || options.past->begins_anew(*next);
    auto tries_again = ends ? !next && failed != nullptr && failed->code == errc::budget_exhausted
                            : event_at(*next).model == x.model;
    result.kind = tries_again ? failure_kind::retry : failure_kind::refuse;
    result.is_final = ends;
    result.sentence = failed == nullptr ? "it failed when it was recorded" : failed->reason;
    return result;
  }

  llm_clients::reply answer_in(const journal_record& record) {
    auto find = [this](const std::string& hash) -> caf::expected<std::string> {
      if (auto text = text_of(hash))
        return std::move(*text);
      return make_error(errc::journal_failed, "the recording lacks the text " + hash);
    };
    llm_clients::earlier_run found;
    if (auto problem = llm_clients::read_record(record, find, found))
      return failure{failure_kind::refuse, describe(problem)};
    auto result = std::move(found.answers.front().answer);
    result.recorded = false;
    return result;
  }

  // -- the end ----------------------------------------------------------------------------------

  void part(std::size_t place, std::string how) {
    const auto& events = options.past->events();
    auto where = place < events.size() ? name_of(events[place].record) : "its end";
    auto later = options.past->left_out().empty()
                   ? ""
                   : fmt::format("; it was played up to {}", options.past->left_out());
    finish({place, fmt::format("{}: {}{}", where, how, later)});
  }

  void finish(replay_outcome outcome) {
    if (std::exchange(over, true))
      return;
    if (outcome.parting.empty())
      outcome.played = order->due();
    // What was written is in the journal before anybody looks.
    self->request(options.journal, caf::infinite, flush_atom_v)
      .then([this, outcome] { options.finished(outcome); },
            [this, outcome](const caf::error&) { options.finished(outcome); });
  }

  void watch() {
    if (over)
      return;
    auto left = moved + options.patience - self->clock().now();
    if (left.count() <= 0)
      return part(order->due(),
                  fmt::format("nothing came of it within {} s", options.patience.count() / 1000));
    self->run_delayed(left, [this] { watch(); });
  }

  // -- helpers ----------------------------------------------------------------------------------

  const recorded_event& event_at(std::size_t place) const {
    return options.past->events()[place];
  }

  const request_failed* failure_of(const request_key& key) const {
    auto place = options.past->outcome_of(key);
    return place ? std::get_if<request_failed>(&*event_at(*place).event) : nullptr;
  }

  std::optional<std::string> text_of(const std::string& hash) {
    auto found = options.texts->content(hash);
    return found ? std::move(*found) : std::nullopt;
  }

  std::string difference_of(const replay_order::ruling& ruling, const journal_append& now) {
    const auto& events = options.past->events();
    if (ruling.place == events.size())
      return fmt::format("now {} is written as well", now.records[*ruling.offered].kind);
    if (!ruling.offered)
      return "it is not written now";
    auto new_text = [&now](const std::string& hash) -> std::optional<std::string> {
      auto i = std::ranges::find(now.contents, hash, &journal_content::hash);
      return i == now.contents.end() ? std::nullopt : std::optional{i->text};
    };
    auto old_text = [this](const std::string& hash) { return text_of(hash); };
    return difference({events[ruling.place].record, old_text},
                      {now.records[*ruling.offered], new_text});
  }

  // -- state --------------------------------------------------------------------------------------

  replay_actor::pointer self;
  replay_options options;
  std::optional<replay_order> order;
  gateway_actor gateway;
  std::map<std::string, caf::strong_actor_ptr> profilers;
  std::map<session_id, std::shared_ptr<replayed_clock>> clocks;
  std::multimap<std::size_t, std::function<void()>> turns; // by place
  std::set<request_key> heard;                             // requests with an outcome
  std::vector<pending_append> held;
  std::size_t stands_at = 0;          // in the recording
  caf::actor_clock::time_point moved; // when it got there
  bool going = false;
  bool over = false;
};

// How others than actors get to the state: on its own thread alone, and while it is there.
struct stage_link {
  replay_state* state = nullptr;
};

void in_stage(const caf::weak_actor_ptr& weak, std::shared_ptr<stage_link> link,
              std::function<void(replay_state&)> f) {
  if (auto stage = caf::actor_cast<caf::actor>(weak.lock()))
    caf::anon_send(
      stage, caf::make_action([link = std::move(link), f = std::move(f)] { f(*link->state); }));
}

class replayed_provider : public llm_clients::provider {
public:
  replayed_provider(caf::weak_actor_ptr stage, std::shared_ptr<stage_link> link)
    : stage_(std::move(stage)), link_(std::move(link)) {
    // nop
  }

  void ask(const llm_request& question, llm_clients::completion done) override {
    in_stage(stage_, link_, [question, done](replay_state& x) { x.reply(question, done); });
  }

private:
  caf::weak_actor_ptr stage_;
  std::shared_ptr<stage_link> link_;
};

} // namespace

replay_stage spawn_replay_stage(caf::actor_system& sys, replay_options options) {
  replay_stage result;
  for (const auto& x : options.past->tasks())
    result.clocks.emplace(x.name, std::make_shared<replayed_clock>(options.past->clock_of(x.name)));
  auto link = std::make_shared<stage_link>();
  auto run =
    [link, clocks = result.clocks, options = std::move(options)](
      replay_actor::stateful_pointer<replay_state> self) mutable -> replay_actor::behavior_type {
    auto& st = self->state;
    link->state = &st;
    st.clocks = std::move(clocks);
    st.init(std::move(options));
    return {
      [&st](journal_append& x) { return st.append(x); },
      [&st](flush_atom) { return st.self->delegate(st.options.journal, flush_atom_v); },
      [&st](const prepare_request& x) { return st.prepare(x); },
      [&st](const evaluation_request& x) { return st.evaluate(x); },
      [&st](const recipe_request& x) { return st.run_recipes(x); },
      [](const task_release&) {},
      [&st](llm_request& x) { return st.ask(x); },
      [&st](profile_request& x) { return st.profile(x); },
    };
  };
  // It reads texts from a file.
  result.handle = sys.spawn<caf::detached>(std::move(run));
  auto weak = caf::actor_cast<caf::weak_actor_ptr>(result.handle);
  result.providers = [weak, link](const model_config&) {
    return caf::expected<std::unique_ptr<llm_clients::provider>>{
      std::make_unique<replayed_provider>(weak, link)};
  };
  result.retries_when = [weak, link](const llm_request& question, std::function<void()> again) {
    in_stage(weak, link, [question, again = std::move(again)](replay_state& x) {
      x.try_again(question, again);
    });
  };
  result.connect = [weak, link](gateway_actor gateway,
                                std::map<std::string, caf::strong_actor_ptr> profilers) {
    in_stage(weak, link, [gateway, profilers](replay_state& x) {
      x.gateway = gateway;
      x.profilers = profilers;
    });
  };
  return result;
}

} // namespace lathe::runtime
