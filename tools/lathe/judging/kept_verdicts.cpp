#include "tools/lathe/judging/kept_verdicts.hpp"

#include "messages/content_hash.hpp"
#include "messages/error.hpp"
#include "messages/event_json.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <cmath>
#include <fstream>

#include <unistd.h>

namespace lathe::judging {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

// Verdicts of other formats are not found: to be raised when rules or files change.
constexpr int format = 1;

// Noise of the moment, or others that used up the memory, may be gone next time.
bool is_lasting(const verdict& x) {
  return x.outcome != outcome::unstable && x.outcome != outcome::out_of_memory;
}

// In whole nanoseconds: a thousand calls should not take a hundred kilobytes.
json::array nanoseconds(const std::vector<double>& seconds) {
  json::array result;
  for (auto x : seconds)
    result.push_back(std::llround(x * 1e9));
  return result;
}

std::vector<double> seconds(const json::array& nanoseconds) {
  std::vector<double> result;
  for (auto& x : nanoseconds)
    result.push_back(x.to_number<double>() * 1e-9);
  return result;
}

// Messages are texts within it: Boost's parser would round their numbers.
json::object to_object(const kept_verdict& x) {
  return {{"verdict", to_json(x.run.verdict)},
          {"ns", nanoseconds(x.run.seconds)},
          {"rules", x.rules},
          {"degenerate", x.degenerate},
          {"baselines", to_json(x.baselines)}};
}

// Nothing where somebody wrote something else into the file.
std::optional<kept_verdict> from_object(const json::object& x) {
  try {
    auto verdict = from_json<lathe::verdict>(std::string_view{x.at("verdict").as_string()});
    auto baselines =
      from_json<std::vector<baseline>>(std::string_view{x.at("baselines").as_string()});
    if (!verdict || !baselines)
      return std::nullopt;
    return kept_verdict{{std::move(*verdict), seconds(x.at("ns").as_array())},
                        std::string{x.at("rules").as_string()},
                        std::string{x.at("degenerate").as_string()},
                        std::move(*baselines)};
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

} // namespace

std::string kind_of(const std::string& device) {
  auto comma = device.find(", ");
  return device.starts_with("cuda:") && comma != std::string::npos ? device.substr(comma + 2)
                                                                   : device;
}

caf::expected<kept_verdicts> kept_verdicts::open(const fs::path& folder, const environment& where,
                                                 const evaluator_config& config, bool profiles) {
  std::error_code problem;
  fs::create_directories(folder, problem);
  auto probe = folder / fmt::format(".{}", ::getpid());
  std::ofstream out{probe};
  out << "can be written\n";
  out.close();
  if (!out)
    return make_error(errc::user_error,
                      fmt::format("{}: verdicts cannot be kept there: it is no folder that can be "
                                  "written to",
                                  folder.string()));
  fs::remove(probe, problem);
  json::object depends_on{{"format", format},
                          {"lathe", LATHE_VERSION},
                          {"device", where.device},
                          {"software", where.software},
                          {"sandbox", where.sandbox},
                          {"threads", config.threads},
                          {"baselines", json::value_from(config.baselines)},
                          {"build_limit", config.build_limit},
                          {"run_limit", config.run_limit},
                          {"time_budget", config.time_budget},
                          {"memory", config.memory}};
  if (profiles)
    depends_on["profiles"] = true;
  return kept_verdicts{folder, std::move(depends_on)};
}

std::optional<kept_verdict> kept_verdicts::find(const kept_subject& subject) const {
  auto found = files_.find(key_of(subject));
  return found ? from_object(*found) : std::nullopt;
}

bool kept_verdicts::keep(const kept_subject& subject, const kept_verdict& x) const {
  return !is_lasting(x.run.verdict) || files_.keep(key_of(subject), to_object(x));
}

// Files' names are part of it: evidence speaks of them.
json::object kept_verdicts::key_of(const kept_subject& x) const {
  auto result = depends_on_;
  result["task"] = x.task.path;
  result["task_hash"] = content_hash(x.task.source);
  result["candidate"] = x.candidate;
  result["candidate_hash"] = content_hash(x.source);
  result["judge"] = x.rules.name;
  result["rules"] = x.rules.describe();
  result["repeat"] = x.repeat;
  result["own_reference"] = x.own_reference;
  return result;
}

} // namespace lathe::judging
