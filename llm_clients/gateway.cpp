#include "llm_clients/gateway.hpp"

#include "llm_clients/answer_book.hpp"
#include "llm_clients/dispatcher.hpp"
#include "llm_clients/log.hpp"
#include "llm_clients/price.hpp"
#include "llm_clients/url.hpp"
#include "messages/content_hash.hpp"
#include "messages/error.hpp"

#include <caf/action.hpp>
#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <random>
#include <set>
#include <tuple>
#include <type_traits>

namespace lathe::llm_clients {

namespace {

constexpr auto journal_timeout = std::chrono::seconds(60);

// Answers to calls that were out together name moments that differ by so much at most.
constexpr auto same_wait = std::chrono::seconds(60);

// One question under way, from its arrival until its answer is in the journal.
struct call {
  llm_request request;                // `model` is who is asked now
  std::vector<std::string> stand_ins; // who may be asked next
  std::string prompt_hash;
  spend worst;                                 // of the call that is next
  std::string reserved_on;                     // the model that the journal has a reservation for
  bool sent = false;                           // to a provider, which has not replied
  bool posted = false;                         // it is in a mailbox, whatever happens
  int failed = 0;                              // attempts
  std::optional<dispatcher::time_point> until; // whoever asks waits; nothing: for good
  std::shared_ptr<cancellation> cancelled = std::make_shared<cancellation>(); // of the attempt
  // More than one when an agent died and its successor asks the same again.
  std::vector<caf::typed_response_promise<llm_answer>> askers;
};

// Where a model is, for all models there. What needs no server has one of its own.
std::string server_of(const model_config& model) {
  auto at = parse_url(model.base_url);
  return at ? at->authority() : "model " + model.name;
}

// A question in a mailbox, where nobody waits for it: whoever asks it again takes it up.
struct posted_call {
  call_id id = 0;
  open_call asked; // of the model whose mailbox it is in
  std::vector<std::string> stand_ins;
};

struct endpoint {
  model_config config; // without its key, which the provider alone holds
  std::unique_ptr<provider> asks;
  bool reached = false; // by any question, whatever came back
  dispatcher::time_point wait_told{}; // until when its server asks to wait, as people know
  caf::error fatal;     // why no question can be answered any more
};

struct gateway_state {
  static inline const char* name = "llm.gateway";

  explicit gateway_state(drainable_gateway_actor::pointer selfptr) : self(selfptr) {
    // nop
  }

  void init(gateway_options options) {
    journal = std::move(options.journal);
    retry = options.retry;
    retries_when = std::move(options.retries_when);
    warn = std::move(options.warn);
    random.seed(options.seed);
    queue.emplace(std::move(options.limits), options.max_waiting, options.breaker);
    book.emplace(options.kept_answers);
    for (auto& [who, spent] : options.earlier.spent)
      queue->seed(who, spent);
    for (auto& x : options.earlier.answers)
      book->pin(std::move(x));
    for (auto& model : options.models)
      add_endpoint(std::move(model), options.providers);
    for (auto& x : options.earlier.started)
      count_started(x, std::chrono::duration<double>(std::max(0.0, options.time - x.time)));
    for (auto& [question, x] : options.earlier.open)
      count_open(question, x);
  }

  void add_endpoint(model_config model, const provider_factory& providers) {
    endpoint x;
    if (auto made = providers(model))
      x.asks = std::move(*made);
    else
      x.fatal = make_error(errc::provider_refused, describe(made.error()));
    model.api_key.clear();
    model_limits limits;
    limits.requests_per_minute = model.requests_per_minute;
    limits.tokens_per_minute = model.tokens_per_minute;
    limits.input_tokens_per_minute = model.input_tokens_per_minute;
    limits.output_tokens_per_minute = model.output_tokens_per_minute;
    limits.in_flight = model.in_flight;
    queue->add_model(model.name, limits, server_of(model));
    auto model_name = model.name;
    x.config = std::move(model);
    endpoints.insert_or_assign(std::move(model_name), std::move(x));
  }

  void count_started(const started_call& x, std::chrono::duration<double> age) {
    if (age < rate_limit::window)
      queue->seed(x.model,
                  now() - std::chrono::duration_cast<dispatcher::time_point::duration>(age),
                  {x.worst.input_tokens, x.worst.output_tokens});
  }

  // -- callbacks for the behavior ---------------------------------------------------------

