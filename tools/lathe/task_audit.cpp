#include "tools/lathe/task_audit.hpp"

#include "gpu/local_leases.hpp"
#include "gpu/task_preparation.hpp"
#include "messages/error.hpp"
#include "runtime/task_file.hpp"
#include "tools/lathe/commands.hpp"
#include "tools/lathe/failure.hpp"
#include "tools/lathe/installation.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace lathe::cli {

namespace {

using answers = std::vector<verifier::trivial_answer>;

constexpr auto time_limit = std::chrono::minutes{5};

// A message carries few descriptors.
constexpr std::size_t most_outputs = 4;

std::string in_words(const std::optional<bool>& passes) {
  if (!passes)
    return "means nothing here";
  return *passes ? "passes" : "fails";
}

void print(const std::string& file, const task_profile& found, const answers& tried) {
  fmt::print("{}: {} · {}\n", file, found.shapes, found.where.judge);
  for (auto& x : tried)
    fmt::print("  {:<24}  {}\n", x.name, in_words(x.passes));
  if (found.degenerate.empty())
    fmt::print("sound: no answer passes that computes nothing\n");
  else
    fmt::print("degenerate: {}; a verdict on it proves little\n", found.degenerate);
}

void print_json(const std::string& file, const task_profile& found, const answers& tried) {
  boost::json::array list;
  for (auto& x : tried)
    list.push_back(
      {{"answer", x.name}, {"passes", x.passes ? boost::json::value(*x.passes) : nullptr}});
  boost::json::object document{{"task", file},
                               {"shapes", found.shapes},
                               {"judge", found.where.judge},
                               {"degenerate", found.degenerate},
                               {"tried", std::move(list)}};
  fmt::print("{}\n", boost::json::serialize(document));
}

} // namespace

int audit_task(const std::string& file, const evaluator_config& config, bool json) {
  auto subject = runtime::read_task(file);
  if (!subject)
    return fail(subject.error());
  auto site = gpu::evaluation_site::open(find_installation().site, config);
  if (!site)
    return fail(site.error());
  gpu::local_leases leases;
  auto oracle = gpu::prepare_oracle(*subject, **site, leases);
  if (!oracle)
    return fail(oracle.error());
  std::vector<int> outputs;
  for (auto& draw : (*oracle)->timed())
    if (outputs.size() < most_outputs)
      outputs.push_back(draw.expected.fd());
  auto tried = (*site)->verifier().try_trivial_answers(
    config.tolerance, outputs, std::chrono::steady_clock::now() + time_limit);
  if (!tried)
    return fail(tried.error());
  auto profile = (*oracle)->profile();
  json ? print_json(file, profile, *tried) : print(file, profile, *tried);
  return profile.degenerate.empty() ? done : not_better;
}

} // namespace lathe::cli
