#include "tools/lathe/judging/html_page.hpp"

#include "messages/markup.hpp"
#include "runtime/report.hpp"
#include "tools/lathe/judging/summary.hpp"
#include "tools/lathe/judging/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace lathe::judging {

namespace {

constexpr auto style = R"(
:root { --ink: #1b1f24; --soft: #5b6470; --line: #d5dae1; --paper: #fff; --win: #0a7d4f;
  --loss: #b3372f; --tie: #5b6470; --band: #0a7d4f33; color-scheme: light dark }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #9aa4b1; --line: #363d47;
  --paper: #14171b; --win: #4ac48e; --loss: #f0857c; --tie: #9aa4b1; --band: #4ac48e33 } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 80rem; margin: 2rem auto; padding: 0 1.5rem }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem }
p { margin: .3rem 0 } .soft { color: var(--soft) }
figure { margin: 1rem 0 } figcaption { color: var(--soft); font-size: .87rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top }
th { white-space: nowrap } th button { all: unset; cursor: pointer; font-weight: 600 }
th button:focus-visible { outline: 2px solid currentColor }
th[aria-sort=ascending] button::after { content: " \2191" }
th[aria-sort=descending] button::after { content: " \2193" }
.number { text-align: right; white-space: nowrap } td.name { overflow-wrap: break-word }
.win { color: var(--win) } .loss { color: var(--loss) } .tie { color: var(--tie) }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; margin: .3rem 0 }
summary { cursor: pointer }
svg { display: block } svg text { fill: var(--soft); font-size: 12px }
svg .grid { stroke: var(--line) } svg .band { fill: var(--band) }
svg .sure { stroke: var(--win); fill: none; stroke-width: 2 }
svg .win, svg .loss, svg .tie { stroke: currentColor; fill: currentColor; stroke-width: 2 }
svg .tie circle { fill: var(--paper) } svg .one { stroke: var(--soft); stroke-dasharray: 2 3 }
)";

// Sorts by what each cell holds in `data-by`, numbers as numbers.
constexpr auto script = R"(
for (const head of document.querySelectorAll("th button")) head.onclick = () => {
  const cell = head.parentNode, column = cell.cellIndex;
  const up = cell.getAttribute("aria-sort") !== "ascending";
  for (const other of cell.parentNode.cells) other.removeAttribute("aria-sort");
  cell.setAttribute("aria-sort", up ? "ascending" : "descending");
  const body = cell.closest("table").tBodies[0], key = row => row.cells[column].dataset.by;
  const order = (a, b) => key(a) - key(b) || key(a).localeCompare(key(b), "en", {numeric: true});
  body.append(...[...body.rows].sort((a, b) => up ? order(a, b) : order(b, a)));
};
)";

