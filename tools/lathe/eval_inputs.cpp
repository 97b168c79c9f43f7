#include "tools/lathe/eval_inputs.hpp"

#include "gpu/screen.hpp"
#include "messages/error.hpp"
#include "runtime/task_file.hpp"
#include "tools/lathe/judging/kernelbench_results.hpp"
#include "tools/lathe/judging/python_files.hpp"

#include <fmt/format.h>

#include <fstream>

namespace lathe::cli {

namespace {

caf::expected<std::string> read_candidate(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored))
    return make_error(errc::user_error, fmt::format("{}: this is not a file", file.string()));
  std::ifstream in{file, std::ios::binary};
  if (!in)
    return make_error(errc::user_error, fmt::format("{}: it cannot be read", file.string()));
  // One byte more than allowed is enough to say that it is too large.
  std::string text(gpu::max_candidate_size + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

// One task, and candidates whose names say nothing.
judging::pairing pair_all(const std::filesystem::path& task,
                          const std::vector<std::filesystem::path>& candidates) {
  judging::pairing result;
  auto name = judging::read_name(task);
  for (std::size_t i = 0; i < candidates.size(); ++i)
    result.pairs.push_back({0, i, {candidates[i].stem().string(), name.level, name.problem, {}}});
  return result;
}

caf::expected<eval_inputs> read_all(const std::vector<std::filesystem::path>& tasks,
                                    const std::vector<std::filesystem::path>& candidates,
                                    const judging::pairing& pairs) {
  eval_inputs result;
  std::vector<std::size_t> places(tasks.size(), tasks.size()); // in `work.tasks`
  std::string mistakes;
  for (auto& x : pairs.pairs) {
    if (places[x.task] == tasks.size()) {
      places[x.task] = result.work.tasks.size();
      auto subject = runtime::read_task(tasks[x.task]);
      if (!subject)
        mistakes += describe(subject.error()) + "\n";
      result.work.tasks.push_back(subject ? std::move(*subject) : task{});
    }
    auto source = read_candidate(candidates[x.candidate]);
    if (!source)
      mistakes += describe(source.error()) + "\n";
    else
      result.work.entries.push_back(
        {places[x.task], candidates[x.candidate].string(), std::move(*source), x.name});
  }
  for (auto i : pairs.idle_tasks)
    result.idle_tasks.push_back(tasks[i].string());
  for (auto i : pairs.idle_candidates)
    result.idle_candidates.push_back(candidates[i].string());
  if (!mistakes.empty())
    return make_error(errc::user_error, mistakes.substr(0, mistakes.size() - 1));
  return result;
}

} // namespace

caf::expected<eval_inputs> read_inputs(const std::string& task,
                                       const std::vector<std::string>& candidates) {
  if (auto subject = runtime::read_task(task); !subject)
    return std::move(subject.error());
  auto files = judging::find_python_files(candidates);
  if (!files)
    return std::move(files.error());
  return read_all({task}, *files, pair_all(task, *files));
}

caf::expected<eval_inputs> read_paired_inputs(const std::vector<std::string>& tasks,
                                              const std::vector<std::string>& candidates) {
  auto task_files = judging::find_python_files(tasks);
  if (!task_files)
    return std::move(task_files.error());
  auto files = judging::find_python_files(candidates);
  if (!files)
    return std::move(files.error());
  auto pairs = judging::pair_by_name(*task_files, *files);
  if (!pairs)
    return std::move(pairs.error());
  if (pairs->pairs.empty())
    return make_error(errc::user_error,
                      fmt::format("none of the {} candidates has a name that fits one of the {} "
                                  "tasks; lathe eval --help says how they are paired",
                                  files->size(), task_files->size()));
  return read_all(*task_files, *files, *pairs);
}

caf::error number_samples(judging::batch& work) {
  std::vector<judging::row> rows;
  for (auto& x : work.entries)
    rows.push_back({work.tasks[x.task].path, x.candidate, x.name, {}});
  if (auto error = judging::number_samples(rows))
    return error;
  for (std::size_t i = 0; i < rows.size(); ++i)
    work.entries[i].name = rows[i].name;
  return {};
}

} // namespace lathe::cli
