#include "runtime/replay_order.hpp"

#include "llm_clients/exchange.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lathe::runtime {

namespace {

// Names who writes one thing after another: a session, or the gateway about one question.
std::string writer_of(const recorded_event& x) {
  return x.source == record_source::gateway ? fmt::format("{}\n{}", x.record.session, x.request)
                                            : x.record.session;
}

std::string writer_of(const journal_record& record) {
  if (!llm_clients::is_about_questions(record.kind))
    return record.session;
  auto x = read_recorded(record);
  return x ? writer_of(*x) : record.session;
}

} // namespace

replay_order::replay_order(const std::vector<recorded_event>& events) : events_(events) {
  for (std::size_t i = 0; i < events.size(); ++i)
    if (events[i].source != record_source::device)
      last_.insert_or_assign(writer_of(events[i]), i);
}

replay_order::ruling replay_order::offer(const std::vector<journal_record>& records) {
  if (is_over() || records.empty())
    return {};
  if (!is_due(records)) {
    auto last = last_.find(writer_of(records.front()));
    if (last != last_.end() && last->second > due_)
      return {decision::hold};
    parted_ = true;
    return {decision::parts, due_, 0};
  }
  auto end = end_of_turn();
  for (std::size_t i = 0; due_ + i < end || i < records.size(); ++i) {
    if (due_ + i < end && i < records.size() && says_the_same(events_[due_ + i], records[i]))
      continue;
    parted_ = true;
    return {decision::parts, due_ + i, i < records.size() ? std::optional{i} : std::nullopt};
  }
  due_ = end;
  return {decision::write};
}

std::vector<journal_record> replay_order::pass_devices() {
  std::vector<journal_record> result;
  for (; !is_over() && events_[due_].source == record_source::device; ++due_)
    result.push_back(events_[due_].record);
  return result;
}

bool replay_order::is_due(const std::vector<journal_record>& records) const {
  return !is_over() && !records.empty() && events_[due_].source != record_source::device
         && writer_of(events_[due_]) == writer_of(records.front());
}

std::size_t replay_order::end_of_turn() const {
  auto end = due_ + 1;
  const auto& first = events_[due_];
  if (first.source != record_source::session)
    return end;
  while (end < events_.size() && events_[end].is_decision()
         && events_[end].record.session == first.record.session)
    ++end;
  return end;
}

} // namespace lathe::runtime
