#include "runtime/replay.hpp"

#include "actors/session_journal.hpp"
#include "gpu/lease_log.hpp"
#include "messages/error.hpp"
#include "messages/event_json.hpp"

#include <fmt/format.h>

namespace lathe::runtime {

namespace {

/// Finds contents that the journal must have.
class contents {
public:
  explicit contents(journal_store& journal) : journal_(journal) {
    // nop
  }

  caf::expected<std::string> operator()(const std::string& hash) const {
    auto text = journal_.content(hash);
    if (!text)
      return std::move(text.error());
    if (!*text)
      return make_error(errc::journal_failed,
                        fmt::format("the journal lacks the text {}, which an event names", hash));
    return std::move(**text);
  }

private:
  journal_store& journal_;
};

caf::error add_texts(const actors::session_event& event, const contents& text_of,
                     session_past& past) {
  auto* drafts = std::get_if<actors::drafts_received>(&event);
  if (drafts == nullptr)
    return {};
  for (auto& draft : drafts->drafts) {
    auto text = text_of(draft.hash);
    if (!text)
      return std::move(text.error());
    past.texts.emplace(draft.hash, std::move(*text));
  }
  return {};
}

template <class T>
caf::expected<T> parse(const journal_record& record) {
  auto result = from_json<T>(record.payload);
  if (!result)
    return make_error(errc::journal_failed,
                      fmt::format("event {} ({}) does not parse: {}", record.seq, record.kind,
                                  describe(result.error())));
  return result;
}

caf::error add_lease(const journal_record& record, run_past& past) {
  auto span = parse<lease_span>(record);
  if (!span)
    return std::move(span.error());
  past.leases.add(*span);
  // Whatever was wrong with a device that is used again is over, also when a run was taken up.
  auto news = past.devices.find(span->device);
  if (news != past.devices.end() && span->granted > news->second.time)
    past.devices.erase(news);
  return {};
}

caf::error add_device(const journal_record& record, run_past& past) {
  auto news = parse<device_event>(record);
  if (!news)
    return std::move(news.error());
  past.devices.insert_or_assign(news->device, device_news{*news, record.time});
  return {};
}

} // namespace

caf::expected<run_past> read_past(journal_store& journal) {
  auto records = journal.read_events();
  if (!records)
    return std::move(records.error());
  contents text_of{journal};
  run_past result;
  for (auto& record : *records) {
    if (llm_clients::is_about_questions(record.kind)) {
      if (auto error = llm_clients::read_record(record, text_of, result.answers))
        return error;
      continue;
    }
    if (record.kind == gpu::lease_event) {
      if (auto error = add_lease(record, result))
        return error;
      continue;
    }
    if (record.kind == device_event::kind) {
      if (auto error = add_device(record, result))
        return error;
      continue;
    }
    auto event = actors::from_record(record);
    if (!event)
      return std::move(event.error());
    auto& past = result.sessions[record.session];
    if (auto error = add_texts(*event, text_of, past))
      return error;
    past.events.push_back(std::move(*event));
  }
  return result;
}

caf::expected<lease_timeline> read_leases(journal_store& journal) {
  auto records = journal.read_events();
  if (!records)
    return std::move(records.error());
  lease_timeline result;
  for (auto& record : *records) {
    if (record.kind != gpu::lease_event)
      continue;
    auto span = parse<lease_span>(record);
    if (!span)
      return std::move(span.error());
    result.add(*span);
  }
  return result;
}

actors::session_state fold(session_past past) {
  actors::session_state result;
  for (auto& [hash, text] : past.texts)
    result.add_text(hash, std::move(text));
  for (auto& event : past.events)
    result.apply(event);
  return result;
}

} // namespace lathe::runtime
