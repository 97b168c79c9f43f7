#include "tools/lathe/judging/pairing.hpp"

#include "messages/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace lathe::judging {

namespace {

namespace fs = std::filesystem;

using positions = std::vector<std::size_t>;

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> result;
  for (std::size_t at = 0; at <= text.size();) {
    auto end = std::min(text.find('_', at), text.size());
    result.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return result;
}

std::optional<std::int32_t> read_number(std::string_view text) {
  std::int32_t result = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
  if (error != std::errc{} || end != text.data() + text.size() || text.starts_with('-'))
    return std::nullopt;
  return result;
}

bool is_number(std::string_view text) {
  return read_number(text).has_value();
}

std::optional<std::int32_t> level_of_folder(const fs::path& file) {
  auto name = file.parent_path().filename().string();
  if (!name.starts_with("level"))
    return std::nullopt;
  auto rest = std::string_view{name}.substr(5);
  if (rest.starts_with('_') || rest.starts_with('-'))
    rest.remove_prefix(1);
  return read_number(rest);
}

bool same_level(const problem_name& x, const problem_name& y) {
  return !x.level || !y.level || *x.level == *y.level;
}

bool same_stem(const problem_name& task, const problem_name& candidate) {
  return task.stem == candidate.stem && same_level(task, candidate);
}

// A task that is called "3" is meant by its number alone.
bool begins_with(const problem_name& task, const problem_name& candidate) {
  auto& longer = candidate.stem;
  return longer.size() > task.stem.size() && longer.starts_with(task.stem)
         && std::string_view{"_-."}.find(longer[task.stem.size()]) != std::string_view::npos
         && !is_number(task.stem) && same_level(task, candidate);
}

bool same_problem(const problem_name& task, const problem_name& candidate) {
  return task.problem && task.problem == candidate.problem && same_level(task, candidate);
}

template <class Fits>
positions all_that(const std::vector<problem_name>& tasks, const problem_name& candidate,
                   Fits fits) {
  positions result;
  for (std::size_t i = 0; i < tasks.size(); ++i)
    if (fits(tasks[i], candidate))
      result.push_back(i);
  return result;
}

positions tasks_of(const std::vector<problem_name>& tasks, const problem_name& candidate) {
  if (auto found = all_that(tasks, candidate, same_stem); !found.empty())
    return found;
  if (auto found = all_that(tasks, candidate, begins_with); !found.empty()) {
    auto size = [&](std::size_t i) { return tasks[i].stem.size(); };
    auto longest = std::ranges::max(found, {}, size);
    std::erase_if(found, [&](std::size_t i) { return size(i) < size(longest); });
    return found;
  }
  return all_that(tasks, candidate, same_problem);
}

problem_name joined(problem_name candidate, const problem_name& task) {
  candidate.level = candidate.level ? candidate.level : task.level;
  candidate.problem = task.problem ? task.problem : candidate.problem;
  return candidate;
}

} // namespace

problem_name read_name(const fs::path& file) {
  problem_name result;
  result.stem = file.stem().string();
  auto parts = split(result.stem);
  auto number = [&](std::size_t i) {
    return i < parts.size() ? read_number(parts[i]) : std::nullopt;
  };
  auto word = [&](std::size_t i, std::string_view x) { return i < parts.size() && parts[i] == x; };
  if (word(0, "level") && number(1) && word(2, "problem") && number(3)) {
    result.level = number(1);
    result.problem = number(3);
    if (word(4, "sample"))
      result.sample = number(5);
  } else if (parts.size() > 1 && parts.size() < 4 && std::ranges::all_of(parts, is_number)) {
    result.level = number(0);
    result.problem = number(1);
    result.sample = number(2);
  } else {
    result.problem = number(0);
  }
  if (!result.level)
    result.level = level_of_folder(file);
  return result;
}

caf::expected<pairing> pair_by_name(const std::vector<fs::path>& tasks,
                                    const std::vector<fs::path>& candidates) {
  std::vector<problem_name> names;
  std::ranges::transform(tasks, std::back_inserter(names), read_name);
  std::vector<bool> used(tasks.size(), false);
  pairing result;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    auto name = read_name(candidates[i]);
    auto found = tasks_of(names, name);
    if (found.size() > 1)
      return make_error(errc::user_error,
                        fmt::format("{} could be for {} or for {}; a name like "
                                    "level_1_problem_3_sample_0_kernel.py says which",
                                    candidates[i].string(), tasks[found[0]].string(),
                                    tasks[found[1]].string()));
    if (found.empty()) {
      result.idle_candidates.push_back(i);
      continue;
    }
    used[found[0]] = true;
    result.pairs.push_back({found[0], i, joined(std::move(name), names[found[0]])});
  }
  std::ranges::stable_sort(result.pairs, {}, &pair::task);
  for (std::size_t i = 0; i < tasks.size(); ++i)
    if (!used[i])
      result.idle_tasks.push_back(i);
  return result;
}

} // namespace lathe::judging
