#include "tools/lathe/verdict_table.hpp"

#include "runtime/report.hpp"
#include "tools/lathe/judging/summary.hpp"
#include "tools/lathe/judging/words.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

namespace lathe::cli {

namespace {

// On a terminal; elsewhere names are as long as they are.
constexpr std::size_t most_of_a_name = 40;

// "correct 12.34x [12.30, 12.40] tie"
constexpr std::size_t verdict_width = 33;

// "12.34x [12.30, 12.40] tie"
constexpr std::size_t speedup_width = 25;

// "0.612 ms -> 0.179 ms"
constexpr std::size_t times_width = 20;

// 0 where the output is no terminal: then lines are as long as they are.
std::size_t terminal_width() {
  winsize size{};
  if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
    return 0;
  return size.ws_col;
}

std::string times(const judging::judgement& x) {
  auto* found = x.verdict();
  if (found == nullptr || !found->timing)
    return {};
  return fmt::format("{} -> {}", runtime::format_ms(found->timing->reference),
                     runtime::format_ms(found->timing->candidate));
}

// Columns of a line, with what a row has there: task and candidate, then one judge's verdict in
// detail, or several judges' side by side.
std::vector<judging::column> columns_for(const judging::batch& work) {
  std::vector<judging::column> result;
  if (work.tasks.size() > 1)
    result.push_back({"task", 0, true});
  result.push_back({"candidate", 0, true});
  if (work.judges.size() == 1) {
    result.push_back({"verdict", verdict_width});
    result.push_back({"reference -> candidate", times_width});
    result.push_back({"note"});
    return result;
  }
  for (auto& judge : work.judges)
    result.push_back({judge.name, speedup_width});
  result.push_back({"why they differ"});
  return result;
}

std::vector<std::string> cells_of(const judging::row& x, bool with_task) {
  std::vector<std::string> result;
  if (with_task)
    result.push_back(x.task);
  result.push_back(x.candidate);
  auto& first = x.judgements.front();
  if (x.judgements.size() == 1) {
    result.insert(result.end(), {judging::brief(first), times(first), judging::note(first)});
    return result;
  }
  for (auto& judgement : x.judgements)
    result.push_back(judging::briefest(judgement));
  result.push_back(fmt::format("{}", fmt::join(x.disagreements, "; ")));
  return result;
}

judging::text_table make_table(const judging::batch& work) {
  auto width = terminal_width();
  auto most = width == 0 ? std::string::npos : most_of_a_name;
  judging::text_table result{columns_for(work), width};
  std::size_t column = 0;
  if (work.tasks.size() > 1) {
    for (auto& x : work.tasks)
      result.fit(column, x.path, most);
    ++column;
  }
  for (auto& x : work.entries)
    result.fit(column, x.candidate, most);
  return result;
}

} // namespace

verdict_table::verdict_table(const judging::batch& work, environment where)
  : work_(work), where_(std::move(where)), table_(make_table(work)) {
  // nop
}

void verdict_table::begin(const judging::row& first) {
  begun_ = true;
  auto where = work_.tasks.size() == 1 ? first.task : fmt::format("{} tasks", work_.tasks.size());
  fmt::print("{}: {}\n", where, where_.device);
  if (!where_.sandbox.empty())
    fmt::print("the sandbox lacks on this machine: {}\n", where_.sandbox);
  for (auto& x : first.judgements)
    if (!x.rules.empty())
      fmt::print("{}\n", x.rules);
  if (auto& why = first.judgements.front().degenerate; work_.tasks.size() == 1 && !why.empty())
    fmt::print("degenerate task: {}\n", why);
  if (work_.entries.size() > 1)
    fmt::print("{}\n", table_.header());
}

void verdict_table::show(const judging::row& x) {
  if (work_.entries.size() == 1 && !x.judgements.front().verdict())
    return; // the caller says why, in one sentence
  if (!begun_)
    begin(x);
  if (work_.entries.size() > 1)
    fmt::print("{}\n", table_.line(cells_of(x, work_.tasks.size() > 1)));
  else
    show_in_full(x);
  std::fflush(stdout);
}

void verdict_table::show_in_full(const judging::row& x) {
  for (auto& judgement : x.judgements) {
    if (x.judgements.size() > 1)
      fmt::print("{}:\n", judgement.judge);
    fmt::print("{}", judging::in_full(x, judgement));
  }
  for (auto& why : x.disagreements)
    fmt::print("differ by {}\n", why);
}

void verdict_table::finish(const std::vector<judging::row>& rows, std::size_t idle_tasks) {
  if (rows.size() < 2)
    return;
  for (std::size_t i = 0; i < work_.judges.size(); ++i) {
    fmt::print("\n");
    if (work_.judges.size() > 1)
      fmt::print("{}:\n", work_.judges[i].name);
    fmt::print("{}", judging::format_summary(judging::summarise(rows, i, idle_tasks)));
  }
}

} // namespace lathe::cli
