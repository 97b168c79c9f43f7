#pragma once

#include "actors/session_event.hpp"
#include "messages/journal.hpp"

#include <caf/expected.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lathe::runtime {

/// Who writes a record of a journal.
enum class record_source : std::uint8_t {
  session, ///< what happened to it, and what it decided
  gateway, ///< a question to a model
  device,  ///< leases, and news of devices: no session's state depends on them
};

/// A request of a session; no other has its number in that session.
using request_key = std::pair<session_id, request_id>;

/// A record of a journal, and what it is about.
struct recorded_event {
  journal_record record;
  record_source source = record_source::device;
  request_id request = 0; ///< that it issues, answers or asks; 0: none
  std::string model;      ///< gateway: who was asked
  std::string prompt;     ///< gateway: the hash of what was asked; older losses have none
  std::optional<actors::session_event> event; ///< session

  request_key key() const {
    return {record.session, request};
  }

  /// Whether the session decided this by itself; else something came to it from outside.
  bool is_decision() const;
};

/// Reads what a record is about. Fails with `journal_failed` for one that does not parse.
caf::expected<recorded_event> read_recorded(journal_record record);

/// Whether a record says what was recorded, whenever it was written. What an older Lathe recorded
/// counts as this one would have written it.
bool says_the_same(const recorded_event& recorded, const journal_record& now);

/// What a run did, in the order in which its journal has it, and where in it is what became of each
/// request. Positions count from 0. Pure.
class recording {
public:
  /// Takes the records of a whole journal, or of one that somebody still writes. What cannot be
  /// played again is left out with all behind it. Fails with `user_error` where no session began
  /// or `past_check` refuses something, `journal_failed` for a record that does not parse.
  static caf::expected<recording> read(std::vector<journal_record> records);

  const std::vector<recorded_event>& events() const {
    return events_;
  }

  /// Why the journal has more events than are played, in words; empty: it has not.
  const std::string& left_out() const {
    return left_out_;
  }

  /// Whether all its sessions ended.
  bool is_whole() const;

  /// What its sessions began under.
  const topology& plan() const;

  std::vector<task> tasks() const;

  /// Where it says what became of a request.
  std::optional<std::size_t> outcome_of(const request_key& key) const;

  /// Where something is written for the first time that depends on a question.
  std::optional<std::size_t> begin_of(const request_key& key) const;

  /// Where something is written for the first time about a question with this prompt, which is one
  /// of those that a request may ask.
  /// @param prompt its hash
  std::optional<std::size_t> question_of(const request_key& key, const std::string& prompt) const;

  /// Where the gateway wrote about a question next, at `from` or behind it.
  std::optional<std::size_t> next_of(const request_key& key, std::size_t from) const;

  /// Whether a question is put to its first model again there: the run was taken up after a crash,
  /// or an agent asked anew what had been given up.
  bool begins_anew(std::size_t place) const {
    return anew_.contains(place);
  }

  /// The request that had a session's task prepared.
  std::optional<request_key> preparation_of(const session_id& session) const;

  /// Who got a request; empty: it was never issued.
  std::string target_of(const request_key& key) const;

  /// How many requests each agent had at once at most, over all sessions.
  std::map<std::string, std::int32_t> most_at_once() const;

  /// What a session's clock said in turn whenever it looked, once for each time that something came
  /// to it from outside. [seconds]
  std::vector<std::vector<double>> clock_of(const session_id& session) const;

private:
  std::string why_not_played(std::size_t place) const;
  std::ptrdiff_t rank_of(const recorded_event& question) const;
  bool is_asked_anew(const recorded_event& question) const;
  void index();

  std::vector<recorded_event> events_;
  std::string left_out_;
  std::map<request_key, std::size_t> issued_;
  std::map<request_key, std::size_t> outcomes_;
  std::map<request_key, std::vector<std::size_t>> questions_;
  std::set<std::size_t> anew_;
};

} // namespace lathe::runtime
