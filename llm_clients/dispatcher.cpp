#include "llm_clients/dispatcher.hpp"

#include "messages/error.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lathe::llm_clients {

namespace {

// What a server may ask to wait before others are asked in its place.
constexpr std::chrono::minutes long_time{1};

bool counts_on(const payer& account, const payer& who) {
  auto fits = [](const std::string& mine, const std::string& his) {
    return mine.empty() || mine == his;
  };
  return fits(account.session, who.session) && fits(account.agent, who.agent)
         && fits(account.model, who.model);
}

} // namespace

dispatcher::dispatcher(spending_limits limits, std::size_t max_waiting, breaker_policy patience)
  : ledger_(std::move(limits)), max_waiting_(max_waiting), patience_(patience) {
  // nop
}

void dispatcher::add_model(const std::string& model, const model_limits& limits,
                           const std::string& server) {
  auto& shared = servers_.try_emplace(server, patience_).first->second;
  lanes_.insert_or_assign(model, lane{rate_limit{limits}, circuit_breaker{patience_}, &shared, {}});
}

void dispatcher::seed(const payer& who, const spend& spent) {
  ledger_.seed(who, spent);
}

void dispatcher::seed(const std::string& model, time_point started, const call_tokens& tokens) {
  auto found = lanes_.find(model);
  if (found == lanes_.end())
    return;
  auto& limits = found->second.limits;
  limits.answered(limits.start(started, tokens), tokens);
}

void dispatcher::change(spending_limits limits) {
  ledger_.change(std::move(limits));
}

caf::error dispatcher::push(job x) {
  auto& waiting = lanes_.at(x.who.model).waiting;
  if (waiting.size() >= max_waiting_)
    return make_error(errc::overloaded, fmt::format("{} questions wait for model '{}' already",
                                                    waiting.size(), x.who.model));
  waiting.push(x.who.session, x.priority, x);
  return {};
}

void dispatcher::push_again(job x) {
  auto& waiting = lanes_.at(x.who.model).waiting;
  waiting.push_front(x.who.session, x.priority, x);
}

std::optional<dispatcher::step> dispatcher::next(time_point now) {
  wakes_at_.reset();
  for (auto& [model, from] : lanes_)
    if (auto result = next(from, now))
      return result;
  return std::nullopt;
}

bool dispatcher::has_room(lane& x, time_point now, const call_tokens& tokens) {
  auto at = x.limits.next_time(now, tokens);
  for (auto* breaker : {&x.breaker, x.server})
    if (breaker->state(now) != breaker_state::closed)
      at = at && breaker->opens_at() ? std::optional{std::max(*at, *breaker->opens_at())}
                                     : std::nullopt;
  if (at && *at > now)
    wakes_at_ = std::min(wakes_at_.value_or(*at), *at);
  return at && *at <= now;
}

std::optional<dispatcher::step> dispatcher::next(lane& from, time_point now) {
  using choice = fair_queue<job>::choice;
  ledger::grant grant{ledger::decision::wait};
  auto waits = false;
  auto x = from.waiting.take([&](const job& each) {
    if (!has_room(from, now, each.tokens))
      return choice::stop;
    grant = ledger_.reserve(each.who, each.worst);
    waits = grant.decision == ledger::decision::wait;
    return waits && !waits_for_mailbox(grant.full) ? choice::pass_over : choice::take;
  });
  if (!x)
    return std::nullopt;
  if (waits)
    return step{x->id,
                make_error(errc::awaits_mailbox, "the money for another question is kept for "
                                                 "those that wait in a mailbox")};
  if (grant.decision == ledger::decision::exhausted)
    return step{x->id, make_error(errc::budget_exhausted, std::move(grant.why)),
                !grant.full.model.empty()};
  // There are both, or there were no room.
  out_[x->id] = {x->who, grant.ticket, from.limits.start(now, x->tokens),
                 from.breaker.admit(now).value_or(0), from.server->admit(now).value_or(0)};
  return step{x->id, {}};
}

