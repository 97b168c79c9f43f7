#include "gpu/recipe_runner.hpp"

#include "gpu/processes/shared_memory.hpp"
#include "gpu/processes/text_file.hpp"
#include "gpu/task_oracle.hpp"
#include "messages/error.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <simdjson.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>

namespace lathe::gpu {

namespace {

// For the task, and for each pass more than the limit that it has in the worker. Passes around a
// candidate may have to compile it first.
constexpr auto build_limit = std::chrono::minutes{5};
constexpr auto pass_limit = std::chrono::seconds{65};
constexpr auto pass_limit_around = std::chrono::seconds{305};

// What the composer may hand back [bytes].
constexpr std::size_t max_book = 64 << 20;

/// Returns the passes' sources by name, all that are in `folder`.
std::map<std::string, std::string> read_passes(const std::filesystem::path& folder) {
  std::map<std::string, std::string> result;
  std::error_code ignored;
  for (auto& entry : std::filesystem::directory_iterator{folder, ignored})
    if (entry.path().extension() == ".py")
      result.emplace(entry.path().stem().string(), read_text(entry.path()));
  return result;
}

boost::json::object speedups_of(const std::vector<tried_recipe>& tried) {
  boost::json::object result;
  for (auto& x : tried)
    result[x.label] = x.speedup;
  return result;
}

/// Reads the composer's file. It comes from a process that ran foreign code.
caf::expected<recipe_book> parse_book(std::string_view text, const session_id& session) {
  auto broken = [] {
    return make_error(errc::evaluator_failed, "the recipe passes gave nothing that can be read");
  };
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::array drafts;
  simdjson::dom::array declined;
  simdjson::dom::array usable;
  if (parser.parse(simdjson::padded_string{text}).get(root) != simdjson::SUCCESS
      || root["drafts"].get(drafts) != simdjson::SUCCESS
      || root["declined"].get(declined) != simdjson::SUCCESS
      || root["usable"].get(usable) != simdjson::SUCCESS)
    return broken();
  recipe_book result;
  for (auto item : drafts) {
    std::string_view label;
    std::string_view source;
    if (item["label"].get(label) != simdjson::SUCCESS
        || item["source"].get(source) != simdjson::SUCCESS)
      return broken();
    result.drafts.push_back({std::string{source}, std::string{label}, {}, {}});
  }
  for (auto item : declined)
    if (std::string_view line; item.get(line) == simdjson::SUCCESS)
      result.declined.emplace_back(line);
  if (simdjson::dom::element took; root["took"].get(took) == simdjson::SUCCESS)
    spdlog::trace("recipes of {}: seconds until each answered: {}", session,
                  simdjson::minify(took));
  for (auto item : usable)
    if (std::string_view name; item.get(name) == simdjson::SUCCESS)
      result.usable.emplace_back(name);
  return result;
}

} // namespace

caf::expected<recipe_book> run_recipes(const recipe_request& request, evaluation_site& site) {
  auto passes = request.own_passes;
  passes.merge(read_passes(site.paths().recipes));
  auto wanted = request.tried.empty() ? request.passes : request.usable;
  if (!request.tried.empty()) // of the user's, one may be gone
    std::erase_if(wanted, [&](const std::string& name) { return !passes.contains(name); });
  else if (wanted.empty() || wanted.front() == "all") {
    wanted.clear();
    for (auto& [name, ignored] : passes)
      wanted.push_back(name);
  }
  boost::json::object sources;
  for (auto& name : wanted) {
    auto i = passes.find(name);
    if (i == passes.end())
      return make_error(errc::user_error, fmt::format("there is no recipe pass '{}' in {}", name,
                                                      site.paths().recipes.string()));
    sources[name] = i->second;
  }
  // Passes run the model on the device, beside another that stays as it is.
  std::optional<room::share> memory;
  if (auto oracle = site.oracle(request.session); oracle && request.tried.empty())
    memory.emplace(site.room().take(
      site.of_process(oracle->memory_of_call() + oracle->memory_between_calls(), 0), turn::later));
  auto worker = site.spawn("recipes", "recipes:" + request.session, {"recipes"});
  auto source = shared_memory::holding(request.subject.source);
  auto files = shared_memory::holding(boost::json::serialize(sources));
  if (!worker)
    return std::move(worker.error());
  if (!source || !files)
    return make_error(errc::evaluator_failed, "no memory for the recipe passes");
  int fds[] = {source->fd(), files->fd()};
  std::chrono::milliseconds limit = build_limit;
  limit += wanted.size() * (request.around.empty() ? pass_limit : pass_limit_around);
  auto answer = worker->process->call({{"op", "recipes"},
                                       {"passes", boost::json::value_from(wanted)},
                                       {"mode", site.config().mode},
                                       {"tolerance", site.config().tolerance},
                                       {"drafts", request.drafts},
                                       {"tried", speedups_of(request.tried)},
                                       {"around", request.around}},
                                      fds, limit);
  if (!answer.ok() || answer.fds.size() != 1)
    return make_error(errc::evaluator_failed,
                      fmt::format("the recipe passes failed: {}",
                                  answer.ok() ? "no answer" : answer.problem().message));
  auto book = shared_memory::view(std::move(answer.fds.front()), max_book);
  if (!book)
    return std::move(book.error());
  return parse_book(book->text(), request.session);
}

} // namespace lathe::gpu
