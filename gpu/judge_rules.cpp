#include "gpu/judge_rules.hpp"

#include <fmt/format.h>

#include <numeric>

namespace lathe::gpu {

namespace {

std::string count_of(std::size_t number, const std::string& noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

judge_rules kernelbench() {
  judge_rules result;
  result.name = result.tolerance = "kernelbench";
  result.mode = "train";
  result.input_draws = {5};
  result.seeds = public_seeds{42, true, 42, 42, 42};
  result.timing = mean_timing{3, 1, 100, 0, 0};
  result.watches_conduct = false;
  return result;
}

judge_rules pike() {
  judge_rules result;
  result.name = result.tolerance = "pike";
  result.takes_model = true;
  result.mode = "eval";
  result.input_draws = {1};
  result.seeds = public_seeds{0, false, 0, 1, 0};
  result.timing = mean_timing{1, 0, 0, 1, 5};
  result.watches_conduct = false;
  return result;
}

} // namespace

std::size_t judge_rules::all_input_draws() const {
  return std::accumulate(input_draws.begin(), input_draws.end(), std::size_t{0});
}

std::string judge_rules::describe() const {
  auto result = fmt::format("{} judge, tolerance {}, {} mode, {}, {}", name, tolerance, mode,
                            count_of(all_input_draws(), "input draw"),
                            count_of(input_draws.size(), "weight draw"));
  if (seeds)
    result += ", published seeds";
  if (timing && timing->calls > 0)
    result += fmt::format(", mean of {} calls", timing->calls);
  else if (timing)
    result += fmt::format(", mean over {:g} s", timing->seconds);
  if (!forbid.empty())
    result += fmt::format(", {} forbidden", fmt::join(forbid, ", "));
  return result;
}

std::vector<std::string> judge_names() {
  return {"strict", "kernelbench", "pike"};
}

std::optional<judge_rules> find_judge(std::string_view name, const evaluator_config& config) {
  if (name == "kernelbench")
    return kernelbench();
  if (name == "pike")
    return pike();
  if (name != "strict")
    return std::nullopt;
  judge_rules result;
  result.tolerance = config.tolerance;
  result.mode = config.mode;
  result.forbid = config.forbid;
  return result;
}

} // namespace lathe::gpu
