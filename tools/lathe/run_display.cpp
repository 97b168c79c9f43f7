#include "tools/lathe/run_display.hpp"

#include "runtime/progress.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <unistd.h>

namespace lathe::cli {

run_display::run_display(bool quiet, bool to_stderr)
  : out_(to_stderr ? stderr : stdout),
    quiet_(quiet),
    terminal_(isatty(fileno(out_)) == 1),
    colour_(terminal_ && std::getenv("NO_COLOR") == nullptr) {
  // nop
}

void run_display::tell(const std::string& line) {
  if (quiet_ || terminal_)
    return;
  say(line);
}

void run_display::warn(const std::string& line) {
  if (!quiet_)
    say(line);
}

void run_display::say(const std::string& line) {
  std::lock_guard guard{mutex_};
  erase();
  fmt::print(out_, "{}\n", line);
  std::fflush(out_);
}

void run_display::redraw(runtime::run& work) {
  if (terminal_ && !quiet_)
    draw(work);
}

void run_display::finish(runtime::run& work) {
  redraw(work);
  drawn_ = 0;
  if (terminal_ && !quiet_)
    fmt::print(out_, "\n");
}

void run_display::draw(runtime::run& work) {
  runtime::progress_view view{work.status(), work.pools(), work.elapsed(), work.plan().budget,
                              work.spending()};
  auto lines = runtime::format_table(view, colour_);
  std::lock_guard guard{mutex_};
  erase();
  for (auto& line : lines)
    fmt::print(out_, "{}\x1b[K\n", line);
  drawn_ = lines.size();
  std::fflush(out_);
}

void run_display::erase() {
  if (drawn_ > 0)
    fmt::print(out_, "\x1b[{}A\r\x1b[J", drawn_);
  drawn_ = 0;
}

} // namespace lathe::cli