bool dispatcher::drop(const std::string& model, call_id id) {
  return lanes_.at(model).waiting.remove_if([id](const job& x) { return x.id == id; });
}

std::vector<call_id> dispatcher::drop_waiting(const std::string& model) {
  std::vector<call_id> result;
  for (const auto& x : lanes_.at(model).waiting.drain())
    result.push_back(x.id);
  return result;
}

bool dispatcher::settle(call_id id, const spend& actual) {
  auto node = out_.extract(id);
  if (!node)
    return false;
  auto& x = node.mapped();
  auto& from = lanes_.at(x.who.model);
  ledger_.settle(x.money, actual);
  from.limits.answered(x.rate, {actual.input_tokens, actual.output_tokens});
  from.breaker.answered(x.pass);
  from.server->answered(x.server_pass);
  return true;
}

bool dispatcher::fail(time_point now, call_id id, const failure& why, const spend& charged,
                      bool in_trouble, double chance) {
  auto node = out_.extract(id);
  if (!node)
    return false;
  auto& x = node.mapped();
  auto& from = lanes_.at(x.who.model);
  ledger_.settle(x.money, charged);
  if (why.status == 429 || why.retry_after > long_time)
    from.limits.refused(now, x.rate, why.retry_after);
  else
    from.limits.failed(x.rate, why.may_be_charged);
  auto silent = in_trouble && why.status == 0;
  if (silent)
    from.server->failed(now, x.server_pass, chance);
  else
    from.server->answered(x.server_pass);
  if (silent)
    from.breaker.abandoned(x.pass);
  else if (in_trouble)
    from.breaker.failed(now, x.pass, chance);
  else
    from.breaker.answered(x.pass);
  return true;
}

bool dispatcher::withdraw(call_id id, const spend& charged) {
  auto node = out_.extract(id);
  if (!node)
    return false;
  auto& x = node.mapped();
  auto& from = lanes_.at(x.who.model);
  auto costs = charged.usd > 0 || charged.input_tokens > 0;
  ledger_.settle(x.money, charged);
  from.limits.failed(x.rate, costs);
  from.breaker.abandoned(x.pass);
  from.server->abandoned(x.server_pass);
  return true;
}

bool dispatcher::hold(call_id id, const payer& who, const spend& worst) {
  auto grant = ledger_.reserve(who, worst);
  if (grant.decision != ledger::decision::granted)
    return false;
  out_[id] = {.who = who, .money = grant.ticket, .aside = true};
  return true;
}

bool dispatcher::set_aside(call_id id) {
  auto i = out_.find(id);
  if (i == out_.end())
    return false;
  auto& x = i->second;
  x.aside = true;
  auto& from = lanes_.at(x.who.model);
  from.breaker.answered(x.pass); // the mailbox is there
  from.server->answered(x.server_pass);
  return true;
}

void dispatcher::take_up(call_id id) {
  if (auto i = out_.find(id); i != out_.end())
    i->second.aside = false;
}

bool dispatcher::waits_for_mailbox(const payer& account) const {
  auto found = false;
  for (const auto& [id, x] : out_) {
    if (!counts_on(account, x.who))
      continue;
    if (!x.aside)
      return false;
    found = true;
  }
  return found;
}

void dispatcher::observe(time_point now, const std::string& model, const header_map& headers) {
  lanes_.at(model).limits.observe(now, headers);
}

bool dispatcher::is_left_alone(const std::string& model, time_point now) const {
  const auto& x = lanes_.at(model);
  auto is_closed_to_others = [now](const circuit_breaker& breaker) {
    auto state = breaker.state(now);
    auto trial_is_out = state == breaker_state::half_open && !breaker.opens_at();
    return state == breaker_state::open || trial_is_out;
  };
  return is_closed_to_others(x.breaker) || is_closed_to_others(*x.server)
         || x.limits.held_until() > now + long_time;
}

dispatcher::time_point dispatcher::held_until(const std::string& model) const {
  return lanes_.at(model).limits.held_until();
}

} // namespace lathe::llm_clients