  caf::result<llm_answer> ask(llm_request request) {
    auto at = endpoints.find(request.model);
    if (at == endpoints.end())
      return make_error(errc::user_error,
                        fmt::format("agent '{}' asks for model '{}', which is not in the topology",
                                    request.agent, request.model));
    auto prompt_hash = content_hash(prompt_text(request));
    if (auto known = book->find(request.session, request.request, prompt_hash))
      return *known;
    question_key key{request.session, request.request, prompt_hash};
    auto until = waits_until(request);
    if (auto twin = by_question.find(key); twin != by_question.end())
      return join(twin->second, until);
    call x;
    x.until = until;
    x.stand_ins = at->second.config.fallback;
    x.request = std::move(request);
    x.prompt_hash = std::move(prompt_hash);
    if (auto posted = in_mailbox.find(key); posted != in_mailbox.end())
      return look_again(std::move(x), std::move(key), in_mailbox.extract(posted).mapped());
    give_up_other_words(key);
    if (auto* why = why_drained(x))
      return *why;
    if (cannot_be_asked(x.request.model))
      divert(x);
    if (const auto& fatal = endpoints.at(x.request.model).fatal)
      return fatal;
    return begin(std::move(x), std::move(key));
  }

  void change(const topology& plan) {
    queue->change(spending_limits{plan});
    std::set<std::string> agents;
    for (const auto& x : plan.agents)
      agents.insert(x.name);
    asking = std::move(agents);
    give_up_orphans();
    drained.clear();
    send_waiting();
  }

  // What has been reserved and not sent finds out in `send`, what is out if it fails.
  void drain(const session_id& session, const caf::error& why) {
    drained.insert_or_assign(session, why);
    std::vector<call_id> waiting;
    for (const auto& [id, x] : calls)
      if (x.request.session == session && !x.sent && !queue->is_out(id))
        waiting.push_back(id);
    for (auto id : waiting) {
      queue->drop(calls.at(id).request.model, id);
      give_up(id, why);
    }
    send_waiting();
  }

  // What is with a provider now stays reserved in the journal, and counts.
  void stop(const caf::error& reason) {
    for (auto& [id, x] : calls) {
      if (!queue->is_out(id) || !x.sent)
        release(x);
      for (auto& asker : x.askers)
        asker.deliver(make_error(errc::cancelled, "the LLM gateway stops"));
    }
    calls.clear();
    self->quit(reason);
  }

  // -- a call's way -----------------------------------------------------------------------

  caf::result<llm_answer> begin(call x, question_key key) {
    auto id = ++last_call;
    if (auto full = queue->push(job_of(id, x)))
      return full;
    auto answer = x.askers.emplace_back(promise());
    by_question.emplace(std::move(key), id);
    auto until = x.until;
    calls.emplace(id, std::move(x));
    abandon_at(until, id);
    send_waiting();
    return answer;
  }

  caf::result<llm_answer> join(call_id id, std::optional<dispatcher::time_point> until) {
    auto& x = calls.at(id);
    if (x.until && (!until || *until > *x.until))
      x.until = until;
    return x.askers.emplace_back(promise());
  }

  // -- nobody waits any more -----------------------------------------------------------------

  std::optional<dispatcher::time_point> waits_until(const llm_request& x) const {
    if (x.patience <= 0)
      return std::nullopt;
    auto patience = std::chrono::duration<double>(x.patience);
    return now() + std::chrono::duration_cast<dispatcher::time_point::duration>(patience);
  }

  void abandon_at(std::optional<dispatcher::time_point> time, call_id id) {
    if (!time)
      return;
    self->run_delayed(*time - now(), [this, id] {
      auto at = calls.find(id);
      if (at == calls.end())
        return;
      if (at->second.until && *at->second.until <= now())
        abandon(id);
      else
        abandon_at(at->second.until, id); // somebody else asks the same, and waits for longer
    });
  }

  // The stream is closed, and what it may have cost until now is on the bill.
  void abandon(call_id id) {
    auto& x = calls.at(id);
    x.cancelled->cancel();
    if (x.sent && is_mailbox(x.request.model)) {
      set_aside(id,
                make_error(errc::awaits_mailbox, "the mailbox could not be looked into in time"));
      return send_waiting();
    }
    auto why = make_error(errc::timed_out, "the model gave no answer in time");
    if (queue->is_out(id)) {
      pay_for_abandoned(id);
    } else {
      queue->drop(x.request.model, id);
      if (queue->held_until(x.request.model) > now()) // who asks again has lost nothing
        why = make_error(errc::overloaded,
                         fmt::format("the server of model '{}' asks to wait", x.request.model));
    }
    give_up(id, why);
    send_waiting();
  }

