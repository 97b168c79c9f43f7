#include "gpu/verifier/requests.hpp"

#include "gpu/verifier/audit.hpp"
#include "gpu/verifier/compute_device.hpp"
#include "gpu/verifier/judge.hpp"

#include <ATen/ATen.h>
#include <boost/json.hpp>

#include <cmath>
#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <vector>

#include <sys/stat.h>

namespace lathe::verifier {

namespace {

namespace json = boost::json;

// A request that cannot be served. Thrown only inside this file: `answer` makes a reply of it.
struct bad_request : std::runtime_error {
  using std::runtime_error::runtime_error;
};

tolerance read_tolerance(const json::object& request) {
  tolerance result;
  if (!from_string(std::string_view{request.at("policy").as_string()}, result.policy))
    throw bad_request{"there is no such policy"};
  if (auto* k = request.if_contains("k"))
    result.k = k->to_number<double>();
  if (!std::isfinite(result.k) || result.k <= 0)
    throw bad_request{"k has to be a positive number"};
  return result;
}

std::int64_t total_size(std::span<const int> fds) {
  std::int64_t sum = 0;
  for (auto fd : fds)
    if (struct stat info {}; ::fstat(fd, &info) == 0)
      sum += info.st_size;
  return sum;
}

// The files that came with a request. All of them lie where there is room for all, or none does.
class files {
public:
  explicit files(std::span<const int> fds) {
    auto place = place_with_room(total_size(fds));
    for (auto fd : fds)
      contents_.push_back(read_values(fd, place));
  }

  reading read(const json::value& position) const {
    auto index = position.to_number<std::size_t>();
    if (index >= contents_.size())
      throw bad_request{"a descriptor is missing"};
    return contents_[index];
  }

  value read_reference(const json::value& position) const {
    auto result = read(position);
    if (!result)
      throw bad_request{"the reference's output cannot be read: " + result.problem};
    return std::move(result.content);
  }

private:
  std::vector<reading> contents_;
};

json::object answer_compare(const json::object& request, const files& sent) {
  auto allowed = read_tolerance(request);
  auto expected = sent.read_reference(request.at("expected"));
  std::optional<value> correction;
  if (auto* position = request.if_contains("correction"); position && !position->is_null())
    correction = sent.read_reference(*position);
  auto got = sent.read(request.at("got"));
  auto* evidence = request.if_contains("evidence");
  auto said = evidence != nullptr && !evidence->as_bool() ? detail::verdict : detail::evidence;
  auto* added = correction ? &*correction : nullptr;
  auto result = got ? judge(expected, added, got.content, allowed, said) : unreadable(got.problem);
  return {{"ok", true},
          {"agrees", result.agrees},
          {"evidence", result.evidence},
          {"error_ratio", result.error_ratio},
          {"precision_class", result.precision_class}};
}

json::object answer_audit(const json::object& request, const files& sent) {
  auto allowed = read_tolerance(request);
  std::vector<value> draws;
  for (auto& position : request.at("expected").as_array())
    draws.push_back(sent.read_reference(position));
  json::array tried;
  if (request.contains("all"))
    for (auto& x : try_trivial_answers(draws, allowed))
      tried.push_back({{"answer", x.name}, {"passes", x.passes ? json::value(*x.passes) : nullptr}});
  return {{"ok", true}, {"degenerate", audit(draws, allowed)}, {"tried", std::move(tried)}};
}

// On a GPU a first comparison makes a context and loads kernels.
json::object answer_start() {
  const value numbers{at::linspace(0, 1, 1024, at::TensorOptions(place_with_room(0)))};
  judge(numbers, nullptr, numbers, {}, detail::verdict);
  return {{"ok", true}};
}

json::object dispatch(std::string_view text, std::span<const int> fds) {
  auto parsed = json::parse({text.data(), text.size()});
  auto& request = parsed.as_object();
  auto& op = request.at("op").as_string();
  if (op == "compare")
    return answer_compare(request, files{fds});
  if (op == "audit")
    return answer_audit(request, files{fds});
  if (op == "start")
    return answer_start();
  throw bad_request{"there is no such operation"};
}

} // namespace

std::string answer(std::string_view request, std::span<const int> fds) {
  try {
    return json::serialize(dispatch(request, fds));
  } catch (const std::exception& problem) { // Boost.JSON, torch and `bad_request`
    return json::serialize(
      json::object{{"ok", false}, {"kind", "bad_request"}, {"message", problem.what()}});
  }
}

} // namespace lathe::verifier
