#pragma once

#include "actors/session_journal.hpp"
#include "llm_clients/exchange.hpp"
#include "messages/content_hash.hpp"

#include <string>
#include <utility>
#include <vector>

// Records as a run writes them, to make up a recording.

namespace lathe::test {

inline journal_record at(double time, journal_record record) {
  record.time = time;
  return record;
}

inline journal_record started(const session_id& name) {
  actors::session_started x;
  x.subject.name = name;
  x.plan.models.resize(2);
  x.plan.models[0].name = "strong";
  x.plan.models[0].fallback = {"cheap"};
  x.plan.models[1].name = "cheap";
  x.plan.agents.push_back({});
  x.plan.agents.back().name = "coder";
  x.plan.agents.back().model = "strong";
  return actors::to_record(name, x);
}

inline journal_record issued(const session_id& name, request_id id, std::string target,
                             double elapsed = 0) {
  actors::request_issued x;
  x.id = id;
  x.target = std::move(target);
  x.elapsed = elapsed;
  return actors::to_record(name, x);
}

inline journal_record prepared(const session_id& name) {
  return actors::to_record(name, actors::task_prepared{});
}

inline journal_record judged(const session_id& name, request_id id, std::string evidence = {}) {
  actors::verdict_received x;
  x.id = id;
  x.answer.evidence = std::move(evidence);
  return actors::to_record(name, x);
}

inline journal_record failed(const session_id& name, request_id id, errc code, std::string reason) {
  return actors::to_record(name, actors::request_failed{id, code, std::move(reason)});
}

inline journal_record ended(const session_id& name) {
  return actors::to_record(name, actors::session_ended{"nothing is left", false});
}

inline journal_record leased(const session_id& name) {
  journal_record result;
  result.session = name;
  result.kind = "lease";
  result.payload = "{}";
  return result;
}

inline llm_request question(const session_id& name, request_id id, std::string prompt = "go",
                            std::string model = "strong") {
  return {name, id, "coder", "coder", std::move(model), "", std::move(prompt)};
}

inline journal_record reserved(const llm_request& x) {
  return llm_clients::reserved_record(x, content_hash(llm_clients::prompt_text(x)), {}).records[0];
}

inline journal_record lost(const llm_request& x) {
  return llm_clients::lost_record(x, content_hash(llm_clients::prompt_text(x)), {}).records[0];
}

inline journal_record released(const llm_request& x) {
  return llm_clients::released_record(x, content_hash(llm_clients::prompt_text(x))).records[0];
}

/// With the texts of question and answer.
inline journal_append exchanged(const llm_request& x, std::string answer) {
  llm_answer result;
  result.text = std::move(answer);
  result.model = "m-1";
  return llm_clients::exchange_record(x, result);
}

/// Numbers records and gives those of one append one time.
inline std::vector<journal_record> journal_of(std::vector<std::vector<journal_record>> appends) {
  std::vector<journal_record> result;
  double time = 100;
  for (auto& append : appends) {
    for (auto& record : append) {
      if (record.time == 0)
        record.time = time;
      record.seq = static_cast<std::int64_t>(result.size()) + 1;
      result.push_back(std::move(record));
    }
    time += 1;
  }
  return result;
}

} // namespace lathe::test