  void pay_for_abandoned(call_id id) {
    auto& x = calls.at(id);
    queue->withdraw(id, x.sent ? x.worst : spend{});
    if (x.sent)
      write_loss(x, x.worst);
  }

  // -- mailboxes ---------------------------------------------------------------------------

  // What an earlier run put into a mailbox keeps its money. Any other call that was out then may be
  // on the bill.
  void count_open(const question_key& question, const open_call& x) {
    auto at = endpoints.find(x.who.model);
    if (at != endpoints.end() && is_mailbox(x.who.model)
        && queue->hold(++last_call, x.who, x.worst))
      in_mailbox.emplace(question, posted_call{last_call, x, at->second.config.fallback});
    else
      count_lost(question, x);
  }

  // The journal has to say so before the same question is asked, and reserved, again.
  void count_lost(const question_key& question, const open_call& x) {
    queue->seed(x.who, x.worst);
    write_lost(question, x);
  }

  void write_lost(const question_key& question, const open_call& x) {
    if (!journal)
      return;
    llm_request asked;
    asked.session = std::get<0>(question);
    asked.request = std::get<1>(question);
    asked.agent = x.who.agent;
    asked.role = x.role;
    asked.model = x.who.model;
    caf::anon_send(journal, lost_record(asked, std::get<2>(question), x.worst));
  }

  // Nobody will ask in the old words again.
  void give_up_other_words(const question_key& question) {
    const auto& [session, request, hash] = question;
    give_up_posted([&](const question_key& key, const posted_call&) {
      return std::get<0>(key) == session && std::get<1>(key) == request;
    });
  }

  // Nobody will hear their answers, which somebody may pay.
  template <class Predicate>
  void give_up_posted(Predicate is_over) {
    std::erase_if(in_mailbox, [&](const auto& entry) {
      const auto& [key, x] = entry;
      if (!is_over(key, x))
        return false;
      queue->withdraw(x.id, x.asked.worst);
      write_lost(key, x.asked);
      return true;
    });
  }

  // Their agents are not in the topology any more.
  void give_up_orphans() {
    if (asking)
      give_up_posted([this](const question_key&, const posted_call& x) {
        return !asking->contains(x.asked.who.agent);
      });
  }

  // What was posted is paid for when it is answered, so its money is reserved already.
  caf::result<llm_answer> look_again(call x, question_key key, posted_call posted) {
    x.request.model = std::move(posted.asked.who.model);
    x.stand_ins = std::move(posted.stand_ins);
    x.posted = true;
    job_of(posted.id, x);
    x.reserved_on = x.request.model; // since it was posted
    queue->take_up(posted.id);
    auto answer = x.askers.emplace_back(promise());
    by_question.emplace(std::move(key), posted.id);
    calls.emplace(posted.id, std::move(x));
    abandon_at(calls.at(posted.id).until, posted.id);
    send(posted.id);
    return answer;
  }

  void send_waiting() {
    while (auto next = queue->next(now())) {
      if (next->refusal)
        refuse(std::move(*next));
      else
        reserve(next->id);
    }
    wake_at(queue->wakes_at());
  }

  void refuse(dispatcher::step x) {
    if (!x.of_model || !ask_stand_in(x.id, describe(x.refusal)))
      give_up(x.id, std::move(x.refusal));
  }

  // Limits give way with time, too.
  void wake_at(std::optional<dispatcher::time_point> time) {
    if (!time || (wakes && *wakes <= *time))
      return;
    wakes = time;
    self->run_delayed(*time - now(), [this, time = *time] {
      if (wakes == time)
        wakes.reset();
      send_waiting();
    });
  }

  // Whatever happens from now on, the journal knows of money that may be gone.
  void reserve(call_id id) {
    auto& x = calls.at(id);
    if (!journal || x.reserved_on == x.request.model)
      return send(id);
    x.reserved_on = x.request.model;
    self->request(journal, journal_timeout, reserved_record(x.request, x.prompt_hash, x.worst))
      .then([this, id](std::int64_t) { send(id); },
            [this, id](const caf::error& problem) {
              fail_unsent(id, make_error(errc::journal_failed,
                                         "a call could not be journaled: " + describe(problem)));
            });
  }

