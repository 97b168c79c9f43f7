#include "tools/lathe/replay_command.hpp"

#include "llm_clients/json_text.hpp"
#include "runtime/journal/atomic_file.hpp"
#include "runtime/record_difference.hpp"
#include "runtime/report.hpp"
#include "runtime/run.hpp"
#include "tools/lathe/commands.hpp"
#include "tools/lathe/failure.hpp"
#include "tools/lathe/run_display.hpp"
#include "tools/lathe/run_log.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

namespace lathe::cli {

namespace fs = std::filesystem;

namespace {

caf::expected<runtime::run_directory> make_directory(const replay_arguments& x) {
  if (!x.name.empty())
    return runtime::run_directory::create(x.runs, x.name);
  auto folder = fs::absolute(x.recorded / "").parent_path().filename().string();
  return runtime::run_directory::create_fresh(
    x.runs, folder + "-again", fmt::format("{:%Y%m%d-%H%M%S}", fmt::localtime(std::time(nullptr))));
}

caf::expected<runtime::replay_source> read_source(const runtime::run_paths& paths) {
  auto journal = runtime::journal_store::open_read_only(paths.journal());
  if (!journal)
    return std::move(journal.error());
  auto records = journal->read_events();
  if (!records)
    return std::move(records.error());
  auto past = runtime::recording::read(std::move(*records));
  if (!past)
    return make_error(static_cast<errc>(past.error().code()),
                      fmt::format("{} cannot be played again: {}", paths.journal().string(),
                                  describe(past.error())));
  return runtime::replay_source{std::make_shared<runtime::recording>(std::move(*past)),
                                std::make_shared<runtime::journal_store>(std::move(*journal))};
}

// Has the journals the last word on what the replay says of itself.
caf::expected<std::string> compare(const runtime::run_paths& recorded,
                                   const runtime::run_paths& now,
                                   const runtime::replay_outcome& outcome) {
  if (!outcome.parting.empty())
    return outcome.parting;
  auto old_journal = runtime::journal_store::open_read_only(recorded.journal());
  if (!old_journal)
    return std::move(old_journal.error());
  auto new_journal = runtime::journal_store::open_read_only(now.journal());
  if (!new_journal)
    return std::move(new_journal.error());
  return runtime::compare_journals(*old_journal, *new_journal, outcome.played);
}

caf::error write_report(runtime::run& work, const runtime::run_paths& paths) {
  auto text = runtime::format_report(paths.root.filename().string(), work.plan().name,
                                     work.results(), work.devices(), work.spending());
  auto written = runtime::write_atomically(paths.report(), text);
  return written ? caf::error{} : std::move(written.error());
}

std::string in_words(const std::string& recorded, const std::string& now, std::size_t played,
                     const std::string& parting, const runtime::recording& past) {
  if (!parting.empty())
    return fmt::format("{} parts from {} at {}", now, recorded, parting);
  auto same = fmt::format("replayed: {} events, the same as {}", played, recorded);
  if (!past.left_out().empty())
    return fmt::format("{} up to {}; what is behind that cannot be played", same, past.left_out());
  return past.is_whole() ? same : same + ", which was not finished";
}

std::string in_json(const std::string& recorded, const std::string& now, std::size_t played,
                    const std::string& parting, const runtime::recording& past) {
  return fmt::format(R"({{"run":{},"recorded":{},"events":{},"same":{},"whole":{},"parting":{}}})",
                     llm_clients::json_string(now), llm_clients::json_string(recorded), played,
                     parting.empty(), parting.empty() && past.is_whole(),
                     llm_clients::json_string(parting));
}

} // namespace

int replay_whole_run(const replay_arguments& x) {
  runtime::run_paths recorded{x.recorded};
  auto source = read_source(recorded);
  if (!source)
    return fail(source.error());
  auto past = source->past;
  auto directory = make_directory(x);
  if (!directory)
    return fail(directory.error());
  auto paths = directory->paths();
  std::error_code ignored; // older runs may have none
  fs::copy_file(recorded.topology(), paths.topology(), ignored);
  log_to(paths.log());
  run_display display{x.quiet, x.json};
  runtime::run_options options;
  options.tell = [&](const std::string& line) { display.tell(line); };
  options.replay = std::move(*source);
  auto work = runtime::run::start(std::move(*directory), std::move(options));
  if (!work)
    return fail(work.error());
  while (!(*work)->wait(std::chrono::seconds{1})) {
    // nop
  }
  display.finish(**work);
  if (auto failure = (*work)->failure())
    return fail(*failure);
  auto outcome = *(*work)->replayed();
  if (auto error = write_report(**work, paths))
    return fail(error);
  work->reset();
  auto parting = compare(recorded, paths, outcome);
  if (!parting)
    return fail(parting.error());
  auto say = x.json ? in_json : in_words;
  fmt::print("{}\n",
             say(x.recorded.string(), paths.root.string(), outcome.played, *parting, *past));
  return parting->empty() ? done : not_better;
}

} // namespace lathe::cli
