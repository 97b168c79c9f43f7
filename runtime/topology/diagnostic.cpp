#include "runtime/topology/diagnostic.hpp"

#include <algorithm>
#include <tuple>

namespace lathe::runtime {

namespace {

std::string first_line(const diagnostic& x) {
  auto where = x.file;
  if (x.line > 0)
    where += ":" + std::to_string(x.line);
  if (x.outside)
    return x.message + " (" + where + ")";
  if (x.line > 0)
    where += ":" + std::to_string(x.column);
  return where + ": " + x.message;
}

} // namespace

std::string to_string(const diagnostic& x) {
  return x.hint.empty() ? first_line(x) : first_line(x) + "\n" + x.hint;
}

std::string to_string(const std::vector<diagnostic>& xs) {
  std::vector<std::string> lines;
  for (const auto& x : xs)
    lines.push_back(first_line(x));
  for (const auto& x : xs)
    if (!x.hint.empty() && std::find(lines.begin(), lines.end(), x.hint) == lines.end())
      lines.push_back(x.hint);
  std::string result;
  for (const auto& line : lines)
    result += line + "\n";
  return result;
}

void mistake_list::add(const place& at, std::string message) {
  mistakes_.push_back({at.file, at.line, at.column, std::move(message), {}, false});
}

void mistake_list::add_outside(const place& at, std::string message, std::string hint) {
  mistakes_.push_back({at.file, at.line, at.column, std::move(message), std::move(hint), true});
}

std::vector<diagnostic> mistake_list::sorted(const std::string& main_file) const {
  auto rank = [&](const diagnostic& x) {
    return std::tuple{x.file != main_file, x.file, x.line, x.column};
  };
  auto result = mistakes_;
  std::stable_sort(result.begin(), result.end(),
                   [&](const diagnostic& a, const diagnostic& b) { return rank(a) < rank(b); });
  return result;
}

} // namespace lathe::runtime
