#include "gpu/verifier/index_pattern.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace lathe::verifier {

namespace {

constexpr std::size_t most_listed = 6;

// `count` neighbours, starting at `first`, in every block of `period`.
struct stripe {
  std::int64_t period;
  std::int64_t first;
  std::int64_t count;

  bool covers(std::int64_t index) const {
    auto place = index % period;
    return place >= first && place < first + count;
  }
};

// Returns how many of the first indexes follow each other without a gap.
std::size_t run_length(const std::vector<std::int64_t>& indexes) {
  std::size_t result = 1;
  while (result < indexes.size() && indexes[result] == indexes[result - 1] + 1)
    ++result;
  return result;
}

// The only stripe that can explain all indexes repeats the first run at the start of the second.
std::optional<stripe> find_stripe(const std::vector<std::int64_t>& indexes, std::int64_t size) {
  auto run = run_length(indexes);
  if (run == indexes.size())
    return std::nullopt;
  stripe found{indexes[run] - indexes[0], indexes[0], static_cast<std::int64_t>(run)};
  if (found.first + found.count > found.period)
    return std::nullopt;
  std::int64_t covered = 0;
  for (std::int64_t i = 0; i < size; ++i)
    covered += found.covers(i) ? 1 : 0;
  auto explained =
    std::all_of(indexes.begin(), indexes.end(), [&](std::int64_t i) { return found.covers(i); });
  if (!explained || covered != static_cast<std::int64_t>(indexes.size()))
    return std::nullopt;
  return found;
}

std::string describe(const stripe& x, const noun& name) {
  auto ends_block = x.first + x.count == x.period;
  if (x.count == 1 && (ends_block || x.first == 0))
    return fmt::format("the {} {} of every block of {}", ends_block ? "last" : "first", name.one,
                       x.period);
  if (ends_block || x.first == 0)
    return fmt::format("the {} {} {} of every block of {}", ends_block ? "last" : "first", x.count,
                       name.many, x.period);
  if (x.count == 1)
    return fmt::format("{} {} of every block of {}", name.one, x.first, x.period);
  return fmt::format("{} {} to {} of every block of {}", name.many, x.first, x.first + x.count - 1,
                     x.period);
}

std::string describe_run(std::int64_t first, std::int64_t last, std::int64_t size,
                         const noun& name) {
  auto result = first == last ? fmt::format("{} {}", name.one, first)
                              : fmt::format("{} {} to {}", name.many, first, last);
  auto end = first == 0 ? "first" : last == size - 1 ? "last" : "";
  if (*end == '\0')
    return result;
  return first == last ? fmt::format("{} (the {})", result, end)
                       : fmt::format("{} (the {} {})", result, end, last - first + 1);
}

} // namespace

std::string describe_indexes(const std::vector<std::int64_t>& indexes, std::int64_t size,
                             const noun& name) {
  if (run_length(indexes) == indexes.size())
    return describe_run(indexes.front(), indexes.back(), size, name);
  auto shown = std::min(indexes.size(), most_listed);
  auto list =
    fmt::format("{} {}{}", name.many,
                fmt::join(indexes.begin(), indexes.begin() + static_cast<long>(shown), ", "),
                shown < indexes.size() ? ", ..." : "");
  if (auto found = find_stripe(indexes, size))
    return fmt::format("{} ({})", list, describe(*found, name));
  return shown == indexes.size() ? list : std::string{};
}

} // namespace lathe::verifier
