#include "runtime/topology/suggestion.hpp"

#include <algorithm>
#include <numeric>

namespace lathe::runtime {

namespace {

// Longer words are not compared: nobody mistypes one, and the distance takes quadratic time.
constexpr std::size_t longest_word = 64;

} // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      auto replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  if (word.size() > longest_word)
    return {};
  const std::string* best = nullptr;
  auto limit = 2 + word.size() / 4; // one of four letters, and at least one: below this
  for (const auto& candidate : known) {
    auto distance = edit_distance(word, candidate);
    if (distance < limit && distance < candidate.size()) {
      best = &candidate;
      limit = distance;
    }
  }
  return best ? "; did you mean '" + *best + "'?" : std::string{};
}

std::string either(const std::vector<std::string>& words) {
  std::string result;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0)
      result += i + 1 == words.size() ? " or " : ", ";
    result += words[i];
  }
  return result;
}

} // namespace lathe::runtime
