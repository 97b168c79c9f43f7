#include "tools/lathe/doctor/report.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace lathe::doctor {

namespace {

constexpr int name_width = 21;
constexpr int state_width = 11;

constexpr std::string_view plain = "\033[0m";

std::string_view colour_of(condition x) {
  constexpr std::array<std::string_view, 4> colours = {"\033[32m", "\033[33m", "\033[31m",
                                                       "\033[2m"};
  return colours[static_cast<std::size_t>(x)];
}

auto count(std::span<const finding> findings, condition x) {
  return std::count_if(findings.begin(), findings.end(),
                       [x](const finding& y) { return y.state == x; });
}

std::string counted_warnings(std::span<const finding> findings) {
  auto warnings = count(findings, condition::warning);
  return warnings == 0 ? "" : fmt::format("; {} warning{}", warnings, warnings == 1 ? "" : "s");
}

} // namespace

std::string_view to_string(condition x) {
  constexpr std::array<std::string_view, 4> names = {"ok", "warning", "missing", "not needed"};
  return names[static_cast<std::size_t>(x)];
}

std::string format_row(const finding& x, bool colour) {
  auto state = fmt::format("{:<{}}", to_string(x.state), state_width);
  if (colour)
    state = fmt::format("{}{}{}", colour_of(x.state), state, plain);
  auto row = fmt::format("  {:<{}} {} {}\n", x.name, name_width, state, x.found);
  if (!x.remedy.empty())
    row += fmt::format("  {:<{}} -> {}\n", "", name_width + state_width + 1, x.remedy);
  return row;
}

std::string format_summary(std::span<const finding> findings) {
  auto warnings = counted_warnings(findings);
  if (ready(findings))
    return fmt::format("everything that Lathe needs is there{}\n", warnings);
  std::vector<std::string_view> names;
  for (auto& x : findings)
    if (x.state == condition::missing)
      names.push_back(x.name);
  return fmt::format("Lathe cannot work yet; missing: {}{}\n", fmt::join(names, ", "), warnings);
}

std::string format_json(std::span<const finding> findings) {
  boost::json::array rows;
  for (auto& x : findings)
    rows.push_back(boost::json::object{
      {"name", x.name}, {"state", to_string(x.state)}, {"found", x.found}, {"remedy", x.remedy}});
  boost::json::object document{{"ready", ready(findings)}, {"findings", std::move(rows)}};
  return boost::json::serialize(document);
}

bool ready(std::span<const finding> findings) {
  return count(findings, condition::missing) == 0;
}

} // namespace lathe::doctor