std::string count_of(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

// -- speed-ups on a line --------------------------------------------------------------------------

// A logarithmic axis from one power of two to another.
class speedup_axis {
public:
  explicit speedup_axis(const std::vector<row>& rows) {
    for (auto& row : rows)
      for (auto& judgement : row.judgements)
        if (auto* x = judgement.verdict(); x != nullptr && x->timing) {
          first_ = std::min(first_, std::floor(std::log2(x->timing->low)));
          last_ = std::max(last_, std::ceil(std::log2(x->timing->high)));
        }
    first_ = std::max(first_, -6.0);
    last_ = std::min(last_, 10.0);
  }

  // From 0 to 1.
  double at(double speedup) const {
    auto x = speedup > 0 ? std::clamp(std::log2(speedup), first_, last_) : first_;
    return (x - first_) / (last_ - first_);
  }

  std::vector<double> ticks() const {
    std::vector<double> result;
    for (auto x = first_; x <= last_; ++x)
      result.push_back(std::exp2(x));
    return result;
  }

private:
  double first_ = -1;
  double last_ = 2;
};

const char* class_of(const timing& x) {
  return x.tie() ? "tie" : x.low > 1 ? "win" : "loss";
}

std::string interval_picture(const timing& x, const speedup_axis& axis) {
  constexpr double width = 150;
  constexpr double edge = 5;
  auto at = [&](double speedup) { return edge + (width - 2 * edge) * axis.at(speedup); };
  return fmt::format(
    R"(<svg width="{0:g}" height="20" role="img" aria-label="{1:.2f}x [{2:.2f}, {3:.2f}]">)"
    R"(<path class="one" d="M{4:.1f} 0V20"/><g class="{5}"><path d="M{6:.1f} 10H{7:.1f}"/>)"
    R"(<circle cx="{8:.1f}" cy="10" r="4"/></g></svg>)",
    width, x.speedup, x.low, x.high, at(1), class_of(x), at(x.low), at(x.high), at(x.speedup));
}

// -- fast_p ---------------------------------------------------------------------------------------

// Where a share falls, step by step, from the left edge to the right one.
class staircase {
public:
  staircase(const std::vector<double>& values, std::int32_t of, const speedup_axis& axis,
            double left, double width, double top, double height) {
    auto y = [&](std::size_t above) {
      return top + height * (1 - static_cast<double>(above) / static_cast<double>(of));
    };
    points_.push_back({left, y(values.size())});
    for (std::size_t i = 0; i < values.size(); ++i) {
      auto x = left + width * axis.at(values[i]);
      points_.push_back({x, points_.back().second});
      points_.push_back({x, y(values.size() - i - 1)});
    }
    points_.push_back({left + width, points_.back().second});
  }

  std::string path(bool backwards = false) const {
    std::string result;
    auto add = [&](const auto& point) {
      result += fmt::format("{}{:.1f} {:.1f}", result.empty() && !backwards ? "M" : "L",
                            point.first, point.second);
    };
    if (backwards)
      std::for_each(points_.rbegin(), points_.rend(), add);
    else
      std::for_each(points_.begin(), points_.end(), add);
    return result;
  }

private:
  std::vector<std::pair<double, double>> points_;
};

std::string fast_picture(const fast_curve& x, const speedup_axis& axis) {
  if (x.of == 0)
    return {};
  constexpr double left = 40;
  constexpr double width = 560;
  constexpr double top = 10;
  constexpr double height = 180;
  std::string result = fmt::format(
    R"(<figure><svg viewBox="0 0 {:g} {:g}" width="{:g}" role="img" aria-label="fast_p by p">)",
    left + width + 20, top + height + 40, left + width + 20);
  for (auto share : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    auto y = top + height * (1 - share);
    result += fmt::format(R"(<path class="grid" d="M{0:g} {1:.1f}H{2:g}"/>)"
                          R"(<text x="{3:g}" y="{4:.1f}" text-anchor="end">{5:g}</text>)",
                          left, y, left + width, left - 6, y + 4, share);
  }
  for (auto p : axis.ticks()) {
    auto at = left + width * axis.at(p);
    result += fmt::format(R"(<path class="{0}" d="M{1:.1f} {2:g}V{3:g}"/>)"
                          R"(<text x="{1:.1f}" y="{4:g}" text-anchor="middle">{5:g}x</text>)",
                          p == 1 ? "one" : "grid", at, top, top + height, top + height + 18, p);
  }
  staircase sure{x.lows, x.of, axis, left, width, top, height};
  staircase most{x.highs, x.of, axis, left, width, top, height};
  result += fmt::format(R"(<path class="band" d="{}{}Z"/><path class="sure" d="{}"/></svg>)",
                        sure.path(), most.path(true), sure.path());
  return result
         + fmt::format("<figcaption>fast_p, of {}: the share that is correct and more than p times "
                       "as fast as the reference; the band is what intervals leave open"
                       "</figcaption></figure>\n",
                       x.of);
}

// -- the table ------------------------------------------------------------------------------------

std::string cell(std::string_view by, std::string_view content, std::string_view kind = {}) {
  return fmt::format(R"(<td data-by="{}"{}>{}</td>)", escaped(by),
                     kind.empty() ? "" : fmt::format(R"( class="{}")", kind), content);
}

std::string number_cell(double by, const std::string& content, std::string_view kind = "number") {
  return cell(fmt::format("{:.9g}", by), content, kind);
}

std::string speedup_cells(const judgement& x, const speedup_axis& axis) {
  auto* found = x.verdict();
  if (found == nullptr || !found->timing)
    return cell("-1", "") + cell("-1", "") + cell("-1", "") + cell("-1", "");
  auto& t = *found->timing;
  return number_cell(t.speedup,
                     fmt::format(R"(<span class="{}">{:.2f}x</span> [{:.2f}, {:.2f}]{})",
                                 class_of(t), t.speedup, t.low, t.high, t.tie() ? " tie" : ""))
         + number_cell(t.speedup, interval_picture(t, axis), "")
         + number_cell(t.reference, runtime::format_ms(t.reference))
         + number_cell(t.candidate, runtime::format_ms(t.candidate));
}

// Lines break behind folders.
std::string path(const std::string& file) {
  std::string result;
  for (auto c : escaped(file))
    result += c == '/' ? "/<wbr>" : std::string{c};
  return result;
}

std::string outcome_of(const judgement& x) {
  auto* found = x.verdict();
  if (found == nullptr)
    return "no verdict";
  return in_words(found->outcome) + (found->rule.empty() ? "" : ": " + found->rule);
}

std::string details(const row& x, const judgement& y) {
  auto text = in_full(x, y);
  for (auto& why : x.disagreements)
    text += "differ by " + why + "\n";
  return fmt::format("<details><summary>{}</summary><pre>{}</pre></details>",
                     escaped(note(y).empty() ? "details" : note(y)), escaped(text));
}

std::string table(const std::vector<row>& rows, const speedup_axis& axis) {
  std::string result = R"(<div class="scroll"><table><thead><tr>)";
  auto add = [&](std::string_view head, std::string_view kind = "name") {
    result +=
      fmt::format(R"(<th class="{}"><button type="button">{}</button></th>)", kind, escaped(head));
  };
  for (auto* head : {"task", "candidate", "verdict"})
    add(head);
  add("speed-up", "number");
  result += "<th></th>";
  for (auto* head : {"reference", "takes"})
    add(head, "number");
  auto& judgements = rows.front().judgements;
  for (std::size_t i = 1; i < judgements.size(); ++i)
    add(judgements[i].judge, "number");
  add("evidence");
  result += "</tr></thead><tbody>\n";
  for (auto& row : rows) {
    auto& first = row.judgements.front();
    result += "<tr>" + cell(row.task, path(row.task), "name")
              + cell(row.candidate, path(row.candidate), "name")
              + cell(outcome_of(first), escaped(outcome_of(first))) + speedup_cells(first, axis);
    for (std::size_t i = 1; i < row.judgements.size(); ++i) {
      auto* other = row.judgements[i].verdict();
      result += number_cell(other != nullptr && other->timing ? other->timing->speedup : -1,
                            escaped(briefest(row.judgements[i])));
    }
    result += cell(note(first), details(row, first)) + "</tr>\n";
  }
  return result + "</tbody></table></div>\n";
}

// -- the page -------------------------------------------------------------------------------------

std::string list_of(std::string_view what, const std::vector<std::string>& files) {
  if (files.empty())
    return {};
  std::string result;
  for (auto& file : files)
    result += escaped(file) + "\n";
  return fmt::format("<details><summary>{}: {}</summary><pre>{}</pre></details>\n", what,
                     files.size(), result);
}

// Whose task broke has none.
std::string rules_of(const std::vector<row>& rows, std::size_t judge) {
  for (auto& row : rows)
    if (auto& rules = row.judgements[judge].rules; !rules.empty())
      return rules;
  return {};
}

std::string lines_of(const std::string& text) {
  std::string result;
  for (std::size_t begin = 0; begin < text.size();) {
    auto end = std::min(text.find('\n', begin), text.size());
    result += fmt::format("<p>{}</p>\n", escaped(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return result;
}

} // namespace

std::string html_page(const std::vector<row>& rows, const environment& where,
                      const unjudged_files& others) {
  std::set<std::string> tasks;
  for (auto& row : rows)
    tasks.insert(row.task);
  auto title =
    fmt::format("{} of {}", count_of(rows.size(), "candidate"), count_of(tasks.size(), "task"));
  auto result =
    fmt::format("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width\">\n"
                "<title>Lathe: {}</title>\n<style>{}</style>\n</head>\n<body>\n"
                "<h1>{}</h1>\n<p class=\"soft\">{} · {}</p>\n",
                title, style, title, escaped(where.device), escaped(where.software));
  if (!where.sandbox.empty())
    result += fmt::format("<p class=\"soft\">the sandbox lacks on this machine: {}</p>\n",
                          escaped(where.sandbox));
  if (!rows.empty()) {
    speedup_axis axis{rows};
    for (std::size_t i = 0; i < rows.front().judgements.size(); ++i) {
      auto found = summarise(rows, i, others.idle_tasks.size());
      result += fmt::format("<h2>{}</h2>\n<p class=\"soft\">{}</p>\n{}{}",
                            escaped(rows.front().judgements[i].judge), escaped(rules_of(rows, i)),
                            lines_of(format_summary(found)), fast_picture(found.curve, axis));
    }
    result += "<h2>candidates</h2>\n" + table(rows, axis);
  }
  result += list_of("tasks without a candidate", others.idle_tasks)
            + list_of("candidates without a task", others.idle_candidates)
            + list_of("not judged to the end", others.interrupted);
  return result + fmt::format("<script>{}</script>\n</body>\n</html>", script);
}

} // namespace lathe::judging