  void fail_unsent(call_id id, const caf::error& why) {
    if (calls.count(id) == 0)
      return;
    queue->withdraw(id, {});
    give_up(id, why);
    send_waiting();
  }

  // Nothing will be on the bill.
  void release(call& x) {
    if (journal && !std::exchange(x.reserved_on, {}).empty())
      caf::anon_send(journal, released_record(x.request, x.prompt_hash));
  }

  void send(call_id id) {
    if (calls.count(id) == 0)
      return;
    auto& x = calls.at(id);
    const auto& request = x.request;
    if (auto* why = x.posted ? nullptr : why_drained(x))
      return fail_unsent(id, *why);
    x.sent = true;
    x.cancelled = std::make_shared<cancellation>();
    try {
      endpoints.at(request.model).asks->ask(request, completion_of(id));
    } catch (const std::exception& why) {
      // The completion went with the call, which now counts as failed.
      log()->error("the provider of model '{}' threw: {}", request.model, why.what());
    }
  }

  // Brings a reply from whatever thread into this actor, as long as there is one.
  completion completion_of(call_id id) {
    auto model = calls.at(id).request.model;
    return completion{
      in_actor<reply>([this, id](reply&& x) { take(id, std::move(x)); }),
      in_actor<const header_map&>([this, model](header_map&& x) { observe(model, x); }),
      calls.at(id).cancelled};
  }

  template <class Argument, class F>
  std::function<void(Argument)> in_actor(F f) {
    return [f, weak = caf::weak_actor_ptr{self->ctrl()}](Argument x) {
      if (auto gateway = caf::actor_cast<caf::actor>(weak.lock()))
        caf::anon_send(gateway,
                       caf::make_action([f, x = std::decay_t<Argument>{std::move(x)}]() mutable {
                         f(std::move(x));
                       }));
    };
  }

  std::function<void()> in_actor(std::function<void()> f) {
    return [f = in_actor<int>([f = std::move(f)](int) { f(); })] { f(0); };
  }

  void observe(const std::string& model, const header_map& headers) {
    queue->observe(now(), model, headers);
  }

  void take(call_id id, reply x) {
    if (calls.count(id) == 0)
      return;
    auto why = std::get_if<failure>(&x);
    if (why == nullptr || !why->unreached)
      endpoints.at(calls.at(id).request.model).reached = true;
    if (auto answer = std::get_if<llm_answer>(&x)) {
      queue->settle(id, answer->cost);
      calls.at(id).reserved_on.clear(); // the answer's record says what became of it
      calls.at(id).until.reset();       // it is there
      write(id, std::move(*answer));
    } else {
      take_failure(id, *why);
    }
    send_waiting();
  }

  void write(call_id id, llm_answer answer) {
    if (!journal)
      return deliver(id, answer);
    self->request(journal, journal_timeout, exchange_record(calls.at(id).request, answer))
      .then([this, id, answer](std::int64_t) { deliver(id, answer); },
            [this, id](const caf::error& problem) {
              give_up(id, make_error(errc::journal_failed,
                                     "an answer could not be journaled: " + describe(problem)));
            });
  }

  void deliver(call_id id, const llm_answer& answer) {
    auto x = end(id);
    for (auto& asker : x.askers)
      asker.deliver(answer);
    book->add({x.request.session, x.request.request, std::move(x.prompt_hash), answer});
  }

  // -- failures ---------------------------------------------------------------------------

  void take_failure(call_id id, const failure& why) {
    if (why.kind == failure_kind::wait)
      return set_aside(id, make_error(errc::awaits_mailbox, why.sentence));
    if (calls.at(id).posted && why.kind != failure_kind::refuse) // its mailbox cannot be opened
      return set_aside(id, make_error(errc::provider_unreachable, why.sentence));
    pay_for_lost(id, why);
    if (auto model = calls.at(id).request.model; queue->is_left_alone(model, now()))
      divert_waiting(model);
    switch (why.kind) {
      case failure_kind::retry:
        return try_again(id, why);
      case failure_kind::refuse:
        if (why.is_final || !ask_stand_in(id, why.sentence))
          give_up(id, make_error(errc::provider_failed, why.sentence));
        return;
      case failure_kind::fail:
        return close_model(id, make_error(errc::provider_refused, why.sentence));
      case failure_kind::wait:
        return; // see above
    }
  }

