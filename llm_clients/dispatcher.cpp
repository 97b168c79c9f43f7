#include "llm_clients/dispatcher.hpp"

#include "messages/error.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lathe::llm_clients {

dispatcher::dispatcher(budget_config budget, std::size_t max_waiting)
  : ledger_(budget), max_waiting_(max_waiting) {
  // nop
}

void dispatcher::add_model(const std::string& model, std::int32_t in_flight) {
  lanes_[model].limit = std::max(in_flight, 1);
}

void dispatcher::seed(const session_id& session, const spend& spent) {
  ledger_.seed(session, spent);
}

caf::error dispatcher::push(job x) {
  auto& waiting = lanes_[x.model].waiting;
  if (waiting.size() >= max_waiting_)
    return make_error(errc::overloaded, fmt::format("{} questions wait for model '{}' already",
                                                    waiting.size(), x.model));
  waiting.push_back(std::move(x));
  return {};
}

void dispatcher::push_again(job x) {
  auto& waiting = lanes_[x.model].waiting;
  waiting.push_front(std::move(x));
}

std::optional<dispatcher::step> dispatcher::next() {
  for (auto& [model, from] : lanes_)
    if (auto result = next(from))
      return result;
  return std::nullopt;
}

std::optional<dispatcher::step> dispatcher::next(lane& from) {
  if (from.out >= from.limit)
    return std::nullopt;
  for (auto i = from.waiting.begin(); i != from.waiting.end(); ++i) {
    auto [decision, ticket] = ledger_.reserve(i->session, i->worst_usd);
    if (decision == ledger::decision::wait)
      continue;
    auto x = std::move(*i);
    from.waiting.erase(i);
    if (decision == ledger::decision::exhausted)
      return step{x.id, make_error(errc::budget_exhausted,
                                   ledger_.describe(x.session) + "; another call does not fit")};
    ++from.out;
    out_[x.id] = {x.model, ticket};
    return step{x.id, {}};
  }
  return std::nullopt;
}

std::vector<call_id> dispatcher::drop_waiting(const std::string& model) {
  std::vector<call_id> result;
  for (const auto& x : lanes_[model].waiting)
    result.push_back(x.id);
  lanes_[model].waiting.clear();
  return result;
}

bool dispatcher::settle(call_id id, const spend& actual) {
  auto ticket = end(id);
  if (ticket)
    ledger_.settle(*ticket, actual);
  return ticket.has_value();
}

bool dispatcher::release(call_id id) {
  auto ticket = end(id);
  if (ticket)
    ledger_.release(*ticket);
  return ticket.has_value();
}

std::optional<ledger::ticket> dispatcher::end(call_id id) {
  auto node = out_.extract(id);
  if (!node)
    return std::nullopt;
  --lanes_[node.mapped().model].out;
  return node.mapped().ticket;
}

} // namespace lathe::llm_clients
