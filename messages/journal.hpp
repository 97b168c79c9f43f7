#pragma once

#include "messages/types.hpp"

namespace lathe {

/// One event as the journal keeps it.
struct journal_record {
  std::int64_t seq = 0;  ///< given by the journal, from 1
  double time = 0;       ///< [seconds since the epoch] given by the journal
  session_id session;    ///< empty: the run's own
  std::string kind;      ///< the event's name
  std::string payload;   ///< JSON
};

template <class Inspector>
bool inspect(Inspector& f, journal_record& x) {
  return f.object(x).fields(f.field("seq", x.seq), f.field("time", x.time),
                            f.field("session", x.session), f.field("kind", x.kind),
                            f.field("payload", x.payload));
}

/// A text that events refer to by its hash: a prompt, an answer, a candidate.
struct journal_content {
  std::string hash; ///< SHA-256, hexadecimal
  std::string text;
};

template <class Inspector>
bool inspect(Inspector& f, journal_content& x) {
  return f.object(x).fields(f.field("hash", x.hash), f.field("text", x.text));
}

/// Appends events and the texts they refer to, all or nothing.
struct journal_append {
  std::vector<journal_record> records;
  std::vector<journal_content> contents;
};

template <class Inspector>
bool inspect(Inspector& f, journal_append& x) {
  return f.object(x).fields(f.field("records", x.records), f.field("contents", x.contents));
}

} // namespace lathe
