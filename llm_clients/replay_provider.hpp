#pragma once

#include "llm_clients/cassette.hpp"
#include "llm_clients/provider.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace lathe::llm_clients {

class io_thread;

/// How a replay finds what was recorded for a question.
enum class replay_by {
  question, ///< equal questions, in the order in which they were asked
  order,    ///< whatever a session asks of a model in a role, in the order in which it was asked
};

/// Finds recorded outcomes. The providers of all models share one, from any thread.
class playback {
public:
  /// `keys` are masked in questions as they were in the recording.
  playback(cassette recording, replay_by by, std::vector<secret> keys = {});

  /// Returns what came back from this question. For one without a recording left it is a `refuse`
  /// failure that shows how the question differs from the nearest that was recorded.
  reply answer(const llm_request& question);

private:
  // What was recorded for one question, or for one session, model, role and length of conversation.
  struct track {
    std::vector<const recorded_exchange*> exchanges; // in the order to play
    std::size_t played = 0;
  };

  std::string track_of(const recorded_exchange& x) const;
  std::string explain_miss(const recorded_exchange& asked, std::size_t recorded) const;
  const recorded_exchange* nearest(const llm_request& question) const;

  const std::vector<recorded_exchange> exchanges_;
  const replay_by by_;
  const kept_text kept_;
  // Of each exchange a sample of its question's lines, see `line_sample`.
  std::vector<std::vector<std::uint64_t>> samples_;
  std::mutex mutex_; // guards tracks_
  std::map<std::string, track> tracks_;
};

/// Answers from a recording. Costs are those of the recording, so a budget holds as it did then.
class replay_provider : public provider {
public:
  /// An answer takes as long as it was recorded to take, times `pace`; 0: no time at all. So does
  /// what a server asked to wait before the next attempt.
  /// @param io not needed at pace 0
  replay_provider(std::shared_ptr<playback> recording, double pace, std::shared_ptr<io_thread> io);

  void ask(const llm_request& question, completion done) override;

private:
  std::shared_ptr<playback> recording_;
  double pace_;
  std::shared_ptr<io_thread> io_;
};

} // namespace lathe::llm_clients
