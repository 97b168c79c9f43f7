#pragma once

#include "messages/types.hpp"

namespace lathe {

/// What LLM work cost so far.
struct spend {
  std::int64_t queries = 0;
  std::int64_t input_tokens = 0;
  std::int64_t cached_input_tokens = 0; ///< the part of the input that the provider had cached
  std::int64_t output_tokens = 0;
  double usd = 0;
  std::int64_t reasoning_tokens = 0; ///< the part of the output that is not in the answer

  spend& operator+=(const spend& other) {
    queries += other.queries;
    input_tokens += other.input_tokens;
    cached_input_tokens += other.cached_input_tokens;
    output_tokens += other.output_tokens;
    reasoning_tokens += other.reasoning_tokens;
    usd += other.usd;
    return *this;
  }
};

template <class Inspector>
bool inspect(Inspector& f, spend& x) {
  return f.object(x).fields(f.field("queries", x.queries), f.field("input_tokens", x.input_tokens),
                            f.field("cached_input_tokens", x.cached_input_tokens),
                            f.field("output_tokens", x.output_tokens), f.field("usd", x.usd),
                            f.field("reasoning_tokens", x.reasoning_tokens));
}

/// The most that may be spent. Zero: no limit.
struct spend_limit {
  std::int64_t queries = 0;
  std::int64_t tokens = 0; ///< input, cached or not, and output
  double usd = 0;

  bool limits() const {
    return queries > 0 || tokens > 0 || usd > 0;
  }

  friend bool operator==(const spend_limit&, const spend_limit&) = default;
};

template <class Inspector>
bool inspect(Inspector& f, spend_limit& x) {
  return f.object(x).fields(f.field("queries", x.queries), f.field("tokens", x.tokens),
                            f.field("usd", x.usd));
}

/// On whom spending counts. An empty name stands for all.
struct payer {
  session_id session;
  std::string agent; ///< its name in the topology
  std::string model; ///< its name in the topology

  friend auto operator<=>(const payer&, const payer&) = default;
};

template <class Inspector>
bool inspect(Inspector& f, payer& x) {
  return f.object(x).fields(f.field("session", x.session), f.field("agent", x.agent),
                            f.field("model", x.model));
}

/// What a payer has spent, and what calls under way may come to.
struct account_status {
  payer who;
  spend spent;
  double reserved_usd = 0;
};

template <class Inspector>
bool inspect(Inspector& f, account_status& x) {
  return f.object(x).fields(f.field("who", x.who), f.field("spent", x.spent),
                            f.field("reserved_usd", x.reserved_usd));
}

/// What was said after a prompt: the model's answer, and what it is asked then.
struct follow_up {
  std::string answer;
  std::string prompt;
};

template <class Inspector>
bool inspect(Inspector& f, follow_up& x) {
  return f.object(x).fields(f.field("answer", x.answer), f.field("prompt", x.prompt));
}

/// One question to a model. The same session, request and attempt always asks the same question,
/// so a recorded answer can be given again.
struct llm_request {
  session_id session;
  request_id request = 0;
  std::string agent;  ///< who asks: the agent's name in the topology
  std::string role;   ///< planner, coder, fixer, profiler
  std::string model;  ///< the model's name in the topology
  std::string system; ///< system message; may be empty
  std::string prompt;
  bool stop_after_code =
    false; ///< nothing is wanted after the first whole candidate: a stream ends there
  std::int32_t priority = 0; ///< among the questions of its session; the higher goes first
  double patience = 0;       ///< [seconds] that whoever asks waits for the answer; 0: for good
  std::vector<follow_up> follow_ups = {}; ///< the conversation since the prompt
};

template <class Inspector>
bool inspect(Inspector& f, llm_request& x) {
  return f.object(x).fields(
    f.field("session", x.session), f.field("request", x.request), f.field("agent", x.agent),
    f.field("role", x.role), f.field("model", x.model), f.field("system", x.system),
    f.field("prompt", x.prompt), f.field("stop_after_code", x.stop_after_code),
    f.field("priority", x.priority), f.field("patience", x.patience),
    f.field("follow_ups", x.follow_ups));
}

/// A model's answer.
struct llm_answer {
  std::string text;
  std::string model;    ///< as the provider names it
  std::string finish;   ///< why it ended: "stop", "length", ...
  spend cost;
  double seconds = 0;   ///< from sending to the last byte
  bool recorded = false; ///< served from the journal, not paid again
};

template <class Inspector>
bool inspect(Inspector& f, llm_answer& x) {
  return f.object(x).fields(f.field("text", x.text), f.field("model", x.model),
                            f.field("finish", x.finish), f.field("cost", x.cost),
                            f.field("seconds", x.seconds), f.field("recorded", x.recorded));
}

} // namespace lathe
