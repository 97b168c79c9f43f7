#include "tools/lathe/judging/python_files.hpp"

#include "messages/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <glob.h>
#include <iterator>
#include <set>

namespace lathe::judging {

namespace {

namespace fs = std::filesystem;

bool is_digit(char x) {
  return std::isdigit(static_cast<unsigned char>(x)) != 0;
}

// Takes a number off the front, without leading zeros.
std::string_view take_number(std::string_view& text) {
  auto end = std::min(text.find_first_not_of("0123456789"), text.size());
  auto number = text.substr(0, end);
  text.remove_prefix(end);
  number.remove_prefix(std::min(number.find_first_not_of('0'), number.size()));
  return number;
}

bool is_left_out(const fs::path& x) {
  auto name = x.filename().string();
  return name.starts_with(".") || name == "__pycache__";
}

caf::error add_folder(const fs::path& folder, std::vector<fs::path>& result) {
  std::error_code error;
  auto before = result.size();
  auto end = fs::recursive_directory_iterator{};
  for (fs::recursive_directory_iterator i{folder, error}; !error && i != end; i.increment(error)) {
    if (is_left_out(i->path())) {
      i.disable_recursion_pending();
      continue;
    }
    std::error_code ignored; // of a link that leads nowhere
    if (i->path().extension() == ".py" && i->is_regular_file(ignored))
      result.push_back(i->path());
  }
  if (error)
    return make_error(errc::user_error, fmt::format("{}: {}", folder.string(), error.message()));
  if (result.size() == before)
    return make_error(errc::user_error,
                      fmt::format("{}: there are no Python files in this folder", folder.string()));
  return {};
}

std::vector<fs::path> matches(const std::string& pattern) {
  glob_t found{};
  std::vector<fs::path> result;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
    result.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  return result;
}

caf::expected<std::vector<fs::path>> files_of(const std::string& place) {
  std::error_code ignored;
  std::vector<fs::path> found;
  if (fs::exists(place, ignored))
    found.emplace_back(place);
  else if (place.find_first_of("*?[") == std::string::npos)
    return make_error(errc::user_error, place + ": there is no such file");
  else if (found = matches(place); found.empty())
    return make_error(errc::user_error, place + ": no file matches this pattern");
  std::vector<fs::path> result;
  for (auto& x : found) {
    if (!fs::is_directory(x))
      result.push_back(x);
    else if (auto error = add_folder(x, result))
      return error;
  }
  for (auto& x : result)
    x = x.lexically_normal();
  std::sort(result.begin(), result.end(), [](const fs::path& x, const fs::path& y) {
    auto& a = x.native();
    auto& b = y.native();
    // Names that count alike ("1.py", "01.py") still have one order.
    return counts_before(a, b) || (!counts_before(b, a) && a < b);
  });
  return result;
}

} // namespace

bool counts_before(std::string_view x, std::string_view y) {
  while (!x.empty() && !y.empty()) {
    if (is_digit(x.front()) && is_digit(y.front())) {
      auto a = take_number(x);
      auto b = take_number(y);
      if (a != b)
        return a.size() != b.size() ? a.size() < b.size() : a < b;
      continue;
    }
    if (x.front() != y.front())
      return x.front() < y.front();
    x.remove_prefix(1);
    y.remove_prefix(1);
  }
  return x.empty() && !y.empty();
}

caf::expected<std::vector<fs::path>> find_python_files(const std::vector<std::string>& places) {
  std::vector<fs::path> result;
  std::set<fs::path> seen;
  for (auto& place : places) {
    auto found = files_of(place);
    if (!found)
      return std::move(found.error());
    std::ranges::copy_if(*found, std::back_inserter(result),
                         [&](const fs::path& x) { return seen.insert(x).second; });
  }
  return result;
}

} // namespace lathe::judging