  void set_aside(call_id id, const caf::error& why) {
    queue->set_aside(id);
    auto x = end(id);
    for (auto& asker : x.askers)
      asker.deliver(why);
    auto key = key_of(x);
    open_call asked{{x.request.session, std::move(x.request.agent), std::move(x.request.model)},
                    x.worst,
                    std::move(x.request.role)};
    in_mailbox.emplace(std::move(key), posted_call{id, std::move(asked), std::move(x.stand_ins)});
    give_up_orphans();
  }

  // What may be on the bill counts as spent, or a budget could be exceeded unseen.
  void pay_for_lost(call_id id, const failure& why) {
    auto& x = calls.at(id);
    auto cost = why.may_be_charged ? x.worst : spend{};
    queue->fail(now(), id, why, cost, is_in_trouble(x.request.model, why), chance());
    x.sent = false;
    if (why.may_be_charged)
      write_loss(x, cost);
    else
      release(x); // others may use it while this one waits for its next attempt
  }

  void write_loss(call& x, const spend& cost) {
    if (!journal || std::exchange(x.reserved_on, {}).empty())
      return;
    self->request(journal, journal_timeout, lost_record(x.request, x.prompt_hash, cost))
      .then([](std::int64_t) {},
            [](const caf::error& problem) {
              log()->error("a lost call could not be journaled: {}", describe(problem));
            });
  }

  // A server that nobody ever reached is a mistake rather than in trouble.
  bool is_in_trouble(const std::string& model, const failure& why) const {
    auto its_fault = why.status >= 500 || (why.status == 0 && why.kind == failure_kind::retry);
    return its_fault && endpoints.at(model).reached;
  }

  void try_again(call_id id, const failure& why) {
    auto& x = calls.at(id);
    if (auto* drained = why_drained(x))
      return give_up(id, *drained);
    if (why.retry_after > retry.patience)
      return wait_for_server(id, why);
    auto asked = why.status == 429 && why.retry_after.count() == 0 ? retry.unsaid : why.retry_after;
    auto wait = next_wait(retry, ++x.failed, asked, chance());
    if (!wait) {
      auto sentence = fmt::format("{}; gave up after attempt {} of {}", why.sentence, x.failed,
                                  retry.attempts);
      auto never_there = !endpoints.at(x.request.model).reached;
      if (!never_there && ask_stand_in(id, sentence))
        return;
      if (never_there)
        return close_model(id, make_error(errc::provider_unreachable, std::move(sentence)));
      return give_up(id, make_error(errc::provider_failed, std::move(sentence)));
    }
    log()->warn("{}; attempt {} of {} in {} ms", why.sentence, x.failed + 1, retry.attempts,
                wait->count());
    if (retries_when)
      return retries_when(x.request, in_actor([this, id] { queue_again(id); }));
    self->run_delayed(*wait, [this, id] { queue_again(id); });
  }

  // As long as it says. Its calls stay in their queue, and none of them has failed.
  void wait_for_server(call_id id, const failure& why) {
    if (ask_stand_in(id, why.sentence))
      return;
    auto& model = calls.at(id).request.model;
    auto line = fmt::format("{}; model '{}' is asked again in {} s", why.sentence, model,
                            why.retry_after.count() / 1000);
    log()->warn("{}", line);
    auto& told = endpoints.at(model).wait_told;
    if (warn && queue->held_until(model) > told)
      warn(line);
    told = std::max(told, queue->held_until(model) + same_wait);
    queue_again(id);
  }

  void queue_again(call_id id) {
    if (calls.count(id) == 0)
      return;
    auto& x = calls.at(id);
    if (cannot_be_asked(x.request.model))
      divert(x);
    if (const auto& fatal = endpoints.at(x.request.model).fatal)
      return give_up(id, fatal);
    queue->push_again(job_of(id, x));
    send_waiting();
  }

  // -- stand-ins --------------------------------------------------------------------------

  // For a while, or for good; but not for what somebody has to mend.
  bool cannot_be_asked(const std::string& model) {
    const auto& fatal = endpoints.at(model).fatal;
    return fatal ? fatal == errc::provider_unreachable : queue->is_left_alone(model, now());
  }

  // Turns a call that is not queued to the next model that can be asked, if there is one.
  bool divert(call& x) {
    while (!x.stand_ins.empty()) {
      auto next = std::move(x.stand_ins.front());
      x.stand_ins.erase(x.stand_ins.begin());
      auto at = endpoints.find(next);
      if (at == endpoints.end() || at->second.fatal || queue->is_left_alone(next, now()))
        continue;
      x.request.model = std::move(next);
      x.failed = 0;
      x.posted = false; // whatever became of it in the mailbox that it was in
      return true;
    }
    return false;
  }

