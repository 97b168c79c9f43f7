#pragma once

#include "llm_clients/provider.hpp"
#include "llm_clients/secret.hpp"
#include "messages/unique_fd.hpp"

#include <caf/expected.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::llm_clients {

/// One question and what came back.
struct recorded_exchange {
  std::string hash;          ///< the question's, see `question_hash`
  std::uint64_t attempt = 1; ///< its place among equal questions, from 1
  std::uint64_t asked = 0;   ///< its place among all questions of the recording, from 1
  llm_request question;
  reply outcome;
};

/// Returns the SHA-256 of the JSON list `[role, model, system, prompt]`, which goes on with answer
/// and prompt of each follow-up, compact and with no character escaped that need not be: equal for
/// the same question, whoever asks it and when.
std::string question_hash(const llm_request& question);

/// Makes of texts what a recording keeps of them: keys are masked, and bytes that are not UTF-8
/// become U+FFFD. What is kept already stays as it is.
class kept_text {
public:
  explicit kept_text(std::vector<secret> keys);

  std::string of(std::string text) const;
  llm_request of(llm_request question) const;
  reply of(reply outcome) const;

private:
  secret_list keys_;
};

// -- the text ---------------------------------------------------------------------------

/// A recording, as it is read:
///
///     {"format":"lathe-cassette","version":1}
///     {"key":"<hash>#<attempt>","asked":1,"session":"mlp",...,"prompt":"...","answer":{...}}
///     {"key":"<hash>#<attempt>","asked":2,"session":"mlp",...,"prompt":"...","failure":{...}}
///
/// Answers may be edited by hand; questions may not, for a key has to fit its question.
struct cassette {
  std::vector<recorded_exchange> exchanges; ///< of several with the same key the first
  std::size_t whole = 0;                    ///< [bytes] of whole lines; behind them lies half a one
};

/// Returns the first line, with its line feed.
std::string cassette_header();

/// Returns the line of an exchange, with its line feed.
std::string cassette_line(const recorded_exchange& x, const kept_text& kept);

/// Reads a recording. Half a last line is what a crash leaves, and no mistake; any other is
/// reported as `file:line: ...`.
caf::expected<cassette> parse_cassette(std::string_view text, const std::string& file);

// -- the file ---------------------------------------------------------------------------

/// Reads a recording, for a replay: one without a first line is an error.
caf::expected<cassette> load_cassette(const std::filesystem::path& file);

/// Adds to a recording. Any number of threads may use one writer, and a file has one at a time.
class cassette_writer {
public:
  /// Opens the file, or makes it, for its owner alone, also where others could read it until now.
  /// What it holds is checked and continued; half a last line is cut off. `keys` never get into it.
  static caf::expected<std::shared_ptr<cassette_writer>> open(const std::filesystem::path& file,
                                                              std::vector<secret> keys);

  cassette_writer(const cassette_writer&) = delete;

  cassette_writer& operator=(const cassette_writer&) = delete;

  /// Numbers a question that is about to be asked. The outcome is for the caller to fill in.
  recorded_exchange begin(const llm_request& question);

  /// Appends an exchange with one write: a process that is killed leaves all of it or, at worst,
  /// half a last line. A power cut may take more.
  caf::error append(const recorded_exchange& x);

private:
  cassette_writer(std::filesystem::path file, unique_fd opened, std::vector<secret> keys);

  caf::error take_over();
  caf::error write_line(std::string_view line);
  caf::error failure(std::string_view what) const;

  std::filesystem::path file_;
  unique_fd descriptor_;
  kept_text kept_;
  std::mutex mutex_;                              // guards what follows, and the file's end
  bool usable_ = true;                            // false: half a line could not be cut off
  std::map<std::string, std::uint64_t> attempts_; // by question_hash, the last one given
  std::uint64_t asked_ = 0;
};

} // namespace lathe::llm_clients