  void divert_waiting(const std::string& model) {
    auto waiting = queue->drop_waiting(model);
    for (auto id = waiting.rbegin(); id != waiting.rend(); ++id) { // the first is pushed last
      divert(calls.at(*id));
      queue->push_again(job_of(*id, calls.at(*id)));
    }
  }

  bool ask_stand_in(call_id id, const std::string& why) {
    auto& x = calls.at(id);
    if (!divert(x))
      return false;
    if (auto* drained = why_drained(x)) {
      give_up(id, *drained);
      return true;
    }
    log()->warn("{}; model '{}' is asked instead", why, x.request.model);
    queue->push_again(job_of(id, x));
    return true;
  }

  void close_model(call_id id, const caf::error& why) {
    auto model = calls.at(id).request.model;
    log()->error("{}", describe(why));
    endpoints.at(model).fatal = why;
    auto closed = queue->drop_waiting(model);
    closed.push_back(id);
    for (auto each : closed)
      if (why != errc::provider_unreachable || !ask_stand_in(each, describe(why)))
        give_up(each, why);
  }

  void give_up(call_id id, const caf::error& why) {
    auto x = end(id);
    release(x);
    for (auto& asker : x.askers)
      asker.deliver(why);
  }

  // -- helpers ----------------------------------------------------------------------------

  caf::typed_response_promise<llm_answer> promise() {
    return self->make_response_promise<llm_answer>();
  }

  dispatcher::job job_of(call_id id, call& x) const {
    const auto& model = endpoints.at(x.request.model).config;
    x.worst = worst_case(model, x.request);
    return {id,
            {x.request.session, x.request.agent, x.request.model},
            x.worst,
            likely_tokens(model, x.request),
            x.request.priority};
  }

  dispatcher::time_point now() const {
    return self->clock().now();
  }

  double chance() {
    return std::uniform_real_distribution<>{}(random);
  }

  // Why nothing of its session goes out any more; nullptr: it may.
  const caf::error* why_drained(const call& x) const {
    auto found = drained.find(x.request.session);
    return found == drained.end() ? nullptr : &found->second;
  }

  bool is_mailbox(const std::string& model) const {
    return endpoints.at(model).config.provider == provider_kind::mailbox;
  }

  static question_key key_of(const call& x) {
    return {x.request.session, x.request.request, x.prompt_hash};
  }

  call end(call_id id) {
    auto x = std::move(calls.extract(id).mapped());
    by_question.erase(key_of(x));
    return x;
  }

  // -- state ------------------------------------------------------------------------------

  drainable_gateway_actor::pointer self;
  journal_actor journal;
  retry_policy retry;
  std::function<void(const llm_request&, std::function<void()>)> retries_when;
  std::function<void(const std::string&)> warn;
  std::mt19937_64 random;
  std::optional<dispatcher> queue;
  std::optional<answer_book> book;
  std::map<std::string, endpoint> endpoints; // by the model's name in the topology
  std::map<call_id, call> calls;
  std::map<question_key, call_id> by_question;
  std::map<question_key, posted_call> in_mailbox;
  std::map<session_id, caf::error> drained; // sessions of which nothing goes out any more, and why
  std::optional<std::set<std::string>> asking; // the agents' names; nothing: those of the start
  call_id last_call = 0;
  std::optional<dispatcher::time_point> wakes; // when a timer will look into the queue
};

drainable_gateway_actor::behavior_type
run(drainable_gateway_actor::stateful_pointer<gateway_state> self, gateway_options options) {
  self->state.init(std::move(options));
  self->set_exit_handler([self](caf::exit_msg& x) { self->state.stop(x.reason); });
  return {[self](llm_request& x) { return self->state.ask(std::move(x)); },
          [self](status_atom) { return self->state.queue->money().accounts(); },
          [self](const topology& x) { self->state.change(x); },
          [self](drain_atom, const session_id& session, const caf::error& why) {
            self->state.drain(session, why);
          }};
}

} // namespace

drainable_gateway_actor spawn_gateway(caf::actor_system& sys, gateway_options options) {
  return sys.spawn(run, std::move(options));
}

} // namespace lathe::llm_clients
